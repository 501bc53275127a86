"""The modes of the data: what a network without decay or noise can learn, one by one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.errors import NoExactSolution
from linscape.landscape.unregularised.whitening import decomposed, whitened
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
        Their orthonormal directions U in the space of y, as columns. Where values are equal the
        directions are one choice of a basis among many.
    regression : (m, d) ndarray
        R = E[yxᵀ] E[xxᵀ]⁺, least squares of minimum norm.
    total : float
        E‖y‖².
    rounding, spectral : float
        Proven bounds on the errors that the singular value decomposition and the eigenvalues of
        E[xxᵀ] make in each of `values`, and in the sum of any of them.
    truncation : float
        What directions of x taken to have no variance could add to such a sum.
    rank : int
        Number of modes whose value is more than the rounding of moments formed in float64.
    data_rank : int
        Rank of E[xxᵀ]: directions whose variance cannot be told from zero are taken to have none.
    null_directions : int
        The number of those.
    rank_limit : int
        r_max, the least width of the network, input and output included.
    data_factor : float
        c of the loss c·E‖f − y‖².
    """

    values: Array
    directions: Array
    regression: Array
    total: float
    rounding: float
    spectral: float
    truncation: float
    rank: int
    data_rank: int
    null_directions: int
    rank_limit: int
    data_factor: float

    @property
    def value_error(self) -> float:
        """Return a proven bound on the error of each of `values`, and of the sum of any."""
        return self.rounding + self.spectral

    @property
    def learned(self) -> int:
        """Return the number of modes that a global minimum has: all, or as many as fit."""
        return min(self.rank, self.rank_limit)

    def gain(self, modes: Sequence[int]) -> float:
        """Return c Σ λ_i over `modes`: loss at zero minus the loss at their critical points."""
        return self.data_factor * math.fsum(self.values[list(modes)])

    def loss(self, modes: Sequence[int]) -> float:
        """Return c(E‖y‖² − Σ λ_i) over `modes`, the loss at their critical points."""
        explained = math.fsum(self.values[list(modes)])
        return self.data_factor * max(self.total - explained, 0.0)

    def product(self, modes: Sequence[int]) -> Array:
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
    return modes_of(problem, spectra(problem))


def modes_of(problem: Problem, measures: Sequence[Spectrum]) -> Modes:
    """Return the modes of a problem whose spectra are known."""
    whitening = whitened(measures)
    left, singular, rounding = decomposed(whitening)
    outputs, directions = whitening.matrix.shape
    unit = 2 * whitening.exponent
    values = np.zeros(outputs)
    values[: len(singular)] = np.ldexp(singular**2, unit)
    largest = float(np.max(singular, initial=0.0))
    noise = whitening.noise + 2 * max(outputs, directions) * UNIT_ROUNDOFF * largest
    regression = [measure.unscaled(measure.ridge_predictor(0.0, 0.0)) for measure in measures]
    return Modes(
        values=values,
        directions=left,
        regression=np.array(regression),
        total=float(np.trace(linear_moments(problem)[2])),
        rounding=math.ldexp(rounding, unit),
        spectral=math.ldexp(whitening.spectral, unit),
        truncation=math.ldexp(whitening.truncation, unit),
        rank=int(np.sum(singular > noise)),
        data_rank=directions,
        null_directions=measures[0].null_directions,
        rank_limit=min(problem.moments.inputs, *problem.network.hidden, outputs),
        data_factor=problem.data_factor,
    )


def require_unregularised(problem: Problem) -> None:
    """Raise NoExactSolution for a network with decay, or with noise in its hidden layers."""
    network = problem.network
    if network.bias == "decayed" and not any(network.weight_decay):
        raise NoExactSolution(
            "bias='decayed' without weight decay is bias='free'; give that for its landscape"
        )
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
