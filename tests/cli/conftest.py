"""Runs of the command line inside this process, and a table to run it on."""

from pathlib import Path
from typing import NamedTuple

import pytest

from linscape.cli import main

DIABETES = Path(__file__).parents[2] / "examples" / "data" / "diabetes.csv"


class Run(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
def linscape(capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        return Run(exit_.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def diabetes(linscape):
    """Return `linscape solve` on the diabetes data."""

    def run(*arguments):
        return linscape("solve", DIABETES, "--target", "progression", *arguments)

    return run
