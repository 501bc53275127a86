"""The landscape without decay or noise, class by class."""

import json

import numpy as np
import pytest
from rank_limited import from_rows, rows, with_modes

import linscape as ls
from linscape.errors import NoExactSolution, OutOfRange
from linscape.landscape.unregularised import points
from linscape.landscape.unregularised.classes import mode_classes, unregularised_critical_points
from linscape.landscape.unregularised.values import critical_values


def degenerate(problem, modes, rng, monkeypatch):
    """The signs of the Hessian where all Z_h vanish."""
    layers = problem.network.depth + 1
    with monkeypatch.context() as patch:
        patch.setattr(points, "_vanishing", lambda *_, **__: layers)
        weights = points.critical_point(problem, modes=modes, rng=rng)
    values = np.linalg.eigvalsh(problem.hessian(weights))
    zero = 1e-9 * np.abs(values).max()
    negative, positive = int(np.sum(values < -zero)), int(np.sum(values > zero))
    return negative, len(values) - negative - positive, positive


@pytest.mark.parametrize("hidden", [(), (2,), (4,), (2, 2), (4, 3), (3, 4, 3)])
@pytest.mark.parametrize("data", ["tall", "square", "wide", "collinear", "few rows", "low rank"])
@pytest.mark.parametrize("bias", [False, "free"])
def test_the_inertia_is_that_of_the_dense_hessian(hidden, data, bias, monkeypatch):
    rng = np.random.default_rng(1)
    X, Y = rows(rng, 4, 3)
    X, Y = {
        "tall": (X, Y[:, :2]),
        "square": (X[:, :3], Y),
        "wide": (X[:, :2], Y),
        "collinear": (X[:, :2] @ rng.standard_normal((2, 4)), Y),
        "few rows": (X[:3], Y[:3]),
        "low rank": (X, Y[:, :1] @ rng.standard_normal((1, 3))),
    }[data]
    problem = from_rows(X, Y, hidden, bias=bias)
    for found in unregularised_critical_points(problem):
        assert found.inertia == degenerate(problem, found.modes, rng, monkeypatch)


def test_the_worked_example():
    moments = ls.Moments(np.eye(5), np.diag([5.0, 4, 3, 2, 1]), np.diag([25.0, 16, 9, 4, 1]))
    found = unregularised_critical_points(ls.Problem(moments, ls.Network((4, 4))))
    assert len(found) == 31
    by_modes = {one.modes: one for one in found}
    assert by_modes[0, 1, 2, 3].inertia == (0, 32, 24)
    assert by_modes[0, 1, 2].inertia == (0, 35, 21)
    assert by_modes[0, 1, 2, 3].kinds == ("global minimum",)
    assert by_modes[0, 1, 2].kinds == ("strict saddle", "non-strict saddle")
    assert by_modes[1, 2, 3].kinds == ("strict saddle",)
    assert by_modes[0,].gain == pytest.approx(25.0, rel=1e-12)


def test_classes_come_with_their_values_and_points():
    problem = from_rows(*rows(np.random.default_rng(2)), (2, 3))
    found = unregularised_critical_points(problem)
    assert [one.loss for one in found] == critical_values(problem).losses.tolist()
    for one in found:
        assert problem.loss(one.weights()) == pytest.approx(one.loss, rel=1e-10)
        assert one.loss + one.gain == pytest.approx(np.trace(problem.moments.yy), rel=1e-10)
        assert one.rank == len(one.modes)
    facts = json.loads(json.dumps([one.to_dict() for one in found], allow_nan=False))
    assert facts[0]["kinds"] == ["global minimum"]
    assert facts[-1]["modes"] == []


def test_equal_modes_leave_the_inertia_open_where_they_are_split():
    problem = with_modes([3.0, 2.0, 2.0], (3, 3), np.random.default_rng(3))
    by_modes = {one.modes: one for one in unregularised_critical_points(problem)}
    assert set(by_modes) == {(), (0,), (1,), (0, 1), (1, 2), (0, 1, 2)}
    assert by_modes[0, 1].inertia is None
    assert by_modes[0, 1].kinds == ("strict saddle", "non-strict saddle")
    assert by_modes[1, 2].inertia is not None


def test_too_many_classes_are_refused_and_still_come_one_by_one():
    rng = np.random.default_rng(4)
    problem = with_modes(np.linspace(2, 1, 20), (20, 20), rng)
    with pytest.raises(OutOfRange, match="table"):
        unregularised_critical_points(problem)
    assert next(mode_classes(problem)).kinds == ("global minimum",)


def test_networks_with_decay_are_refused():
    problem = from_rows(*rows(np.random.default_rng(5)), (2,), weight_decay=0.1)
    with pytest.raises(NoExactSolution, match="without weight decay"):
        unregularised_critical_points(problem)
