"""Moments of the rows of files."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from linscape.errors import InvalidData
from linscape.moments.accumulation import Accumulation, check_weights
from linscape.moments.archives import (
    archive,
    matrix_shapes,
    row_blocks,
    whole_array,
)
from linscape.moments.arrays import Gathered, labels
from linscape.moments.distribution import Reader
from linscape.moments.files import (
    ARCHIVES,
    PathLike,
    check_same_columns,
    column_kinds,
    found_files,
    part_batches,
    table_parts,
)
from linscape.moments.moments import Moments
from linscape.moments.partial import Partial, joined
from linscape.moments.parts import Part, parts_of
from linscape.moments.saved import saved_moments
from linscape.moments.storage import holds_moments
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
    client: Any = None,
    progress: bool = False,
) -> Moments:
    r"""Second moments of the rows of files, read once, in bounded memory.

    With p columns in all, memory grows by at most 200 MB + 80·p² bytes; by 4 MB·p more for Parquet
    (pages and dictionaries) and for Arrow record batches of over 2¹⁸ rows; by two record batches
    more where an Arrow file is compressed; by the outputs of an .npz file. For rows in .npy files
    give `Moments.from_arrays` the array that ``numpy.load(path, mmap_mode="r")`` maps; the bound is
    the same.

    Parameters
    ----------
    paths : path, glob, or list of them
        Files ending in .csv, .parquet, .feather, .arrow or .npz, all with the same columns (in
        any order) and all taken together as one table. Files of :meth:`Moments.save` hold no rows:
        their moments are loaded, and added if there are several.
    target : str or list of str
        The output column, or columns; every other column is an input unless named below. One
        name gives ``C`` of shape (d,), a list gives (d, m). In an .npz file, the name of the
        array of outputs, "y" by default; the inputs are the array "X". Of saved moments, the
        targets they were saved with; they keep their shape.
    sample_weight : str, optional
        The column (in .npz: the array) of sample weights.
    drop : list of str, optional
        Columns to leave out. A single name may be given as such.
    one_hot : bool
        Turn each column of text into one 0/1 column ``column=value`` per value, sorted; this
        reads the text columns twice.
    client : dask.distributed.Client, optional
        Read on its cluster: each part of a file (row groups, record batches or lines, 256 MB, of
        CSV 32 MB; an .npz file) is a task, and sums are added in a tree on the workers, which see
        the files under the same paths. Tasks of a lost worker are done again, and a failed one is
        tried three times. The result is that without a client up to rounding.
    progress : bool, default False
        Show a progress bar.

    Returns
    -------
    Moments
        With ``names`` and ``targets`` from the columns (both None for .npz files).

    Raises
    ------
    InvalidData
        If a column does not exist, is not numeric, or holds NaN, nulls or infinities; if a file
        has other columns than the first; if there are no rows; if saved moments have other targets.
    InvalidMoments
        If saved moments cannot be added.
    InvalidOption
        If `client` is no client.
    UnreadableFile
        If a file is missing, damaged or of an unknown kind; if workers die on it again and again.
    OutOfRange
        If the square of an entry is not a 64-bit float.
    MissingDependency
        If a client is given, and Dask is not installed here.

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
    reader = Reader(client, progress)
    saved = [file for file in archives if holds_moments(file)]
    if saved:
        as_they_are = sample_weight is None and not drop and not one_hot
        return saved_moments(files, saved, target, as_they_are=as_they_are)
    if not archives:
        gathered = _table_files(files, target, sample_weight, drop, one_hot, reader)
    elif len(archives) == len(files):
        gathered = _array_files(files, target, sample_weight, drop, one_hot, reader)
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
    reader: Reader,
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
    parts = table_parts(files)
    layout = _with_categories(parts, layout, kinds, reader)
    single = isinstance(target, str)
    total = reader.combined(table_part, parts, joined, layout, kinds, single)
    return _gathered(total, files, len(layout.names), single, layout.names, layout.targets)


def _with_categories(
    parts: Sequence[Part], layout: Layout, kinds: Mapping[str, str], reader: Reader
) -> Layout:
    """Fill in the categories of the text columns, by a pass over these alone."""
    columns = [name for name in layout.inputs if kinds[name] == "text"]
    if not columns or not parts:
        return layout
    found = reader.combined(part_categories, parts, united, columns, kinds)
    categories = {name: tuple(sorted(values)) for name, values in found.items()}
    encoded = replace(layout, categories=categories)
    check_names(encoded.names, f"the encoded columns of {parts[0].file}")
    return encoded


def part_categories(
    part: Part, columns: Sequence[str], kinds: Mapping[str, str]
) -> dict[str, set[str]]:
    """Return the distinct values of text columns in a part of a table file."""
    return found_categories(part_batches(part, columns, kinds), columns)


def united(found: Sequence[dict[str, set[str]]]) -> dict[str, set[str]]:
    """Return the distinct values of all parts."""
    return {name: set().union(*(values[name] for values in found)) for name in found[0]}


def table_part(part: Part, layout: Layout, kinds: Mapping[str, str], single: bool) -> Partial:
    """Go through a part of a table file."""
    file, inputs, outputs = part.file, len(layout.names), len(layout.targets)
    label = labels(layout.names, layout.targets, inputs, single, f" of {file}")
    sums = Accumulation(inputs, outputs, label, order="F")
    rows = 0
    for X, Y, given in numeric_blocks(part_batches(part, layout.columns, kinds), layout, str(file)):
        weight = None
        if given is not None:
            where = f"column {layout.weight!r} of {file}"
            weight = check_weights(given, len(X), where, numbered=False)
        sums.add(X, Y, weight)
        rows += len(X)
    return Partial(rows, sums.result() if sums.weight > 0 else None)


def _array_files(
    files: Sequence[Path],
    target: str | Sequence[str] | None,
    sample_weight: str | None,
    drop: Sequence[str],
    one_hot: bool,
    reader: Reader,
) -> Gathered:
    """Go through .npz files."""
    target = "y" if target is None else target
    if not isinstance(target, str) or drop or one_hot:
        raise InvalidData(
            f"expected for {files[0]} only target=<name of one array> and sample_weight=<name>, "
            f"got target={target!r}, drop={list(drop)}, one_hot={one_hot}; "
            "choose columns before saving the arrays"
        )
    shapes = []
    for file in files:
        with archive(file) as opened:
            shapes.append(matrix_shapes(opened, target, file))
        if shapes[-1] != shapes[0]:
            raise InvalidData(
                f"expected in {file} columns as in {files[0]}, got (X, {target}) with "
                f"{shapes[-1]} instead of {shapes[0]}; read files with the same columns together"
            )
    parts = [part for file in files for part in parts_of(file)]
    total = reader.combined(array_part, parts, joined, target, sample_weight)
    (inputs,), trailing = shapes[0]
    return _gathered(total, files, inputs, not trailing, None, None)


def array_part(part: Part, target: str, sample_weight: str | None) -> Partial:
    """Go through one .npz file."""
    file = part.file
    with archive(file) as opened:
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
        return Partial(start, sums.result() if sums.weight > 0 else None)


def _gathered(
    total: Partial,
    files: Sequence[Path],
    inputs: int,
    single: bool,
    names: tuple[str, ...] | None,
    targets: tuple[str, ...] | None,
) -> Gathered:
    """Put everything that was read together."""
    if total.centred is None:
        found = "only zero sample weights" if total.rows else "none"
        raise InvalidData(
            f"expected rows of data in {quoted(map(str, files[:5]))}, got {found}; check the file"
        )
    return Gathered(total.centred, total.rows, inputs, single, names, targets)
