"""Arrow tables to blocks of numbers: which columns, which categories, which rows."""

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linscape.errors import InvalidData

# Entries in a block: 16 MB.
BLOCK = 2**21

Block = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]


@dataclass(frozen=True)
class Layout:
    """Which columns of a table are inputs, targets and weights.

    Parameters
    ----------
    inputs, targets : tuple of str
        Names of columns of the table, in order.
    weight : str, optional
        Name of the column of sample weights.
    categories : mapping
        For each categorical input its categories, sorted; empty until they are known.
    """

    inputs: tuple[str, ...]
    targets: tuple[str, ...] = ()
    weight: str | None = None
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns to be read."""
        weight = () if self.weight is None else (self.weight,)
        return tuple(dict.fromkeys((*self.inputs, *self.targets, *weight)))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the numeric inputs, one ``column=value`` per category."""
        names: list[str] = []
        for column in self.inputs:
            values = self.categories.get(column)
            names.extend([column] if values is None else [f"{column}={v}" for v in values])
        return tuple(names)


def is_frame(X: Any) -> bool:
    """Whether X is a pandas, polars or Arrow table."""
    return hasattr(X, "__arrow_c_stream__") and not isinstance(X, np.ndarray)


def table_of(frame: Any, what: str) -> Any:
    """Return a pandas, polars or Arrow frame as an Arrow table, without any index.

    Raises
    ------
    InvalidData
        If a column mixes types, or two columns have the same name.
    """
    import pyarrow as pa

    if hasattr(frame, "to_frame"):
        raise InvalidData(
            f"expected {what} of shape (n, d), got one series; pass {what}.to_frame()"
        )
    try:
        if hasattr(frame, "iloc"):
            table = pa.Table.from_pandas(frame, preserve_index=False)
        else:
            table = pa.table(frame)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise InvalidData(
            f"expected a table of numeric columns with different names for {what}, got: "
            f"{_one_line(error)}; convert or drop these columns"
        ) from None
    check_names(table.schema.names, what)
    return table


def check_names(names: Sequence[str], where: str) -> None:
    """Refuse columns of the same name."""
    repeated = repetitions(names)
    if repeated:
        raise InvalidData(
            f"expected columns with different names, got {quoted(repeated)} more than once "
            f"in {where}; rename them"
        )


def repetitions(names: Iterable[str]) -> list[str]:
    """Names that occur more than once, sorted."""
    return sorted(name for name, count in Counter(names).items() if count > 1)


def kind(dtype: Any) -> str:
    """Kind of an Arrow type: "boolean", "numeric", "text", or its own name for all others."""
    import pyarrow as pa

    types = pa.types
    if types.is_boolean(dtype):
        return "boolean"
    if types.is_integer(dtype) or types.is_floating(dtype) or types.is_decimal(dtype):
        return "numeric"
    if types.is_null(dtype):  # a CSV column with nothing in its first block
        return "numeric"
    if types.is_string(dtype) or types.is_large_string(dtype) or types.is_string_view(dtype):
        return "text"
    if types.is_dictionary(dtype) and not types.is_nested(dtype.value_type):
        return "text"
    return str(dtype)


def numeric_layout(schema: Any, where: str) -> Layout:
    """Return the layout that takes every column as a numeric input."""
    kinds = {name: kind(dtype) for name, dtype in zip(schema.names, schema.types, strict=True)}
    if not kinds:
        raise InvalidData(f"expected at least one column, got none in {where}; pass some")
    check_numeric(kinds, schema.names, where, one_hot=False)
    return Layout(tuple(schema.names))


def chosen_layout(
    kinds: Mapping[str, str],
    target: str | Sequence[str],
    sample_weight: str | None,
    drop: Sequence[str],
    one_hot: bool,
    where: str,
) -> Layout:
    """Return the layout that takes the named targets and every other column as an input.

    Raises
    ------
    InvalidData
        If a named column does not exist or is named twice, no input is left, or a column is of
        a kind that cannot be used.
    """
    targets = (target,) if isinstance(target, str) else tuple(target)
    if not targets:
        raise InvalidData(f"expected at least one target, got none for {where}; name a column")
    for role, names in (
        ("target", targets),
        ("drop", drop),
        ("sample_weight", () if sample_weight is None else (sample_weight,)),
    ):
        for name in names:
            require_known(name, list(kinds), role, where)
    named = [*targets, *dict.fromkeys(drop), *(() if sample_weight is None else (sample_weight,))]
    twice = repetitions(named)
    if twice:
        raise InvalidData(
            f"expected each column in one role, got {quoted(twice)} in two of target, "
            f"sample_weight and drop for {where}; name it once"
        )
    inputs = tuple(name for name in kinds if name not in named)
    if not inputs:
        raise InvalidData(f"expected a column left as input, got none in {where}; drop fewer")
    numbers = [*targets, *(() if sample_weight is None else (sample_weight,))]
    check_numeric(kinds, numbers, where, one_hot=False, encodable=False)
    check_numeric(kinds, inputs, where, one_hot=one_hot)
    return Layout(inputs, targets, sample_weight)


def require_known(name: str, known: Sequence[str], role: str, where: str | Path) -> None:
    """Refuse a name that is not among the known ones, suggesting the closest."""
    if name in known:
        return
    close = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
    shown = close or list(known[:10])
    more = " and more" if not close and len(known) > 10 else ""
    raise InvalidData(
        f"expected {role} to be a name in {where}, got {name!r}; "
        f"{'did you mean' if close else 'there are'} {quoted(shown)}{more}"
        f"{'?' if close else ''}"
    )


