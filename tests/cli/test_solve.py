"""What `linscape solve` prints is what the library says."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

import linscape as ls
from linscape.cli.numbers import bounds
from linscape.report import report

DIABETES = Path(__file__).parents[2] / "examples" / "data" / "diabetes.csv"
JOB = ("--hidden", "64,64", "--dropout", "0.2", "--weight-decay", "1e-3")


def problem(*, raw=False, **network):
    moments = ls.read_moments(DIABETES, target="progression")
    return ls.Problem(moments if raw else moments.standardized(), ls.Network(**network))


def strict(text):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def words(run):
    assert (run.status, run.err) == (0, "")
    return " ".join(run.out.split())


def test_page(diabetes):
    page = words(diabetes(*JOB))
    found = report(problem(hidden=(64, 64), noise=0.25, weight_decay=1e-3))
    low, high = map(float, re.search(r"between (\S+) and (\S+), proven", page).groups())
    assert low <= found.minimum.lower <= found.minimum.upper <= high
    assert high - low < 3 * (found.minimum.upper - found.minimum.lower)
    for fact in (
        "442 rows, 10 inputs, target progression",
        "centred and scaled to variance 1",
        "10 → 64 → 64 → 1",
        "noise variance 0.25",
        "weight_decay is 2γ = 0.002",
        "D = 2",
        f"τ = {found.problem.network.inflation:.6g}",
        "P = 1e-09",
        "learning",
        "trap",
        "Loss at zero 1: all of the variance",
        f"Ridge's loss {found.ridge.loss:.6g}",
        f"R² in-sample {found.r_squared:.4f}",
        f"γ* = {found.critical.learning:.4g}",
        f"{found.solutions[1].energy:.4g}",
    ):
        assert fact in page


def test_page_is_narrow_and_without_colour(diabetes):
    lines = diabetes(*JOB).out.splitlines()
    assert max(map(len, lines)) <= 80
    assert not any("\x1b" in line or line != line.rstrip() for line in lines)


@pytest.mark.parametrize(
    ("decay", "phase", "advice"),
    [
        ("0.001", "learning", "Start training away from zero"),
        ("0.36", "metastable", "--weight-decay 0.1"),
        ("0.5", "collapsed", "one hidden layer instead"),
        ("0.5,0.6,0.7", "collapsed", "Multiply every weight decay by less than"),
        ("0", "learning", "Add weight decay"),
    ],
)
def test_phases(diabetes, decay, phase, advice):
    page = words(diabetes("--hidden", "64,64", "--weight-decay", decay))
    assert f"Phase {phase}:" in page
    assert advice in page.partition("What next")[2]


def test_advised_decay_learns(diabetes):
    page = words(diabetes("--hidden", "64,64", "--weight-decay", "0.5"))
    decay = re.search(r"--weight-decay (\S+);", page)[1]
    assert "Phase learning" in words(diabetes("--hidden", "64,64", "--weight-decay", decay))


def test_one_hidden_layer_has_no_trap(diabetes):
    page = words(diabetes("--hidden", "8", "--weight-decay", "0.1"))
    assert "no trap" in page
    assert "zero is a saddle" in page


@pytest.mark.parametrize("hidden", ["none", ""])
def test_linear_model(diabetes, hidden):
    page = words(diabetes("--hidden", hidden, "--weight-decay", "0.1"))
    assert "10 → 1" in page
    assert "this network is ridge regression" in page
    assert "no weight decay is too large" in page


def test_json_is_the_library(diabetes):
    run = diabetes(*JOB, "--json")
    facts = strict(run.out)
    found = report(problem(hidden=(64, 64), noise=0.25, weight_decay=1e-3))
    assert (facts["schema"], facts["version"]) == ("linscape.solve", 1)
    assert facts["minimum"] == found.minimum.to_dict()
    assert facts["critical_weight_decay"] == found.critical.to_dict()
    assert facts["solutions"] == [one.to_dict() for one in found.solutions]
    assert facts["phase"]["zero_is_trap"] is True
    assert facts["r_squared_in_sample"] == found.r_squared
    assert facts["ridge"]["loss"] == found.ridge.loss
    assert facts["network"]["widths"] == [10, 64, 64, 1]
    assert facts["data"]["rows"] == 442


def test_json_has_infinity_as_a_word(diabetes):
    facts = strict(diabetes("--hidden", "none", "--json").out)
    assert facts["critical_weight_decay"]["learning"] == "inf"
    assert facts["network"]["log_decay_product"] == "-inf"


def test_r_squared_is_that_of_the_rows(diabetes):
    facts = strict(diabetes(*JOB, "--json").out)
    table = np.loadtxt(DIABETES, delimiter=",", skiprows=1)
    X, y = table[:, :-1], table[:, -1]
    X = (X - X.mean(0)) / X.std(0)
    z = (y - y.mean()) / y.std()
    error = np.mean((z - X @ facts["minimum"]["predictor"]) ** 2)
    assert facts["r_squared_in_sample"] == pytest.approx(1 - error, rel=1e-12)


def test_raw_keeps_the_units(diabetes):
    options = ("--hidden", "4", "--weight-decay", "0.1,0.2", "--raw")
    run = diabetes(*options)
    assert "progression squared" in words(run)
    assert "geometric mean" in words(run)
    facts = strict(diabetes(*options, "--json").out)
    own = problem(raw=True, hidden=(4,), weight_decay=(0.1, 0.2))
    assert facts["minimum"]["loss"] == ls.global_minimum(own).loss
    assert facts["loss_at_zero"] == own.moments.yy
    table = np.loadtxt(DIABETES, delimiter=",", skiprows=1)
    residual = table[:, -1] - table[:, :-1] @ facts["minimum"]["predictor"]
    share = np.mean(residual**2) / np.var(table[:, -1])
    assert facts["r_squared_in_sample"] == pytest.approx(1 - share, rel=1e-9)


def test_noise_options_agree(diabetes):
    one = diabetes("--hidden", "4,2", "--dropout", "0.5,0.2", "--input-dropout", ".5", "--json")
    two = diabetes("--hidden", "4,2", "--noise", "1,0.25", "--input-dropout", ".5", "--json")
    assert one == two
    assert strict(one.out)["network"]["input_noise"] == 1.0


def test_globs_weights_and_drops(linscape, tmp_path):
    header, *rows = DIABETES.read_text().splitlines()
    for part in (0, 1):
        (tmp_path / f"{part}.csv").write_text("\n".join([header, *rows[part::2]]) + "\n")
    options = ("--target", "progression", "--hidden", "4", "--weight-decay", "0.1", "--json")
    options += ("--sample-weight", "age", "--drop", "s1", "--drop", "sex")
    facts = strict(linscape("solve", tmp_path / "*.csv", *options).out)
    whole = strict(linscape("solve", DIABETES, *options).out)
    assert facts["data"]["rows"] == 442
    assert facts["data"]["inputs"] == 7
    assert facts["minimum"]["loss"] == pytest.approx(whole["minimum"]["loss"], rel=1e-12)


def test_one_hot(linscape, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("town,size,price\nA,1,2\nB,2,3\nA,3,7\nC,4,1\nB,5,5\n")
    options = ("solve", table, "--target", "price", "--hidden", "3", "--weight-decay", "0.01")
    without = linscape(*options)
    assert without.status == 2
    assert "town" in without.err
    facts = strict(linscape(*options, "--one-hot", "--json").out)
    assert facts["data"]["names"] == ["town=A", "town=B", "town=C", "size"]


def test_no_correlation_at_all(linscape, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("x,y\n-1,1\n1,1\n-1,-1\n1,-1\n")
    for hidden in ("none", "2", "2,2"):
        for decay in ("0", "0.1"):
            options = ("--target", "y", "--hidden", hidden, "--weight-decay", decay)
            assert "No input is correlated" in words(linscape("solve", table, *options))
            facts = strict(linscape("solve", table, *options, "--json").out)
            assert facts["phase"]["name"] == "collapsed"


def test_undecided_says_so(linscape, tmp_path):
    """At the critical decay itself no 64-bit float can tell the phase."""
    table = tmp_path / "t.csv"
    table.write_text("x,y\n-1,-1\n1,1\n")
    critical = ls.critical_weight_decay(
        ls.Problem(
            ls.read_moments(table, target="y").standardized(), ls.Network((2, 2), weight_decay=1)
        )
    )
    options = ("--target", "y", "--hidden", "2,2", "--weight-decay", repr(critical.learning))
    page = words(linscape("solve", table, *options))
    assert "undecided" in page
    assert "64-bit floats" in page


@pytest.mark.parametrize(
    ("low", "high"), [(0.1, 0.1 + 1e-16), (1 / 3, 1 / 3 + 1e-9), (0.0, 5e-324)]
)
def test_bounds_round_outwards(low, high):
    from fractions import Fraction

    down, up = bounds(low, high)
    assert Fraction(down) <= Fraction(low)
    assert Fraction(up) >= Fraction(high)
    assert math.isclose(float(down), low, rel_tol=1e-3)


def test_several_targets(linscape, tmp_path):
    picture = tmp_path / "modes.png"
    data = (DIABETES, "--target", "progression", "--target", "bmi")
    options = ("--hidden", "8,8", "--weight-decay", "0.01")
    page = linscape("solve", *data, *options, "--plot", picture).out
    assert "targets progression, bmi" in page
    assert "9 → 8 → 8 → 2" in page
    assert picture.stat().st_size > 1000
    facts = json.loads(linscape("solve", *data, *options, "--json").out)
    assert np.shape(facts["minimum"]["predictor"]) == (2, facts["data"]["inputs"])
    assert facts["critical_weight_decay"]["existence"] is None
    assert facts["phase"]["name"] == "learning"
    assert "learning ends" in linscape("phase", *data, *options).out
