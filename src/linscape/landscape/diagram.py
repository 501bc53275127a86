"""Phase diagrams: the global minimum of every architecture on a grid, from one spectrum."""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.arguments import guarded
from linscape.errors import InvalidNetwork
from linscape.landscape.energy.many import Gains, largest_gains
from linscape.landscape.energy.sums import tabulate
from linscape.landscape.interval import real_numbers
from linscape.landscape.theorems import require_one_output
from linscape.moments import Moments
from linscape.network import Bias, Network
from linscape.problem import Problem
from linscape.spectrum import linear_moments, spectra

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

PHASES = ("collapsed", "metastable", "learning", "undecided")
AXES = ("depth", "weight_decay", "noise", "width", "signal")
_CHUNK = 2**16


@dataclass(frozen=True, eq=False)
class PhaseDiagram:
    """The global minima over a grid of architectures, decays and signals.

    Every array has one axis for each of depth, weight decay, noise, width and signal, in this
    order.

    Attributes
    ----------
    axes : dict of str to ndarray
        The values along each axis.
    phase : ndarray of int
        Index into ``PHASES``: collapsed, metastable, learning, undecided.
    loss, gain : ndarray
        The global minimum, and how far it lies below the loss at zero.
    gap : ndarray
        Proven: the minimum lies within `gap` of `loss`.
    energy : ndarray
        K = γ‖W‖² of each layer at the global minimum, 0 where that is zero.
    minima : ndarray of int
        Number of nontrivial local minima of the theorem's form.
    """

    axes: dict[str, Array]
    phase: NDArray[np.int8]
    loss: Array
    gain: Array
    gap: Array
    energy: Array
    minima: NDArray[np.int16]

    def plot(self, *, x: str | None = None, y: str | None = None, title: str = "") -> "Figure":
        """Draw the phases over two axes; see :func:`linscape.plots.phase_diagram`."""
        # the room of drawings stands above the results, so it is looked up when one is asked for
        figure: Figure = importlib.import_module("linscape.plots").phase_diagram(
            self, x=x, y=y, title=title
        )
        return figure

    def to_dict(self) -> dict[str, Any]:
        """Return the diagram as lists, ready for JSON, phases by name."""
        arrays = ("phase", "loss", "gain", "gap", "energy", "minima")
        return {
            "axes": {name: values.tolist() for name, values in self.axes.items()},
            "phases": list(PHASES),
            **{name: getattr(self, name).tolist() for name in arrays},
        }


@guarded
def phase_diagram(
    moments: Moments,
    *,
    depth: ArrayLike,
    weight_decay: ArrayLike,
    noise: ArrayLike = 0.0,
    width: ArrayLike = 64,
    signal: ArrayLike = 1.0,
    bias: Bias = False,
    progress: bool = False,
) -> PhaseDiagram:
    """Find the global minimum for every combination of depth, decay, noise, width and signal.

    All of them share the spectrum of the data, so each is a one-dimensional problem on two
    tabulated sums; a million take a second or so.

    Parameters
    ----------
    moments : Moments
        One output.
    depth : int or sequence of int
        Numbers of hidden layers, at least 1.
    weight_decay : float or sequence of float
        Positive decays γ, the same for every layer (γ‖W‖², no ½).
    noise : float or sequence of float, default 0
        Noise variances, the same for every hidden unit.
    width : int or sequence of int, default 64
        Widths, the same for every hidden layer.
    signal : float or sequence of float, default 1
        Positive factors by which y is multiplied; losses and gains are of the multiplied y.
    bias : False or "free", default False
        As in :class:`linscape.Network`.
    progress : bool, default False
        Show a progress bar.

    Raises
    ------
    NoExactSolution
        For several outputs.
    InvalidNetwork
        If a value lies outside its range.

    References
    ----------
    Ziyin, Li & Meng (2022), Figure 1 (left), computed instead of sketched.

    Examples
    --------
    A = c = 1: two layers learn below γ = (1/16)^{1/3} = 0.397, one layer below 1.

    >>> import linscape as ls
    >>> moments = ls.Moments([[1.0]], [1.0], 1.0)
    >>> diagram = ls.phase_diagram(moments, depth=[1, 2], weight_decay=[0.3, 0.45, 0.9])
    >>> [[PHASES[phase] for phase in row] for row in diagram.phase[:, :, 0, 0, 0]]
    [['learning', 'learning', 'learning'], ['learning', 'metastable', 'collapsed']]
    """
    axes = _axes(depth, weight_decay, noise, width, signal)
    first = Network((1,), weight_decay=1.0, bias=bias)
    problem = Problem(moments, first)
    require_one_output(problem)
    (measure,) = spectra(problem)
    at_zero = float(np.trace(linear_moments(problem)[2]))
    shape = tuple(len(axes[name]) for name in AXES)
    result = _empty(axes, shape, at_zero)
    if not np.any(measure.coefficients):
        return result
    sums = tabulate(measure)
    total = int(np.prod(shape))
    for where, point in _with_progress(_points(axes, shape), total, progress):
        layers = int(point["depth"][0])
        log_inflation = layers * np.log1p(point["noise"] / point["width"])
        scale = 2 * np.log(point["signal"])
        unit = 2 * (measure.output_exponent * layers + measure.input_exponent) * np.log(2)
        log_product = (layers + 1) * np.log(point["weight_decay"]) - layers * scale - unit
        solved = largest_gains(sums, layers, log_inflation, log_product)
        _store(result, where, solved, np.exp(scale + 2 * measure.output_exponent * np.log(2)))
    return result


