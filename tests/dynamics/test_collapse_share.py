"""Shares of runs that collapse: against roots known by hand, the proven trap, and real descent."""

import json

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq

import linscape as ls
from linscape.dynamics.collapse_share import collapse_share
from linscape.dynamics.descent import descend
from linscape.errors import InvalidNetwork, NoExactSolution
from linscape.initialisation import random_weights

SCHEMES = ("kaiming", "xavier", "lecun", "orthogonal", "normal", "pytorch")


def problem_of(outputs=1, seed=0, **options):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((20, 3))
    Y = X @ rng.standard_normal((3, outputs)) + 0.3 * rng.standard_normal((20, outputs))
    return ls.Problem(ls.Moments.from_arrays(X, Y), ls.Network(**options))


def chain(decay=0.1):
    return ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((1, 1), weight_decay=decay))


def test_a_chain_of_single_units_collapses_below_the_root():
    # orthogonal 1×1 starts are ±g; with a positive product g moves as g² − g⁵ − γg
    root = brentq(lambda g: g - g**4 - 0.1, 0, 0.5)
    gains = [0.5 * root, 0.99 * root, 1.01 * root, 2 * root]
    found = collapse_share(chain(), schemes=["orthogonal"], gains=gains, starts=40, rng=3)
    draws = random_weights(chain(), scheme="orthogonal", rng=np.random.default_rng(3), batch=40)
    negative = int(np.sum(np.prod([W[:, 0, 0] for W in draws], axis=0) < 0))
    assert 0 < negative < 40
    assert found.collapsed.tolist() == [[40, 40, negative, negative]]
    assert not found.undecided.any()
    # the trap is g < γ, and its ball √3·g < √3·γ the same
    assert found.proven.tolist() == [[40 if gain < 0.1 else 0 for gain in gains]]


@pytest.mark.parametrize(("outputs", "noise"), [(1, 0.4), (2, 0.0)])
def test_what_is_proven_is_observed(outputs, noise):
    problem = problem_of(outputs, hidden=(3, 3), weight_decay=0.2, noise=noise)
    gains = np.geomspace(0.01, 2, 5)
    found = collapse_share(problem, schemes=SCHEMES, gains=gains, starts=6, rng=1)
    assert np.all(found.proven_share <= found.share)
    assert np.all(found.proven[:, 0] == 6)
    assert np.all(found.collapsed[:, 0] == 6)
    assert np.all(found.collapsed + found.undecided <= 6)
    assert found.collapsed.shape == (len(SCHEMES), len(gains))


def test_descent_with_small_steps_agrees():
    problem = problem_of(hidden=(3, 3), weight_decay=0.1, noise=0.3)
    gains = (0.1, 0.3, 0.6)
    found = collapse_share(problem, schemes=["lecun"], gains=gains, starts=8, rng=5)
    draws = random_weights(problem, scheme="lecun", rng=np.random.default_rng(5), batch=8)
    for j, gain in enumerate(gains):
        path = descend(problem, [gain * W for W in draws], step_size=0.02, steps=4000, every=4000)
        size = np.linalg.norm(problem.flatten(path.weights), axis=-1)
        assert np.sum(size < 1e-3) == found.collapsed[0, j]


def test_intervals_are_wilsons_and_undecided_runs_widen_them():
    problem = problem_of(hidden=(3, 3), weight_decay=0.1)
    gains = (0.05, 0.3, 0.6)
    found = collapse_share(problem, gains=gains, starts=25, rng=0, confidence=0.9)
    for j in range(3):
        wilson = stats.binomtest(int(found.collapsed[0, j]), 25).proportion_ci(0.9, "wilson")
        assert found.interval[0, j] == pytest.approx([wilson.low, wilson.high], rel=1e-10)
        assert found.interval[0, j, 0] <= found.share[0, j] <= found.interval[0, j, 1]
    short = collapse_share(problem, gains=gains, starts=25, rng=0, confidence=0.9, max_steps=1)
    assert np.all(short.undecided[0] > 0)
    most = found.collapsed + found.undecided
    assert np.all(short.collapsed <= most)
    assert np.all(short.interval[..., 1] >= found.interval[..., 1])


