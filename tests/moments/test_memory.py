"""The stated bound on memory, in a process of its own, on files larger than it."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

INPUTS, ROWS = 64, 2**14
# MB, and MB a column more of pages and dictionaries or of long batches: what `read_moments` states
BOUND, PAGES = 200, 4

PROGRAM = """
import sys
import numpy as np
from linscape.moments import Moments, read_moments


def read(path):
    if path.endswith(".npy"):
        X = np.load(path, mmap_mode="r")
        return Moments.from_arrays(X, np.arange(len(X)))
    return read_moments(path, target="x0")


def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1000


small, large = sys.argv[1:]
read(small)
before = peak()
assert read(large).n == {rows}
print(peak() - before)
"""


def write(path, times):
    """Write the same rows again and again; they need not differ to take memory."""
    X = np.random.default_rng(0).standard_normal((ROWS, INPUTS))
    if path.suffix == ".npy":
        file = np.lib.format.open_memmap(path, "w+", shape=(ROWS * times, INPUTS))
        for k in range(times):
            file[k * ROWS : (k + 1) * ROWS] = X
        return
    batch = pa.record_batch([*X.T.copy()], [f"x{i}" for i in range(INPUTS)])
    if path.suffix == ".parquet":
        with pyarrow.parquet.ParquetWriter(path, batch.schema) as writer:
            for _ in range(times):
                writer.write_batch(batch, row_group_size=ROWS)
    elif path.stem.startswith("one"):  # a record batch as large as the file
        table = pa.Table.from_batches([batch] * times).combine_chunks()
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
            writer.write_table(table)
    else:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
            for _ in range(times):
                writer.write_batch(batch)


@pytest.mark.parametrize(
    ("name", "times", "pages"),
    [("*.arrow", 26, 0), ("one*.arrow", 56, PAGES), ("*.npy", 26, 0), ("*.parquet", 56, PAGES)],
)
def test_memory_stays_below_what_is_stated(name, times, pages, tmp_path):
    small, large = (tmp_path / name.replace("*", size) for size in ("small", "large"))
    write(small, 1)
    write(large, times)
    grown = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(rows=ROWS * times), small, large],
        check=True,
        capture_output=True,
        text=True,
    )
    bound = BOUND + 80e-6 * (INPUTS + 1) ** 2 + pages * INPUTS
    assert bound < large.stat().st_size / 1e6  # a bound above the file would be none
    assert float(grown.stdout) < bound
