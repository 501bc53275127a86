"""The figure: training accuracy and loss over the weight decay, of all models."""

from typing import TYPE_CHECKING, Any

import numpy as np

from linscape.figures.reproduction import Reproduction
from linscape.figures.residual_network.results import half_width
from linscape.plots.figure import BLUE, GREEN, GREY, ORANGE, figure_class

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = (GREEN, BLUE, "#CC79A7")
_PANELS = (
    ("accuracy", "training accuracy", 0.1),
    ("loss", "training loss / trivial model's", 1.0),
)


def draw(found: Reproduction) -> "Figure":
    """Draw both panels: means over the seeds, their 95 % intervals, and the predicted transitions.

    Parameters
    ----------
    found : Reproduction
        Of `run`.

    Raises
    ------
    MissingDependency
        If matplotlib is not installed.
    """
    figure = figure_class()(figsize=(9.6, 4.6), layout="constrained")
    panels = figure.subplots(1, 2, sharex=True)
    for axes, (quantity, label, trivial) in zip(panels, _PANELS, strict=True):
        axes.axhline(trivial, color=GREY, linewidth=0.8, linestyle="-", label="trivial model")
        for depth, colour in zip(found.parameters["depths"], _COLOURS, strict=False):
            name = f"linear, depth {depth}" if depth else "linear regressor"
            _curve(axes, found, f"linear_{depth}", quantity, color=colour, label=name, marker="s")
            if depth:
                ends = float(found.arrays[f"linear_{depth}_learning_ends"])
                axes.axvline(ends, color=colour, linestyle=":", label=f"λ*, depth {depth}")
        width = found.parameters["width"]
        _curve(
            axes,
            found,
            "resnet",
            quantity,
            color=ORANGE,
            label=f"ResNet-18, width {width}",
            marker="o",
        )
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("weight decay λ (PyTorch's)")
        axes.set_ylabel(label)
    seeds = found.parameters["seeds"]
    figure.suptitle(
        f"{found.parameters['images']}: means of {seeds} seeds, 95 % intervals; "
        "linear nets: square loss, ResNet: cross-entropy",
        x=0.01,
        ha="left",
        fontsize=10,
    )
    entries = zip(*panels[0].get_legend_handles_labels(), strict=True)
    handles, labels = zip(*sorted(entries, key=_lines_last), strict=True)
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure


def _lines_last(entry: tuple[Any, str]) -> bool:
    return entry[1] == "trivial model" or entry[1].startswith("λ*")


def _curve(axes: "Axes", found: Reproduction, model: str, quantity: str, **style: Any) -> None:
    decays = found.arrays[f"{model}_weight_decay"]
    values = found.arrays[f"{model}_{quantity}"]
    spread = half_width(values) if values.shape[1] > 1 else np.zeros(len(values))
    axes.errorbar(
        decays, values.mean(axis=1), spread, capsize=2, markersize=3.5, linewidth=1.4, **style
    )
