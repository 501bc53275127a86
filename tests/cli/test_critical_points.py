"""`linscape critical-points`: the library's classes, readable and as JSON."""

import json
from pathlib import Path

import pytest

import linscape as ls
from linscape.landscape.unregularised.classes import unregularised_critical_points

DIABETES = Path(__file__).parents[2] / "examples/data/diabetes.csv"
TARGETS = ("progression", "bp", "s5")
OPTIONS = ("--target", "progression", "--target", "bp", "--target", "s5")


@pytest.fixture
def problem():
    moments = ls.read_moments(DIABETES, target=list(TARGETS)).standardized()
    return ls.Problem(moments, ls.Network((4, 4)))


def test_the_document_is_what_the_library_says(linscape, problem):
    done = linscape("critical-points", DIABETES, *OPTIONS, "--hidden", "4,4", "--json")
    facts = json.loads(done.out)
    assert facts["schema"] == "linscape.critical-points"
    assert facts["data"]["targets"] == list(TARGETS)
    found = [one.to_dict() for one in unregularised_critical_points(problem)]
    assert facts["critical_points"] == json.loads(json.dumps(found))
    assert facts["critical_values"]["count"] == 8
    losses = [value["loss"] for value in facts["critical_values"]["descent"]]
    assert losses[0] == pytest.approx(3.0)  # three targets of variance one
    assert losses[-1] == pytest.approx(ls.global_minimum(problem).loss)


def test_the_table_has_a_line_for_each_class(linscape, problem):
    done = linscape("critical-points", DIABETES, *OPTIONS, "--hidden", "4,4")
    assert done.status == 0
    lines = done.out.splitlines()
    head = next(k for k, line in enumerate(lines) if line.startswith("loss "))
    for line, found in zip(lines[head + 1 :], unregularised_critical_points(problem), strict=False):
        assert line.split()[0] == f"{found.loss:.6g}"
        assert str(found.inertia) in line
        assert ("non-strict" in line) == ("non-strict saddle" in found.kinds)
    assert "8 → 4 → 4 → 3" in done.out
    assert "higher ones" not in done.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((*OPTIONS, "--hidden", "4,4", "--limit", "2"), "and 6 higher ones"),
        (("--target", "bp", "--hidden", "1"), "10 → 1 → 1"),
        (("--target", "bp", "--hidden", "none"), "1, from"),
        ((*OPTIONS, "--hidden", "2", "--raw"), "in the units of the file"),
    ],
)
def test_the_page_says_it_in_words(linscape, options, words):
    done = linscape("critical-points", DIABETES, *options)
    assert done.status == 0
    assert words in " ".join(done.out.split())


def test_equal_modes_are_said(linscape, tmp_path):
    table = tmp_path / "square.csv"
    table.write_text("a,b,u,v\n1,0,1,0\n0,1,0,1\n-1,0,-1,0\n0,-1,0,-1\n")
    done = linscape("critical-points", table, "--target", "u", "--target", "v", "--hidden", "1,1")
    assert "0, 1: any of a group stand for the others" in " ".join(done.out.split())
    assert "undecided" in done.out


def test_the_picture_is_written(linscape, tmp_path):
    target = tmp_path / "ladder.svg"
    done = linscape("critical-points", DIABETES, *OPTIONS, "--hidden", "4", "--plot", target)
    assert done.status == 0
    assert target.read_bytes().startswith(b"<?xml")


@pytest.mark.parametrize(
    "wrong",
    [
        ("--hidden", "4", "--plot", "ladder.txt"),
        ("--hidden", "4", "--limit", "0"),
        ("--hidden", "0"),
        ("--hidden", "4", "--weight-decay", "0.1"),
        (),
    ],
)
def test_what_cannot_be_done_is_one_line(linscape, tmp_path, monkeypatch, wrong):
    monkeypatch.chdir(tmp_path)
    done = linscape("critical-points", DIABETES, *OPTIONS, *wrong)
    assert done.status == 2
    assert done.out == ""
    assert len(done.err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_help_shows_an_example(linscape):
    text = linscape("critical-points", "--help").out
    assert "linscape critical-points examples/data/diabetes.csv" in text
    for option in ("--target", "--hidden", "--limit", "--json", "--plot"):
        assert option in text


def test_under_weight_decay_the_table_is_of_subnetworks(linscape):
    data = (DIABETES, "--target", "progression", "--hidden", "2", "--dropout", "0.2")
    page = linscape("critical-points", *data, "--weight-decay", "0.1")
    assert page.status == 0
    rows = [line.split() for line in page.out.splitlines() if line[:1].isdigit()]
    assert [row[:5] for row in rows] == [
        ["2", "minimum", "0", "0", "4"],
        ["1", "saddle", "1", "0", "4"],
        ["0", "saddle", "2", "0", "1"],
    ]
    facts = json.loads(linscape("critical-points", *data, "--weight-decay", "0.1", "--json").out)
    assert [found["multiplicity"] for found in facts["critical_points"]] == [4, 4, 1]
    refused = linscape("critical-points", *data, "--weight-decay", "0.1", "--plot", "x.png")
    assert refused.status == 2
    assert "--plot" in refused.err
