"""How often descent collapses, by initialisation scheme and gain, beside what is proven."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linscape.arguments import guarded
from linscape.dynamics.collapse import (
    COLLAPSED,
    UNDECIDED,
    Labels,
    end_states,
    known_end,
)
from linscape.dynamics.course import whole_number
from linscape.errors import InvalidNetwork, InvalidOption
from linscape.initialisation import Scheme, random_weights
from linscape.landscape.trap import TrapRadius, trap_radius
from linscape.problem import Problem

Array = NDArray[np.float64]
Counts = NDArray[np.int64]

METHOD = (
    "descent on the exact noise-averaged loss with steps that follow gradient flow, until a run is "
    "in a proven trap, or below the loss at zero, or at a critical point"
)


@dataclass(frozen=True, eq=False)
class CollapseShare:
    """Shares of random starts from which descent ends at zero.

    Arrays have the shape (schemes, gains).

    Attributes
    ----------
    schemes : tuple of str
        The initialisations.
    gains : tuple of float
        Factors on all layers.
    starts : int
        Draws of each scheme, the same for all gains.
    collapsed : ndarray of int
        How many ended at zero; numerical up to the trap.
    undecided : ndarray of int
        How many were still on their way after the steps allowed.
    proven : ndarray of int
        How many started in the proven trap, so never more than `collapsed`.
    confidence : float
        Confidence of the intervals.
    method : str
        What was run, or why nothing had to be.
    """

    schemes: tuple[str, ...]
    gains: tuple[float, ...]
    starts: int
    collapsed: Counts
    undecided: Counts
    proven: Counts
    confidence: float
    method: str

    @property
    def share(self) -> Array:
        """Share of all starts that ended at zero; those undecided count as not."""
        return self.collapsed / self.starts

    @property
    def proven_share(self) -> Array:
        """Share of all starts that are proven to collapse, by :func:`linscape.trap_radius`."""
        return self.proven / self.starts

    @property
    def interval(self) -> Array:
        """Wilson intervals for the probability of collapse, shape (schemes, gains, 2).

        Starts undecided count as not collapsed for the lower end, as collapsed for the upper one.
        """
        from scipy.stats import binomtest

        result = np.empty((*self.collapsed.shape, 2))
        for cell, count in np.ndenumerate(self.collapsed):
            most = int(count + self.undecided[cell])
            ends = [
                binomtest(k, self.starts).proportion_ci(self.confidence, method="wilson")
                for k in (int(count), most)
            ]
            result[cell] = ends[0].low, ends[1].high
        return result

    def to_dict(self) -> dict[str, Any]:
        """Return one row for each scheme and gain, ready for JSON."""
        intervals, share, proven = self.interval, self.share, self.proven_share
        rows = [
            {
                "scheme": self.schemes[i],
                "gain": self.gains[j],
                "collapsed": int(count),
                "undecided": int(self.undecided[i, j]),
                "share": float(share[i, j]),
                "interval": intervals[i, j].tolist(),
                "proven": int(self.proven[i, j]),
                "proven_share": float(proven[i, j]),
            }
            for (i, j), count in np.ndenumerate(self.collapsed)
        ]
        return {
            "starts": self.starts,
            "confidence": self.confidence,
            "method": self.method,
            "rows": rows,
        }


@guarded
def collapse_share(
    problem: Problem,
    *,
    schemes: Sequence[Scheme] = ("kaiming",),
    gains: Sequence[float] = (1.0,),
    starts: int = 100,
    rng: np.random.Generator | int,
    max_steps: int = 10_000,
    confidence: float = 0.95,
    progress: bool = False,
) -> CollapseShare:
    r"""Count the random starts from which descent ends at zero, by scheme and gain.

    All layers of every draw are multiplied by each gain in turn, so that shares at different gains
    compare the same draws. A run has collapsed once it is in a proven trap
    (:func:`linscape.trap_radius`), so that only the way there is numerical; it has learnt once its
    loss is below that of zero, or at a critical point other than zero. Descent is that of
    :func:`critical_gain`, on the exact noise-averaged loss with steps over which the gradient
    changes by at most half. Beside each share stands the one that is proven: the starts that lie in
    the trap from the first.

    Nothing is run where the phase settles every start, as in :func:`critical_gain`.

    Parameters
    ----------
    problem : Problem
        Without biases, every decay positive; any number of outputs.
    schemes : sequence of str, default ("kaiming",)
        As in :func:`linscape.random_weights`.
    gains : sequence of float, default (1.0,)
        Factors on all layers, positive.
    starts : int, default 100
        Draws of each scheme.
    rng : numpy.random.Generator or int
        Source of randomness, or a seed.
    max_steps : int, default 10000
        Steps after which a run counts as undecided.
    confidence : float, default 0.95
        Confidence of the Wilson intervals.
    progress : bool, default False
        Show a progress bar.

    Returns
    -------
    CollapseShare
        Counts, shares and intervals; numerical, but for the proven shares.

    Raises
    ------
    InvalidNetwork
        If a layer has no decay: zero then attracts nothing.
    NoExactSolution
        For networks with biases.
    InvalidOption
        If an option lies outside its range.

    Examples
    --------
    One unit a layer, A = c = 1: orthogonal starts are ±g each; of the positive products those with
    g − g⁴ below γ collapse, of the negative ones all. At g = 0.09 the trap (γ = 0.1) has them all.

    >>> import linscape as ls
    >>> network = ls.Network(hidden=(1, 1), weight_decay=0.1)
    >>> problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), network)
    >>> found = collapse_share(problem, schemes=["orthogonal"], gains=[0.09, 0.5], starts=8, rng=0)
    >>> found.share[0, 0], found.proven_share.tolist()
    (np.float64(1.0), [[1.0, 0.0]])
    """
    from rich.progress import track

    _check(schemes, gains, starts, max_steps, confidence)
    if 0.0 in problem.network.weight_decay:
        raise InvalidNetwork(
            "collapse_share needs every weight decay positive: a layer without decay keeps its "
            "weights while the others vanish, and zero attracts nothing"
        )
    trap, generator = trap_radius(problem), np.random.default_rng(rng)
    known = known_end(problem, trap)
    draws = [
        random_weights(problem, scheme=scheme, rng=generator, batch=starts) for scheme in schemes
    ]
    shape = (len(schemes), len(gains))
    collapsed, undecided, proven = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    for cell in track([*np.ndindex(shape)], description="collapse", disable=not progress):
        weights = [gains[cell[1]] * matrix for matrix in draws[cell[0]]]
        labels = _labels(problem, trap, known, weights, max_steps)
        collapsed[cell] = np.sum(labels == COLLAPSED)
        undecided[cell] = np.sum(labels == UNDECIDED)
        proven[cell] = np.sum(trap.margin(weights) > 1)
    method = METHOD if known is None else known[1]
    return CollapseShare(
        tuple(schemes), tuple(map(float, gains)), starts, collapsed, undecided, proven,
        confidence, method,
    )  # fmt: skip


def _labels(
    problem: Problem,
    trap: TrapRadius,
    known: tuple[int, str] | None,
    weights: list[Array],
    max_steps: int,
) -> Labels:
    if known is not None:
        return np.full(len(weights[0]), known[0], dtype=np.int8)
    return end_states(problem, trap, weights, max_steps)


def _check(
    schemes: Sequence[Scheme],
    gains: Sequence[float],
    starts: int,
    max_steps: int,
    confidence: float,
) -> None:
    if isinstance(schemes, str) or not len(schemes):
        raise InvalidOption(f"schemes must be a sequence of one scheme or more, got {schemes!r}")
    check_gains(gains)
    whole_number(starts, "starts", 1)
    whole_number(max_steps, "max_steps", 1)
    if not 0 < confidence < 1:
        raise InvalidOption(f"confidence must lie between 0 and 1, got {confidence!r}")


def check_gains(gains: Sequence[float]) -> None:
    """Check that gains are positive finite numbers, one at least."""
    array = np.asarray(gains)
    number = array.dtype.kind in "fiu" and array.ndim == 1 and array.size > 0
    if not number or not np.all(np.isfinite(array) & (array > 0)):
        raise InvalidOption(f"gains must be one or more positive finite numbers, got {gains!r}")
