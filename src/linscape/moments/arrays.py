"""Moments of rows in memory: arrays, sparse matrices and data frames."""

import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.errors import InvalidData
from linscape.moments.accumulation import Accumulation, check_weights
from linscape.moments.centred import Centred
from linscape.moments.mapping import expect, mapping_of, offset_in, release
from linscape.moments.sparse import sparse_moments
from linscape.moments.tables import Layout, is_frame, numeric_blocks, numeric_layout, table_of
from linscape.moments.validation import Vector

# Entries of a mapped file that are looked at before its pages are given back: 32 MB.
MAPPED = 2**22
Names = tuple[str, ...] | None


class Gathered(NamedTuple):
    """Everything read from rows of data.

    Parameters
    ----------
    centred : Centred
        The statistics of the joint rows.
    rows : int
        Their number.
    inputs : int
        How many of the columns are inputs.
    single : bool
        Whether the target is one column given as such, not as a matrix.
    names, targets : tuple of str, or None
        Names of the inputs and of the outputs.
    """

    centred: Centred
    rows: int
    inputs: int
    single: bool
    names: Names
    targets: Names


def gather(X: Any, y: Any, sample_weight: Any = None) -> Gathered:
    """Go once through rows in memory.

    Parameters
    ----------
    X : array_like, sparse matrix or data frame, shape (n, d)
        Inputs.
    y : array_like, series or data frame, shape (n,) or (n, m)
        Outputs.
    sample_weight : array_like, shape (n,), optional
        Sample weights.

    Raises
    ------
    InvalidData
        If an argument has a wrong shape or type, or a column is not numeric and finite.
    """
    outputs, single, targets = read_outputs(y)
    if is_frame(X):
        table = table_of(X, "X")
        rows, layout = table.num_rows, numeric_layout(table.schema, "X")
        names: Names = layout.inputs
        inputs = len(layout.inputs)
    else:
        X = X if is_sparse(X) else dense(X, "X")
        names = None
        rows, inputs = matrix_shape(X, "X")
    check_rows(rows, inputs, outputs)
    label = labels(names, targets, inputs, single)
    weight = None if sample_weight is None else read_weights(sample_weight, rows)
    if is_frame(X):
        centred = _table_moments(table, layout, outputs, weight, label)
    elif is_sparse(X):
        dense_dtype(X.dtype, "X")
        centred = sparse_moments(X, outputs, weight, label)
    else:
        order = "F" if X.flags.f_contiguous and not X.flags.c_contiguous else "C"
        sums = Accumulation(inputs, outputs.shape[1], label, order=order, rows=rows)
        for block in _blocks(X):
            sums.add(X[block], outputs[block], None if weight is None else weight[block])
        centred = sums.result()
    return Gathered(centred, rows, inputs, single, names, targets)


