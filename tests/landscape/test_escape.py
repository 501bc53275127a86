"""Ways down from saddles: what an escape claims, evaluated."""

import json

import numpy as np
import pytest
from critical_cases import critical_weights

import linscape as ls
from linscape.landscape.classify import classify

A = np.diag([1.0, 2.0, 0.5, 1.0])
C = A @ np.array([[3.0, 0, 0], [0, 1, 0], [0, 0, 2], [0, 0, 0]])
YY = C.T @ np.linalg.inv(A) @ C + np.eye(3)  # λ = 9, 2, 2


def saddle(hidden, modes, zeros, seed=0):
    rng = np.random.default_rng(seed)
    problem = ls.Problem(ls.Moments(A, C, YY), ls.Network(hidden))
    weights = critical_weights(A, C, hidden, modes, zeros, rng)
    found = classify(problem, weights)
    return problem, weights, found


def slope(problem, weights, escape):
    """The power of t at which the loss falls, from two steps where the fall is visible."""
    steps = escape.step * np.array([0.5, 0.25])
    before = problem.loss(weights)
    falls = [before - problem.loss(escape.weights(t)) for t in steps]
    return np.log2(falls[0] / falls[1]), falls[1] / steps[1] ** escape.order


DIRECTIONS = [
    ((3,), [], (1, 2)),
    ((4,), [0], (1, 2)),
    ((4,), [1], (1, 2)),
    ((3, 4), [0], (1, 3)),
    ((3, 4), [0], (2, 3)),
    ((3, 4), [2], (1, 2, 3)),
    ((3, 3, 3), [0], (1, 4)),
    ((3, 3, 3), [1, 2], (1, 2)),
]


@pytest.mark.parametrize(("hidden", "modes", "zeros"), DIRECTIONS)
def test_a_direction_has_the_curvature_it_claims(hidden, modes, zeros):
    problem, weights, found = saddle(hidden, modes, zeros)
    escape = found.escape
    assert (found.kind, escape.kind, escape.order) == ("strict saddle", "direction", 2)
    V = problem.flatten(escape.direction)
    assert pytest.approx(1.0, rel=1e-12) == V @ V
    hessian = problem.hessian(weights)
    assert V @ hessian @ V == pytest.approx(escape.curvature, rel=1e-10)
    assert escape.curvature < 0
    assert escape.coefficient == escape.curvature / 2
    assert np.linalg.eigvalsh(hessian)[0] <= escape.curvature * (1 - 1e-10)
    assert [part.shape for part in found.direction] == [weight.shape for weight in weights]


@pytest.mark.parametrize(("hidden", "modes", "zeros"), DIRECTIONS)
def test_the_loss_falls_by_what_is_claimed(hidden, modes, zeros):
    problem, weights, found = saddle(hidden, modes, zeros)
    escape = found.escape
    after = problem.loss(escape.weights(escape.step))
    assert problem.loss(weights) - after == pytest.approx(escape.decrease, rel=1e-8)
    assert escape.decrease > 0
    # ten per cent is what the leading order may be off by at the step
    predicted = -escape.coefficient * escape.step**2
    assert escape.decrease == pytest.approx(predicted, rel=0.11)


@pytest.mark.parametrize(
    ("hidden", "modes", "zeros", "order"),
    [
        ((3, 3), [], (1, 2, 3), 3),
        ((3, 4), [0], (1, 2, 3), 3),
        ((3, 3, 3), [0], (1, 2, 3), 3),
        ((3, 4, 3), [0, 1], (1, 2, 4), 3),
        ((3, 3, 3), [0], (1, 2, 3, 4), 4),
        ((3, 3, 3, 3), [], (1, 2, 3, 4, 5), 5),
        ((3, 3, 3, 3), [0], (2, 3, 5), 3),
    ],
)
def test_a_path_falls_at_its_order(hidden, modes, zeros, order):
    # modes 1 and 2 have the same value; with one of the two, the others are the largest still
    problem, weights, found = saddle(hidden, modes, zeros)
    escape = found.escape
    assert (found.kind, escape.kind, escape.order) == ("non-strict saddle", "path", order)
    assert escape.curvature is None
    assert escape.exponents == (1,) * len(weights)
    measured, coefficient = slope(problem, weights, escape)
    # the leading order is within ten per cent at the step, so nearer at a half and a quarter
    assert measured == pytest.approx(order, abs=0.1)
    assert coefficient == pytest.approx(-escape.coefficient, rel=0.05)
    assert problem.loss(weights) - problem.loss(escape.weights(escape.step)) == pytest.approx(
        escape.decrease, rel=1e-8
    )


def test_a_path_known_by_hand():
    # (1 − uvw)² at zero: along t(1, 1, 1)/√3 it is 1 − 2t³/√27 + t⁶/27
    problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((1, 1)))
    escape = classify(problem, [np.zeros((1, 1))] * 3).escape
    assert escape.order == 3
    assert escape.coefficient == pytest.approx(-2 / np.sqrt(27), rel=1e-12)
    assert abs(escape.direction[0][0, 0]) == pytest.approx(1 / np.sqrt(3), rel=1e-12)
    t = 0.3
    assert problem.loss(escape.weights(t)) == pytest.approx(
        1 - 2 * t**3 / np.sqrt(27) + t**6 / 27, rel=1e-12
    )


def test_a_path_whose_partial_products_cost():
    # T = [1 0 0], W₁ = [0 1 0]: moving the upper two layers alone costs t⁴, all three gain t³
    T = np.array([[1.0, 0.0, 0.0]])
    problem = ls.Problem(ls.Moments(np.eye(3), T.T, [[1.0]]), ls.Network((1, 1)))
    weights = [np.array([[0.0, 1.0, 0.0]]), np.zeros((1, 1)), np.zeros((1, 1))]
    found = classify(problem, weights)
    assert (found.kind, found.escape.order) == ("non-strict saddle", 3)
    assert problem.loss(found.escape.weights(found.escape.step)) < 1


def test_a_path_whose_layers_move_at_different_powers():
    # the middle mover alone changes what the net computes, so it must go slower than the others
    Y = np.zeros((3, 3))
    Y[2, 2] = 1.0
    weights = [
        np.array([[1.0, 0, 0]]),
        np.array([[1.0], [0], [0]]),
        np.array([[0, -1.0, 0]]),
        np.array([[0], [-1.0], [0]]),
        np.array([[-1.0, 0, 0], [-1, 1, 0], [0, 0, 0]]),
    ]
    problem = ls.Problem(ls.Moments(np.eye(3), Y.T, Y @ Y.T), ls.Network((1, 3, 1, 3)))
    found = classify(problem, weights)
    escape = found.escape
    assert found.kind == "non-strict saddle"
    assert set(escape.exponents) > {1}
    steps = (0.1, 0.05)
    falls = [1 - problem.loss(escape.weights(t)) for t in steps]
    assert np.log2(falls[0] / falls[1]) == pytest.approx(escape.order, abs=0.3)


def test_a_global_minimum_has_no_escape():
    _, _, found = saddle((3, 3), [0, 1, 2], (1, 2))
    assert found.kind == "global minimum"
    assert found.escape is None
    assert found.direction is None


def test_json():
    for case in (((3,), [], (1, 2)), ((3, 3), [], (1, 2, 3)), ((3, 3), [0, 1, 2], (1, 2))):
        _, _, found = saddle(*case)
        text = json.dumps(found.to_dict(), allow_nan=False)
        back = json.loads(text)
        assert back["kind"] == found.kind
        assert (back["escape"] is None) == (found.escape is None)
        assert found.kind in repr(found)
