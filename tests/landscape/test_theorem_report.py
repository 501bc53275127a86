"""theorem_report: hypotheses decided by numbers known in advance, and what follows from them."""

import json

import numpy as np
import pytest

import linscape as ls
from linscape.landscape.classify import classify
from linscape.landscape.unregularised.theorems import theorem_report

DATA = (
    "E[xxᵀ] nonsingular",
    "E[yyᵀ] nonsingular",
    "E[xyᵀ] full rank",
    "d_y ≤ d_x",
    "distinct eigenvalues of Σ",
)
LOCAL, STRICT = "Kawaguchi (2016), 2.3 (ii)", "converse of 2.3 (iv)"


def problem(A, T, hidden=(3,), yy=None, **network):
    """Data with E[xxᵀ] = A and least squares T."""
    A, T = np.asarray(A, dtype=float), np.asarray(T, dtype=float)
    yy = T @ A @ T.T + np.eye(len(T)) if yy is None else yy
    return ls.Problem(ls.Moments(A, A @ T.T, yy), ls.Network(hidden, **network))


def holds(report):
    return tuple(report[name].holds for name in DATA)


def test_data_that_meet_everything():
    report = theorem_report(problem(np.diag([1.0, 2, 3]), [[3, 0, 0], [0, 1, 0]]))
    assert holds(report) == (True,) * 5
    assert all(g.printed is True and not g.missing for g in report.guarantees)
    assert all(g.holds is True for g in report.guarantees)


@pytest.mark.parametrize(
    ("case", "fails"),
    [
        (problem(np.diag([1.0, 0, 3]), [[3, 0, 0], [0, 0, 1]]), "E[xxᵀ] nonsingular"),
        (problem(np.eye(3), [[3, 0, 0], [0, 0, 0]]), "E[xyᵀ] full rank"),
        (problem(np.eye(1), [[3], [2]]), "d_y ≤ d_x"),
        (
            problem(np.eye(2), np.eye(2), yy=np.eye(2)),
            "distinct eigenvalues of Σ",
        ),
    ],
)
def test_one_hypothesis_at_a_time(case, fails):
    report = theorem_report(case)
    assert report[fails].holds is not True
    assert report[LOCAL].printed is not True
    assert fails in report[LOCAL].missing
    # what is concluded from it holds all the same
    assert report[LOCAL].holds is True
    assert report["Kawaguchi (2016), 2.3 (iii)"].holds is True


def test_repeated_values_are_undecided_and_not_needed():
    # λ = 1, 1 and one unit: every critical point is zero, or one direction of the circle
    case = problem(np.eye(2), np.eye(2), hidden=(1,))
    report = theorem_report(case)
    assert report["distinct eigenvalues of Σ"].holds is None
    for angle in np.linspace(0, np.pi, 7):
        u = np.array([np.cos(angle), np.sin(angle)])
        assert classify(case, [u[None], u[:, None]]).kind == "global minimum"
    assert classify(case, [np.zeros((1, 2)), np.zeros((2, 1))]).kind == "strict saddle"


def test_many_outputs_on_few_inputs_have_repeated_zeros():
    report = theorem_report(problem(np.eye(1), [[3], [2], [1]]))
    assert report["distinct eigenvalues of Σ"].holds is False
    # with one more output than inputs there is one zero, distinct from the rest
    report = theorem_report(problem(np.eye(2), [[3, 0], [0, 2], [0, 0]]))
    assert report["distinct eigenvalues of Σ"].holds is True


@pytest.mark.parametrize(("gap", "expected"), [(1e-9, True), (1e-15, None)])
def test_values_within_rounding_are_undecided(gap, expected):
    report = theorem_report(problem(np.eye(2), np.diag([1 + gap, 1.0])))
    assert report["distinct eigenvalues of Σ"].holds is expected


@pytest.mark.parametrize(("size", "expected"), [(1e-6, True), (1e-15, None)])
def test_ranks_within_rounding_are_undecided(size, expected):
    A = np.array([[1.0, 1 - size], [1 - size, 1.0]])
    report = theorem_report(problem(A, np.eye(2)))
    assert report["E[xxᵀ] nonsingular"].holds is expected


@pytest.mark.parametrize("unit", [1e-8, 1e8])
def test_units_change_nothing(unit):
    A, T = np.diag([1.0, unit**2]), np.diag([1.0, 2 / unit])
    assert holds(theorem_report(problem(A, T))) == (True,) * 5


def test_as_many_rows_as_columns_are_enough():
    X = np.array([[2.0, 0.0], [1.0, 1.0]])
    report = theorem_report(ls.Problem(ls.Moments.from_arrays(X, X), ls.Network((2,))))
    assert report["E[xxᵀ] nonsingular"].holds is True


def test_fewer_rows_than_columns():
    rng = np.random.default_rng(0)
    moments = ls.Moments.from_arrays(rng.standard_normal((3, 5)), rng.standard_normal((3, 2)))
    report = theorem_report(ls.Problem(moments, ls.Network((2,))))
    assert report["E[xxᵀ] nonsingular"].holds is False
    assert "3 rows, 5 columns" in report["E[xxᵀ] nonsingular"].detail


@pytest.mark.parametrize(("hidden", "strict"), [((), True), ((2,), True), ((2, 2), False)])
def test_strictness_is_a_matter_of_depth(hidden, strict):
    case = problem(np.eye(3), [[3, 0, 0], [0, 1, 0]], hidden=hidden)
    report = theorem_report(case)
    assert report[STRICT].holds is strict
    if hidden:
        zero = classify(case, [np.zeros(shape) for shape in case.shapes]).kind
        assert (zero == "strict saddle") is strict
        assert zero.endswith("saddle")
    assert report["hidden layer"].holds is bool(hidden)


def test_without_signal_there_is_no_saddle():
    case = problem(np.eye(2), np.zeros((1, 2)), hidden=(2, 2))
    assert theorem_report(case)[STRICT].holds is True


def test_bottlenecks():
    assert theorem_report(problem(np.eye(3), np.eye(3), (2,)))["no bottleneck"].holds is False
    assert theorem_report(problem(np.eye(3), np.eye(3), (3, 9)))["no bottleneck"].holds is True


@pytest.mark.parametrize(
    ("network", "name"),
    [({"weight_decay": 0.1}, "no decay"), ({"noise": 0.5}, "no noise")],
)
def test_decay_and_noise_leave_nothing(network, name):
    report = theorem_report(problem(np.eye(2), np.eye(2), **network))
    assert report[name].holds is False
    assert all(g.holds is None and g.printed is False for g in report.guarantees)


def test_the_rank_condition_makes_saddles_strict_without_its_hypotheses():
    # 2.3 (iv) at repeated values and d_y > d_x: W₂ of full rank, any saddle is strict
    rng = np.random.default_rng(1)
    T = np.array([[2.0, 0], [0, 2], [0, 0]])
    case = problem(np.eye(2), T, hidden=(2, 2))
    assert theorem_report(case)["Kawaguchi (2016), 2.3 (iv)"].printed is False
    W = rng.standard_normal((2, 2))
    found = classify(case, [np.zeros((2, 2)), W, np.zeros((3, 2))])
    assert found.kind == "strict saddle"


def test_names_and_json():
    report = theorem_report(problem(np.eye(2), np.eye(2)))
    with pytest.raises(KeyError):
        report["no such theorem"]
    back = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert len(back["hypotheses"]) == len(report.hypotheses)
    assert len(back["guarantees"]) == len(report.guarantees)
    for name in DATA:
        assert name in repr(report)
