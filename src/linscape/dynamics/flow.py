"""Gradient flow, integrated, with the laws it must obey measured along the way."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.arguments import guarded
from linscape.dynamics.integration import System, integrate
from linscape.dynamics.laws import BalanceLaws
from linscape.dynamics.recording import measures
from linscape.dynamics.times import checked_times
from linscape.dynamics.trajectory import Trajectory
from linscape.errors import InvalidOption, InvalidWeights, OutOfRange
from linscape.problem import Problem

Array = NDArray[np.float64]

_DENSE = 600  # weights up to which the Hessian is formed
_TINY = np.finfo(np.float64).tiny  # an absolute error of zero would halt the steps


@guarded
def flow(
    problem: Problem,
    weights: Sequence[ArrayLike],
    times: ArrayLike,
    *,
    record: Sequence[str] = ("loss",),
    rtol: float = 1e-10,
    max_steps: int = 200_000,
) -> Trajectory:
    r"""Integrate gradient flow Ẇ = −∇L of the exact noise-averaged loss.

    Each net is integrated on its own by an explicit method of order 8 (Dormand–Prince) and, from
    where its steps are held back by stability, by an implicit one of order 5 (Radau IIA) with the
    exact Hessian. Beyond 600 weights the Hessian is not formed and all steps are explicit. Local
    errors are kept below `rtol` times the weights, or times the layer's largest entry at the start.

    Two laws of the flow are measured, whatever is recorded:

    - ``trajectory["imbalance_drift"]``: how far the Δ_j are from what the laws of
      :func:`imbalance_rates` make of those at time 0, in the Frobenius norm and relative to the
      largest ‖W_j‖² + ‖W_{j+1}‖² up to then; with noise on layer j its diagonal only;
    - ``trajectory["loss_increase"]``: how far the loss has risen above an earlier one, relative to
      the loss at time 0 (exact flow: never).

    Parameters
    ----------
    problem : Problem
        The objective: any network.
    weights : sequence of array_like
        W_1, …, W_D, U at time 0; batch axes in front for several nets.
    times : array_like, shape (k,)
        Times t ≥ 0 to record at, ascending. A step η of gradient descent is a time η.
    record : sequence of str, default ("loss",)
        What to record, by name, as in :func:`descend`.
    rtol : float, default 1e-10
        Relative tolerance of a step, from 1e-13 to 1e-2.
    max_steps : int, default 200000
        Steps of the integrator after which a net is left where it is.

    Returns
    -------
    Trajectory
        Values of shape (k, \*batch, …). A net is "running" at the end; "converged" if its gradient
        fell below its own rounding error before (up to 600 weights); "diverged" if no step was
        small enough, as when a gradient leaves the range of 64-bit floats. `stopped_at` is the time
        it reached.

    Raises
    ------
    InvalidWeights
        If the weights do not fit the network.
    InvalidOption
        If the times are not finite, not negative and ascending, a name is not known, or `rtol` or
        `max_steps` is out of its range.

    Examples
    --------
    One unit, w = u, A = c = 1: p = uw is logistic, p(t) = 1/(1 + (1/p_0 − 1)e^{−4t}).

    >>> import math
    >>> import linscape as ls
    >>> problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network(hidden=(1,)))
    >>> trajectory = flow(problem, [[[0.1]], [[0.1]]], [0.0, 1.0])
    >>> p = 1 / (1 + 99 * math.exp(-4))
    >>> math.isclose(trajectory["loss"][1], (1 - p) ** 2, rel_tol=1e-9)
    True
    """
    at = checked_times(times)
    _check(rtol, max_steps)
    recorded = measures(problem, record)
    start = problem.flatten(weights)
    batch, size = start.shape[:-1], start.shape[-1]
    states, drift = np.empty((len(at), *start.shape)), np.empty((len(at), *batch))
    status, reached = np.full(batch, "running", dtype="<U9"), np.empty(batch)
    for net in np.ndindex(batch):
        laws = BalanceLaws(problem)
        here = (slice(None), *net)
        with np.errstate(over="ignore", invalid="ignore"):
            extra = laws.start(problem.unflatten(start[net]))
            path = integrate(
                _system(problem, laws, size),
                np.concatenate([start[net], extra]),
                at,
                rtol=rtol,
                atol=np.maximum(rtol * _scales(problem, start[net], laws), _TINY),
                max_steps=max_steps,
            )
            states[here] = path.states[:, :size]
            clock = np.minimum(at, path.reached)
            drift[here] = laws.drift(problem.unflatten(states[here]), path.states[:, size:], clock)
        reached[net], status[net] = path.reached, path.end
    path_weights = problem.unflatten(states)
    values = {name: measure(path_weights) for name, measure in recorded.items()}
    values |= {"imbalance_drift": drift, "loss_increase": _increase(problem, start, states)}
    return Trajectory("time", at, values, problem.unflatten(states[-1]), status, reached)


def _system(problem: Problem, laws: BalanceLaws, size: int) -> System:
    """Return the flow of the weights, and of what the laws predict, as one equation."""

    def field(state: Array) -> Array:
        try:
            slope = problem.flatten(problem.gradient(problem.unflatten(state[:size])))
        except (InvalidWeights, OutOfRange):  # a trial step too far: to be taken shorter
            return np.full_like(state, np.nan)
        return np.concatenate([-slope, laws.rate(problem.unflatten(state[:size]), state[size:])])

    def jacobian(state: Array) -> Array:
        # the laws' own dependence on the weights is left to Newton's next iteration
        result = np.zeros((len(state), len(state)))
        result[:size, :size] = -problem.hessian(problem.unflatten(state[:size]))
        result[size:, size:] = np.diag(laws.damping)
        return result

    return System(field, jacobian if size <= _DENSE else None, size)


def _scales(problem: Problem, start: Array, laws: BalanceLaws) -> Array:
    """Return for every variable the size that its absolute error is measured by."""
    weights = problem.unflatten(start)
    layers = np.array([np.abs(matrix).max() for matrix in weights])
    spare = layers[layers > 0].min(initial=np.inf)
    if np.isinf(spare):  # all zero: biases will grow towards the outputs
        spare = float(np.sqrt(np.trace(np.atleast_2d(problem.moments.yy)))) or 1.0
    layers = np.where(layers > 0, layers, spare)
    sizes = [np.full(W.size, layer) for W, layer in zip(weights, layers, strict=True)]
    squares = [
        np.full(laws.widths[j] ** 2, layers[j] ** 2 + layers[j + 1] ** 2) for j in laws.driven
    ]
    return np.concatenate([*sizes, *squares])


def _increase(problem: Problem, start: Array, states: Array) -> Array:
    """Return how far the loss has ever risen above an earlier one, relative to the first."""
    measure = measures(problem, ["loss"])["loss"]
    losses = measure(problem.unflatten(np.concatenate([start[None], states])))
    with np.errstate(invalid="ignore"):  # of losses that are infinite, and stay
        rise = np.nan_to_num(losses - np.minimum.accumulate(losses, axis=0), nan=0.0)
    largest = np.maximum.accumulate(rise, axis=0)[1:]
    known = (losses[0] > 0) & np.isfinite(losses[0])
    return np.asarray(np.divide(largest, losses[0], out=np.zeros_like(largest), where=known))


def _check(rtol: float, max_steps: int) -> None:
    if not 1e-13 <= rtol <= 1e-2:
        raise InvalidOption(f"rtol must lie between 1e-13 and 1e-2, got {rtol!r}")
    if max_steps < 1:
        raise InvalidOption(f"max_steps must be at least 1, got {max_steps!r}")
