"""The modes of the data: what a network without decay or noise can learn, one by one."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.errors import NoExactSolution
from linscape.problem import Problem
from linscape.spectrum import Spectrum, linear_moments, spectra

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Modes:
    """The eigenvectors of Σ = E[yxᵀ] E[xxᵀ]⁺ E[xyᵀ], and least squares along each of them.

    In units of y and x as the moments have them; losses are `data_factor` times a mean of squares.
    With biases free of decay everything is of the centred moments.

    Attributes
    ----------
    values : (m,) ndarray
        λ_i ≥ 0, descending: how much of E‖y‖² mode i explains.
    directions : (m, m) ndarray
        Their orthonormal directions U in the space of y, as columns.
    regression : (m, d) ndarray
        R = E[yxᵀ] E[xxᵀ]⁺, least squares of minimum norm.
    total : float
        E‖y‖².
    value_error : float
        A bound on the error of each of `values`, to first order.
    data_rank : int
        Rank of E[xxᵀ]: directions whose variance cannot be told from zero are taken to have none.
    rank_limit : int
        r_max, the least width of the network, input and output included.
    data_factor : float
        c of the loss c·E‖f − y‖².
    """

    values: Array
    directions: Array
    regression: Array
    total: float
    value_error: float
    data_rank: int
    rank_limit: int
    data_factor: float

    @property
    def rank(self) -> int:
        """Return the number of modes whose value can be told from zero."""
        return int(np.sum(self.values > self.value_error))

    def loss(self, modes: tuple[int, ...]) -> float:
        """Return c(E‖y‖² − Σ λ_i) over `modes`, the loss at their critical points."""
        explained = math.fsum(self.values[list(modes)])
        return self.data_factor * max(self.total - explained, 0.0)

    def product(self, modes: tuple[int, ...]) -> Array:
        """Return U_S U_Sᵀ R, the end-to-end matrix of the critical points of `modes`."""
        chosen = self.directions[:, list(modes)]
        product: Array = chosen @ (chosen.T @ self.regression)
        return product


def data_modes(problem: Problem) -> Modes:
    """Return the modes of a problem without decay or noise in its hidden layers.

    Raises
    ------
    NoExactSolution
        If the network has decay or noise.
    """
    require_unregularised(problem)
    measures = spectra(problem)
    inputs, outputs = problem.moments.inputs, problem.moments.outputs
    exponent = max(measure.output_exponent for measure in measures)
    whitened = np.array([_whitened(measure, exponent) for measure in measures])
    left, singular, _ = np.linalg.svd(whitened, full_matrices=True)
    values = np.zeros(outputs)
    values[: len(singular)] = singular**2
    regression = [measure.unscaled(measure.ridge_predictor(0.0, 0.0)) for measure in measures]
    return Modes(
        values=np.ldexp(values, 2 * exponent),
        directions=left,
        regression=np.array(regression),
        total=float(np.trace(linear_moments(problem)[2])),
        value_error=math.ldexp(_value_error(measures, singular), 2 * exponent),
        data_rank=whitened.shape[1],
        rank_limit=min(inputs, *problem.network.hidden, outputs),
        data_factor=problem.data_factor,
    )


def require_unregularised(problem: Problem) -> None:
    """Raise NoExactSolution for a network with decay, or with noise in its hidden layers."""
    network = problem.network
    if any(network.weight_decay):
        raise NoExactSolution(
            f"this holds for networks without weight decay, got {list(network.weight_decay)}; "
            "give weight_decay=0, or use solutions and global_minimum"
        )
    if any(network.noise):
        raise NoExactSolution(
            f"this holds for networks without noise in their hidden layers, got "
            f"{list(network.noise)}; give noise=0, or use solutions and global_minimum"
        )


def _whitened(measure: Spectrum, exponent: int) -> Array:
    """Return the row c_i/√a_i of E[yxᵀ]E[xxᵀ]^{−½}, in units of 2^exponent."""
    row = measure.coefficients / np.sqrt(measure.values)
    scaled: Array = np.ldexp(row, measure.output_exponent - exponent)
    return scaled


def _value_error(measures: list[Spectrum], singular: Array) -> float:
    """Bound the error of λ: relative errors of E[xxᵀ], errors of E[xyᵀ], rounding of the SVD."""
    largest = float(np.max(singular, initial=0.0))
    worst = 0.0
    for measure in measures:
        if not len(measure.values):
            continue
        least = float(np.min(measure.values))
        relative = measure.relative_error + measure.value_error / least
        along = measure.coefficient_error / math.sqrt(least)
        worst = max(worst, largest**2 * relative + 2 * largest * along)
    return len(measures) * worst + 16 * (len(singular) + 4) * UNIT_ROUNDOFF * largest**2
