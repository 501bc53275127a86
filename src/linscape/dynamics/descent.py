"""Gradient descent on the exact noise-averaged loss, for one net or thousands at once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.arguments import guarded
from linscape.dynamics.course import (
    Every,
    check_loss_limit,
    check_momentum,
    check_tolerance,
    flat_start,
    follow,
    record_steps,
    step_sizes,
    whole_number,
)
from linscape.dynamics.kernels import matrices
from linscape.dynamics.kernels.choice import kernel
from linscape.dynamics.kernels.nets import RUNNING, Nets
from linscape.dynamics.kernels.units import Units
from linscape.dynamics.recording import measures
from linscape.dynamics.trajectory import STATUSES, Trajectory
from linscape.problem import Problem

Array = NDArray[np.float64]


@guarded
def descend(
    problem: Problem,
    weights: Sequence[ArrayLike],
    *,
    step_size: ArrayLike,
    steps: int,
    momentum: float = 0.0,
    nesterov: bool = False,
    record: Sequence[str] = ("loss",),
    every: Every = None,
    tolerance: float = 0.0,
    loss_limit: float = 1e8,
    progress: bool = False,
) -> Trajectory:
    r"""Run full-batch gradient descent, W ← W − η ∇L(W), from given weights.

    L is the exact loss of :class:`linscape.Problem`, noise averaged and decays included, with its
    own factors (no ½ unless the reduction has one): η here is that of any program whose loss is L.
    Momentum μ is PyTorch's: v ← μv + ∇L from v = 0, then W ← W − ηv, or with `nesterov`
    W ← W − η(∇L + μv).

    Every net of a batch stops on its own, before a step from weights W at which

    - it has "converged": ‖∇L(W)‖² + ‖v‖² ≤ (`tolerance` · ‖∇L‖ at the start)²; v counts only with
      momentum, and nothing converges at tolerance 0;
    - it has "diverged": L(W) exceeds `loss_limit` times the larger of the losses at the start and
      at zero, or the square of the gradient leaves the range of a 64-bit float.

    It then keeps the W it has, and the others go on. Nets that do neither are "running" in the end.

    Parameters
    ----------
    problem : Problem
        The objective: any network.
    weights : sequence of array_like
        W_1, …, W_D, U at the start; batch axes in front for many nets.
    step_size : float or array_like
        η > 0, or one for each net in the shape of the batch axes.
    steps : int
        Number of steps, at least 0.
    momentum : float, default 0
        μ in [0, 1).
    nesterov : bool, default False
        Nesterov's form of momentum.
    record : sequence of str, default ("loss",)
        What to record: "loss", "gradient_norm", "norm", "energies", "balancedness",
        "singular_values", "product_error", "critical_value_distance", "weights"; see
        :func:`linscape.dynamics.recording.measures`.
    every : int or sequence of int, optional
        Record every so many steps, or at these; always at the first and the last. About a hundred
        times unless given.
    tolerance : float, default 0
        Share of the first gradient's norm at which a net has converged.
    loss_limit : float, default 1e8
        Factor of the loss beyond which a net has diverged; infinite for none.
    progress : bool, default False
        Show a progress bar.

    Returns
    -------
    Trajectory
        Values of shape (k, \*batch, …) at the steps ``trajectory.at``; numerical.

    Raises
    ------
    InvalidWeights
        If the weights do not fit the network.
    OutOfRange
        If layers differ so much in size that products of them leave the range on the way.
    ValueError
        If an option lies outside its range, or a name is not known.

    Notes
    -----
    Large batches of layers up to 16 wide run in a kernel compiled for their shapes, which takes
    seconds when it is needed first; numba keeps it between runs (in NUMBA_CACHE_DIR or the user's
    cache folder). It runs on as many threads as NUMBA_NUM_THREADS says. Everything else runs in
    numpy. Both agree up to rounding; which one runs depends on the job only.

    Examples
    --------
    No hidden layer, A = c = E[y²] = 1: L = (u − 1)², and a step takes u − 1 to (1 − 2η)(u − 1).

    >>> import linscape as ls
    >>> problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network(hidden=()))
    >>> trajectory = descend(problem, [[[0.0]]], step_size=0.25, steps=3, every=1)
    >>> trajectory["loss"]
    array([1.      , 0.25    , 0.0625  , 0.015625])

    Two step sizes at once: beyond η = 1 it diverges, by a factor 81 in the loss each step.

    >>> start = [np.zeros((2, 1, 1))]
    >>> trajectory = descend(problem, start, step_size=[0.25, 5.0], steps=100, tolerance=1e-9)
    >>> trajectory.status, trajectory.stopped_at
    (array(['converged', 'diverged'], dtype='<U9'), array([30,  5]))
    """
    start, batch = flat_start(problem, weights)
    steps = whole_number(steps, "steps", 0)
    check_momentum(momentum, nesterov)
    check_tolerance(tolerance)
    check_loss_limit(loss_limit)
    at = record_steps(steps, every)
    recorded = measures(problem, record)
    units = Units(problem)
    nets = _at_start(problem, units, start, momentum > 0, tolerance, loss_limit)
    nets.step_size = step_sizes(step_size, batch)
    take = kernel(problem, len(nets.status), steps)

    def current() -> list[Array]:
        return [
            matrix.reshape(*batch, *matrix.shape[-2:]) for matrix in units.unscaled(nets.layers)
        ]

    def advance(count: int) -> None:
        take(nets, units, count, momentum, nesterov)

    values = follow(at, recorded, current, advance, progress=progress)
    ends = np.where(nets.status == RUNNING, steps, nets.stopped_at)
    return Trajectory(
        coordinate="step",
        at=at,
        values=values,
        weights=current(),
        status=np.array(STATUSES)[nets.status].reshape(batch),
        stopped_at=ends.reshape(batch),
    )


def _at_start(
    problem: Problem,
    units: Units,
    weights: list[Array],
    moves: bool,
    tolerance: float,
    loss_limit: float,
) -> Nets:
    """Return the nets before their first step, without step sizes."""
    layers = units.scaled(weights)
    count = len(weights[0])
    loss = measures(problem, ["loss"])["loss"]
    at_zero = loss([np.zeros(shape) for shape in problem.shapes])
    with np.errstate(over="ignore", invalid="ignore"):
        limit = units.excess(loss_limit * np.maximum(loss(weights), at_zero))
        gradient, _ = matrices.gradient(units, layers)
        threshold = tolerance**2 * matrices.squared_norm(units, gradient)
    return Nets(
        layers=layers,
        velocity=[np.zeros_like(layer) for layer in layers] if moves else [],
        step_size=np.empty(count),
        limit=limit,
        threshold=threshold if tolerance > 0 else np.full(count, -1.0),
        status=np.full(count, RUNNING, dtype=np.int8),
        stopped_at=np.zeros(count, dtype=np.int64),
    )
