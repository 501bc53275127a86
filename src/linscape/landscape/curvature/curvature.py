"""The extreme eigenvalues of the Hessian, matrix-free."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linscape.arguments import guarded
from linscape.errors import InvalidOption, InvalidWeights
from linscape.landscape.curvature.lanczos import spectrum_ends
from linscape.landscape.curvature.subspace import seen_directions
from linscape.problem import Problem, Weights

Array = NDArray[np.float64]

SOURCE = "numerical: Lanczos on exact Hessian-vector products in float64"


@dataclass(frozen=True)
class Eigenpair:
    """An approximate eigenvalue λ of the Hessian with a unit direction v.

    Attributes
    ----------
    value : float
        λ = vᵀHv.
    residual : float
        ‖Hv − λv‖: some eigenvalue lies within this of λ, up to rounding.
    direction : tuple of ndarray
        v in the shapes of the weights.
    """

    value: float
    residual: float
    direction: tuple[Array, ...] = field(repr=False)


@dataclass(frozen=True)
class Curvature:
    """The smallest and the largest eigenvalue of the Hessian at some weights.

    Attributes
    ----------
    smallest, largest : Eigenpair
        λ_min ≤ smallest.value and largest.value ≤ λ_max up to rounding, for both are values of
        vᵀHv. That no eigenvalue lies farther out is what Lanczos with a random start finds, not a
        proof.
    iterations : int
        Hessian-vector products used.
    converged : bool
        Whether both residuals are at most `tolerance` times the larger of the two |λ|.
    tolerance : float
        As asked for.
    source : str
        What the answer rests on.
    """

    smallest: Eigenpair
    largest: Eigenpair
    iterations: int
    converged: bool
    tolerance: float
    source: str = SOURCE

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers ready for JSON, without the directions."""
        ends = {
            name: {"value": pair.value, "residual": pair.residual}
            for name, pair in (("smallest", self.smallest), ("largest", self.largest))
        }
        return {
            **ends,
            "iterations": self.iterations,
            "converged": self.converged,
            "tolerance": self.tolerance,
            "source": self.source,
        }


@guarded
def curvature(
    problem: Problem,
    weights: Weights,
    *,
    tolerance: float = 1e-8,
    max_iterations: int = 10_000,
    rng: np.random.Generator | int = 0,
) -> Curvature:
    r"""Return the extreme eigenvalues of the Hessian of the loss at `weights`, matrix-free.

    Any network: decays, noise and biases included, at any weights, critical or not. Without noise
    on hidden units, the Hessian of m outputs and layers of shape (r_k, c_k) is the layer's decay,
    2γ_k, on all but

    .. math:: n = Σ_k [m_k c_k + (r_k − m_k) p_k], \quad m_k = \min(m, r_k), p_k = \min(m, c_k)

    directions (with biases p_k = min(m, c_k − 1) + 1). Lanczos runs on these, and a product costs
    O(m) operations per weight, whatever the numbers of rows and inputs. With noise it runs on all
    directions, at the cost of a few matrix products per layer. Where the Hessian is zero or has few
    distinct eigenvalues the basis becomes invariant, and the answer is that of a few products.

    Parameters
    ----------
    problem : Problem
        Moments, network and reduction; the eigenvalues are in the units of its loss.
    weights : sequence of array
        W_1, …, W_D, U, without batch axes.
    tolerance : float, default 1e-8
        Largest residual, relative to the larger of |λ_min| and |λ_max|. The error of an eigenvalue
        is at most its residual, and about the residual's square over the distance to the next
        eigenvalue.
    max_iterations : int, default 10_000
        Hessian-vector products after which the best found is returned, `converged` or not.
    rng : numpy.random.Generator or int, default 0
        Source of the random start.

    Returns
    -------
    Curvature
        Both eigenvalues with residuals and directions.

    Raises
    ------
    InvalidWeights
        If the weights do not fit the network, or have batch axes.
    OutOfRange
        If the Hessian's entries are too large for a 64-bit float.
    InvalidOption
        If `tolerance` is not a number from 1e-14 to below 1, or `max_iterations` no positive one.

    Examples
    --------
    One input, W = U = 0 and A = c = E[y²] = 1: the loss (1 − uw)² + γ(u² + w²) has the second
    derivatives 2γ twice on the diagonal and −2 beside it.

    >>> import linscape as ls
    >>> from linscape.landscape.curvature import curvature
    >>> network = ls.Network(hidden=(1,), weight_decay=0.25)
    >>> problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), network)
    >>> found = curvature(problem, [[[0.0]], [[0.0]]])
    >>> round(found.smallest.value, 12), round(found.largest.value, 12)
    (-1.5, 2.5)
    """
    _check(tolerance, max_iterations)
    matrices = single(problem, weights, "curvature")
    operator = problem.hessian_operator(matrices)
    seen = seen_directions(problem, matrices)
    ends = spectrum_ends(
        seen,
        tolerance=tolerance,
        max_products=max_iterations,
        rng=np.random.default_rng(rng),
    )
    smallest, largest = (_pair(problem, operator, seen.embed(vector)) for vector in ends.vectors)
    return Curvature(smallest, largest, ends.products, ends.converged, float(tolerance))


def single(problem: Problem, weights: Weights, name: str) -> list[Array]:
    """Return the weights as matrices, or refuse batch axes."""
    flat = problem.flatten(weights)
    if flat.ndim > 1:
        raise InvalidWeights(
            f"{name} needs one set of weights, got batch axes {flat.shape[:-1]}; "
            "ask for one member at a time"
        )
    return problem.unflatten(flat)


def _check(tolerance: float, max_iterations: int) -> None:
    if not (isinstance(tolerance, Real) and 1e-14 <= tolerance < 1):
        raise InvalidOption(f"tolerance must be a number from 1e-14 to below 1, got {tolerance!r}")
    if not (isinstance(max_iterations, Integral) and max_iterations >= 1):
        raise InvalidOption(
            f"max_iterations must be a positive whole number, got {max_iterations!r}"
        )


def _pair(problem: Problem, operator: Any, direction: Sequence[Array]) -> Eigenpair:
    """Return the Rayleigh quotient of a direction and its residual in the full space."""
    vector = problem.flatten(direction)
    vector = vector / np.linalg.norm(vector)
    image = operator.matvec(vector)
    size = float(np.abs(image).max(initial=0.0))
    exponent = math.frexp(size)[1]
    image = np.ldexp(image, -exponent)
    value = float(vector @ image)
    residual = float(np.linalg.norm(image - value * vector))
    return Eigenpair(
        math.ldexp(value, exponent),
        math.ldexp(residual, exponent),
        tuple(problem.unflatten(vector)),
    )
