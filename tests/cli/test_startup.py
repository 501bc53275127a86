"""Help and version answer at once: nothing heavy is imported for them."""

import subprocess
import sys
import time

import pytest

import linscape

HEAVY = ("numpy", "scipy", "pyarrow", "matplotlib", "sklearn", "pandas", "numba", "torch", "dask")
PROGRAM = """
import sys
from linscape.cli import main
try:
    main(sys.argv[1:])
finally:
    heavy = set({heavy}) & set(sys.modules)
    assert not heavy, heavy
"""


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["solve", "--help"], []])
def test_light(arguments):
    start = time.perf_counter()
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(heavy=HEAVY), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert time.perf_counter() - start < 5  # 0.3 s on an idle machine


def test_version():
    run = subprocess.run(
        [sys.executable, "-m", "linscape", "--version"], capture_output=True, text=True, timeout=60
    )
    assert run.stdout == f"linscape {linscape.__version__}\n"


def test_help(linscape):
    assert "solve" in linscape("--help").out
    assert "linscape solve examples/data/diabetes.csv" in linscape("--help").out
    text = linscape("solve", "--help").out
    for option in ("--target", "--hidden", "--dropout", "--weight-decay", "--json", "--plot"):
        assert option in text
    assert "linscape solve examples/data/diabetes.csv" in text