def _axes(
    depth: ArrayLike,
    weight_decay: ArrayLike,
    noise: ArrayLike,
    width: ArrayLike,
    signal: ArrayLike,
) -> dict[str, Array]:
    axes = {}
    for name, values, least, strict in (
        ("depth", depth, 1, False),
        ("weight_decay", weight_decay, 0, True),
        ("noise", noise, 0, False),
        ("width", width, 1, False),
        ("signal", signal, 0, True),
    ):
        axis = np.atleast_1d(real_numbers(values))
        good = np.isfinite(axis) & ((axis > least) if strict else (axis >= least))
        if name in ("depth", "width"):
            good &= axis == np.round(axis)
        if axis.ndim != 1 or not axis.size or not good.all():
            kind = "whole numbers" if name in ("depth", "width") else "finite numbers"
            sign = "above" if strict else "of at least"
            raise InvalidNetwork(
                f"{name} must be one or several {kind} {sign} {least}, got {values!r}"
            )
        axes[name] = axis
    return axes


def _empty(axes: dict[str, Array], shape: tuple[int, ...], at_zero: float) -> PhaseDiagram:
    """Return the diagram of data without signal: collapsed everywhere."""
    loss = np.broadcast_to(at_zero * axes["signal"] ** 2, shape).copy()
    return PhaseDiagram(
        axes,
        phase=np.zeros(shape, np.int8),
        loss=loss,
        gain=np.zeros(shape),
        gap=np.zeros(shape),
        energy=np.zeros(shape),
        minima=np.zeros(shape, np.int16),
    )


def _points(
    axes: dict[str, Array], shape: tuple[int, ...]
) -> Iterator[tuple[NDArray[np.int64], dict[str, Array]]]:
    """Yield flat indices and coordinates, in pieces that have one depth each."""
    block = int(np.prod(shape[1:]))
    for start in range(0, shape[0] * block, block):
        for first in range(start, start + block, _CHUNK):
            where = np.arange(first, min(first + _CHUNK, start + block))
            indices = np.unravel_index(where, shape)
            yield where, {name: axes[name][k] for name, k in zip(AXES, indices, strict=True)}


def _with_progress(
    pieces: Iterator[tuple[NDArray[np.int64], dict[str, Array]]], total: int, progress: bool
) -> Iterator[tuple[NDArray[np.int64], dict[str, Array]]]:
    if not progress:
        yield from pieces
        return
    from rich.progress import Progress

    with Progress() as bar:
        task = bar.add_task("phase diagram", total=total)
        for piece in pieces:
            yield piece
            bar.advance(task, len(piece[0]))


def _store(result: PhaseDiagram, where: NDArray[np.int64], solved: Gains, unit: Array) -> None:
    """Write a piece into the diagram, in the units of the moments."""
    learns, undecided = solved.gain > solved.gap, np.abs(solved.gain) <= solved.gap
    exists = solved.minima > 0
    phase = np.where(learns, 2, np.where(exists, np.where(undecided, 3, 1), 0))
    kept = learns | (undecided & exists)
    gain = np.where(kept, np.maximum(solved.gain, 0.0), 0.0)
    result.phase.ravel()[where] = phase
    result.gain.ravel()[where] = unit * gain
    result.loss.ravel()[where] -= unit * gain
    result.gap.ravel()[where] = unit * np.where(kept, solved.gap, 0.0)
    result.energy.ravel()[where] = unit * np.where(learns, solved.energy, 0.0)
    result.minima.ravel()[where] = solved.minima
