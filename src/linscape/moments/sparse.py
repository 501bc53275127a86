"""Moments of a sparse matrix of inputs, which is never made dense."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linscape.errors import InvalidData
from linscape.moments.accumulation import (
    LARGE,
    LARGEST_ENTRY,
    SMALL,
    centred_sums,
    refuse_unsafe,
)
from linscape.moments.centred import Centred
from linscape.moments.validation import Matrix, Vector


def sparse_moments(
    X: Any, Y: NDArray[np.generic], weight: Vector | None, label: Callable[[int], str]
) -> Centred:
    """Weight, mean and covariance of the rows (x, y) for sparse X.

    A column that stores all its entries is centred before squaring; the others are squared as
    they are, their implicit zeros keeping the mean within reach of the spread.

    Parameters
    ----------
    X : scipy sparse matrix or array, shape (n, d)
        Inputs.
    Y : ndarray, shape (n, m)
        Outputs.
    weight : ndarray, shape (n,), or None
        Sample weights, checked.
    label : callable
        Gives the name of joint column j, for error messages.

    Raises
    ------
    InvalidData
        If an entry is NaN or infinite, or all weights are zero.
    OutOfRange
        If the square of an entry is not a 64-bit float.
    """
    rows, inputs = X.shape
    weights = np.ones(rows) if weight is None else weight
    total = float(weights.sum())
    if not total > 0:
        raise InvalidData(
            "expected rows of positive weight, got only zero weights; check sample_weight"
        )
    columns = X.tocsc(copy=True).astype(np.float64)
    columns.sum_duplicates()
    outputs = Y.astype(np.float64)
    check_entries(columns, label)
    check_outputs(outputs, inputs, label)
    centre = np.concatenate([full_means(columns, weights), _means(outputs, weights)])
    roots = np.sqrt(weights)
    columns.data -= np.repeat(centre[:inputs], np.diff(columns.indptr))
    columns.data *= roots[columns.indices]
    dense = np.column_stack([(outputs - centre[inputs:]) * roots[:, None], roots])
    exponents = _scale(columns, dense)
    return centred_sums(total, centre, exponents, _gram(columns, dense))


def check_entries(columns: Any, label: Callable[[int], str]) -> None:
    """Refuse NaN, infinite and too large entries of a sparse matrix, naming their columns."""
    odd = ~(np.abs(columns.data) <= LARGEST_ENTRY)
    if odd.any():
        where = np.repeat(np.arange(columns.shape[1]), np.diff(columns.indptr))
        for column in np.unique(where[odd]):
            refuse_unsafe(columns.data[where == column][:, None], np.array([column]), label)


def check_outputs(outputs: Matrix, inputs: int, label: Callable[[int], str]) -> None:
    """Refuse NaN, infinite and too large outputs, naming them."""
    wrong = np.flatnonzero(~(np.abs(outputs) <= LARGEST_ENTRY).all(axis=0))
    if len(wrong):
        refuse_unsafe(outputs[:, wrong], wrong + inputs, label)


def full_means(columns: Any, weights: Vector) -> Vector:
    """Weighted means of the columns without implicit zeros; zero for the others."""
    rows, inputs = columns.shape
    means = np.zeros(inputs)
    columns.sort_indices()
    for column in np.flatnonzero(np.diff(columns.indptr) == rows):
        start = columns.indptr[column]
        means[column] = _means(columns.data[start : start + rows, None], weights)[0]
    return means


def _means(values: Matrix, weights: Vector) -> Vector:
    """Weighted column means, exact for constant columns."""
    first = values[np.argmax(weights > 0)]
    return np.asarray(first + weights @ (values - first) / weights.sum())


def _scale(columns: Any, dense: Matrix) -> NDArray[np.int32]:
    """Scale in place, by powers of two, the columns whose squares are unsafe."""
    inputs, stored = columns.shape[1], np.diff(columns.indptr)
    largest = np.zeros(inputs + dense.shape[1])
    filled = np.flatnonzero(stored)
    if len(filled):
        largest[filled] = np.maximum.reduceat(np.abs(columns.data), columns.indptr[filled])
    largest[inputs:-1] = np.abs(dense[:, :-1]).max(axis=0)
    exponents = np.asarray(np.frexp(largest)[1], dtype=np.int32)
    with np.errstate(all="ignore"):
        safe = (largest**2 >= SMALL) & (largest**2 * columns.shape[0] <= LARGE)
    exponents[safe] = 0
    if exponents.any():
        columns.data = np.ldexp(columns.data, -np.repeat(exponents[:inputs], stored))
        np.ldexp(dense, -exponents[inputs:], out=dense)
    return exponents


def _gram(columns: Any, dense: Matrix) -> Matrix:
    """Return the sums of products of all columns, sparse ones first."""
    cross = np.asarray(columns.T @ dense)
    square = (columns.T @ columns).toarray()
    square = np.where(square == square.T, square, 0.5 * square + 0.5 * square.T)
    return np.block([[square, cross], [cross.T, dense.T @ dense]])
