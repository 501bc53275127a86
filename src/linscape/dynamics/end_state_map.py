"""In which solution descent ends, by the scale it starts from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.arguments import guarded
from linscape.dynamics.collapse_share import check_gains
from linscape.dynamics.course import step_sizes, whole_number
from linscape.dynamics.descent import descend
from linscape.dynamics.sharpness_step import sharpness_step_size
from linscape.initialisation import Scheme, random_weights
from linscape.landscape.solutions import Solution, solutions
from linscape.landscape.trap import TrapRadius, trap_radius
from linscape.problem import Problem

Array = NDArray[np.float64]
States = NDArray[np.int64]

UNDECIDED = -1

_STILL = 1e-3  # gradient over its decay part
_ROUND = 500  # steps after which ends are looked for, and step sizes chosen anew


@dataclass(frozen=True, eq=False)
class EndStateMap:
    """The minimum in which descent ends, for each gain and start; numerical.

    Attributes
    ----------
    scheme : str
        The initialisation.
    gains : tuple of float
        Factors on all layers.
    solutions : tuple of Solution
        As :func:`linscape.solutions` lists them, by energy, zero first.
    states : ndarray of int, shape (gains, starts)
        Index into `solutions`; −1 where a run was on its way after all steps, or had diverged.
    diverged : ndarray of bool, shape (gains, starts)
        Which runs diverged.
    losses : ndarray, shape (gains, starts)
        The loss where each run ended.
    steps : int
        Steps of a run.
    """

    scheme: str
    gains: tuple[float, ...]
    solutions: tuple[Solution, ...]
    states: States
    diverged: NDArray[np.bool_]
    losses: Array
    steps: int

    @property
    def shares(self) -> Array:
        """Share of the starts that ends in each solution, shape (gains, solutions)."""
        index = np.arange(len(self.solutions))
        shares: Array = (self.states[:, :, None] == index).mean(axis=1)
        return shares

    def to_dict(self) -> dict[str, Any]:
        """Return the map ready for JSON."""
        return {
            "scheme": self.scheme,
            "gains": list(self.gains),
            "solutions": [
                {"energy": one.energy, "loss": one.loss, "kind": one.kind} for one in self.solutions
            ],
            "shares": self.shares.tolist(),
            "states": self.states.tolist(),
            "diverged": self.diverged.tolist(),
            "losses": self.losses.tolist(),
            "steps": self.steps,
        }


@guarded
def end_state_map(
    problem: Problem,
    *,
    scheme: Scheme = "kaiming",
    gains: Sequence[float],
    starts: int = 32,
    rng: np.random.Generator | int,
    step_size: ArrayLike | None = None,
    steps: int = 20_000,
    progress: bool = False,
) -> EndStateMap:
    r"""Find in which minimum descent ends, from random starts multiplied by each gain.

    A run of :func:`descend` has ended at zero once it is in a proven trap
    (:func:`linscape.trap_radius`), and at another minimum once its gradient is at most a thousandth
    of its decay part and the energy of every layer is nearer to that minimum than to any other
    solution. What has reached neither after all steps is undecided.

    Parameters
    ----------
    problem : Problem
        One output, at least one hidden layer, every decay positive, no biases.
    scheme : str, default "kaiming"
        As in :func:`linscape.random_weights`.
    gains : sequence of float
        Factors on all layers, positive; the same draws at each of them.
    starts : int, default 32
        Number of draws.
    rng : numpy.random.Generator or int
        Source of randomness, or a seed.
    step_size : float or array_like, optional
        As for :func:`descend`, with batch axes (gains, starts). Unless given, that of
        :func:`sharpness_step_size` for the weights of each net, anew every 500 steps.
    steps : int, default 20000
        Steps of a run.
    progress : bool, default False
        Show a progress bar.

    Returns
    -------
    EndStateMap
        Numerical.

    Raises
    ------
    NoExactSolution
        If the problem has more than one output, a decay of zero, biases, or no hidden layer.
    ValueError
        If an option lies outside its range.

    Examples
    --------
    One unit a layer, A = c = 1: orthogonal starts are ±g each. Of those with a positive product the
    small ones end at zero, the others at the minimum, with the saddle g = γ + g⁴ between.

    >>> import linscape as ls
    >>> network = ls.Network(hidden=(1, 1), weight_decay=0.1)
    >>> problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), network)
    >>> found = end_state_map(problem, scheme="orthogonal", gains=[0.05, 0.5], starts=8, rng=0)
    >>> [one.kind for one in found.solutions], sorted({*found.states[1].tolist()})
    (['minimum', 'saddle', 'minimum'], [0, 2])
    >>> found.shares[0].tolist()
    [1.0, 0.0, 0.0]
    """
    from rich.progress import track

    check_gains(gains)
    starts = whole_number(starts, "starts", 1)
    steps = whole_number(steps, "steps", 1)
    found, trap = solutions(problem), trap_radius(problem)
    draws = random_weights(problem, scheme=scheme, rng=rng, batch=starts)
    weights = [np.multiply.outer(np.asarray(gains, dtype=np.float64), matrix) for matrix in draws]
    shape = (len(gains), starts)
    flat = [matrix.reshape(-1, *matrix.shape[-2:]) for matrix in weights]
    sizes = None if step_size is None else step_sizes(step_size, shape)
    states, diverged = np.full(len(flat[0]), UNDECIDED), np.zeros(len(flat[0]), dtype=np.bool_)
    todo = np.arange(len(flat[0]))
    for done in track(range(0, steps, _ROUND), description="descent", disable=not progress):
        run = descend(
            problem,
            [matrix[todo] for matrix in flat],
            step_size=_sizes(problem, flat, todo, sizes),
            steps=min(_ROUND, steps - done),
            record=(),
        )
        for matrix, end in zip(flat, run.weights, strict=True):
            matrix[todo] = end
        states[todo] = _ends(problem, found, trap, run.weights)
        diverged[todo] = run.status == "diverged"
        todo = np.flatnonzero((states == UNDECIDED) & ~diverged)
        if not len(todo):
            break
    return EndStateMap(
        scheme=scheme,
        gains=tuple(map(float, gains)),
        solutions=tuple(found),
        states=states.reshape(shape),
        diverged=diverged.reshape(shape),
        losses=np.asarray(problem.loss(flat)).reshape(shape),
        steps=steps,
    )


def _sizes(
    problem: Problem, weights: list[Array], nets: States, given: Array | None
) -> float | Array:
    if given is not None:
        return given[nets]
    return sharpness_step_size(problem, [matrix[nets] for matrix in weights])


def _ends(
    problem: Problem, found: Sequence[Solution], trap: TrapRadius, weights: list[Array]
) -> States:
    """Return the minimum that each net has come to, −1 if to none yet."""
    energies = problem.energies(weights)
    distance = np.abs(energies[..., None] - np.array([one.energy for one in found]))
    nearest = distance.argmin(axis=-1)
    agree = np.all(nearest == nearest[:, :1], axis=-1)
    minima = np.array([one.kind == "minimum" and one.energy > 0 for one in found])
    decays = problem.network.weight_decay
    decay_part = [2 * decay * W for decay, W in zip(decays, weights, strict=True)]
    slope = np.linalg.norm(problem.flatten(problem.gradient(weights)), axis=-1)
    still = slope <= _STILL * np.linalg.norm(problem.flatten(decay_part), axis=-1)
    states: States = np.where(still & agree & minima[nearest[:, 0]], nearest[:, 0], UNDECIDED)
    states[trap.margin(weights) > 1] = 0
    return states
