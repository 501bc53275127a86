"""Stochastic gradient descent on data: mini-batches and sampled noise, for comparison."""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.arguments import guarded
from linscape.dynamics.course import (
    Every,
    check_loss_limit,
    check_momentum,
    flat_start,
    follow,
    record_steps,
    step_sizes,
    whole_number,
)
from linscape.dynamics.recording import measures
from linscape.dynamics.trajectory import STATUSES, Trajectory
from linscape.errors import InvalidData, InvalidOption
from linscape.moments import Moments
from linscape.network import Network
from linscape.problem import Problem, Reduction

Array = NDArray[np.float64]
Noise = Literal["dropout", "gaussian"]

_RUNNING, _DIVERGED = STATUSES.index("running"), STATUSES.index("diverged")


@guarded
def descend_stochastic(
    X: ArrayLike,
    y: ArrayLike,
    network: Network,
    weights: Sequence[ArrayLike],
    *,
    batch_size: int,
    step_size: ArrayLike,
    steps: int,
    rng: np.random.Generator | int,
    noise: Noise = "dropout",
    momentum: float = 0.0,
    nesterov: bool = False,
    reduction: Reduction = "mean",
    record: Sequence[str] = ("loss",),
    every: Every = None,
    loss_limit: float = 1e8,
    progress: bool = False,
) -> Trajectory:
    r"""Run gradient descent with mini-batches of rows and sampled noise, as it is done in training.

    At every step each net draws `batch_size` different rows, all equally likely and independent of
    those of other steps, and fresh noise for each row and unit. It descends the gradient G of

    α · mean over its rows of ‖f(x) − y‖² + the decays, α the factor of `reduction`,

    whose expectation is the gradient that :func:`descend` uses: E G = ∇L(W), for either `noise`.
    What is recorded belongs to the exact noise-averaged loss L on all rows, not to the samples.

    Parameters
    ----------
    X : array_like, shape (n, d)
        Inputs, dense.
    y : array_like, shape (n,) or (n, m)
        Outputs.
    network : Network
        The architecture; its noise variances σ² are those of the sampled noise.
    weights : sequence of array_like
        W_1, …, W_D, U at the start; batch axes in front for many nets.
    batch_size : int
        Rows of a mini-batch, from 1 to n; with n all rows are used at every step.
    step_size : float or array_like
        η > 0, or one for each net.
    steps : int
        Number of steps (of mini-batches, not passes over the data).
    rng : numpy.random.Generator or int
        Source of randomness, or a seed.
    noise : "dropout" or "gaussian", default "dropout"
        Inverted dropout, 1/(1 − p) with probability 1 − p and else 0, where p = σ²/(1 + σ²); or
        normal of mean 1 and variance σ². The exact loss cannot tell them apart, single steps can.
    momentum, nesterov, record, every, loss_limit, progress
        As in :func:`descend`. A net has diverged at the first step at which the loss of its sample
        exceeds `loss_limit` times the larger of L at the start and at zero, or is not finite.
    reduction : str, default "mean"
        As in :class:`linscape.Problem`; "sum" and "half_sum" scale the mean of a mini-batch by n.

    Returns
    -------
    Trajectory
        As from :func:`descend`; no net is "converged".

    Raises
    ------
    InvalidData
        If the data are not dense finite numbers, or do not fit together.
    InvalidWeights
        If the weights do not fit the network.
    InvalidOption
        If an option lies outside its range, or a name is not known.

    Examples
    --------
    All rows and no noise: nothing is random, L = (u − 1)², and u − 1 shrinks by 1 − 2η.

    >>> import linscape as ls
    >>> trajectory = descend_stochastic(
    ...     [[1.0], [-1.0]], [1.0, -1.0], ls.Network(hidden=()), [[[0.0]]],
    ...     batch_size=2, step_size=0.25, steps=2, rng=0, every=1,
    ... )
    >>> trajectory["loss"]
    array([1.    , 0.25  , 0.0625])
    """
    problem = Problem(Moments.from_arrays(X, y), network, reduction=reduction)
    rows = _dense(X), _dense(y).reshape(-1, problem.moments.outputs)
    batch_size = whole_number(batch_size, "batch_size", 1)
    if batch_size > len(rows[0]):
        raise InvalidOption(
            f"batch_size must be at most the number of rows, {len(rows[0])}, got {batch_size}"
        )
    steps = whole_number(steps, "steps", 0)
    check_momentum(momentum, nesterov)
    check_loss_limit(loss_limit)
    if noise not in get_args(Noise):
        raise InvalidOption(f"noise must be 'dropout' or 'gaussian', got {noise!r}")
    at, recorded = record_steps(steps, every), measures(problem, record)
    start, batch = flat_start(problem, weights)
    nets = _Nets(problem, start, step_sizes(step_size, batch), loss_limit)
    sample = Sample(*rows, batch_size, np.random.default_rng(rng), noise)

    def current() -> list[Array]:
        return [matrix.reshape(*batch, *matrix.shape[-2:]) for matrix in nets.weights]

    def advance(count: int) -> None:
        for _ in range(count):
            nets.advance(sample, momentum, nesterov)

    values = follow(at, recorded, current, advance, progress=progress)
    return Trajectory(
        coordinate="step",
        at=at,
        values=values,
        weights=current(),
        status=np.array(STATUSES)[nets.status].reshape(batch),
        stopped_at=np.where(nets.status == _RUNNING, steps, nets.stopped_at).reshape(batch),
    )


