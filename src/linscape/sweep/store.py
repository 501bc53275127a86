r"""A store on disk: complete and readable at every moment, whatever kills the sweep.

    manifest.json         the spec, seed, versions, machines, fingerprints of the data
    chunks/00000000.arrow rows of results, by the key of their cell; never changed once there
    table.parquet         the labelled table, written at the end; read_sweep builds it anew
    lock                  held by the sweep that runs

A file is written under another name, brought to the disk, and renamed; then the folder is brought
to the disk. Chunks are numbered, and where a cell is in two of them the later counts. Nothing
depends on the clock.
"""

import errno
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet

from linscape.atomic import write_atomically
from linscape.errors import LinscapeError, UnreadableFile
from linscape.sweep.lock import locked
from linscape.sweep.table import RESULTS, SCHEMA, results

FORMAT = "linscape.sweep"

_PARTS = {"spec": dict, "data": dict, "versions": dict, "machines": list}


class Store:
    """A folder with the results of a sweep.

    Parameters
    ----------
    path : path-like
        The folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._chunks = self.path / "chunks"
        self._next = 0

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Make the folder if need be, and hold its lock.

        Raises
        ------
        UnreadableFile
            If the folder cannot be made or written, holds something else, or is in use.
        """
        with self._writable():
            self._refuse_foreign()
            self._chunks.mkdir(parents=True, exist_ok=True)
        with locked(self.path):
            with self._writable():
                self._remove_unfinished()
            self._next = 1 + max((int(file.stem) for file in self._files()), default=-1)
            yield

    def manifest(self) -> dict[str, Any] | None:
        """Return the manifest, None if there is none yet."""
        file = self.path / "manifest.json"
        try:
            manifest: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            format_, schema = manifest["format"], int(manifest["schema"])
            whole = all(isinstance(manifest.get(key), kind) for key, kind in _PARTS.items())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UnreadableFile(
                f"cannot read {file}: {error.strerror}; give the folder of a sweep"
            ) from None
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            raise _no_manifest(file, str(error)) from None
        if format_ != FORMAT or schema > SCHEMA:
            raise UnreadableFile(
                f"expected {file} in {FORMAT} of schema {SCHEMA} or older, got {format_} of schema "
                f"{schema}; install a newer linscape"
            )
        if not whole:
            raise _no_manifest(file, f"it needs {', '.join(_PARTS)}")
        return manifest

    def results(self) -> pa.Table:
        """Return the rows of all chunks, in the order in which they were written."""
        return pa.concat_tables([RESULTS.empty_table(), *map(_read_chunk, self._files())])

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write the manifest, replacing it."""
        document = {"format": FORMAT, "schema": SCHEMA, **manifest}
        text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
        self._write(self.path / "manifest.json", text.encode())

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write one more chunk."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, RESULTS) as writer:
            writer.write_table(results(rows))
        self._write(self._chunks / f"{self._next:08d}.arrow", sink.getvalue())
        self._next += 1

    def write_table(self, table: pa.Table) -> Path:
        """Write the labelled table, replacing it."""
        sink = pa.BufferOutputStream()
        pa.parquet.write_table(table, sink)
        self._write(self.path / "table.parquet", sink.getvalue())
        return self.path / "table.parquet"

    def _write(self, path: Path, content: Any) -> None:
        def write(file: BinaryIO) -> None:
            file.write(content)

        write_atomically(path, write)
        with self._writable():
            _bring_to_disk(path.parent)

    def _files(self) -> list[Path]:
        return sorted(file for file in self._chunks.glob("*.arrow") if file.stem.isdigit())

    @contextmanager
    def _writable(self) -> Iterator[None]:
        """Turn what the system refuses into an error of this package."""
        try:
            yield
        except LinscapeError:
            raise
        except OSError as error:
            raise UnreadableFile(
                f"cannot write {self.path}: {error.strerror}; give a store that can be written"
            ) from None

    def _refuse_foreign(self) -> None:
        """Refuse a folder with something else in it."""
        if self.path.is_dir() and self.manifest() is None:
            ours = {"chunks", "lock"}
            others = (file.name for file in self.path.iterdir() if file.name not in ours)
            foreign = next((name for name in others if not name.startswith(".manifest.")), None)
            if foreign is not None:
                raise UnreadableFile(
                    f"{self.path} is no store of a sweep: it holds {foreign!r}; give a folder that "
                    "is empty or does not exist"
                )

    def _remove_unfinished(self) -> None:
        """Remove what a killed sweep left half written; nothing refers to it."""
        for pattern in (".manifest.json.*", ".table.parquet.*", "chunks/.[0-9]*.arrow.*"):
            for file in self.path.glob(pattern):
                file.unlink(missing_ok=True)


def _read_chunk(file: Path) -> pa.Table:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UnreadableFile(
            f"cannot read {file}: {error.strerror}; make the store readable"
        ) from None
    try:
        table = pa.ipc.open_file(content).read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise _damaged(file, str(error)) from None
    if table.schema != RESULTS:
        raise _damaged(file, "other columns")
    return table


def _no_manifest(file: Path, reason: str) -> UnreadableFile:
    return UnreadableFile(
        f"expected {file} to be the manifest of a sweep, got a damaged or foreign file ({reason}); "
        "give another store"
    )


def _damaged(file: Path, reason: str) -> UnreadableFile:
    return UnreadableFile(
        f"{file} is damaged or foreign ({' '.join(reason.split())}); delete it, and the next run "
        "computes its cells again"
    )


def _bring_to_disk(folder: Path) -> None:
    """Make the names in a folder survive a crash of the machine, where the system can."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # of file systems that cannot
            raise
    finally:
        os.close(descriptor)
