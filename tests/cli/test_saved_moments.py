"""A file that `linscape moments --save` wrote stands for the rows in every command."""

import json
from pathlib import Path

import pytest

import linscape as ls

DIABETES = Path(__file__).parents[2] / "examples/data/diabetes.csv"
NETWORK = ("--hidden", "4,4", "--weight-decay", "0.01", "--json")


@pytest.fixture
def saved(linscape, tmp_path):
    path = tmp_path / "m.npz"
    assert linscape("moments", DIABETES, "--target", "progression", "--save", path).status == 0
    return path


@pytest.mark.parametrize(
    "command", [["solve"], ["phase"], ["critical-points"], ["descend", "--steps", "20"]]
)
def test_every_command_answers_as_for_the_rows(linscape, saved, command):
    answers = []
    for file in (DIABETES, saved):
        done = linscape(command[0], file, "--target", "progression", *NETWORK, *command[1:])
        assert (done.status, done.err) == (0, "")
        answers.append(json.loads(done.out.replace(str(file), "FILE")))
    assert answers[0] == answers[1]


def test_another_target_is_one_line(linscape, saved):
    done = linscape("solve", saved, "--target", "bmi", *NETWORK)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert "expected target to be 'progression'" in done.err


def test_moments_without_rows_or_means(linscape, tmp_path):
    """A = c = E[y²] = 1: the loss without decay is zero."""
    path = tmp_path / "m.npz"
    ls.Moments([[1.0]], [1.0], 1.0).save(path)
    options = ("solve", path, "--target", "y", "--hidden", "2")
    done = linscape(*options)
    assert (done.status, done.out) == (2, "")
    assert "have no means" in done.err
    assert "--raw" in done.err
    done = linscape(*options, "--raw")
    assert done.status == 0
    assert "an unknown number of rows, 1 inputs" in done.out
    facts = json.loads(linscape(*options, "--raw", "--json").out)
    assert facts["data"]["rows"] is None
    done = linscape("moments", path, "--target", "y")
    assert (done.status, done.err) == (0, "")
    assert "unknown" in done.out


def test_sums_of_saved_moments_are_saved(linscape, saved, tmp_path):
    both = tmp_path / "both.npz"
    done = linscape("moments", saved, saved, "--target", "progression", "--save", both)
    assert (done.status, done.err) == (0, "")
    assert ls.Moments.load(both).n == 2 * 442