def _dense(values: ArrayLike) -> Array:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidData(
            f"descend_stochastic takes rows from a dense array, got {type(values).__name__}; "
            "give X.toarray(), or use descend, which needs second moments only"
        ) from None


class Sample:
    """Draws rows and noise."""

    def __init__(
        self, X: Array, y: Array, size: int, rng: np.random.Generator, noise: Noise
    ) -> None:
        self._X, self._y, self._size, self._rng, self._noise = X, y, size, rng, noise

    def rows(self, nets: int) -> tuple[Array, Array]:
        """Return inputs (nets, size, d) and outputs (nets, size, m) of one mini-batch each."""
        n = len(self._X)
        if self._size == n:
            return self._X[None], self._y[None]
        draws = [self._rng.choice(n, self._size, replace=False, shuffle=False) for _ in range(nets)]
        chosen = np.stack(draws)
        return self._X[chosen], self._y[chosen]

    def masks(self, variance: float, shape: tuple[int, ...]) -> Array:
        """Return factors of mean 1 and this variance."""
        if variance == 0:
            return np.ones(shape)
        if self._noise == "gaussian":
            return 1 + math.sqrt(variance) * self._rng.standard_normal(shape)
        kept = self._rng.random(shape) * (1 + variance) < 1
        return np.where(kept, 1 + variance, 0.0)


class _Nets:
    """A batch of nets on their way, in the units of the data."""

    def __init__(
        self, problem: Problem, weights: list[Array], step_size: Array, loss_limit: float
    ) -> None:
        loss = measures(problem, ["loss"])["loss"]
        at_zero = loss([np.zeros(shape) for shape in problem.shapes])
        self._problem = problem
        self._limit = loss_limit * np.maximum(loss(weights), at_zero)
        self._step_size = step_size[:, None, None]
        self.weights = weights
        self._velocity = [np.zeros_like(matrix) for matrix in weights]
        self.status: NDArray[np.int8] = np.full(len(step_size), _RUNNING, dtype=np.int8)
        self.stopped_at: NDArray[np.int64] = np.zeros(len(step_size), dtype=np.int64)
        self._step = 0

    def advance(self, sample: Sample, momentum: float, nesterov: bool) -> None:
        """Take one step with every net that has not diverged."""
        with np.errstate(over="ignore", invalid="ignore"):
            gradients, loss = sampled_gradient(self._problem, self.weights, sample)
            self._velocity = [
                momentum * v + g for v, g in zip(self._velocity, gradients, strict=True)
            ]
            directions = self._velocity
            if nesterov:
                directions = [
                    g + momentum * v for g, v in zip(gradients, self._velocity, strict=True)
                ]
            trial = [W - self._step_size * u for W, u in zip(self.weights, directions, strict=True)]
        finite = np.all([np.isfinite(W).all(axis=(-2, -1)) for W in trial], axis=0)
        stopping = ~((loss <= self._limit) & finite) & (self.status == _RUNNING)
        self.status[stopping], self.stopped_at[stopping] = _DIVERGED, self._step
        moving = (self.status == _RUNNING)[:, None, None]
        self.weights = [
            np.where(moving, new, W) for new, W in zip(trial, self.weights, strict=True)
        ]
        self._step += 1


def sampled_gradient(
    problem: Problem, weights: list[Array], sample: Sample
) -> tuple[list[Array], Array]:
    """Return the gradient of the loss of one sample for each net, and that loss."""
    network = problem.network
    nets, biased = len(weights[0]), network.bias is not False
    x, y = sample.rows(nets)
    h, inputs, masks = np.broadcast_to(x, (nets, *x.shape[1:])), [], []
    for W, variance in zip(weights, (network.input_noise, *network.noise), strict=True):
        masks.append(sample.masks(variance, h.shape))
        h = h * masks[-1]
        inputs.append(np.concatenate([h, np.ones((*h.shape[:-1], 1))], axis=-1) if biased else h)
        h = inputs[-1] @ W.mT
    residual = h - y
    loss = problem.data_factor * np.einsum("bij,bij->b", residual, residual) / y.shape[1]
    adjoint = (2 * problem.data_factor / y.shape[1]) * residual
    gradients = []
    for k in range(len(weights) - 1, -1, -1):
        decayed = 2 * network.weight_decay[k] * weights[k]
        if network.bias == "free":
            decayed[..., -1] = 0
        loss = loss + np.einsum("bij,bij->b", decayed, weights[k]) / 2
        gradients.append(adjoint.mT @ inputs[k] + decayed)
        linear = weights[k][..., :-1] if biased else weights[k]
        adjoint = (adjoint @ linear) * masks[k]
    return gradients[::-1], loss
