"""Files larger than a piece in memory, against numpy's X.T @ X of that piece; per 10⁶ rows.

Each file repeats one piece of rows, 500 columns of float64. One BLAS thread each. "warm": the file
is in the page cache, as far as it fits; "cold": its pages were dropped before. The piece's product
is measured before and after every file, and the ratios printed are to that one.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet
from threadpoolctl import threadpool_limits

import linscape as ls

COLUMNS, PIECE = 500, 2**16


def run(gigabytes: float = 12.0) -> dict[str, float]:
    piece = np.random.default_rng(0).standard_normal((PIECE, COLUMNS)) + 1.0
    folder = Path(tempfile.mkdtemp(prefix="linscape-"))
    free = shutil.disk_usage(folder).free / 1e9
    times = max(int(min(gigabytes, free / 5) * 1e9 / piece.nbytes), 1)
    print(f"  {times * PIECE} rows × {COLUMNS}: {times * piece.nbytes / 1e9:.1f} GB a file")
    seconds: dict[str, float] = {}
    try:
        for kind, (write, read) in KINDS.items():
            path = write(folder, piece, times)
            for temperature in ("cold", "warm"):
                if temperature == "cold":
                    drop(path)
                seconds[f"linscape: {kind}, {temperature}"] = measured(
                    lambda path=path, read=read: read(path), piece, times, f"{kind}, {temperature}"
                )
            path.unlink()
    finally:
        shutil.rmtree(folder)
    with threadpool_limits(1):
        seconds["limit: X.T @ X of a piece in memory"] = float(product(piece)[0])
    return seconds


def measured(read: Callable[[], object], piece: np.ndarray, times: int, name: str) -> float:
    """Return seconds per 10⁶ rows, and print their ratio to the product beside."""
    with threadpool_limits(1):
        before = product(piece)
        start = clocks()
        read()
        taken = (clocks() - start) * 1e6 / (times * PIECE)
        wall, busy = (before + product(piece)) / 2 / taken
    print(
        f"  {name:<24} speed {wall:.2f} of the product's, {busy:.2f} by processor time",
        flush=True,
    )
    return float(taken[0])


def product(piece: np.ndarray) -> np.ndarray:
    """Return seconds of X.T @ X per 10⁶ rows, by both clocks: the median of three."""
    seconds = []
    for _ in range(3):
        start = clocks()
        piece.T @ piece
        seconds.append(clocks() - start)
    return np.median(seconds, axis=0) * 1e6 / PIECE


def clocks() -> np.ndarray:
    return np.array([time.perf_counter(), time.process_time()])


def drop(path: Path) -> None:
    """Drop a file from the page cache."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def write_npy(folder: Path, piece: np.ndarray, times: int) -> Path:
    path = folder / "X.npy"
    with path.open("wb") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": (PIECE * times, COLUMNS)}
        np.lib.format.write_array_header_2_0(file, header)
        for _ in range(times):
            file.write(piece.data)
    return path


def read_npy(path: Path) -> ls.Moments:
    X = np.load(path, mmap_mode="r")
    return ls.Moments.from_arrays(X, np.arange(len(X)) % 7)


def batches(piece: np.ndarray) -> list[pa.RecordBatch]:
    names = [f"x{i}" for i in range(COLUMNS)]
    rows = 2**14
    return [
        pa.record_batch([*piece[start : start + rows].T.copy()], names)
        for start in range(0, PIECE, rows)
    ]


def write_arrow(folder: Path, piece: np.ndarray, times: int) -> Path:
    path, parts = folder / "t.arrow", batches(piece)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, parts[0].schema) as writer:
        for _ in range(times):
            for batch in parts:
                writer.write_batch(batch)
    return path


def write_parquet(folder: Path, piece: np.ndarray, times: int) -> Path:
    path, table = folder / "t.parquet", pa.Table.from_batches(batches(piece))
    options = {"use_dictionary": False, "compression": "none"}
    with parquet.ParquetWriter(path, table.schema, **options) as writer:
        for _ in range(times):
            writer.write_table(table)
    return path


def read_table(path: Path) -> ls.Moments:
    return ls.read_moments(path, target="x0")


KINDS = {
    "Arrow": (write_arrow, read_table),
    "npy": (write_npy, read_npy),
    "Parquet, plain": (write_parquet, read_table),
}
