"""Figures of results. Nothing is computed here: arrays and results go in, a figure comes out."""

from linscape.plots.bifurcation import bifurcation
from linscape.plots.descent import descent, singular_values
from linscape.plots.energy import energy
from linscape.plots.figure import rendered
from linscape.plots.histogram import histogram
from linscape.plots.ladder import ladder
from linscape.plots.modes import modes
from linscape.plots.phases import phase_diagram
from linscape.plots.spectrum import spectrum

__all__ = [
    "bifurcation",
    "descent",
    "energy",
    "histogram",
    "ladder",
    "modes",
    "phase_diagram",
    "rendered",
    "singular_values",
    "spectrum",
]