def _blocks(X: NDArray[np.generic]) -> Iterator[slice]:
    """Yield all rows at once; of a mapped file, so many that what is in memory stays small."""
    mapping = mapping_of(X)
    rows = len(X) if mapping is None else max(MAPPED // max(X.shape[1], 1), 1)
    first = 0 if mapping is None else offset_in(mapping, X)
    for start in range(0, len(X), max(rows, 1)):
        if mapping is not None and X.flags.c_contiguous:
            following = first + (start + rows) * X.strides[0]
            expect(mapping, following, following + rows * X.strides[0])
        yield slice(start, start + rows)
        if mapping is not None:
            release(mapping)


def is_sparse(X: Any) -> bool:
    """Whether X is a scipy sparse matrix or array, without importing scipy.sparse."""
    module = sys.modules.get("scipy.sparse")
    return module is not None and bool(module.issparse(X))


def dense(given: Any, what: str) -> NDArray[np.generic]:
    """Return an array of real numbers.

    Raises
    ------
    InvalidData
        If the entries are complex, objects, text or dates, ragged, or masked.
    """
    if isinstance(given, np.ma.MaskedArray) and np.ma.is_masked(given):
        raise InvalidData(
            f"expected no missing entries, got a masked array for {what}; fill in the masked ones"
        )
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise InvalidData(
            f"expected rows of equal length in {what}, got {str(error).splitlines()[0]}; "
            "pass a rectangular array"
        ) from None
    dense_dtype(array.dtype, what)
    return array


def dense_dtype(dtype: np.dtype[Any], what: str) -> None:
    """Refuse dtypes that are not real numbers or booleans."""
    if dtype.kind not in "biuf":
        kind = {"c": "complex", "O": "object"}.get(dtype.kind, str(dtype))
        raise InvalidData(
            f"expected real numbers in {what}, got dtype {kind}; convert {what} to float64 first"
        )


def labels(
    names: Names, targets: Names, inputs: int, single: bool, where: str = ""
) -> Callable[[int], str]:
    """Return the function that names joint column j in messages."""

    def label(column: int) -> str:
        if column < inputs:
            name = f"column {column} of X" if names is None else f"column {names[column]!r}"
        elif targets is not None:
            name = f"target {targets[column - inputs]!r}"
        else:
            name = "y" if single else f"column {column - inputs} of y"
        return name + where

    return label


def read_outputs(y: Any) -> tuple[NDArray[np.generic], bool, Names]:
    """Return the outputs as a matrix, whether they came as one column, and their names."""
    if hasattr(y, "to_frame"):
        name = y.name if isinstance(y.name, str) and y.name else None
        values, _ = _frame_outputs(y.to_frame())
        return values, True, None if name is None else (name,)
    if is_frame(y):
        values, targets = _frame_outputs(y)
        return values, False, targets
    if is_sparse(y):
        raise InvalidData("expected dense y, got a sparse matrix; pass y.toarray()")
    array = dense(y, "y")
    if array.ndim == 1:
        return array[:, None], True, None
    if array.ndim != 2 or not array.shape[1]:
        raise InvalidData(
            f"expected y of shape (n,) or (n, m), got shape {array.shape}; "
            "pass one row of outputs per row of X"
        )
    return array, False, None


def _frame_outputs(frame: Any) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return the columns of a data frame of outputs in one matrix, and their names."""
    table = table_of(frame, "y")
    layout = numeric_layout(table.schema, "y")
    blocks = [block for block, _, _ in numeric_blocks(table.to_batches(), layout, "y")]
    empty = np.empty((0, len(layout.inputs)))
    return np.concatenate(blocks) if blocks else empty, layout.inputs


def matrix_shape(X: Any, what: str) -> tuple[int, int]:
    """Return the shape of a matrix with at least one column."""
    if len(X.shape) != 2 or not X.shape[1]:
        raise InvalidData(
            f"expected {what} of shape (n, d) with d >= 1, got shape {tuple(X.shape)}; "
            "pass a matrix with one row per sample"
        )
    return int(X.shape[0]), int(X.shape[1])


def check_rows(rows: int, inputs: int, outputs: NDArray[np.generic]) -> None:
    """Check that X and y have the same positive number of rows."""
    if len(outputs) != rows:
        raise InvalidData(
            f"expected as many rows in y as in X, got {rows} in X and {len(outputs)} in y; "
            "pass one output per row of X"
        )
    if not rows:
        raise InvalidData(
            f"expected at least one row, got X of shape (0, {inputs}); check the data source"
        )


def read_weights(sample_weight: Any, rows: int) -> Vector:
    """Sample weights, checked."""
    if hasattr(sample_weight, "to_frame"):
        matrix = _frame_outputs(sample_weight.to_frame())[0]
        return check_weights(matrix[:, 0], rows, "sample_weight")
    return check_weights(dense(sample_weight, "sample_weight"), rows, "sample_weight")


def _table_moments(
    table: Any,
    layout: Layout,
    outputs: NDArray[np.generic],
    weight: Vector | None,
    label: Callable[[int], str],
) -> Centred:
    """Moments of an Arrow table of inputs and a matrix of outputs."""
    inputs = len(layout.inputs)
    sums = Accumulation(inputs, outputs.shape[1], label, order="F", rows=len(outputs))
    start = 0
    for block, _, _ in numeric_blocks(table.to_batches(), layout, "X"):
        rows = slice(start, start + len(block))
        sums.add(block, outputs[rows], None if weight is None else weight[rows])
        start += len(block)
    return sums.result()
