"""How long the package takes to be imported, against the libraries it stands on."""

import subprocess
import sys

from benchmarks.timing import interleaved


def run() -> dict[str, float]:
    def python(*arguments: str) -> None:
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)

    return interleaved(
        {
            "linscape --version": lambda: python("-m", "linscape", "--version"),
            "linscape --help": lambda: python("-m", "linscape", "--help"),
            "import linscape": lambda: python("-c", "import linscape"),
            "import numpy": lambda: python("-c", "import numpy"),
            "limit: python alone": lambda: python("-c", "pass"),
        }
    )
