"""The measure (a_i, c_i²) that the theory sees of the data."""

from typing import TYPE_CHECKING

import numpy as np

from linscape.plots.figure import BLUE, figure_class
from linscape.spectrum import Spectrum

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def spectrum(measure: Spectrum, *, title: str = "") -> "Figure":
    """Draw the share of the signal, c_i²/‖c‖², in each direction over its variance a_i/a_max.

    Parameters
    ----------
    measure : Spectrum
        Of :func:`linscape.spectrum.spectra`.
    title : str
        A line above the figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    MissingDependency
        If matplotlib is not installed.
    """
    figure = figure_class()(figsize=(7.6, 4.2), layout="constrained")
    axes = figure.add_subplot()
    values = measure.values / np.max(measure.values, initial=0.0)
    signal = measure.coefficients**2
    shares = signal / (float(signal.sum()) or 1.0)
    axes.vlines(values, 0, shares, color=BLUE, linewidth=1.2)
    axes.plot(values, shares, "o", color=BLUE, markersize=5)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("variance of the direction, a_i / a_max")
    axes.set_ylabel("share of the signal, c_i² / ‖c‖²")
    axes.set_title(title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