def test_where_the_phase_settles_it_nothing_is_run():
    collapsed = problem_of(hidden=(3, 3), weight_decay=50.0)
    found = collapse_share(collapsed, gains=[3.0], starts=5, rng=0)
    assert found.share.tolist() == [[1.0]]
    assert "not run" in found.method
    learning = problem_of(hidden=(3,), weight_decay=0.01)
    found = collapse_share(learning, gains=[1e-6, 1.0], starts=5, rng=0)
    assert found.share.tolist() == [[0.0, 0.0]]
    assert found.proven_share.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("unit", [1e-8, 1e8])
def test_units_do_not_matter(unit):
    problem = problem_of(hidden=(3, 3), weight_decay=0.1)
    m = problem.moments
    # y in another unit: decays times unit^{4/3} and weights times unit^{1/3}, D = 2
    other = ls.Problem(
        ls.Moments(m.A, unit * m.C, unit**2 * m.yy),
        ls.Network((3, 3), weight_decay=0.1 * unit ** (4 / 3)),
    )
    gains = np.array([0.05, 0.2, 0.4])
    one = collapse_share(problem, gains=gains, starts=12, rng=2)
    two = collapse_share(other, gains=unit ** (1 / 3) * gains, starts=12, rng=2)
    assert one.collapsed.tolist() == two.collapsed.tolist()
    assert one.proven.tolist() == two.proven.tolist()


@pytest.mark.parametrize(
    "wrong",
    [
        {"schemes": []},
        {"schemes": "kaiming"},
        {"schemes": ["no such"]},
        {"gains": []},
        {"gains": [0.0]},
        {"gains": [-1.0]},
        {"gains": [np.nan]},
        {"gains": ["a"]},
        {"gains": 1.0},
        {"starts": 0},
        {"starts": 2.5},
        {"max_steps": 0},
        {"confidence": 1.0},
    ],
)
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong)).rstrip("s")):
        collapse_share(chain(), rng=0, **wrong)


def test_hypotheses_are_needed():
    with pytest.raises(InvalidNetwork, match="decay"):
        collapse_share(problem_of(hidden=(2, 2), weight_decay=(0.1, 0.0, 0.1)), rng=0)
    rng = np.random.default_rng(0)
    biased = ls.Problem(
        ls.Moments.from_arrays(rng.standard_normal((9, 2)), rng.standard_normal(9)),
        ls.Network((2, 2), weight_decay=0.1, bias="decayed"),
    )
    with pytest.raises(NoExactSolution, match="bias"):
        collapse_share(biased, rng=0)


def test_rows_are_labelled():
    found = collapse_share(chain(), schemes=["lecun", "normal"], gains=[0.01, 0.5], starts=6, rng=0)
    facts = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert [(row["scheme"], row["gain"]) for row in facts["rows"]] == [
        ("lecun", 0.01), ("lecun", 0.5), ("normal", 0.01), ("normal", 0.5),
    ]  # fmt: skip
    assert [row["collapsed"] for row in facts["rows"]] == found.collapsed.ravel().tolist()
    assert facts["starts"] == 6


def test_progress_is_shown_when_asked(capsys):
    collapse_share(chain(), gains=[0.5], starts=2, rng=0)
    assert capsys.readouterr().out == ""
    collapse_share(chain(), gains=[0.5], starts=2, rng=0, progress=True)
    assert "collapse" in capsys.readouterr().out


@pytest.mark.slow
def test_what_is_proven_is_observed_on_many_problems():
    runs = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        depth = int(rng.integers(2, 4))
        problem = problem_of(
            int(rng.integers(1, 4)), seed,
            hidden=tuple(rng.integers(1, 5, depth).tolist()),
            weight_decay=(0.3 * rng.uniform(0.2, 1, depth + 1)).tolist(),
            noise=rng.uniform(0, 0.5, depth).tolist(),
        )  # fmt: skip
        found = collapse_share(
            problem, schemes=("kaiming", "orthogonal"), gains=np.geomspace(0.02, 1, 8),
            starts=20, rng=seed,
        )  # fmt: skip
        assert np.all(found.proven <= found.collapsed)
        runs += found.starts * found.collapsed.size
    print(f"{runs} runs on 40 problems: proven share never above the observed one")
