"""`linscape phase`: the library's answers, readable and as JSON."""

import json
from pathlib import Path

import pytest

import linscape as ls

DIABETES = Path(__file__).parents[2] / "examples/data/diabetes.csv"


@pytest.fixture
def problem():
    moments = ls.read_moments(DIABETES, target="progression").standardized()
    return ls.Problem(moments, ls.Network((8, 8), noise=0.25, weight_decay=0.1))


OPTIONS = ("--target", "progression", "--hidden", "8,8", "--dropout", "0.2")


def test_the_document_is_what_the_library_says(linscape, problem):
    done = linscape("phase", DIABETES, *OPTIONS, "--weight-decay", "0.1", "--json")
    facts = json.loads(done.out)
    assert facts["schema"] == "linscape.phase"
    assert facts["phase"] == ls.phase(problem).to_dict()
    for name in ("weight_decay", "signal", "dropout", "depth"):
        expected = getattr(ls, f"critical_{name}")(problem).to_dict()
        assert facts[f"critical_{name}"] == json.loads(json.dumps(expected))


@pytest.mark.parametrize(
    ("hidden", "decay", "words"),
    [
        ("8,8", "0.1", "learning: the global minimum is not zero"),
        ("8,8", "0.36", "metastable"),
        ("8,8", "9", "collapsed: zero is the only solution"),
        ("8", "0.1", "none is too large"),
        ("none", "0.1", "the network has no hidden layer"),
        ("8,4", "0.1", "hidden layers of one width"),
    ],
)
def test_the_page_says_it_in_words(linscape, hidden, decay, words):
    options = ("--target", "progression", "--hidden", hidden, "--weight-decay", decay)
    done = linscape("phase", DIABETES, *options)
    assert done.status == 0
    assert words in " ".join(done.out.split())


def test_the_picture_is_written(linscape, tmp_path):
    target = tmp_path / "phases.svg"
    done = linscape("phase", DIABETES, *OPTIONS, "--weight-decay", "0.1", "--plot", str(target))
    assert done.status == 0
    assert target.read_bytes().startswith(b"<?xml")


@pytest.mark.parametrize(
    "wrong",
    [
        ("--hidden", "8,4", "--weight-decay", "0.1", "--plot", "phases.svg"),
        ("--hidden", "none", "--weight-decay", "0.1", "--plot", "phases.svg"),
        ("--hidden", "8", "--weight-decay", "0.1", "--plot", "phases.txt"),
        ("--hidden", "8", "--weight-decay", "-1"),
        ("--hidden", "8,8", "--weight-decay", "0.1,0,0.1"),
        ("--hidden", "8"),
    ],
)
def test_what_cannot_be_done_is_one_line(linscape, tmp_path, monkeypatch, wrong):
    monkeypatch.chdir(tmp_path)
    done = linscape("phase", DIABETES, "--target", "progression", *wrong)
    assert done.status == 2
    assert done.out == ""
    assert len(done.err.splitlines()) == 1
    assert not list(tmp_path.iterdir())
