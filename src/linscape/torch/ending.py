"""Where the exact noise-averaged descent ends from given weights, and the gain that changes it."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from linscape.dynamics.collapse import (
    COLLAPSED,
    LEARNING,
    UNDECIDED,
    adaptive_step,
    joint_norm,
    known_end,
)
from linscape.dynamics.collapse import end_states as end_states_without_biases
from linscape.landscape.trap import trap_radius
from linscape.problem import Problem

Array = NDArray[np.float64]
Labels = NDArray[np.int8]
End = Literal["collapsed", "learning", "undecided"]

_NAMES: dict[int, End] = {COLLAPSED: "collapsed", LEARNING: "learning", UNDECIDED: "undecided"}
_STILL = 1e-7  # gradient over its first norm: at rest
_EXPLAINED = 1e-9  # share of the variance that counts as none
_STEPS = 10_000
_LARGEST = 64.0
_SMALLEST = 1 / 64
_TOLERANCE, _COARSE = 0.02, 0.2  # relative, of the critical gain; of nets that take long
_LARGE = 100_000  # weights of a net that takes long


@dataclass(frozen=True)
class Ending:
    """Where descent ends from these very weights; numerical.

    Attributes
    ----------
    end : str
        "collapsed": at zero, or with biases at a constant output; "learning"; "undecided": still on
        its way after the steps allowed.
    critical_gain : float or None
        Factor on all weight matrices (not on biases) at which the end changes: collapse below, and
        learning above. 0 if no factor collapses (with biases: none from 1/64 on), infinity if none
        up to 64 learns, None if not found.
    method : str
        What was run, or why nothing had to be.
    numerical : bool
        False where nothing had to be run.
    """

    end: End
    critical_gain: float | None
    method: str
    numerical: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the ending ready for JSON, infinity as the string "inf"."""
        gain = "inf" if self.critical_gain == math.inf else self.critical_gain
        return {**vars(self), "critical_gain": gain}


def ending(problem: Problem, weights: list[Array]) -> Ending:
    r"""Follow gradient flow of the exact loss from given weights, and find the critical gain.

    Steps are those of :func:`linscape.critical_gain`: over each the gradient changes by at most
    half. Without biases a run ends in a proven trap, or below the loss at zero, from where it
    cannot come back. With biases it ends as learning once its loss is below that of every constant,
    α tr Cov(y), and otherwise at rest, where it has collapsed if the output explains no variance.

    Examples
    --------
    One unit a layer, A = c = 1: equal weights t collapse for t − t⁴ < γ = 0.1.

    >>> import linscape as ls
    >>> from linscape.torch.ending import ending
    >>> network = ls.Network(hidden=(1, 1), weight_decay=0.1)
    >>> problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), network)
    >>> found = ending(problem, [np.array([[0.05]])] * 3)
    >>> t = 0.05 * found.critical_gain
    >>> found.end, abs(t - t**4 - 0.1) < 0.002
    ('collapsed', True)
    """
    known = _known(problem)
    if known is not None:
        label, method = known
        gain = {COLLAPSED: math.inf, LEARNING: 0.0, UNDECIDED: None}[label]
        return Ending(_NAMES[label], gain, method, False)
    label = _label(problem, weights, 1.0)
    gain = None if label == UNDECIDED else _bisected(problem, weights, label)
    size = "it" if problem.network.bias is False else "it (numerical up to the end: biases)"
    method = (
        f"gradient descent on the noise-averaged loss, steps that follow gradient flow, at most "
        f"{_STEPS}; {size} was repeated at other gains to {_tolerance(weights):g} relative"
    )
    return Ending(_NAMES[label], gain, method, True)


def learns(problem: Problem, weights: list[Array]) -> bool:
    """Return whether descent from these weights is known or found to end away from zero."""
    known = _known(problem)
    return (_label(problem, weights, 1.0) if known is None else known[0]) == LEARNING


def _known(problem: Problem) -> tuple[int, str] | None:
    if 0.0 in problem.network.weight_decay:
        if not np.any(problem.moments.C):
            return None if any(problem.network.weight_decay) else (COLLAPSED, _NO_SIGNAL)
        return LEARNING, "not run: a layer has no decay, so zero attracts (almost) no start"
    if problem.network.bias is not False:
        return None
    return known_end(problem, trap_radius(problem))


_NO_SIGNAL = "not run: inputs and targets are uncorrelated, so there is nothing to learn"


def _label(problem: Problem, weights: list[Array], gain: float) -> int:
    start = [_scaled(W, gain, problem)[None] for W in weights]
    if problem.network.bias is False:
        return int(end_states_without_biases(problem, trap_radius(problem), start, _STEPS)[0])
    return _end_with_biases(problem, start)


def _scaled(matrix: Array, gain: float, problem: Problem) -> Array:
    result = gain * matrix
    if problem.network.bias is not False:
        result[:, -1] = matrix[:, -1]
    return result


def _bisected(problem: Problem, weights: list[Array], label: int) -> float | None:
    """Return the gain nearest to 1 where the end changes."""
    low, high = 1.0, 1.0
    if label == COLLAPSED:
        while label == COLLAPSED:
            low, high = high, 2 * high
            if high > _LARGEST:
                return math.inf
            label = _label(problem, weights, high)
    elif problem.network.bias is False:
        low = min(1.0, float(trap_radius(problem).margin([W[None] for W in weights])[0]))
    else:
        while label == LEARNING:
            low, high = low / 2, low
            if low < _SMALLEST:
                return 0.0
            label = _label(problem, weights, low)
    while label != UNDECIDED and high > low * (1 + _tolerance(weights)):
        middle = math.sqrt(low * high)
        label = _label(problem, weights, middle)
        low, high = (middle, high) if label == COLLAPSED else (low, middle)
    return None if label == UNDECIDED else math.sqrt(low * high)


def _tolerance(weights: list[Array]) -> float:
    return _COARSE if sum(matrix.size for matrix in weights) > _LARGE else _TOLERANCE


def _end_with_biases(problem: Problem, weights: list[Array]) -> int:
    gradient = problem.gradient(weights)
    first = joint_norm(gradient)
    step = 1e-3 * joint_norm(weights) / np.where(first > 0, first, 1.0)
    constant = problem.data_factor * _trace(problem.moments.covariance_y)
    for _ in range(_STEPS):
        if float(np.ravel(problem.loss(weights))[0]) < constant * (1 - 1e-9):
            return LEARNING
        if joint_norm(gradient)[0] <= _STILL * first[0]:
            return LEARNING if explained(problem, weights) > _EXPLAINED else COLLAPSED
        weights, gradient, step = adaptive_step(problem, weights, gradient, step)
    return UNDECIDED


def explained(problem: Problem, weights: list[Array]) -> float:
    """Return E‖M(x − E x)‖² of the mean prediction over tr Cov(y): how much it varies."""
    moments = problem.moments
    predictor = np.reshape(problem.predictor(weights), (moments.outputs, moments.inputs))
    total = _trace(moments.covariance_y)
    spread = float(np.sum((predictor @ moments.covariance_x) * predictor))
    return spread / total if total else 0.0


def _trace(value: Any) -> float:
    return float(np.trace(np.atleast_2d(value)))
