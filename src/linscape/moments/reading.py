"""Moments of the rows of files."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path
from zipfile import ZipFile

from linscape.errors import InvalidData
from linscape.moments.accumulation import Accumulation, check_weights
from linscape.moments.archives import (
    archive,
    matrix_shapes,
    row_blocks,
    whole_array,
)
from linscape.moments.arrays import Gathered, labels
from linscape.moments.centred import Centred, merged
from linscape.moments.files import (
    ARCHIVES,
    PathLike,
    check_same_columns,
    column_kinds,
    file_batches,
    found_files,
)
from linscape.moments.moments import Moments
from linscape.moments.tables import (
    Layout,
    check_names,
    chosen_layout,
    found_categories,
    numeric_blocks,
    quoted,
)


def read_moments(
    paths: PathLike | Sequence[PathLike],
    *,
    target: str | Sequence[str] | None = None,
    sample_weight: str | None = None,
    drop: Sequence[str] = (),
    one_hot: bool = False,
) -> Moments:
    r"""Second moments of the rows of files, read once, in bounded memory.

    Parameters
    ----------
    paths : path, glob, or list of them
        Files ending in .csv, .parquet, .feather, .arrow or .npz, all with the same columns (in
        any order) and all taken together as one table.
    target : str or list of str
        The output column, or columns; every other column is an input unless named below. One
        name gives ``C`` of shape (d,), a list gives (d, m). In an .npz file, the name of the
        array of outputs, "y" by default; the inputs are the array "X".
    sample_weight : str, optional
        The column (in .npz: the array) of sample weights.
    drop : list of str, optional
        Columns to leave out. A single name may be given as such.
    one_hot : bool
        Turn each column of text into one 0/1 column ``column=value`` per value, sorted; this
        reads the text columns twice.

    Returns
    -------
    Moments
        With ``names`` and ``targets`` from the columns (both None for .npz files).

    Raises
    ------
    InvalidData
        If a column does not exist, is not numeric, or holds NaN, nulls or infinities; if a file
        has other columns than the first; if there are no rows.
    UnreadableFile
        If a file is missing, damaged or of an unknown kind.
    OutOfRange
        If the square of an entry is not a 64-bit float.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp()) / "houses.csv"
    >>> _ = path.write_text("rooms,price\n1,10\n3,30\n")
    >>> moments = read_moments(path, target="price")
    >>> float(moments.A[0, 0]), float(moments.C[0]), moments.yy
    (5.0, 50.0, 500.0)
    """
    files = found_files(paths)
    drop = (drop,) if isinstance(drop, str) else tuple(drop)
    archives = [file for file in files if file.suffix.lower() in ARCHIVES]
    if not archives:
        gathered = _table_files(files, target, sample_weight, drop, one_hot)
    elif len(archives) == len(files):
        gathered = _array_files(files, target, sample_weight, drop, one_hot)
    else:
        other = next(file for file in files if file not in archives)
        raise InvalidData(
            f"expected only tables or only .npz files, got {archives[0]} with {other}; "
            "read them apart and add the moments"
        )
    return Moments._from_rows(gathered)


def _table_files(
    files: Sequence[Path],
    target: str | Sequence[str] | None,
    sample_weight: str | None,
    drop: Sequence[str],
    one_hot: bool,
) -> Gathered:
    """Go through table files."""
    first = files[0]
    kinds = column_kinds(first)
    if target is None:
        raise InvalidData(
            f"expected target to name a column of {first}, got none; "
            f"there are {quoted(list(kinds)[:20])}"
        )
    layout = chosen_layout(kinds, target, sample_weight, drop, one_hot, str(first))
    for file in files[1:]:
        check_same_columns(first, kinds, file, layout)
    layout = _with_categories(files, layout, kinds)
    single = isinstance(target, str)
    parts = [_table_file(file, layout, kinds, single) for file in files]
    rows, centred = _together(parts, files)
    return Gathered(centred, rows, len(layout.names), single, layout.names, layout.targets)


def _with_categories(files: Sequence[Path], layout: Layout, kinds: Mapping[str, str]) -> Layout:
    """Fill in the categories of the text columns, by a pass over these alone."""
    columns = [name for name in layout.inputs if kinds[name] == "text"]
    if not columns:
        return layout
    found: dict[str, set[str]] = {name: set() for name in columns}
    for file in files:
        for name, values in found_categories(file_batches(file, columns, kinds), columns).items():
            found[name] |= values
    categories = {name: tuple(sorted(values)) for name, values in found.items()}
    encoded = replace(layout, categories=categories)
    check_names(encoded.names, f"the encoded columns of {files[0]}")
    return encoded


def _table_file(
    file: Path, layout: Layout, kinds: Mapping[str, str], single: bool
) -> tuple[int, Centred | None]:
    """Go through one table file."""
    inputs, outputs = len(layout.names), len(layout.targets)
    label = labels(layout.names, layout.targets, inputs, single, f" of {file}")
    sums = Accumulation(inputs, outputs, label, order="F")
    rows = 0
    for X, Y, given in numeric_blocks(file_batches(file, layout.columns, kinds), layout, str(file)):
        where = f"column {layout.weight!r} of {file}"
        sums.add(X, Y, None if given is None else check_weights(given, len(X), where))
        rows += len(X)
    return rows, sums.result() if sums.weight > 0 else None


def _array_files(
    files: Sequence[Path],
    target: str | Sequence[str] | None,
    sample_weight: str | None,
    drop: Sequence[str],
    one_hot: bool,
) -> Gathered:
    """Go through .npz files."""
    target = "y" if target is None else target
    if not isinstance(target, str) or drop or one_hot:
        raise InvalidData(
            f"expected for {files[0]} only target=<name of one array> and sample_weight=<name>, "
            f"got target={target!r}, drop={list(drop)}, one_hot={one_hot}; "
            "choose columns before saving the arrays"
        )
    parts, shapes = [], []
    for file in files:
        with archive(file) as opened:
            shapes.append(matrix_shapes(opened, target, file))
            parts.append(_array_file(opened, target, sample_weight, file))
        if shapes[-1] != shapes[0]:
            raise InvalidData(
                f"expected in {file} columns as in {files[0]}, got (X, {target}) with "
                f"{shapes[-1]} instead of {shapes[0]}; read files with the same columns together"
            )
    rows, centred = _together(parts, files)
    (inputs,), trailing = shapes[0]
    return Gathered(centred, rows, inputs, not trailing, None, None)


def _array_file(
    opened: ZipFile, target: str, sample_weight: str | None, file: Path
) -> tuple[int, Centred | None]:
    """Go through one .npz file."""
    Y = whole_array(opened, target, file)
    (inputs,), trailing = matrix_shapes(opened, target, file)
    label = labels(None, None, inputs, not trailing, f" of {file}")
    Y = Y.reshape(len(Y), *(trailing or (1,)))
    weight = None
    if sample_weight is not None:
        given = whole_array(opened, sample_weight, file)
        weight = check_weights(given, len(Y), f"array {sample_weight!r} of {file}")
    sums = Accumulation(inputs, Y.shape[1], label)
    start = 0
    for X in row_blocks(opened, "X", file):
        block = slice(start, start + len(X))
        sums.add(X, Y[block], None if weight is None else weight[block])
        start += len(X)
    return start, sums.result() if sums.weight > 0 else None


def _together(
    parts: Sequence[tuple[int, Centred | None]], files: Sequence[Path]
) -> tuple[int, Centred]:
    """Total number of rows, and the statistics of all of them."""
    rows = sum(count for count, _ in parts)
    weighty = [centred for _, centred in parts if centred is not None]
    if not weighty:
        found = "only zero sample weights" if rows else "none"
        raise InvalidData(
            f"expected rows of data in {quoted(map(str, files[:5]))}, got {found}; check the file"
        )
    return rows, reduce(merged, weighty)
