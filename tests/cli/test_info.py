"""`linscape info` and `linscape --cite`."""

import json
import platform
import sys

import numpy as np

from linscape import __version__
from linscape.citation import bibtex


def test_versions_are_those_of_this_process(linscape):
    facts = json.loads(linscape("info", "--json").out)
    assert facts["linscape"] == __version__
    assert facts["python"] == platform.python_version()
    assert facts["core"]["numpy"] == np.__version__


def test_the_page_names_every_extra(linscape):
    done = linscape("info")
    assert done.status == 0
    for extra in ("plot", "sklearn", "torch", "dask", "certify", "explore"):
        assert f"{extra}: " in done.out


def test_an_extra_that_is_missing_says_what_to_install(linscape, monkeypatch):
    monkeypatch.setattr(sys.modules["linscape.cli.info"], "_EXTRAS", {"plot": ("no-such-package",)})
    done = linscape("info")
    assert 'plot: not installed; pip install "linscape[plot]"' in done.out


def test_cite_prints_bibtex(linscape):
    done = linscape("--cite")
    assert done.status == 0
    assert done.out == bibtex() + "\n"