def check_numeric(
    kinds: Mapping[str, str],
    names: Iterable[str],
    where: str,
    *,
    one_hot: bool,
    encodable: bool = True,
) -> None:
    """Refuse all columns that are not numeric; text is let through with `one_hot`."""
    usable = {"numeric", "boolean", "text"} if one_hot else {"numeric", "boolean"}
    odd = [name for name in names if kinds[name] not in usable]
    if not odd:
        return
    described = ", ".join(f"{name!r} ({kinds[name]})" for name in odd[:20])
    if not encodable:
        advice = "convert them to numbers"
    elif one_hot:
        advice = "convert them to numbers, or leave them out with drop"
    else:
        advice = "use read_moments(..., one_hot=True) for text, or leave them out (drop)"
    raise InvalidData(
        f"expected numeric columns in {where}, got {described}"
        f"{' and more' if len(odd) > 20 else ''}; {advice}"
    )


def numeric_blocks(batches: Iterable[Any], layout: Layout, where: str) -> Iterator[Block]:
    """Yield inputs, targets and weights of at most 16 MB (or one row) at a time.

    A block is valid until the next one: it may be a view of the batch.

    Raises
    ------
    InvalidData
        If a column has nulls.
    """
    width = len(layout.names) + len(layout.targets) + 1
    rows = max(BLOCK // width, 1)
    for batch in batches:
        _check_nulls(batch, layout, where)
        columns = {name: _direct(batch.column(name)) for name in layout.columns}
        view = None if layout.categories else _side_by_side([columns[n] for n in layout.inputs])
        for start in range(0, batch.num_rows, rows):
            block = slice(start, min(start + rows, batch.num_rows))
            piece = {name: column[block] for name, column in columns.items()}
            count = block.stop - block.start
            X = _inputs(piece, layout, count) if view is None else view[block]
            weight = None if layout.weight is None else _numbers(piece[layout.weight])
            yield X, _matrix(piece, layout.targets, count), weight


def _direct(column: Any) -> Any:
    """Return a column as an array without copying, where that is possible, else as it is."""
    import pyarrow as pa

    return column.to_numpy() if pa.types.is_float64(column.type) else column


def _side_by_side(columns: Sequence[Any]) -> NDArray[np.float64] | None:
    """Return the matrix of columns that lie at equal distances in memory, or None."""
    if not all(isinstance(column, np.ndarray) for column in columns) or not len(columns[0]):
        return None
    starts = np.array([column.ctypes.data for column in columns])
    steps = np.diff(starts)
    step = int(steps[0]) if len(steps) else 0
    if step < 0 or (steps != step).any():
        return None
    shape = (len(columns[0]), len(columns))
    return np.lib.stride_tricks.as_strided(columns[0], shape, (8, step), writeable=False)


def found_categories(batches: Iterable[Any], columns: Sequence[str]) -> dict[str, set[str]]:
    """Return the distinct values of text columns."""
    import pyarrow.compute as pc

    found: dict[str, set[str]] = {name: set() for name in columns}
    for batch in batches:
        for name in columns:
            values = pc.unique(_text(batch.column(name))).to_pylist()
            found[name].update(value for value in values if value is not None)
    return found


def _check_nulls(batch: Any, layout: Layout, where: str) -> None:
    """Refuse columns with missing entries."""
    missing = [name for name in layout.columns if batch.column(name).null_count]
    if missing:
        raise InvalidData(
            f"expected no missing entries (null or NaN), got some in {quoted(missing[:20])}"
            f"{' and more' if len(missing) > 20 else ''} of {where}; fill in or drop these rows "
            "or columns"
        )


def _inputs(piece: Mapping[str, Any], layout: Layout, rows: int) -> NDArray[np.float64]:
    """Return the inputs as columns of numbers, categories as zeros and ones."""
    if not layout.categories:
        return _matrix(piece, layout.inputs, rows)
    block = np.zeros((rows, len(layout.names)), order="F")
    start = 0
    for name in layout.inputs:
        values = layout.categories.get(name)
        if values is None:
            block[:, start] = _numbers(piece[name])
        else:
            block[np.arange(rows), start + _positions(piece[name], name, values)] = 1.0
        start += 1 if values is None else len(values)
    return block


def _matrix(piece: Mapping[str, Any], names: Sequence[str], rows: int) -> NDArray[np.float64]:
    """Columns of numbers side by side."""
    block = np.empty((rows, len(names)), order="F")
    for column, name in enumerate(names):
        block[:, column] = _numbers(piece[name])
    return block


def _numbers(column: Any) -> NDArray[np.float64]:
    """Return one column as numbers."""
    import pyarrow as pa

    if isinstance(column, np.ndarray):
        return column
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


def _text(column: Any) -> Any:
    """Return one column as text."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(pa.string())


def _positions(column: Any, name: str, values: Sequence[str]) -> NDArray[np.intp]:
    """Position of each row's category among `values`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pc.index_in(_text(column), value_set=pa.array(values, pa.string()))
    if found.null_count:  # a null inside a dictionary
        raise InvalidData(
            f"expected no missing entries, got some in {name!r}; fill in or drop these rows"
        )
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.intp)


def quoted(names: Iterable[str]) -> str:
    """Names in quotes, separated by commas."""
    return ", ".join(repr(name) for name in names)


def _one_line(error: Exception) -> str:
    """Return the first line of an error's message."""
    return (str(error).splitlines() or [type(error).__name__])[0]
