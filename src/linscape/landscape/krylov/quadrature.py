r"""Data of a few directions that bound, from both sides, what the data themselves give.

The solver knows the data by sums Σ c_i² φ(a_i) only, integrals ∫ φ dα. With T from k steps of
Lanczos on A started at c, and φ(a) = 1/(a + μ)^p, μ > 0, p = 1, 2:

* Gauss: ‖c‖² e₁ᵀφ(T)e₁ ≤ ∫ φ dα. For p = 1 it is what the best predictor in the basis attains.
* Gauss–Radau with a node at 0 ≤ a_min: T with one more row, its last diagonal entry chosen so that
  the matrix is singular, bounds ∫ φ dα from above.
* For p = 1 a larger last entry still does. α is a·dν(a), where ν is the measure of y on the
  eigenvectors of the Gram matrix of the rows, of mass E[y²]; a/(a + μ) = 1 − μ/(a + μ), so the
  Gauss rule of ν, which bounds ∫ 1/(a + μ) dν from below, bounds ∫ a/(a + μ) dν from above. Its
  Jacobi matrix is LLᵀ, L lower bidiagonal, and LᵀL is T with another last entry: the Radau rule
  whose node E[y²] places, never at 0. Its data are data: they gain at most E[y²].

Golub & Meurant (2010), *Matrices, Moments and Quadrature*, chapters 3, 6 and 7.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.lanczos import Lanczos
from linscape.spectrum import Spectrum

Array = NDArray[np.float64]

_LOST = 2 * (1 + 2.0**-20)  # in units of the rounding: a node up to here is not told from zero


@dataclass(frozen=True, eq=False)
class Quadrature:
    """Three rules, in the units of :class:`linscape.spectrum.Spectrum`.

    Attributes
    ----------
    below : Spectrum
        Gauss: its sums lie below those of the data, for p = 1 and p = 2. Its basis consists of
        coordinates in the basis of Lanczos.
    above : Spectrum
        Radau with the node that E[y²] places: its sums for p = 1 lie above.
    nodes, weights : ndarray
        Radau with a node at 0: Σ weights φ(nodes) lies above for p = 1 and p = 2.
    rest : float
        The entry of T that comes next, in units 2^{2s}: k steps leave the residual
        rest·|last coordinate| of a predictor.
    steps : int
        k.
    """

    below: Spectrum
    above: Spectrum
    nodes: Array
    weights: Array
    rest: float
    steps: int

    @classmethod
    def of(cls, process: Lanczos, second_moment_y: float) -> "Quadrature":
        """Return the rules after the steps so far."""
        s = -(-math.frexp(process.scale)[1] // 2)
        t = process.norm_exponent - s
        diagonal = np.ldexp(process.diagonal, -2 * s)
        beside = np.ldexp(process.beside, -2 * s)
        if process.is_invariant:
            beside[-1] = 0.0
        with np.errstate(over="ignore"):
            yy = float(min(np.ldexp(second_moment_y, -2 * t), 1e300))
        rounding = math.ldexp(process.rounding, -2 * s)
        rounding += 4 * UNIT_ROUNDOFF * math.sqrt(len(diagonal))
        units = s, t, yy, rounding
        values, vectors = _tridiagonal(diagonal, beside[:-1])
        kept = values > _LOST * rounding
        vectors = vectors[:, kept]
        nodes, directions = _tridiagonal(*_singular(diagonal, beside, rounding))
        return cls(
            below=_spectrum(values[kept], process.norm * vectors[0], vectors, units),
            above=_spectrum(*_placed(diagonal, beside, process.norm, yy, rounding), units),
            nodes=np.maximum(nodes, 0.0),
            weights=(process.norm * directions[0]) ** 2,
            rest=float(beside[-1]),
            steps=process.steps,
        )


def _spectrum(
    values: Array,
    coefficients: Array,
    basis: Array,
    units: tuple[int, int, float, float],
) -> Spectrum:
    """Return the spectrum of a rule, its nodes above twice the rounding."""
    s, t, yy, rounding = units
    return Spectrum(
        values=values,
        coefficients=coefficients,
        basis=basis,
        second_moment_y=yy,
        value_error=rounding,
        coefficient_error=4 * UNIT_ROUNDOFF,
        relative_error=0.0,
        norm_error=0.0,
        null_directions=0,
        null_signal=0.0,
        null_is_rounding=True,
        input_exponent=s,
        output_exponent=t,
        second_moment_x=(basis * values) @ basis.T,
        cross_moment=basis @ coefficients,
    )


def _tridiagonal(diagonal: Array, beside: Array) -> tuple[Array, Array]:
    from scipy.linalg import eigh_tridiagonal

    values, vectors = eigh_tridiagonal(diagonal, beside)
    return np.asarray(values), np.asarray(vectors)


def _singular(diagonal: Array, beside: Array, rounding: float) -> tuple[Array, Array]:
    """Return T with one more row, singular: the node at 0.

    With T = R·diag(δ)·Rᵀ the entry is b²/δ_k. Where δ_k is rounding, T itself has a node at 0.
    """
    pivot = float(diagonal[0])
    for a, b in zip(diagonal[1:], beside[:-1], strict=True):
        pivot = float(a - b**2 / max(pivot, rounding))
    if beside[-1] == 0 or pivot <= rounding:
        return diagonal, beside[:-1]
    return np.append(diagonal, beside[-1] ** 2 / pivot), beside


def _placed(
    diagonal: Array, beside: Array, norm: float, yy: float, rounding: float
) -> tuple[Array, Array, Array]:
    """Return values, coefficients and coordinates (none) of LᵀL, the node placed by E[y²].

    LLᵀ is the Jacobi matrix of ν, so with L = U diag(σ) Vᵀ the masses of ν are E[y²] U_1j² at σ_j²,
    and α has σ_j² times that. L comes from T = LᵀL row by row; if y is fitted to rounding before
    the last row, the rule is finished there. Nodes that are not told from zero become one that
    barely is, and adds what :mod:`linscape.landscape.solver` calls truncation.
    """
    along, under = [norm / math.sqrt(yy)], []
    for a, b in zip(diagonal, beside, strict=True):
        square = a - along[-1] ** 2
        if square <= rounding:
            along[-1] = min(along[-1], math.sqrt(a))
            break
        under.append(math.sqrt(square))
        along.append(b / under[-1])
    # [[0, L], [Lᵀ, 0]], its rows shuffled, is tridiagonal: eigenvalues ±σ, vectors (u, ±v)/√2
    woven = np.append(np.column_stack([along[:-1], under]).ravel(), along[-1])
    sigma, vectors = _tridiagonal(np.zeros(2 * len(along)), woven)
    masses = vectors[0] ** 2 + vectors[0, ::-1] ** 2
    values, coefficients = sigma**2, sigma * np.sqrt(masses * yy)
    values, coefficients = values[len(along) :], coefficients[len(along) :]
    floor = _LOST * rounding
    lost = int(np.searchsorted(values, floor, side="right"))
    if lost:
        values = np.append(floor, values[lost:])
        least = math.sqrt(2) * float(np.linalg.norm(coefficients[:lost]))
        coefficients = np.append(least, coefficients[lost:])
    return values, coefficients, np.empty((0, len(values)))
