"""Files of rows: found by path or glob, read batch by batch."""

import glob
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from linscape.errors import InvalidData, UnreadableFile
from linscape.moments.tables import Layout, check_names, kind

PathLike = str | os.PathLike[str]

TABLES = (".csv", ".parquet", ".feather", ".arrow")
ARCHIVES = (".npz",)
# Bytes of CSV text at a time; a row must fit.
CSV_BLOCK = 2**20
# Entries of a Parquet batch: 8 MB as float64.
PARQUET_BATCH = 2**20


def found_files(paths: PathLike | Sequence[PathLike]) -> list[Path]:
    """Files named by a path, a glob, or a list of them; those of a glob in sorted order.

    Raises
    ------
    UnreadableFile
        If a path is missing or a folder, a glob matches nothing, or an extension is unknown.
    """
    given = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    files = [file for path in given for file in _matches(path)]
    if not files:
        raise UnreadableFile("expected at least one path, got an empty list; name a file")
    for file in files:
        _check_file(file)
    return files


def _matches(path: PathLike) -> list[Path]:
    """Return the path itself, or the sorted files its glob matches."""
    text = os.fspath(path)
    if Path(text).exists() or not glob.has_magic(text):
        return [Path(text)]
    found = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - absolute patterns too
    if not found:
        raise UnreadableFile(
            f"expected files matching {text!r}, found none from {Path.cwd()}; check the pattern"
        )
    return [Path(name) for name in found]


def _check_file(file: Path) -> None:
    """Refuse missing files, folders and unknown extensions."""
    if file.is_dir():
        raise UnreadableFile(
            f"expected a file, got the folder {file}; pass a glob such as '{file}/*.parquet'"
        )
    if file.suffix.lower() not in TABLES + ARCHIVES:
        raise UnreadableFile(
            f"expected a file ending in one of {', '.join(TABLES + ARCHIVES)}, got {file}; "
            "convert it to one of these"
        )
    if not file.exists():
        raise UnreadableFile(f"expected a file at {file}, found none; check the path")


def column_kinds(file: Path) -> dict[str, str]:
    """Kinds of the columns of a table file, in order.

    Raises
    ------
    InvalidData
        If the file is empty or two columns have the same name.
    UnreadableFile
        If the file cannot be read.
    """
    with readable(file), _opened(file, None, {}) as (schema, _):
        check_names(schema.names, str(file))
        return {name: kind(dtype) for name, dtype in zip(schema.names, schema.types, strict=True)}


def file_batches(file: Path, columns: Sequence[str], kinds: Mapping[str, str]) -> Iterator[Any]:
    """Yield Arrow record batches with the given columns of a table file.

    Raises
    ------
    InvalidData
        If a column of numbers holds text.
    UnreadableFile
        If the file cannot be read.
    """
    with readable(file), _opened(file, columns, kinds) as (_, batches):
        yield from batches


@contextmanager
def readable(file: Path) -> Iterator[None]:
    """Turn the errors of pyarrow and of the operating system into linscape's."""
    import pyarrow as pa

    try:
        yield
    except (InvalidData, UnreadableFile):
        raise
    except (pa.ArrowException, OSError, EOFError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        if "CSV" in reason:
            raise _csv_error(file, reason) from None
        raise UnreadableFile(
            f"cannot read {file} as {file.suffix.lower()}: {reason}; write the file again"
        ) from None


def _csv_error(file: Path, reason: str) -> InvalidData:
    """Return the error for a CSV file, with the column that cannot be converted by its name."""
    found = re.search(r"In CSV column #(\d+).*invalid value '(.*)'", reason)
    if found:
        name = list(column_kinds(file))[int(found[1])]
        return InvalidData(
            f"expected numbers in column {name!r} of {file}, got {found[2]!r}; "
            "correct the entry or drop the column"
        )
    return InvalidData(
        f"expected a table of numbers in {file}, got: {reason}; correct or drop this row"
    )


Opened = tuple[Any, Iterator[Any]]


@contextmanager
def _opened(
    file: Path, columns: Sequence[str] | None, kinds: Mapping[str, str]
) -> Iterator[Opened]:
    """Open a table file: schema and batches of a table file; all columns if None are given."""
    suffix = file.suffix.lower()
    if suffix == ".csv":
        with _opened_csv(file, columns, kinds) as opened:
            yield opened
    elif suffix == ".parquet":
        with _opened_parquet(file, columns) as opened:
            yield opened
    else:
        with _opened_ipc(file, columns) as opened:
            yield opened


@contextmanager
def _opened_csv(
    file: Path, columns: Sequence[str] | None, kinds: Mapping[str, str]
) -> Iterator[Opened]:
    """Open a CSV file; `kinds`, once known, take the place of inference."""
    import pyarrow as pa
    from pyarrow import csv

    types = {"numeric": pa.float64(), "boolean": pa.bool_(), "text": pa.string()}
    chosen = {} if columns is None else {name: types[kinds[name]] for name in columns}
    try:
        reader = csv.open_csv(
            file,
            read_options=csv.ReadOptions(block_size=CSV_BLOCK),
            convert_options=csv.ConvertOptions(
                column_types=chosen, include_columns=columns, strings_can_be_null=True
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):
            raise InvalidData(f"expected a header and rows in {file}, got an empty file") from None
        raise
    with reader:
        yield reader.schema, iter(reader)


@contextmanager
def _opened_parquet(file: Path, columns: Sequence[str] | None) -> Iterator[Opened]:
    """Open a Parquet file, reading its pages through a small buffer."""
    from pyarrow import parquet

    with parquet.ParquetFile(file, buffer_size=2**20, pre_buffer=False) as reader:
        schema = reader.schema_arrow
        width = len(schema.names if columns is None else columns)
        rows = max(PARQUET_BATCH // max(width, 1), 1)
        names = None if columns is None else list(columns)
        yield schema, reader.iter_batches(batch_size=rows, columns=names)


@contextmanager
def _opened_ipc(file: Path, columns: Sequence[str] | None) -> Iterator[Opened]:
    """Open an Arrow IPC file (Feather version 2), mapped into memory."""
    import pyarrow as pa

    with pa.memory_map(str(file)) as source:
        schema = pa.ipc.open_file(source).schema
        fields = None if columns is None else [schema.get_field_index(name) for name in columns]
        options = pa.ipc.IpcReadOptions(included_fields=fields)
        reader = pa.ipc.open_file(source, options=options)
        yield schema, (reader.get_batch(i) for i in range(reader.num_record_batches))


def check_same_columns(first: Path, kinds: Mapping[str, str], file: Path, layout: Layout) -> None:
    """Refuse a further file whose columns are not those of the first.

    Raises
    ------
    InvalidData
        If a column is missing or additional, or of another kind.
    """
    other = column_kinds(file)
    missing, extra = sorted(set(kinds) - set(other)), sorted(set(other) - set(kinds))
    if missing or extra:
        raise InvalidData(
            f"expected the columns of {first} in {file}, got missing {missing[:10]} and "
            f"additional {extra[:10]}; read files with the same columns together"
        )
    if file.suffix.lower() == ".csv":  # read with the first file's kinds, which may still fit
        return
    for name in layout.columns:
        numbers = {"numeric", "boolean"}
        if other[name] != kinds[name] and not {other[name], kinds[name]} <= numbers:
            raise InvalidData(
                f"expected column {name!r} to be {kinds[name]} in {file} as in {first}, got "
                f"{other[name]}; convert it"
            )
