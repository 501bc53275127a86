"""classify on networks with decay or noise: numerical, against theory for one output."""

import numpy as np
import pytest

import linscape as ls
from linscape.landscape.classify import classify
from linscape.landscape.symmetries import orbit_dimension

KINDS = {"saddle": "strict saddle", "minimum": "local minimum"}


def one_output(hidden, noise, decay, seed=0, **more):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((60, 3)) * [1.0, 2.0, 0.5]
    y = X @ [1.0, -1.0, 2.0] + 0.1 * rng.standard_normal(60)
    moments = ls.Moments.from_arrays(X, y)
    return ls.Problem(moments, ls.Network(hidden, noise=noise, weight_decay=decay, **more))


@pytest.mark.parametrize(
    ("hidden", "noise", "decay"),
    [
        ((3,), 0.0, 0.1),
        ((3,), 0.5, 0.1),
        ((2, 3), 0.0, 0.05),
        ((2, 3), 0.3, 0.02),
        ((2, 2, 2), 0.2, (0.01, 0.02, 0.01, 0.005)),
    ],
)
@pytest.mark.parametrize("bias", [False, "free"])
def test_every_solution_of_the_theory(hidden, noise, decay, bias):
    if bias == "free":
        noise = 0.0  # else zero is not isolated: biases of units that nothing reads are free
    problem = one_output(hidden, noise, decay, bias=bias)
    lowest = ls.global_minimum(problem).loss
    found = [(s, classify(problem, s.weights())) for s in ls.solutions(problem)]
    assert len(found) >= 2
    for solution, kind in found:
        is_global = solution.loss == pytest.approx(lowest, rel=1e-10)
        assert kind.kind == ("global minimum" if is_global else KINDS[solution.kind])
        assert kind.source.startswith("numerical")
        assert kind.gradient_norm < 1e-10  # solutions are polished to a few units of rounding
        if kind.inertia is not None:
            assert kind.inertia[0] == solution.index
        if kind.escape is not None:
            assert problem.loss(kind.escape.weights(kind.escape.step)) < solution.loss


def test_zero_is_a_local_minimum_of_deep_nets_and_a_saddle_of_shallow_ones():
    deep, shallow = one_output((2, 2), 0.1, 0.01), one_output((2,), 0.1, 0.01)
    zero = classify(deep, [np.zeros(shape) for shape in deep.shapes])
    assert (zero.kind, zero.inertia) == ("local minimum", (0, 0, 12))
    zero = classify(shallow, [np.zeros(shape) for shape in shallow.shapes])
    assert (zero.kind, zero.inertia) == ("strict saddle", (2, 0, 6))


def test_a_collapsed_net_has_its_global_minimum_at_zero():
    problem = one_output((3,), 0.0, 100.0)
    assert classify(problem, [np.zeros((3, 3)), np.zeros((1, 3))]).kind == "global minimum"


def test_several_outputs_have_no_certified_minimum_to_compare_with():
    rng = np.random.default_rng(1)
    C = np.diag([3.0, 1.0])
    problem = ls.Problem(ls.Moments(np.eye(2), C, C @ C), ls.Network((2,), weight_decay=0.5))
    # A = I: each mode shrinks to s = σ − γ, split evenly over the layers
    s = np.sqrt(np.array([3.0, 1.0]) - 0.5)
    rotation, _ = np.linalg.qr(rng.standard_normal((2, 2)))
    minimum = classify(problem, [rotation @ np.diag(s), np.diag(s) @ rotation.T])
    assert minimum.kind in {"local minimum", "global minimum"}
    assert minimum.inertia == (0, 1, 7)  # the rotation
    first = classify(problem, [rotation @ np.diag(s * [0, 1]), np.diag(s * [0, 1]) @ rotation.T])
    assert first.kind == "strict saddle"
    assert first.escape.curvature < 0


@pytest.mark.parametrize(("x", "y"), [(1e-8, 1.0), (1e8, 1e8), (1.0, 1e-8), (1e-8, 1e8)])
def test_units(x, y):
    # L scales with y² where the decay does with (y·x)·(layers): one hidden layer, γ ∝ x·y
    plain = one_output((2,), 0.3, 0.1)
    m = plain.moments
    scaled = ls.Problem(
        ls.Moments(m.A * x**2, m.C * x * y, m.yy * y**2),
        ls.Network((2,), noise=0.3, weight_decay=0.1 * x * y),
    )
    for solution in ls.solutions(scaled):
        expected = "global minimum" if solution.kind == "minimum" else "strict saddle"
        assert classify(scaled, solution.weights()).kind == expected


def test_weights_that_are_not_critical():
    problem = one_output((2, 3), 0.2, 0.02)
    weights = ls.global_minimum(problem).weights()
    near = [weight * (1 + 1e-9) for weight in weights]
    assert classify(problem, near).kind == "global minimum"
    found = classify(problem, [weight * 1.01 for weight in weights])
    assert found.kind == "not critical"
    assert found.gradient_norm > 1e-3


def test_a_degenerate_point_is_undecided():
    # at γ = ‖c‖ zero's least curvature 2γ − 2‖c‖ vanishes
    problem = ls.Problem(
        ls.Moments([[1.0]], [[1.0, 0.0]], np.eye(2)), ls.Network((1,), weight_decay=1.0)
    )
    found = classify(problem, [np.zeros((1, 1)), np.zeros((2, 1))])
    assert found.kind in {"undecided", "global minimum"}
    assert found.inertia == (0, 1, 2)


@pytest.mark.parametrize(
    ("noise", "decay", "dimension"),
    [(0.0, 0.1, 3), (0.5, 0.1, 0), (0.0, 0.0, 9), (0.5, 0.0, 3)],
)
def test_how_far_units_can_be_mixed(noise, decay, dimension):
    # rotations of three units, none, GL(3), rescalings
    problem = one_output((3,), noise, decay)
    rng = np.random.default_rng(2)
    weights = [rng.standard_normal((3, 3)), rng.standard_normal((1, 3))]
    assert orbit_dimension(problem, weights) == dimension
    assert orbit_dimension(problem, [0 * weight for weight in weights]) == 0


def test_mixing_leaves_the_loss_alone():
    problem = one_output((3,), 0.0, 0.1, bias="free")
    rng = np.random.default_rng(3)
    weights = [rng.standard_normal(shape) for shape in problem.shapes]
    rotation, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    shift = rng.standard_normal(3)
    W, U = rotation @ weights[0], weights[1].copy()
    U[:, :3] = U[:, :3] @ rotation.T
    W[:, -1] += shift
    U[:, -1] -= U[:, :3] @ shift
    assert problem.loss([W, U]) == pytest.approx(problem.loss(weights), rel=1e-12)
    assert orbit_dimension(problem, weights) == 3 + 3
