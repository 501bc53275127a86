"""Rows that are only ever multiplied: sparse matrices, LinearOperators, large arrays."""

from typing import Any, NamedTuple

import numpy as np

from linscape.errors import InvalidData
from linscape.moments.arrays import (
    check_rows,
    dense,
    dense_dtype,
    is_sparse,
    labels,
    matrix_shape,
    read_outputs,
    read_weights,
)
from linscape.moments.centred import SMALLEST, refuse_range
from linscape.moments.sparse import check_entries, check_outputs, full_means
from linscape.moments.validation import Vector

# A matrix of d² doubles above this many bytes (d = 16384) is not formed from sparse rows.
DENSE_BYTES = 2**31


class Columns(NamedTuple):
    """X, never centred in memory, with what one pass over it tells.

    Parameters
    ----------
    rows : sparse array, ndarray or LinearOperator, shape (n, d)
        X, each column that stores all its entries less its mean.
    mean : ndarray, shape (d,)
        Weighted mean of `rows`.
    fractions : ndarray, shape (n,)
        Sample weights over their sum.
    cross : ndarray, shape (d,)
        E[(x − E x)(y − E y)].
    variance_y : float
        E[(y − E y)²].
    variances : ndarray, shape (d,), or None
        E[(x_i − E x_i)²]; None for a LinearOperator, which does not tell them.
    """

    rows: Any
    mean: Vector
    fractions: Vector
    cross: Vector
    variance_y: float
    variances: Vector | None

    def covariance(self, vector: Vector) -> Vector:
        """Return E[(x − E x)(x − E x)ᵀ]v, in the units of the rows."""
        return self.against(self.rows @ vector - float(self.mean @ vector))

    def against(self, values: Vector) -> Vector:
        """Return E[(x − E x) u] for a value u on each row."""
        weighted = self.fractions * values
        return np.asarray(self.rows.T @ weighted - self.mean * weighted.sum())


def too_wide(X: Any) -> bool:
    """Say whether X is sparse with so many columns that E[xxᵀ] is to be kept as an operator."""
    return is_sparse(X) and len(X.shape) == 2 and 8 * X.shape[1] ** 2 > DENSE_BYTES


def read_columns(
    X: Any, y: Any, sample_weight: Any
) -> tuple[Columns, Vector, float, tuple[str, ...] | None]:
    """Go through rows once.

    Returns
    -------
    columns : Columns
        What is kept.
    mean : ndarray, shape (d + 1,)
        Means of x and y.
    weight : float
        Total weight.
    targets : (str,) or None
        Name of the output.

    Raises
    ------
    InvalidData, OutOfRange
        As :meth:`Moments.from_operator` says.
    """
    outputs, single, targets = read_outputs(y)
    if not single:
        raise InvalidData(
            f"expected y of shape (n,) for an operator, got shape {outputs.shape}; "
            "give one target at a time"
        )
    X, is_known = _rows(X)
    count, inputs = matrix_shape(X, "X")
    check_rows(count, inputs, outputs)
    weights = np.ones(count) if sample_weight is None else read_weights(sample_weight, count)
    total = float(weights.sum())
    if not total > 0:
        raise InvalidData(
            "expected rows of positive weight, got only zero weights; check sample_weight"
        )
    label = labels(None, targets, inputs, single)
    values = outputs[:, 0].astype(np.float64)
    check_outputs(values[:, None], inputs, label)
    shift = np.zeros(inputs)
    if is_sparse(X):
        check_entries(X, label)
        shift = full_means(X, weights)
        X.data -= np.repeat(shift, np.diff(X.indptr))
        X = X.tocsr()
    columns, mean_y = _centred(X, values, weights / total, is_known)
    mean = np.append(columns.mean + shift, mean_y)
    _check_finite(np.append(columns.cross, mean), "X or y")
    return columns, mean, total, targets


def _rows(X: Any) -> tuple[Any, bool]:
    """Return X as something to multiply, and whether its entries are known; sparse ones by column.

    Raises
    ------
    InvalidData
        If it is neither real nor finite.
    """
    from scipy.sparse.linalg import LinearOperator

    if is_sparse(X):
        dense_dtype(X.dtype, "X")
        columns = X.tocsc(copy=True).astype(np.float64)
        columns.sum_duplicates()
        return columns, True
    if isinstance(X, LinearOperator):
        dense_dtype(np.dtype(X.dtype if X.dtype is not None else np.float64), "X")
        return _transposable(X), False
    array = np.asarray(dense(X, "X"), dtype=np.float64)
    _check_finite(array, "X")
    return array, True


def _transposable(X: Any) -> Any:
    """Refuse a LinearOperator that lacks the product with its transpose."""
    try:
        X.T @ np.zeros(X.shape[0])
    except NotImplementedError:
        raise InvalidData(
            "expected X with products from both sides, got a LinearOperator without rmatvec; "
            "define rmatvec(u) = X.T @ u"
        ) from None
    return X


def _centred(X: Any, y: Vector, fractions: Vector, is_known: bool) -> tuple[Columns, float]:
    """Return the statistics of rows, and the mean of y."""
    first = y[np.argmax(fractions > 0)]
    mean_y = float(first + fractions @ (y - first))
    rest = y - mean_y
    mean = np.asarray(X.T @ fractions)
    bare = Columns(X, mean, fractions, mean, float(fractions @ rest**2), None)
    variances = _variances(X, mean, fractions) if is_known else None
    return bare._replace(cross=bare.against(rest), variances=variances), mean_y


def _variances(X: Any, mean: Vector, fractions: Vector) -> Vector:
    """Return E[(x_i − E x_i)²] of each column.

    Raises
    ------
    OutOfRange
        If one of them is not a 64-bit float of full precision.
    """
    with np.errstate(all="ignore"):
        squares = fractions @ X.power(2) if is_sparse(X) else fractions @ X**2
        variances = np.asarray(squares - mean**2)
    lost = ~np.isfinite(variances) | ((mean != 0) & (squares < SMALLEST))
    if lost.any():
        refuse_range(np.flatnonzero(lost), labels(None, None, X.shape[1], single=True))
    # what rounding alone would leave of a constant column
    return np.where(variances > 8 * np.finfo(np.float64).eps * squares, variances, 0.0)


def _check_finite(values: Any, what: str) -> None:
    if not np.isfinite(values).all():
        raise InvalidData(
            f"expected finite numbers in {what}, got NaN or infinite ones, or products that "
            "overflow; fill in or drop these rows, or rescale the columns"
        )
