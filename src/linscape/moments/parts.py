"""Parts of files, each to be read by itself."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

# Bytes of a part: one task of a cluster. CSV text of a part is held in memory.
PART = 2**28
CSV_PART = 2**25


class Part(NamedTuple):
    """Some of the rows of a file.

    Parameters
    ----------
    file : Path
        The file.
    start, stop : int
        The first row group (Parquet), record batch (Arrow) or byte (CSV), and the one after the
        last; an .npz file is one part.
    size : int
        About how many bytes it takes in the file.
    """

    file: Path
    start: int
    stop: int
    size: int


def parts_of(file: Path) -> list[Part]:
    """Return the parts of a file, in order.

    Raises
    ------
    OSError, pyarrow.ArrowException
        If it cannot be read.
    """
    size, suffix = file.stat().st_size, file.suffix.lower()
    if suffix == ".parquet":
        return _grouped(file, _row_group_bytes(file))
    if suffix in (".feather", ".arrow"):
        count = _record_batches(file)
        return _grouped(file, [size // max(count, 1)] * count)
    if suffix == ".csv" and size:
        bounds = [*range(0, size, CSV_PART), size]
        return [Part(file, start, stop, stop - start) for start, stop in pairwise(bounds)]
    return [Part(file, 0, 1, size)]


def _grouped(file: Path, sizes: Sequence[int]) -> list[Part]:
    """Put neighbours together up to the size of a part."""
    parts, start, filled = [], 0, 0
    for position, size in enumerate(sizes, start=1):
        filled += size
        if filled >= PART or position == len(sizes):
            parts.append(Part(file, start, position, filled))
            start, filled = position, 0
    return parts


def _row_group_bytes(file: Path) -> list[int]:
    metadata = parquet_metadata(file)
    return [metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)]


def _record_batches(file: Path) -> int:
    import pyarrow as pa

    with pa.memory_map(str(file)) as source:
        return int(pa.ipc.open_file(source).num_record_batches)


def parquet_metadata(file: Path) -> Any:
    """Return the metadata of a Parquet file, kept while parts of it are read."""
    status = file.stat()
    return _metadata(file, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4)
def _metadata(file: Path, changed: int, size: int) -> Any:
    from pyarrow import parquet

    return parquet.read_metadata(file)


def csv_lines(part: Part) -> bytes:
    """Return the header of a CSV file and the lines that begin within a part; b"" if none do."""
    with part.file.open("rb") as stream:
        header = line = stream.readline()
        while line and not line.strip():  # what Arrow skips
            line = stream.readline()
            header += line
        first = stream.tell()
        if part.start > first:
            stream.seek(part.start - 1)
            stream.readline()  # the line before, or the end of one that begins before the part
            first = stream.tell()
        if first >= part.stop:
            return b""
        body = stream.read(part.stop - first)
        return header + body + (b"" if body.endswith(b"\n") else stream.readline())
