"""Where collapse really begins, by simulation, beside what the trap proves."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linscape.arguments import guarded
from linscape.errors import InvalidNetwork, InvalidOption
from linscape.initialisation import Scheme, random_weights
from linscape.landscape.phases import phase
from linscape.landscape.trap import TrapRadius, trap_radius
from linscape.problem import Problem

Array = NDArray[np.float64]
Labels = NDArray[np.int8]

COLLAPSED, UNDECIDED, LEARNING = -1, 0, 1

_STATIONARY = 1e-6  # gradient over its decay part, which is of order one near zero
_EXCESS = 1e-9  # more than the rounding of the loss relative to its parts
_FIRST_STEP = 1e-3  # relative change of the weights by the first step
_TURN = 0.5  # largest relative change of the gradient over one step
_LEAST_ENERGY = 1e-290  # smaller ones have lost digits
_LARGEST_GAIN = 16.0
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, eq=False)
class CriticalGain:
    """The gains of an initialisation at which random starts change from collapse to learning.

    `proven` rests on :func:`linscape.trap_radius`; the rest is numerical, found by simulating
    starts, unless `numerical` is False.

    Attributes
    ----------
    scheme : str
        The initialisation.
    gains : ndarray
        For each start that was decided, the gain at which its end state changes, ascending;
        infinity where it still collapses at gain 16, 0 where zero attracts (almost) no start.
    proven : ndarray
        For every start the gain up to which it is proven to collapse, ascending; several times
        smaller as a rule.
    undecided : int
        Starts with a run that reached `max_steps` between zero and learning; not in `gains`.
    share_collapsed : float or None
        Share of the starts decided at gain 1 that collapse there; None if none was decided.
    share_interval : (float, float)
        Wilson interval for it; starts undecided at gain 1 count as either.
    confidence : float
        Confidence of that interval.
    method : str
        What was run.
    numerical : bool
        False where the phase alone settles every start, and nothing was run.
    """

    scheme: str
    gains: Array
    proven: Array
    undecided: int
    share_collapsed: float | None
    share_interval: tuple[float, float]
    confidence: float
    method: str
    numerical: bool

    @property
    def median(self) -> float | None:
        """Median of `gains` (the lower one of two); None if no start was decided."""
        return self.quantile(0.5)

    def quantile(self, probability: float) -> float | None:
        """Return an order statistic of `gains`, without interpolation."""
        if not len(self.gains):
            return None
        return float(np.quantile(self.gains, probability, method="inverted_cdf"))

    def to_dict(self) -> dict[str, Any]:
        """Return the result ready for JSON, infinities as the string "inf"."""
        return {
            "scheme": self.scheme,
            "quantiles": {str(q): _plain(self.quantile(q)) for q in _QUANTILES},
            "gains": [_plain(gain) for gain in self.gains.tolist()],
            "proven": [_plain(gain) for gain in self.proven.tolist()],
            "undecided": self.undecided,
            "share_collapsed": self.share_collapsed,
            "share_interval": list(self.share_interval),
            "confidence": self.confidence,
            "numerical": self.numerical,
            "method": self.method,
        }


@guarded
def critical_gain(
    problem: Problem,
    *,
    scheme: Scheme = "kaiming",
    rng: np.random.Generator | int,
    starts: int = 32,
    tolerance: float = 0.02,
    max_steps: int = 10_000,
    confidence: float = 0.95,
) -> CriticalGain:
    r"""Find by simulation the gain below which an initialisation collapses to zero.

    Each start is one draw of the scheme; all its layers are multiplied by a common gain, and the
    gain at which the end state of descent changes is bracketed by doubling and bisection. Descent
    is gradient descent on the exact noise-averaged loss with steps over which the gradient changes
    by at most half, so that it follows gradient flow. A run ends

    - collapsed, once it is inside a proven trap (:func:`linscape.trap_radius`);
    - learning, once its loss is below that of zero, from where descent cannot come back to zero,
      or at a critical point other than zero (‖∇L‖ ≤ 1e-6 of its decay part).

    So only the path up to there is numerical. The end state need not be monotone in the gain:
    where it is not, this is one of the gains at which it changes.

    No run is needed in the collapsed phase of one output (:func:`linscape.phase`: zero is the only
    solution) and with one hidden layer or none: zero attracts every start (the gain is infinite)
    or almost none (it is 0; undecided where 64-bit floats cannot tell).

    Parameters
    ----------
    problem : Problem
        Without biases, every decay positive.
    scheme : str, default "kaiming"
        As in :func:`linscape.random_weights`.
    rng : numpy.random.Generator or int
        Source of randomness, or a seed.
    starts : int, default 32
        Number of independent draws.
    tolerance : float, default 0.02
        Relative width of the bracket at which bisection stops.
    max_steps : int, default 10000
        Steps after which a run counts as undecided.
    confidence : float, default 0.95
        Confidence of the interval for the share.

    Raises
    ------
    InvalidNetwork
        If a layer has no decay: zero then attracts nothing.
    NoExactSolution
        For networks with biases.
    InvalidOption
        If `starts` or `max_steps` is below one, or `tolerance` or `confidence` outside (0, 1).

    Examples
    --------
    One unit a layer: orthogonal weights are ±1. With A = c = 1 and γ = 0.1 the equal-size start
    (t, t, t) stands still at γ = t − t⁴; below that root it collapses.

    >>> import linscape as ls
    >>> network = ls.Network(hidden=(1, 1), weight_decay=0.1)
    >>> problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), network)
    >>> found = critical_gain(problem, scheme="orthogonal", rng=0, starts=8)
    >>> t = float(found.gains[0])
    >>> abs(t - t**4 - 0.1) < 0.002
    True
    """
    _check(starts, tolerance, max_steps, confidence)
    if 0.0 in problem.network.weight_decay:
        raise InvalidNetwork(
            "critical_gain needs every weight decay positive: a layer without decay keeps its "
            "weights while the others vanish, and zero attracts nothing"
        )
    trap = trap_radius(problem)
    base = random_weights(problem, scheme=scheme, rng=rng, batch=starts)
    proven = trap.margin(base)
    known = known_end(problem, trap)
    if known is None:
        gains, first = _bisect(problem, trap, base, proven, tolerance, max_steps)
        method = (
            f"{starts} starts, gradient descent on the noise-averaged loss, at most {max_steps} "
            f"steps a run, bisection of the gain to {tolerance:g} relative"
        )
    else:
        label, method = known
        first = np.full(starts, label, dtype=np.int8)
        gains = np.full(starts, {COLLAPSED: np.inf, LEARNING: 0.0, UNDECIDED: np.nan}[label])
    decided = ~np.isnan(gains)
    share, interval = _share(first, confidence)
    return CriticalGain(
        scheme=scheme,
        gains=np.sort(gains[decided]),
        proven=np.sort(proven),
        undecided=int(np.sum(~decided)),
        share_collapsed=share,
        share_interval=interval,
        confidence=confidence,
        method=method,
        numerical=known is None,
    )


def end_states(
    problem: Problem, trap: TrapRadius, weights: Sequence[Array], max_steps: int
) -> Labels:
    """Return how descent from each member of a batch ends: COLLAPSED, LEARNING or UNDECIDED.

    For more than one hidden layer, without biases; `trap` is the problem's, with positive radius.
    """
    labels = np.full(len(weights[0]), UNDECIDED, dtype=np.int8)
    members = np.arange(len(labels))
    weights = list(weights)
    gradient = problem.gradient(weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        step = np.nan_to_num(_FIRST_STEP * joint_norm(weights) / joint_norm(gradient), posinf=1.0)
    for _ in range(max_steps):
        ended = _ended(problem, trap, weights, gradient)
        if ended.any():
            labels[members] = ended
            keep = ended == UNDECIDED
            members, step = members[keep], step[keep]
            weights, gradient = [W[keep] for W in weights], [G[keep] for G in gradient]
        if not len(members):
            break
        weights, gradient, step = adaptive_step(problem, weights, gradient, step)
    return labels


def known_end(problem: Problem, trap: TrapRadius) -> tuple[int, str] | None:
    """Return how (almost) every start ends and why, where that is known without a run."""
    if trap.zero_attracts is None:
        return UNDECIDED, "not run: too near the learning transition for 64-bit floats"
    if not trap.zero_attracts:
        return LEARNING, "not run: zero attracts almost no start"
    if math.isinf(trap.radius):
        return COLLAPSED, "not run: every start is proven to collapse (trap_radius)"
    if min(problem.network.weight_decay) * trap.radius**2 < _LEAST_ENERGY:
        return UNDECIDED, "not run: around zero γ‖W‖² is too small for 64-bit floats"
    if problem.moments.outputs == 1 and phase(problem).name == "collapsed":
        return COLLAPSED, "not run: in the collapsed phase zero is the only solution (phase)"
    return None


def adaptive_step(
    problem: Problem, weights: list[Array], gradient: list[Array], step: Array
) -> tuple[list[Array], list[Array], Array]:
    """Take the step where the gradient changes little over it, and adapt its length."""
    trial = [W - step[:, None, None] * G for W, G in zip(weights, gradient, strict=True)]
    after = problem.gradient(trial)
    change = joint_norm([H - G for H, G in zip(after, gradient, strict=True)])
    good = change <= _TURN * joint_norm(gradient)
    weights = [np.where(good[:, None, None], *pair) for pair in zip(trial, weights, strict=True)]
    gradient = [np.where(good[:, None, None], *pair) for pair in zip(after, gradient, strict=True)]
    return weights, gradient, step * np.where(good, 1.25, 0.5)


def _ended(
    problem: Problem, trap: TrapRadius, weights: list[Array], gradient: list[Array]
) -> Labels:
    decays = problem.network.weight_decay
    decay_part = [2 * decay * W for decay, W in zip(decays, weights, strict=True)]
    still = joint_norm(gradient) <= _STATIONARY * joint_norm(decay_part)
    learns = still | _is_below_zero(problem, weights, gradient)
    labels: Labels = np.where(learns, LEARNING, UNDECIDED).astype(np.int8)
    labels[trap.margin(weights) > 1] = COLLAPSED
    return labels


def _is_below_zero(problem: Problem, weights: list[Array], gradient: list[Array]) -> NDArray[Any]:
    """Return where L(W) < L(0), from α(q − 2s) + Σγ‖W‖² without the constant α E‖y‖².

    Each layer's gradient along itself is 2α(q − s) + 2γ_k‖W_k‖², with q = E‖f‖² and s = E⟨f, y⟩.
    """
    moments = problem.moments
    predictor = np.reshape(problem.predictor(weights), (-1, moments.outputs, moments.inputs))
    signal = problem.data_factor * np.einsum(
        "bij,ji->b", predictor, np.reshape(moments.C, (moments.inputs, moments.outputs))
    )
    energies = problem.energies(weights)
    first = np.einsum("bij,bij->b", weights[0], gradient[0]) / 2
    excess = first - energies[:, 0] - signal + energies.sum(axis=-1)
    scale = np.abs(first) + np.abs(signal) + energies.sum(axis=-1)
    below: NDArray[Any] = excess < -_EXCESS * scale
    return below


def _bisect(
    problem: Problem,
    trap: TrapRadius,
    base: list[Array],
    proven: Array,
    tolerance: float,
    max_steps: int,
) -> tuple[Array, Labels]:
    """Return the gain of each start, NaN if undecided, and the end states at gain 1."""

    def run(members: NDArray[Any], gains: Array) -> Labels:
        weights = [gains[:, None, None] * W[members] for W in base]
        return end_states(problem, trap, weights, max_steps)

    everyone = np.arange(len(proven))
    first = run(everyone, np.ones(len(proven)))
    low = np.where(first == COLLAPSED, np.maximum(proven, 1.0), proven)
    high = np.where(first == LEARNING, 1.0, np.inf)
    decided = first != UNDECIDED
    while True:
        beyond = np.isinf(high) & (low >= _LARGEST_GAIN)
        todo = everyone[decided & ~beyond & (high > low * (1 + tolerance))]
        if not len(todo):
            break
        between = np.sqrt(low[todo]) * np.sqrt(high[todo])  # their product would underflow
        middle = np.where(np.isinf(high[todo]), 2 * low[todo], between)
        lost = ~((low[todo] < middle) & (middle < high[todo]))  # too small for 64-bit floats
        decided[todo[lost]] = False
        todo, middle = todo[~lost], middle[~lost]
        label = run(todo, middle)
        low[todo[label == COLLAPSED]] = middle[label == COLLAPSED]
        high[todo[label == LEARNING]] = middle[label == LEARNING]
        decided[todo[label == UNDECIDED]] = False
    return np.where(decided, np.sqrt(low) * np.sqrt(high), np.nan), first


def _share(first: Labels, confidence: float) -> tuple[float | None, tuple[float, float]]:
    """Return the share that collapsed and its Wilson interval, whatever the undecided are."""
    collapsed, unknown = int(np.sum(first == COLLAPSED)), int(np.sum(first == UNDECIDED))
    decided = len(first) - unknown
    lower = _wilson(collapsed, len(first), confidence)[0]
    upper = _wilson(collapsed + unknown, len(first), confidence)[1]
    return (collapsed / decided if decided else None), (lower, upper)


def _wilson(count: int, total: int, confidence: float) -> tuple[float, float]:
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = count / total
    centre = share + z**2 / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    norm = 1 + z**2 / total
    lower = (centre - spread) / norm if count > 0 else 0.0
    upper = (centre + spread) / norm if count < total else 1.0
    return lower, upper


def joint_norm(matrices: Sequence[Array]) -> Array:
    """Return the norm of all matrices together, over their batch axis; no square underflows."""
    largest = np.max([np.abs(matrix).max(axis=(-2, -1)) for matrix in matrices], axis=0)
    exponents = np.where(np.isfinite(largest), np.frexp(largest)[1], 0)
    shifts = -exponents[:, None, None]
    scaled = [np.linalg.norm(np.ldexp(matrix, shifts), axis=(-2, -1)) for matrix in matrices]
    total: Array = np.ldexp(np.linalg.norm(np.stack(scaled, axis=-1), axis=-1), exponents)
    return total


def _check(starts: int, tolerance: float, max_steps: int, confidence: float) -> None:
    if starts < 1 or max_steps < 1:
        raise InvalidOption(
            f"starts and max_steps must be at least 1, got starts={starts!r}, "
            f"max_steps={max_steps!r}"
        )
    if not (0 < tolerance < 1 and 0 < confidence < 1):
        raise InvalidOption(
            f"tolerance and confidence must lie between 0 and 1, got tolerance={tolerance!r}, "
            f"confidence={confidence!r}"
        )


def _plain(value: float | None) -> float | str | None:
    return "inf" if value == math.inf else value
