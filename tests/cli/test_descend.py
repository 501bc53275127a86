"""`linscape descend`: the library's descent, readable and as JSON, with its files."""

import json
from pathlib import Path

import numpy as np
import pytest

import linscape as ls
from linscape.dynamics.descent import descend
from linscape.dynamics.trajectory import Trajectory
from linscape.initialisation import random_weights

DIABETES = Path(__file__).parents[2] / "examples/data/diabetes.csv"
TARGETS = ("progression", "bp", "s5")
MANY = ("--target", "progression", "--target", "bp", "--target", "s5", "--hidden", "4,4")
ONE = ("--target", "progression", "--hidden", "3,3")


def problem_of(targets=TARGETS, hidden=(4, 4), **options):
    target = list(targets) if len(targets) > 1 else targets[0]
    moments = ls.read_moments(DIABETES, target=target).standardized()
    return ls.Problem(moments, ls.Network(hidden, **options))


def words(done):
    return " ".join(done.out.split())


def test_the_document_is_what_the_library_says(linscape):
    options = ("--gain", "0.5", "--seed", "3", "--starts", "2", "--steps", "50")
    done = linscape("descend", DIABETES, *MANY, *options, "--step-size", "0.01", "--json")
    facts = json.loads(done.out)
    assert done.status == 0
    assert facts["schema"] == "linscape.descend"
    assert facts["data"]["targets"] == list(TARGETS)
    problem = problem_of()
    weights = random_weights(problem, gain=0.5, rng=3, batch=2)
    path = descend(problem, weights, step_size=0.01, steps=50)
    assert facts["loss"] == pytest.approx(path["loss"][-1].tolist(), rel=1e-10)
    assert facts["loss_at_start"] == pytest.approx(path["loss"][0].tolist(), rel=1e-10)
    assert facts["step_size"] == [0.01, 0.01]
    assert facts["status"] == ["running", "running"]
    assert facts["minimum"]["lower"] <= ls.global_minimum(problem).loss <= facts["minimum"]["upper"]
    assert facts["start"] == {"scheme": "kaiming", "gain": 0.5, "seed": 3, "starts": 2}


def test_small_starts_show_their_plateaus(linscape, tmp_path):
    picture, saved = tmp_path / "curves.svg", tmp_path / "trajectory.npz"
    options = ("--gain", "0.05", "--steps", "10000", "--plot", picture, "--save", saved)
    done = linscape("descend", DIABETES, *MANY, *options)
    assert done.status == 0
    text = words(done)
    assert "no mode learnt" in text
    for modes in ("modes 0 ", "modes 0,1 ", "modes 0–2"):
        assert modes in text
    assert "to the end" in text
    assert "proven; the best end is" in text
    assert "8 → 4 → 4 → 3" in text
    svg = picture.read_text()
    assert svg.startswith("<?xml")
    trajectory = Trajectory.load(saved)
    assert trajectory.at[-1] == 10_000
    assert trajectory["singular_values"].shape[1:] == (1, 3)
    best = ls.global_minimum(problem_of()).loss
    assert best <= trajectory["loss"][-1, 0] < 1.001 * best  # 10,000 steps do not end there


def test_a_start_in_the_trap_collapses_and_is_known_to(linscape):
    options = ("--weight-decay", "0.2", "--gain", "0.001", "--steps", "200", "--starts", "3")
    done = linscape("descend", DIABETES, *ONE, *options)
    text = words(done)
    assert "3 of 3 starts are inside, proven to collapse" in text
    assert "3 of 3 ends are inside: these runs collapse to zero" in text
    assert "learning: zero is a local minimum" in text
    assert "least, median, largest" in text
    facts = json.loads(linscape("descend", DIABETES, *ONE, *options, "--json").out)
    assert facts["trap"]["starts_inside"] == [True] * 3
    assert facts["loss"] == pytest.approx(
        [1.0] * 3, abs=1e-3
    )  # of the decayed rest after 200 steps
    assert "not_asked" in facts["plateaus"]


def test_where_no_theorem_reaches_it_says_so(linscape):
    done = linscape("descend", DIABETES, *ONE, "--weight-decay", "0.1,0,0.1", "--steps", "20")
    assert done.status == 0
    assert "no certified global minimum: weight_decay[1] is zero" in words(done)
    assert "nothing is trapped at zero" in words(done)


def test_divergence_is_an_answer(linscape):
    options = ("--step-size", "100", "--steps", "100")
    done = linscape("descend", DIABETES, *ONE, *options)
    assert done.status == 0
    assert "1 diverged: try a smaller --step-size" in words(done)
    facts = json.loads(linscape("descend", DIABETES, *ONE, *options, "--json").out)
    assert facts["status"] == ["diverged"]


def test_equal_modes_and_linear_models_are_no_exception(linscape, tmp_path):
    table = tmp_path / "square.csv"
    table.write_text("a,b,u,v\n1,0,1,0\n0,1,0,1\n-1,0,-1,0\n0,-1,0,-1\n")
    for hidden in ("1,1", "none"):
        done = linscape(
            "descend", table, "--target", "u", "--target", "v", "--hidden", hidden,
            "--steps", "500", "--plot", tmp_path / "out.png",
        )  # fmt: skip
        assert done.status == 0
        assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "wrong",
    [
        ("--plot", "curves.txt"),
        ("--save", "trajectory.csv"),
        ("--scheme", "no-such"),
        ("--gain", "-1"),
        ("--gain", "nan"),
        ("--starts", "0"),
        ("--steps", "0"),
        ("--seed", "-1"),
        ("--step-size", "0"),
        ("--step-size", "nan"),
        ("--step-size", "fast"),
        ("--weight-decay", "-0.1"),
        ("--hidden", "0"),
    ],
)
def test_what_cannot_be_done_is_one_line(linscape, tmp_path, monkeypatch, wrong):
    monkeypatch.chdir(tmp_path)
    done = linscape("descend", DIABETES, *ONE, *wrong)
    assert done.status == 2
    assert done.out == ""
    assert len(done.err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_all_files_are_written_or_none(linscape, tmp_path):
    saved, gone = tmp_path / "trajectory.npz", tmp_path / "no" / "curves.svg"
    options = ("--steps", "5", "--save", saved, "--plot", gone)
    done = linscape("descend", DIABETES, *ONE, *options)
    assert done.status == 2
    assert len(done.err.splitlines()) == 1
    assert not saved.exists()
    assert list(tmp_path.iterdir()) == []


def test_the_data_are_not_written_over(linscape, tmp_path):
    rng = np.random.default_rng(0)
    file = tmp_path / "data.npz"
    np.savez(file, X=rng.standard_normal((9, 2)), y=rng.standard_normal(9))
    before = file.read_bytes()
    done = linscape("descend", file, "--target", "y", "--hidden", "2", "--save", file)
    assert done.status == 2
    assert file.read_bytes() == before


def test_help_shows_an_example(linscape):
    text = linscape("descend", "--help").out
    assert "linscape descend examples/data/diabetes.csv" in text
    for option in ("--scheme", "--gain", "--seed", "--starts", "--steps", "--step-size", "--save"):
        assert option in text
