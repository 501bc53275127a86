"""What every bound here knows of a problem: depth, inflation, ‖E[xy]‖, a_min and a_max."""

import math
from dataclasses import dataclass

import numpy as np

from linscape.errors import NoExactSolution
from linscape.landscape.theorems import require_free_biases, require_one_output
from linscape.network import Network
from linscape.problem import Problem
from linscape.spectrum import Spectrum, spectra

COVERED = ("one output", "no biases, or biases free of decay (moments are then the centred ones)")
POSITIVE = "every weight decay positive"
SMALLEST = "a_min is the least eigenvalue told from zero; E[xy] lies in the range of E[xxᵀ]"


@dataclass(frozen=True)
class Extremes:
    """The numbers the bounds are made of, as logarithms; the data term's factor is in the data.

    Attributes
    ----------
    depth : int
        D ≥ 1.
    log_inflation, log_decay_product : float
        log τ and log P (−inf if a layer does not decay).
    log_signal : float
        log ‖E[xy]‖, −inf if it vanishes.
    log_smallest, log_largest : float
        log a_min and log a_max, moved outwards by the error of the eigendecomposition.
    spread : float
        a_max/a_min − 1 of the computed eigenvalues.
    log_factor : float
        Logarithm of the factor by which E[xxᵀ] and E[xy] were multiplied.
    """

    depth: int
    log_inflation: float
    log_decay_product: float
    log_signal: float
    log_smallest: float
    log_largest: float
    spread: float
    log_factor: float

    @classmethod
    def of(cls, problem: Problem, equation: str) -> "Extremes":
        """Return the numbers of a problem that `equation` can speak of.

        Raises
        ------
        NoExactSolution
            For several outputs, biases that decay, or no hidden layer.
        """
        require_free_biases(problem)
        require_one_output(problem)
        network = problem.network
        if network.depth == 0:
            raise NoExactSolution(
                f"{equation} needs a hidden layer and this network has none; "
                "without one global_minimum(problem) is ridge regression"
            )
        (measure,) = spectra(problem)
        factor = math.log(problem.data_factor)
        smallest, largest, spread = _eigenvalues(measure)
        exponent = measure.input_exponent * math.log(2)
        return cls(
            depth=network.depth,
            log_inflation=network.log_inflation,
            log_decay_product=network.log_decay_product,
            log_signal=_log_norm(measure) + factor,
            log_smallest=smallest + 2 * exponent + factor,
            log_largest=largest + 2 * exponent + factor,
            spread=spread,
            log_factor=factor,
        )

    @classmethod
    def with_decay(cls, problem: Problem, equation: str) -> "Extremes":
        """Return the same, and refuse a layer that does not decay."""
        found = cls.of(problem, equation)
        if found.log_decay_product == -math.inf:
            raise NoExactSolution(
                f"{equation} needs every weight decay positive, and one here is zero; without any "
                "decay global_minimum(problem) is least squares"
            )
        return found


def has_equal_layers(network: Network) -> bool:
    """Say whether width, noise and decay are the same in every layer, as the paper assumes."""
    return all(
        len(set(part)) == 1 for part in (network.hidden, network.noise, network.weight_decay)
    )


def _eigenvalues(measure: Spectrum) -> tuple[float, float, float]:
    """Return log a_min, log a_max, outwards, and a_max/a_min − 1, in the units of the spectrum."""
    if not len(measure.values):
        return 0.0, 0.0, 0.0  # x vanishes, and ‖E[xy]‖ = 0 settles every bound
    smallest, largest = float(measure.values[0]), float(measure.values[-1])
    return (
        math.log(measure.lowered[0]),
        math.log(2 * largest - measure.lowered[-1]),
        largest / smallest - 1,
    )


def _log_norm(measure: Spectrum) -> float:
    norm = float(np.linalg.norm(measure.cross_moment))
    if norm == 0:
        return -math.inf
    return math.log(norm) + (measure.input_exponent + measure.output_exponent) * math.log(2)
