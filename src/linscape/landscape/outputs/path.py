"""The singular values of the global minimum along a path of weight decays."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.arguments import guarded
from linscape.errors import InvalidNetwork, NoExactSolution
from linscape.landscape.interval import real_numbers
from linscape.landscape.minimise import global_minimum
from linscape.landscape.minimum import GlobalMinimum
from linscape.landscape.outputs.dispatch import output_bracket
from linscape.landscape.outputs.measure import OutputMeasure
from linscape.network import Network
from linscape.problem import Problem

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ModePath:
    """Global minima of several outputs over a path of common decays.

    Attributes
    ----------
    weight_decay : (k,) ndarray
        γ, the same for every layer (γ‖W‖², no ½), in the order they were given.
    sizes : (k, r) ndarray
        Singular values of the predictor M at the global minimum, descending.
    loss, lower, upper : (k,) ndarray
        The least loss found and the proven interval of the minimum. Near the decays at which a mode
        appears, and with noise at rank two and more, it can be wider than rounding.
    source : str
        The theorem it rests on.
    """

    weight_decay: Array
    sizes: Array
    loss: Array
    lower: Array
    upper: Array
    source: str

    def to_dict(self) -> dict[str, Any]:
        """Return the path as lists, ready for JSON."""
        arrays = ("weight_decay", "sizes", "loss", "lower", "upper")
        return {name: getattr(self, name).tolist() for name in arrays} | {"source": self.source}


@guarded
def mode_path(problem: Problem, *, weight_decay: ArrayLike) -> ModePath:
    """Return the singular values of the global minimum's predictor at each of several decays.

    The problem's own decays do not enter. One hidden layer without noise is solved from the largest
    decay to the smallest, each from the minimum before it.

    Parameters
    ----------
    problem : Problem
        With hidden layers; any number of outputs, no biases or biases free of decay.
    weight_decay : (k,) array_like
        Positive decays, the same for every layer.

    Raises
    ------
    NoExactSolution
        Without a hidden layer, or for biases that decay.
    InvalidNetwork
        If a decay is not positive.

    Examples
    --------
    One hidden layer and E[xxᵀ] = I: each singular value of E[yxᵀ] less the decay.

    >>> import linscape as ls
    >>> moments = ls.Moments([[1, 0], [0, 1]], [[3, 0], [0, 1]], [[9, 0], [0, 1]])
    >>> problem = ls.Problem(moments, ls.Network((2,)))
    >>> mode_path(problem, weight_decay=[0.5, 2.0]).sizes.round(9) + 0.0
    array([[2.5, 0.5],
           [1. , 0. ]])
    """
    if problem.network.depth == 0 or problem.network.bias == "decayed":
        raise NoExactSolution(
            "a path of modes needs a hidden layer, and biases free of decay or none, got "
            f"hidden={list(problem.network.hidden)} and bias={problem.network.bias!r}"
        )
    decays = np.atleast_1d(real_numbers(weight_decay))
    if decays.ndim != 1 or not decays.size or not np.all((decays > 0) & np.isfinite(decays)):
        raise InvalidNetwork(
            f"weight_decay must be one or several positive numbers, got {weight_decay!r}"
        )
    ordered = _minima(problem, decays)
    return ModePath(
        weight_decay=decays,
        sizes=np.array(
            [np.linalg.svd(np.atleast_2d(g.predictor), compute_uv=False) for g in ordered]
        ),
        loss=np.array([g.loss for g in ordered]),
        lower=np.array([g.lower for g in ordered]),
        upper=np.array([g.upper for g in ordered]),
        source=ordered[0].source,
    )


def _minima(problem: Problem, decays: Array) -> list[GlobalMinimum]:
    """Return the minimum at each decay."""
    if problem.moments.outputs == 1:
        return [global_minimum(_with_decay(problem, float(decay))) for decay in decays]
    minima: dict[int, GlobalMinimum] = {}
    before, measure = None, OutputMeasure.of(problem)
    for k in np.argsort(-decays):
        before = output_bracket(_with_decay(problem, float(decays[k])), measure, before)
        minima[int(k)] = before
    return [minima[k] for k in range(len(decays))]


def _with_decay(problem: Problem, decay: float) -> Problem:
    own = problem.network
    network = Network(
        own.hidden,
        noise=own.noise,
        weight_decay=decay,
        bias=own.bias,
        input_noise=own.input_noise,
    )
    return Problem(problem.moments, network, reduction=problem.reduction)
