"""A problem's data in the directions that its own signal leads to, as many as it takes."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from linscape.errors import InvalidMoments, InvalidOption, NeedsDenseMoments
from linscape.lanczos import Lanczos
from linscape.landscape.krylov.quadrature import Quadrature
from linscape.landscape.theorems import require_one_output
from linscape.problem import Problem

Array = NDArray[np.float64]

MOST_STEPS = 1000
_BASIS = 2**27  # numbers kept of the basis at most: a gigabyte


class Expansion:
    """Lanczos on E[xxᵀ] started at E[xy], noise on the inputs included.

    For biases free of decay the moments are the centred ones.

    Parameters
    ----------
    problem : Problem
        One output; moments dense or kept as an operator.
    steps : int
        How far to go at most; fewer where the basis would take more than a gigabyte.

    Attributes
    ----------
    second_moment_y : float
        E[y²], or the variance.
    process : Lanczos or None
        None where E[xy] = 0.

    Raises
    ------
    NoExactSolution
        For several outputs.
    NeedsDenseMoments
        For biases that decay, or noise on the inputs of a LinearOperator.
    """

    def __init__(self, problem: Problem, steps: int = MOST_STEPS) -> None:
        require_one_output(problem)
        if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 1:
            raise InvalidOption(f"expected steps a positive whole number, got {steps!r}")
        apply, start, self.second_moment_y = _data(problem)
        _check_finite(start)
        self.process = Lanczos(apply, start) if np.any(start) else None
        self._most = min(int(steps), len(start), max(_BASIS // len(start), 16))

    def rules(self) -> Iterator[tuple[Quadrature, bool]]:
        """Yield the rules after more and more steps, and whether they are the last."""
        process, steps = self.process, 1
        assert process is not None
        while True:
            process.extend(steps)
            _check_finite(process.beside)
            last = process.is_invariant or process.steps >= self._most
            yield Quadrature.of(process, self.second_moment_y), last
            if last:
                return
            # looking costs about as much as a step
            steps = min(max(steps + 3, steps * 6 // 5), self._most)

    def vector(self, coordinates: Array) -> Array:
        """Return the vector of given coordinates in the basis."""
        assert self.process is not None
        return np.asarray(coordinates @ self.process.basis[: len(coordinates)])


def _data(problem: Problem) -> tuple[Callable[[Array], Array], Array, float]:
    """Return the product with E[xxᵀ], E[xy] and E[y²] as the noise on the inputs leaves them."""
    moments, network = problem.moments, problem.network
    if network.bias == "decayed":
        raise NeedsDenseMoments(
            "biases that decay need the matrix E[xxᵀ]; give bias='free' or bias=False, or dense "
            "moments"
        )
    free = network.bias == "free"
    apply = moments.apply_covariance if free else moments.apply
    C, yy = (moments.covariance_xy, moments.covariance_y) if free else (moments.C, moments.yy)
    start, variance = np.reshape(C, -1), float(np.reshape(yy, ()))
    if not network.input_noise:
        return apply, start, variance
    extra = network.input_noise * moments.second_moments_x
    return (lambda vector: apply(vector) + extra * vector), start, variance


def _check_finite(values: Array) -> None:
    if not np.isfinite(values).all():
        raise InvalidMoments(
            "expected products with E[xxᵀ] that are finite, got NaN or infinite ones; check the "
            "LinearOperator"
        )
