r"""g(s) = cᵀ(A + I/s)⁻¹c as a quotient of two polynomials with positive coefficients.

det(I + sA) is the characteristic polynomial of A backwards, and g is s·Σ_j (−s)^j cᵀA^j c as a
power series; times the determinant the series ends. Neither needs an eigenvector, and over the
integers neither needs a division: where all directions are kept both are exact.

For A positive definite and c ≠ 0 all coefficients are positive, so that nothing cancels for s > 0.
And since all roots are real, positive coefficients prove A positive definite.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from linscape.verification.balls import arb, arb_mat, arb_poly, fmpz, fmpz_mat, fmpz_poly
from linscape.verification.coordinates import Coordinates, Imprecise, inner

_ACCURACY = 128  # bits that every coefficient must have


class NotDefinite(Exception):
    """A is not positive definite; `by_rounding` says whether rounding may have done that."""

    def __init__(self, *, by_rounding: bool) -> None:
        self.by_rounding = by_rounding


class Resolvent(NamedTuple):
    """g(s), increasing from 0; g(1/μ) is convex in μ, g(s)/s is convex in s.

    Attributes
    ----------
    numerator, denominator : arb_poly
        Polynomials whose quotient is g.
    start : arb
        ‖c‖², the limit of g(s)/s at 0.
    end : arb
        cᵀA⁻¹c, the limit of g(s) at infinity.
    """

    numerator: arb_poly
    denominator: arb_poly
    start: arb
    end: arb

    def __call__(self, s: arb) -> arb:
        """Return g(s) for s > 0."""
        return self.numerator(s) / self.denominator(s)


def resolvents(moments: Coordinates, rounding: arb) -> list[Resolvent]:
    """Return g for each output.

    Parameters
    ----------
    moments : Coordinates
        A and each c.
    rounding : arb
        What rounding may have taken from the eigenvalues of A.

    Raises
    ------
    Imprecise
        If A is not proven positive definite, nor the contrary, at this precision.
    NotDefinite
        If A has an eigenvalue that is negative or zero.
    """
    measures = _integer_measures(moments) if moments.keeps_all else _ball_measures(moments)
    first = measures[0]
    characteristic = first.operator.charpoly()
    determinant = _reversed(characteristic)
    if any(value < 0 for value in determinant) or determinant[-1] == 0:
        shift = first.polynomial([-first.number(rounding), 1])
        shifted = _reversed(characteristic(shift))
        raise NotDefinite(by_rounding=all(value > 0 for value in shifted))
    return [measure.resolvent(determinant) for measure in measures]


class _Measure(NamedTuple):
    """A and c in units of powers of two: bᵀX^j v = cᵀA^j c / 2^{2·signal + j·unit}."""

    operator: Any  # X, a matrix of integers or of balls
    left: Any  # b
    right: Any  # v
    polynomial: Any  # the class of polynomials over the same numbers
    unit: int
    signal: int

    def number(self, value: arb) -> Any:
        """Return a number at least as large as `value`, in units of A."""
        scaled = value.upper() * arb(2) ** -self.unit
        return scaled if self.polynomial is arb_poly else scaled.ceil().unique_fmpz()

    def resolvent(self, determinant: Sequence[Any]) -> Resolvent:
        """Return g for this c, given the coefficients of det(I + sA)."""
        denominator = _enclosed(determinant, self.unit, 0)
        size = self.operator.nrows()
        if all(entry == 0 for entry in self.left.entries()):
            return Resolvent(arb_poly([0]), arb_poly(denominator), arb(0), arb(0))
        series, vector = [], self.right
        for _ in range(size):
            series.append(inner(self.left, vector))
            vector = -(self.operator * vector)
        product = self.polynomial(series) * self.polynomial(list(determinant))
        numerator = _enclosed([product[k] for k in range(size)], self.unit, 2 * self.signal)
        return Resolvent(
            numerator=arb_poly([0, *numerator]),
            denominator=arb_poly(denominator),
            start=arb(series[0]) * arb(2) ** (2 * self.signal),
            end=numerator[-1] / denominator[-1],
        )


def _integer_measures(moments: Coordinates) -> list[_Measure]:
    operator, unit = _integers(moments.A)
    columns = [_integers(c) for c in moments.c]
    return [_Measure(operator, c, c, fmpz_poly, unit, signal) for c, signal in columns]


def _ball_measures(moments: Coordinates) -> list[_Measure]:
    operator = moments.solved(moments.second_moment)
    duals = [moments.solved(b) for b in moments.cross_moments]
    pairs = zip(moments.cross_moments, duals, strict=True)
    return [_Measure(operator, b, v, arb_poly, 0, 0) for b, v in pairs]


def _integers(matrix: arb_mat) -> tuple[fmpz_mat, int]:
    """Return a matrix of integers and k, such that 2^k times it is the one given."""
    if not all(entry.is_exact() for entry in matrix.entries()):
        raise Imprecise
    parts = [entry.man_exp() for entry in matrix.entries()]
    unit = min((int(exponent) for mantissa, exponent in parts if mantissa != 0), default=0)
    entries = [mantissa << max(int(exponent) - unit, 0) for mantissa, exponent in parts]
    return fmpz_mat(matrix.nrows(), matrix.ncols(), entries), unit


def _reversed(characteristic: Any) -> list[Any]:
    """Return the coefficients of det(I + sA) from those of det(xI − A)."""
    size = characteristic.degree()
    return [(-1) ** k * characteristic[size - k] for k in range(size + 1)]


def _enclosed(coefficients: Sequence[fmpz | arb], unit: int, offset: int) -> list[arb]:
    """Return the k-th coefficient times 2^{unit·k + offset}, in balls; all must be positive."""
    balls = [arb(value) * arb(2) ** (unit * k + offset) for k, value in enumerate(coefficients)]
    if not all(ball > 0 and ball.rel_accuracy_bits() >= _ACCURACY for ball in balls):
        raise Imprecise
    return balls
