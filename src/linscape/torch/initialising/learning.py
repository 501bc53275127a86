"""A start of the linear net from which descent learns, or why there is none."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linscape.errors import NoExactSolution
from linscape.landscape.realisation import with_free_biases
from linscape.problem import Problem
from linscape.torch.ending import ending, learns
from linscape.torch.initialising import start
from linscape.torch.initialising.barrier import Barrier, barrier
from linscape.torch.initialising.result import Basis, Scheme
from linscape.torch.limits import limits
from linscape.torch.setting import Setting

Array = NDArray[np.float64]

_SAFETY = 2.0  # over the critical gain: what single dropout masks and an activation can take off


@dataclass(frozen=True, eq=False)
class LearningStart:
    """A start of the linear net, its biases included, and why it learns."""

    weights: list[Array]
    gain: float
    critical_gain: float | None
    barrier: Barrier
    basis: Basis


def learning_start(setting: Setting, scheme: Scheme, rng: np.random.Generator) -> LearningStart:
    """Draw a start, enlarge it as far as needed, and make sure that it learns.

    Raises
    ------
    NoExactSolution
        If no minimum but zero is known, or descent from the start ends at zero.
    """
    problem = setting.problem
    plain = start.without_biases(problem)
    predictor = start.target(plain)
    if predictor is None:
        raise NoExactSolution(_nothing_to_learn(setting))
    gain, critical = 1.0, None
    if scheme == "aligned":
        weights = start.aligned(plain, predictor, rng)
    else:
        weights = start.random(plain, predictor, rng)
        if not learns(plain, [W / _SAFETY for W in weights]):
            critical = _critical_gain(plain, weights)
            gain = _SAFETY * critical
            weights = [gain * W for W in weights]
    if problem.network.bias is not False:
        weights = with_free_biases(problem, weights)
    wall = barrier(problem)
    basis = _basis(problem, weights, wall)
    if setting.reading.kind != "linear":
        basis = "approximation"
    return LearningStart(weights, gain, critical, wall, basis)


def _nothing_to_learn(setting: Setting) -> str:
    net = "this net" if setting.reading.kind == "linear" else "the linear net in its place"
    if not setting.signal:
        return f"inputs and targets are uncorrelated, so that {net} has nothing to learn"
    level = limits(setting).weight_decay
    advice = "" if level is None else f": with weight_decay at most {level:.4g} {net} learns"
    return (
        f"no start was found from which {net} learns: it has no minimum but zero, or with several "
        f"outputs zero is its global minimum; lower weight_decay or dropout{advice}"
    )


def _critical_gain(problem: Problem, weights: list[Array]) -> float:
    critical = ending(problem, weights).critical_gain
    if critical is None or not np.isfinite(critical):
        raise NoExactSolution(
            "no gain up to 64 was found at which this random draw learns; take scheme='aligned', "
            "another draw, or a lower weight_decay"
        )
    return critical


def _basis(problem: Problem, weights: list[Array], wall: Barrier) -> Basis:
    """Return why descent from here does not end at zero.

    Raises
    ------
    NoExactSolution
        If it does, or was not seen to learn.
    """
    if wall.holds_back(problem, weights):
        return "proven"
    if learns(problem, weights):
        return "numerical"
    raise NoExactSolution(
        "descent from the start that was drawn ends at zero, so nothing was written; take another "
        "draw, scheme='aligned', or a lower weight_decay"
    )
