"""Peak memory of reading a 0.8 GB file, in MB above a process that has the libraries loaded."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

UNIT = "MB"
ROWS, COLUMNS = 200_000, 500
PROGRAM = """
import sys
import numpy, pandas, pyarrow.parquet
import linscape as ls

folder = sys.argv[1]


def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1000


ls.Moments.from_arrays(numpy.ones((600, 500)), numpy.arange(600))
before = peak()
{code}
print(peak() - before)
"""
READERS = {
    "linscape: Arrow": 'ls.read_moments(f"{folder}/t.arrow", target="x0")',
    "linscape: Parquet as pyarrow writes it": 'ls.read_moments(f"{folder}/t.parquet", target="x0")',
    "linscape: .npy mapped": 'X = numpy.load(f"{folder}/X.npy", mmap_mode="r"); '
    "ls.Moments.from_arrays(X, numpy.arange(len(X)))",
    "pandas: read_parquet alone": 'frame = pandas.read_parquet(f"{folder}/t.parquet")',
    "numpy: load, X.T @ X": 'X = numpy.load(f"{folder}/X.npy"); X.T @ X',
}


def run() -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="linscape-") as name:
        folder = Path(name)
        X = np.random.default_rng(0).standard_normal((ROWS, COLUMNS))
        np.save(folder / "X.npy", X)
        table = pa.table([*X.T.copy()], [f"x{i}" for i in range(COLUMNS)])
        parquet.write_table(table, folder / "t.parquet")
        with (
            pa.OSFile(str(folder / "t.arrow"), "wb") as sink,
            pa.ipc.new_file(sink, table.schema) as writer,
        ):
            writer.write_table(table, max_chunksize=2**14)
        del X, table
        return {label: _peak(code, name) for label, code in READERS.items()}


def _peak(code: str, folder: str) -> float:
    program = PROGRAM.replace("{code}", code)
    done = subprocess.run(
        [sys.executable, "-c", program, folder], check=True, capture_output=True, text=True
    )
    return float(done.stdout)
