"""What can be recorded along a path, by name."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from linscape.dynamics.balance import balancedness
from linscape.errors import InvalidOption, OutOfRange
from linscape.landscape.unregularised.modes import data_modes
from linscape.landscape.unregularised.values import critical_values
from linscape.network import Network
from linscape.problem import Problem

Array = NDArray[np.float64]
Measure = Callable[[list[Array]], Array]


def measures(problem: Problem, names: Sequence[str]) -> dict[str, Measure]:
    """Return the functions that measure what is asked for, of weights with any batch axes.

    A value too large for a 64-bit float is infinite; it takes nothing from the other nets.

    ===========================  ===================================================================
    "loss"                       the exact loss L
    "gradient_norm"              ‖∇L‖, over all weights
    "norm"                       ‖w‖, over all weights
    "energies"                   γ_k‖W_k‖² of each layer: (D + 1,)
    "balancedness"               max_j ‖W_{j+1}ᵀW_{j+1} − W_jW_jᵀ‖₂
    "singular_values"            of the end-to-end matrix M = U W_D ⋯ W_1, descending: (min(m, d),)
    "product_error"              ‖M − M*‖_F, M* least squares of rank at most the least width
                                 without decay and noise (about the means if there are biases)
    "critical_value_distance"    |L − v| to the nearest critical value v of the same net without
                                 decay and noise
    "weights"                    all weights in one vector: `Problem.flatten`
    ===========================  ===================================================================

    M* is the one of minimum norm; if the singular values that decide its modes are equal, it is
    one choice among many.

    Raises
    ------
    InvalidOption
        If a name is not known, or given twice.
    OutOfRange
        If "critical_value_distance" is asked and there are more than 2^20 critical values.

    Examples
    --------
    >>> import linscape as ls
    >>> problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network(hidden=(1,)))
    >>> measure = measures(problem, ["product_error", "critical_value_distance"])
    >>> weights = [np.array([[0.5]]), np.array([[0.5]])]    # M = 1/4, M* = 1, L = 9/16
    >>> {name: float(function(weights)) for name, function in measure.items()}
    {'product_error': 0.75, 'critical_value_distance': 0.4375}
    """
    if isinstance(names, str) or len(set(names)) < len(names) or set(names) - set(RECORDED):
        raise InvalidOption(
            f"record must be a sequence of different names among {', '.join(RECORDED)}; "
            f"got {names!r}"
        )
    return {name: partial(_measured, problem, RECORDED[name](problem)) for name in names}


def _measured(problem: Problem, measure: Measure, weights: list[Array]) -> Array:
    """Measure all nets at once, or one by one if a number leaves the range."""
    try:
        return np.asarray(measure(weights), dtype=np.float64)
    except OutOfRange:
        pass
    batch = weights[0].shape[:-2]
    form = np.asarray(measure([np.zeros(shape) for shape in problem.shapes]))
    result = np.full((*batch, *form.shape), np.inf)
    for net in np.ndindex(batch):
        try:
            result[net] = measure([matrix[net] for matrix in weights])
        except OutOfRange:
            continue
    return result


def _loss(problem: Problem) -> Measure:
    return lambda weights: np.asarray(problem.loss(weights))


def _gradient_norm(problem: Problem) -> Measure:
    return lambda weights: _norm(problem.flatten(problem.gradient(weights)))


def _weight_norm(problem: Problem) -> Measure:
    return lambda weights: _norm(problem.flatten(weights))


def _norm(vectors: Array) -> Array:
    """Return lengths without squares that leave the range."""
    largest = np.abs(vectors).max(axis=-1, keepdims=True)
    unit = np.ldexp(1.0, np.frexp(largest)[1])
    result: Array = unit[..., 0] * np.linalg.norm(vectors / unit, axis=-1)
    return result


def _singular_values(problem: Problem) -> Measure:
    return lambda weights: np.asarray(
        np.linalg.svd(_matrix(problem, weights), compute_uv=False), dtype=np.float64
    )


def _product_error(problem: Problem) -> Measure:
    modes = data_modes(_unregularised(problem))
    best = modes.product(range(modes.learned))

    def distance(weights: list[Array]) -> Array:
        difference = _matrix(problem, weights) - best
        return _norm(difference.reshape(*difference.shape[:-2], -1))

    return distance


def _critical_value_distance(problem: Problem) -> Measure:
    values = np.sort(critical_values(_unregularised(problem)).losses)
    between = (values[1:] + values[:-1]) / 2

    def distance(weights: list[Array]) -> Array:
        loss = np.asarray(problem.loss(weights))
        return np.abs(loss - values[np.searchsorted(between, loss)])

    return distance


def _unregularised(problem: Problem) -> Problem:
    network = problem.network
    plain = Network(
        network.hidden,
        bias=False if network.bias is False else "free",
        input_noise=network.input_noise,
    )
    return Problem(problem.moments, plain, reduction=problem.reduction)


def _matrix(problem: Problem, weights: list[Array]) -> Array:
    """Return the end-to-end matrix, (…, m, d) for a single flat target too."""
    shape = (problem.moments.outputs, problem.moments.inputs)
    predictor = problem.predictor(weights)
    return predictor.reshape(*weights[0].shape[:-2], *shape)


RECORDED: Mapping[str, Callable[[Problem], Measure]] = MappingProxyType(
    {
        "loss": _loss,
        "gradient_norm": _gradient_norm,
        "norm": _weight_norm,
        "energies": lambda problem: problem.energies,
        "balancedness": lambda problem: lambda weights: np.asarray(balancedness(weights)),
        "singular_values": _singular_values,
        "product_error": _product_error,
        "critical_value_distance": _critical_value_distance,
        "weights": lambda problem: problem.flatten,
    }
)
