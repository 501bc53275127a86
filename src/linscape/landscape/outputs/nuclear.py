r"""Least squares with a nuclear norm, solved in factors.

    min over M of  φ(M) + λ‖M‖_*,     φ(M) = Σ_i a_i ‖m_i‖² − 2⟨M, T⟩   (m_i: columns of M)

is what one hidden layer without noise comes down to: a = eigenvalues of E[xxᵀ], T = E[yxᵀ] in its
eigenbasis, λ = 2√(γ_uγ_w). With M = left·right and ½λ(‖left‖² + ‖right‖²) in place of the norm it
is smooth, and a local minimum at which no direction can be added is global (Haeffele & Vidal,
2015): units are added along the singular vectors of T − M·diag(a) above ½λ until there are none.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.landscape.outputs.newton import Factors, newton_minimum

Array = NDArray[np.float64]

_GAP = 1e-10  # of the gain, where the solver stops
_ROUNDS = 60
_DROPPED = 1e-9  # singular values this small beside the largest start anew if they are needed


class NuclearProblem(NamedTuple):
    """The data of φ and the penalty λ > 0."""

    values: Array
    target: Array
    penalty: float

    def slack(self, product: Array) -> Array:
        """Return T − M·diag(a), minus half the gradient of φ."""
        slack: Array = self.target - product * self.values
        return slack

    def data(self, product: Array) -> float:
        """Return φ(M)."""
        return float(np.sum(product * (product * self.values - 2 * self.target)))


def nuclear_minimum(problem: NuclearProblem, start: Array | None = None) -> Array:
    """Return the M of least φ(M) + λ‖M‖_*, to a duality gap of 1e-10 of its gain over zero.

    Numerical: what is proven of the result is said by its duality gap, which the caller bounds. If
    rounding stops the descent earlier, the best point found is returned.

    Parameters
    ----------
    problem : NuclearProblem
        In units in which `values` and `target` are of norm one or so; all values positive.
    start : (m, r) ndarray, optional
        A matrix near the minimum, as the solution for a nearby penalty is.

    Examples
    --------
    With a = 1 the singular values of T are lowered by ½λ:

    >>> nuclear_minimum(NuclearProblem(np.ones(2), np.diag([3.0, 0.5]), 2.0)).round(9) + 0.0
    array([[2., 0.],
           [0., 0.]])
    """
    factors = _first(problem) if start is None else _split(start)
    tolerance, best = 1e-3, np.inf
    product = factors.left @ factors.right
    for _ in range(_ROUNDS):
        factors = newton_minimum(
            problem.values, problem.target, problem.penalty, factors, tolerance
        )
        product = factors.left @ factors.right
        outer, sizes, inner = np.linalg.svd(problem.slack(product), full_matrices=False)
        gap, gain = _gap_and_gain(problem, product, float(sizes[0]))
        if gap <= _GAP * gain or (tolerance < 1e-12 and gap >= 0.5 * best):
            break
        best = min(best, gap)
        missing = sizes > problem.penalty / 2 * (1 + 10 * tolerance)
        factors = _split(product)
        if missing.any():
            factors = _with_units(
                problem, factors, outer[:, missing], sizes[missing], inner[missing]
            )
        else:
            tolerance *= 1e-3
    return product


def _first(problem: NuclearProblem) -> Factors:
    """Return a unit for each singular direction of T above ½λ, of the size it has alone."""
    outer, sizes, inner = np.linalg.svd(problem.target, full_matrices=False)
    learned = sizes > problem.penalty / 2
    empty = Factors(outer[:, :0], inner[:0])
    return _with_units(problem, empty, outer[:, learned], sizes[learned], inner[learned])


def _with_units(
    problem: NuclearProblem, factors: Factors, outer: Array, sizes: Array, inner: Array
) -> Factors:
    """Add units along singular directions, of the size that is best for each alone."""
    root = np.sqrt((sizes - problem.penalty / 2) / (inner**2 @ problem.values))
    return Factors(
        np.hstack([factors.left, outer * root]), np.vstack([factors.right, root[:, None] * inner])
    )


def _split(product: Array) -> Factors:
    """Return balanced factors of a product, singular values near zero left out."""
    outer, sizes, inner = np.linalg.svd(product, full_matrices=False)
    kept = sizes > _DROPPED * sizes[0]
    root = np.sqrt(sizes[kept])
    return Factors(outer[:, kept] * root, root[:, None] * inner[kept])


def _gap_and_gain(problem: NuclearProblem, product: Array, size: float) -> tuple[float, float]:
    """Return the gap to the dual point of the scaled residual, and the gain over M = 0.

    Without the constant E‖y‖², which both values contain: with s = ⟨M, T⟩ and ρ the factor that
    makes the residual dual feasible, the dual value is that of φ at the residual ρ(y − Mx).
    """
    norm = float(np.sum(np.linalg.svd(product, compute_uv=False)))
    signal = float(np.sum(product * problem.target))
    quadratic = float(np.sum(product**2 * problem.values))
    gain = 2 * signal - quadratic - problem.penalty * norm
    short = max(1 - problem.penalty / 2 / size, 0.0) if size else 0.0
    return _gap(problem, signal, quadratic, norm, short), gain


def _gap(
    problem: NuclearProblem, signal: float, quadratic: float, norm: float, short: float
) -> float:
    """Return primal minus dual value at the residual times ρ = 1 − short.

    With R = E‖y − Mx‖² the dual value is 2ρE⟨r, y⟩ − ρ²R. The total E‖y‖² is bounded from above by
    ‖T/√a‖² plus what no M explains, which drops out at ρ = 1 and costs short² elsewhere.
    """
    explained = float(np.sum(problem.target**2 / problem.values))
    residual = explained - 2 * signal + quadratic
    at_one = problem.penalty * norm - (signal - quadratic) * 2
    return at_one + short * 2 * (signal - quadratic) + short**2 * residual
