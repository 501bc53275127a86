"""Files of rows: found by path or glob, read batch by batch."""

import glob
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from linscape.errors import InvalidData, UnreadableFile
from linscape.moments.mapping import expect, mapped, release
from linscape.moments.parts import Part, csv_lines, parquet_metadata, parts_of
from linscape.moments.tables import Layout, check_names, kind

PathLike = str | os.PathLike[str]

TABLES = (".csv", ".parquet", ".feather", ".arrow")
ARCHIVES = (".npz",)
SEPARATORS = {b";": "semicolons", b"\t": "tabs"}
# Bytes of CSV text at a time; a row must fit.
CSV_BLOCK = 2**20
# Entries of a batch of Parquet or mapped Arrow rows: 32 MB as float64.
PARQUET_BATCH = ARROW_BATCH = 2**22
# Bytes that are read of a Parquet column at a time.
PARQUET_BUFFER = 2**16
# Record batches up to so many bytes are asked for before their turn.
EXPECTED = 2**27


def found_files(paths: PathLike | Sequence[PathLike]) -> list[Path]:
    """Files named by a path, a glob, or a list of them; those of a glob in sorted order.

    Raises
    ------
    UnreadableFile
        If a path is missing or a folder, a glob matches nothing, or an extension is unknown.
    """
    given = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    try:
        files = [file for path in given for file in _matches(path)]
        for file in files:
            _check_file(file)
    except UnreadableFile:
        raise
    except OSError as error:  # a name that is too long, a folder that may not be entered
        raise UnreadableFile(
            f"cannot look for {str(error.filename)[:200]}: {error.strerror}; check the path"
        ) from error
    if not files:
        raise UnreadableFile("expected at least one path, got an empty list; name a file")
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
        If the file is empty, two columns have the same name, or a CSV file has no commas.
    UnreadableFile
        If the file cannot be read.
    """
    if file.suffix.lower() == ".csv":
        _check_separator(file)
    with readable(file), _opened(Part(file, 0, sys.maxsize, 0), None, {}) as (schema, _):
        check_names(schema.names, str(file))
        return {name: kind(dtype) for name, dtype in zip(schema.names, schema.types, strict=True)}


def _check_separator(file: Path) -> None:
    """Refuse what spreadsheets of half the world write as CSV."""
    with readable(file), file.open("rb") as stream:
        header = stream.readline(CSV_BLOCK)
    found = next((name for mark, name in SEPARATORS.items() if mark in header), None)
    if found is not None and b"," not in header:
        raise InvalidData(
            f"expected columns separated by commas in {file}, got {found}; "
            "save it with commas, and points in its numbers"
        )


def table_parts(files: Sequence[Path]) -> list[Part]:
    """Return the parts of table files, in order.

    Raises
    ------
    UnreadableFile
        If a file cannot be read.
    """
    parts = []
    for file in files:
        with readable(file):
            parts += parts_of(file)
    return parts


def part_batches(part: Part, columns: Sequence[str], kinds: Mapping[str, str]) -> Iterator[Any]:
    """Yield Arrow record batches with the given columns of a part of a table file.

    Raises
    ------
    InvalidData
        If a column of numbers holds text.
    UnreadableFile
        If the file cannot be read.
    """
    with readable(part.file), _opened(part, columns, kinds) as (_, batches):
        for batch in batches:
            batch.select(list(columns)).validate(full=True)  # Arrow trusts the files it maps
            yield batch


@contextmanager
def readable(file: Path) -> Iterator[None]:
    """Turn the errors of pyarrow and of the operating system into linscape's."""
    import pyarrow as pa

    try:
        yield
    except (InvalidData, UnreadableFile):
        raise
    except UnicodeDecodeError:
        raise UnreadableFile(
            f"expected text in UTF-8 in {file}, got other bytes; save it in UTF-8"
        ) from None
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
    part: Part, columns: Sequence[str] | None, kinds: Mapping[str, str]
) -> Iterator[Opened]:
    """Open a part of a table file: schema and batches; all columns if None are given."""
    suffix = part.file.suffix.lower()
    if suffix == ".csv":
        with _opened_csv(part, columns, kinds) as opened:
            yield opened
    elif suffix == ".parquet":
        with _opened_parquet(part, columns) as opened:
            yield opened
    else:
        yield _opened_ipc(part, columns)


@contextmanager
def _opened_csv(
    part: Part, columns: Sequence[str] | None, kinds: Mapping[str, str]
) -> Iterator[Opened]:
    """Open CSV rows; `kinds`, once known, take the place of inference."""
    import pyarrow as pa
    from pyarrow import csv

    types = {"numeric": pa.float64(), "boolean": pa.bool_(), "text": pa.string()}
    chosen = {} if columns is None else {name: types[kinds[name]] for name in columns}
    source = part.file
    if part.start > 0 or part.stop < source.stat().st_size:
        lines = csv_lines(part)
        if not lines:
            yield None, iter(())
            return
        source = pa.BufferReader(lines)
    try:
        reader = csv.open_csv(
            source,
            read_options=csv.ReadOptions(block_size=CSV_BLOCK),
            convert_options=csv.ConvertOptions(
                column_types=chosen, include_columns=columns, strings_can_be_null=True
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):
            raise InvalidData(
                f"expected a header and rows in {part.file}, got an empty file"
            ) from None
        raise
    with reader:
        yield reader.schema, iter(reader)


@contextmanager
def _opened_parquet(part: Part, columns: Sequence[str] | None) -> Iterator[Opened]:
    """Open Parquet row groups, reading their pages through small buffers."""
    from pyarrow import parquet

    metadata = parquet_metadata(part.file)
    with parquet.ParquetFile(
        part.file, metadata=metadata, buffer_size=PARQUET_BUFFER, pre_buffer=False
    ) as reader:
        schema = reader.schema_arrow
        names = schema.names if columns is None else list(columns)
        groups = range(part.start, min(part.stop, reader.num_row_groups))
        rows = max(PARQUET_BATCH // max(len(names), 1), 1)
        yield schema, reader.iter_batches(batch_size=rows, columns=names, row_groups=[*groups])


def _opened_ipc(part: Part, columns: Sequence[str] | None) -> Opened:
    """Open record batches of an Arrow IPC file (Feather version 2), mapped into memory."""
    import pyarrow as pa

    mapping = mapped(part.file)
    schema = pa.ipc.open_file(pa.py_buffer(mapping)).schema
    fields = None  # naming fields makes Arrow copy them: worth it for a few only
    if columns is not None and 2 * len(columns) < len(schema.names):
        fields = [schema.get_field_index(name) for name in columns]
    options = pa.ipc.IpcReadOptions(included_fields=fields)
    reader = pa.ipc.open_file(pa.py_buffer(mapping), options=options)
    rows = max(ARROW_BATCH // max(len(reader.schema.names), 1), 1)
    length = len(mapping) // max(reader.num_record_batches, 1)  # of a batch, about

    def batches() -> Iterator[Any]:
        ahead = part.start
        for position in range(part.start, min(part.stop, reader.num_record_batches)):
            if length <= EXPECTED:
                expect(mapping, ahead * length, (position + 2) * length)
                ahead = position + 2
            batch = reader.get_batch(position)
            for start in range(0, batch.num_rows, rows):
                yield batch.slice(start, rows)
                release(mapping)

    return schema, batches()


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
