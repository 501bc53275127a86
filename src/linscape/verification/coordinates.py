"""The moments in balls, in coordinates of the directions that a certificate keeps.

A predictor of the span is p = Qz; the quadratic forms in z have the matrices QᵀAQ and QᵀQ, and what
is left out is measured on the other side, by I − Π with the projector Π = Q(QᵀQ)⁻¹Qᵀ.
"""

from functools import cached_property
from typing import Any

from linscape.verification.balls import arb, arb_mat
from linscape.verification.statement import Statement


class Imprecise(Exception):
    """The working precision is too small for an answer."""


class Coordinates:
    """A statement's moments times its data factor, input noise added, at the current precision.

    Attributes
    ----------
    A : arb_mat, shape (d, d)
        α(E[xxᵀ] + σ₀² diag E[x²]), exact where the precision holds the digits.
    c : list of arb_mat, shape (d, 1)
        αE[x y_j] for each output j.
    Q : arb_mat, shape (d, r)
        The directions, a column each; the identity if all are kept.
    keeps_all : bool
        Whether all are kept.
    """

    def __init__(self, statement: Statement) -> None:
        factor, d = arb(statement.data_factor), len(statement.second_moment_x)
        A = arb_mat(statement.second_moment_x)
        for i, variance in enumerate(statement.input_variances):
            A[i, i] = A[i, i] + arb(statement.input_noise) * arb(variance)
        rows = statement.directions
        self.keeps_all = rows is None
        self.A = A * factor
        self.c = [_column(row) * factor for row in statement.cross_moment]
        self.Q = identity(d) if rows is None else _columns(rows, d)

    @cached_property
    def gram(self) -> arb_mat:
        """QᵀQ."""
        return self.Q.transpose() * self.Q

    @cached_property
    def second_moment(self) -> arb_mat:
        """QᵀAQ."""
        return self.Q.transpose() * (self.A * self.Q)

    @cached_property
    def cross_moments(self) -> list[arb_mat]:
        """Qᵀc for each output."""
        return [self.Q.transpose() * c for c in self.c]

    def solved(self, right: arb_mat) -> arb_mat:
        """Return (QᵀQ)⁻¹ times a matrix; `Imprecise` if QᵀQ is not proven regular."""
        try:
            return self.gram.solve(right)
        except ZeroDivisionError:
            raise Imprecise from None

    def of(self, predictor: list[float]) -> arb_mat:
        """Return z of the predictor of the span that is nearest to the one given."""
        return self.solved(self.Q.transpose() * _column(predictor))

    def variance_left_out(self) -> arb:
        """Return ‖(I − Π)A(I − Π)‖_F, which no direction left out exceeds in variance."""
        rest = self._rest
        return norm(rest * self.A * rest)

    def signal_left_out(self, output: int) -> arb:
        """Return ‖(I − Π)c‖."""
        return norm(self._rest * self.c[output])

    @cached_property
    def _rest(self) -> arb_mat:
        transposed = self.Q.transpose()
        return identity(self.Q.nrows()) - self.Q * self.solved(transposed)


def identity(size: int) -> arb_mat:
    """Return the identity matrix, exactly."""
    return arb_mat([[int(i == j) for j in range(size)] for i in range(size)])


def norm(matrix: arb_mat) -> arb:
    """Return the Frobenius norm."""
    total = arb(0)
    for entry in matrix.entries():
        total += entry * entry
    return total.nonnegative_part().sqrt()


def inner(left: Any, right: Any) -> Any:
    """Return the inner product of two columns, of balls or of integers."""
    return (left.transpose() * right)[0, 0]


def _columns(rows: list[list[float]], length: int) -> arb_mat:
    return arb_mat(rows).transpose() if rows else arb_mat(length, 0)


def _column(values: list[float]) -> arb_mat:
    return arb_mat([[value] for value in values])
