"""What the theory says of a problem: its global minimum, its phase, its thresholds."""

from linscape.landscape.branches import Branch, Branches, branches
from linscape.landscape.certificate import Certificate
from linscape.landscape.diagram import PhaseDiagram, phase_diagram
from linscape.landscape.knobs import (
    CriticalDepth,
    CriticalDropout,
    CriticalSignal,
    critical_depth,
    critical_dropout,
    critical_signal,
)
from linscape.landscape.minimum import GlobalMinimum
from linscape.landscape.phases import CriticalWeightDecay, Phase, critical_weight_decay, phase
from linscape.landscape.solutions import Solution, energy_curve, solutions
from linscape.landscape.solver import global_minima, global_minimum

__all__ = [
    "Branch",
    "Branches",
    "Certificate",
    "CriticalDepth",
    "CriticalDropout",
    "CriticalSignal",
    "CriticalWeightDecay",
    "GlobalMinimum",
    "Phase",
    "PhaseDiagram",
    "Solution",
    "branches",
    "critical_depth",
    "critical_dropout",
    "critical_signal",
    "critical_weight_decay",
    "energy_curve",
    "global_minima",
    "global_minimum",
    "phase",
    "phase_diagram",
    "solutions",
]
