"""Files larger than a piece in memory, against numpy's X.T @ X of that piece; per 10⁶ rows.

Each file repeats one piece of rows, 500 columns of float64. One BLAS thread each. "warm": every
page of the file was touched just before, the median of five readings; "cold": its pages were
dropped before. A file larger than memory is cold only. The piece's product is measured before and
after every reading, and the ratios printed are to that one.

    python -m benchmarks out_of_core                            # files of 12 GB
    python -c "from benchmarks.out_of_core import run; run(40, ['Arrow'])"
"""

import mmap
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet
from threadpoolctl import threadpool_limits

import linscape as ls

COLUMNS, PIECE, READINGS = 500, 2**16, 5


def run(gigabytes: float = 12.0, kinds: Sequence[str] = ()) -> dict[str, float]:
    piece = np.random.default_rng(0).standard_normal((PIECE, COLUMNS)) + 1.0
    folder = Path(tempfile.mkdtemp(prefix="linscape-"))
    free = shutil.disk_usage(folder).free / 1e9
    times = max(int(min(gigabytes, 0.8 * free) * 1e9 / piece.nbytes), 1)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    print(
        f"  {times * PIECE} rows × {COLUMNS}: {times * piece.nbytes / 1e9:.1f} GB a file, "
        f"{memory:.1f} GB of memory"
    )
    fits = times * piece.nbytes / 1e9 < 0.8 * memory
    seconds: dict[str, float] = {}
    try:
        for kind in kinds or KINDS:
            write, read = KINDS[kind]
            path = write(folder, piece, times)
            for temperature, prepare, readings in (
                ("cold", drop, 1),
                ("warm", touch, READINGS if fits else 0),
            ):
                found = []
                for _ in range(readings):
                    prepare(path)
                    found.append(measured(read, path, piece, times))
                if found:
                    name = f"{kind}, {temperature}"
                    seconds[f"linscape: {name}"] = reported(name, np.array(found))
            path.unlink()
    finally:
        shutil.rmtree(folder)
    with threadpool_limits(1):
        seconds["limit: X.T @ X of a piece in memory"] = float(product(piece)[0])
    return seconds


def measured(
    read: Callable[[Path], ls.Moments], path: Path, piece: np.ndarray, times: int
) -> list[float]:
    """Return seconds per 10⁶ rows, the product's over them by both clocks, and MB of memory."""
    with threadpool_limits(1):
        before = product(piece)
        held = peak(reset=True)
        start = clocks()
        read(path)
        taken = (clocks() - start) * 1e6 / (times * PIECE)
        grown = peak() - held
        return [taken[0], *(before + product(piece)) / 2 / taken, grown]


def reported(name: str, found: np.ndarray) -> float:
    """Print the ratios to the product beside, and return the median of the seconds."""
    seconds, wall, busy, megabytes = np.median(found, axis=0)
    spread = f" ({found[:, 1].min():.2f} to {found[:, 1].max():.2f})" if len(found) > 1 else ""
    print(
        f"  {name:<24} speed {wall:.2f} of the product's{spread}, {busy:.2f} by processor time, "
        f"in {megabytes:.0f} MB",
        flush=True,
    )
    return float(seconds)


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


def peak(*, reset: bool = False) -> float:
    """Return the most memory the process held since the last reset, in MB; Linux only."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1000


def drop(path: Path) -> None:
    """Drop a file from the page cache."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def touch(path: Path) -> None:
    """Look at every page of a file through a mapping, as it will be read."""
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as pages,
    ):
        for start in range(0, len(pages), mmap.PAGESIZE):
            pages[start]


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
