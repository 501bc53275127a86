"""Critical points built from their modes: gradient, loss, Hessian."""

import itertools

import numpy as np
import pytest
from rank_limited import from_rows, orthogonal, relative_slopes, rows, with_modes

import linscape as ls
import oracles
from linscape.errors import NoExactSolution
from linscape.landscape.unregularised.modes import data_modes
from linscape.landscape.unregularised.points import critical_point

HIDDEN = [(1,), (2,), (4,), (2, 2), (3, 4), (4, 2, 3), (3, 3, 3, 3)]


def inertia(problem, weights):
    """(n₋, n₀, n₊) of the dense Hessian, zero up to 1e-9 of the largest eigenvalue."""
    values = np.linalg.eigvalsh(problem.hessian(weights))
    zero = 1e-9 * np.abs(values).max()
    negative, positive = int(np.sum(values < -zero)), int(np.sum(values > zero))
    return negative, len(values) - negative - positive, positive


def sets_of(problem):
    """Every set of modes that the network can learn, with the kinds it is to have."""
    data = data_modes(problem)
    for rank in range(data.learned + 1):
        for modes in itertools.combinations(range(data.rank), rank):
            leading = modes == tuple(range(rank))
            if leading and rank == data.learned:
                yield modes, ["minimum"]
            elif leading and problem.network.depth > 1:
                yield modes, ["strict", "non-strict"]
            else:
                yield modes, ["strict"]


# ---- Every class of many architectures


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 3)])
def test_gradient_loss_and_curvature_are_those_of_the_class(hidden, shape):
    rng = np.random.default_rng(1)
    problem = from_rows(*rows(rng, *shape), hidden)
    total = np.trace(problem.moments.yy)
    values = data_modes(problem).values
    for modes, kinds in sets_of(problem):
        for kind in kinds:
            asked = None if kind == "minimum" else kind
            weights = critical_point(problem, modes=modes, kind=asked, rng=rng)
            assert relative_slopes(problem, weights) < 1e-12
            assert problem.loss(weights) == pytest.approx(
                total - sum(values[list(modes)]), rel=1e-10
            )
            negative, zero, _ = inertia(problem, weights)
            assert (negative > 0) == (kind == "strict")
            # what is learnt can be passed from layer to layer in other bases
            assert zero >= len(modes) ** 2 * problem.network.depth
            assert np.linalg.matrix_rank(problem.predictor(weights), tol=1e-9) == len(modes)


def test_without_a_kind_a_saddle_is_strict():
    rng = np.random.default_rng(2)
    problem = from_rows(*rows(rng, 3, 3), (3, 3))
    for modes in ((), (0,), (0, 1), (1,)):
        negative, _, _ = inertia(problem, critical_point(problem, modes=modes, rng=rng))
        assert negative > 0


def test_a_non_strict_saddle_is_no_minimum():
    # at zero of three layers the loss falls to third order only
    problem = with_modes([4.0, 1.0], (2, 2), np.random.default_rng(3))
    weights = critical_point(problem, modes=(0,), kind="non-strict", rng=0)
    lowest = min(
        problem.loss([W + 0.03 * V for W, V in zip(weights, directions, strict=True)])
        for directions in (
            ls.random_weights(problem, scheme="normal", rng=seed) for seed in range(4000)
        )
    )
    assert inertia(problem, weights)[0] == 0
    assert lowest > ls.global_minimum(problem).loss


def test_the_hessian_by_differences_says_the_same():
    rng = np.random.default_rng(4)
    X, Y = rows(rng, 2, 2, count=3)
    problem = from_rows(X, Y, (2, 2))
    objective = oracles.averaged_loss_and_gradient(X, Y)
    for kind, falls in (("strict", True), ("non-strict", False)):
        weights = critical_point(problem, modes=(0,), kind=kind, rng=rng)
        _, slopes = objective(weights)
        assert np.abs(oracles.flatten(slopes)).max() < 1e-12
        hessian = oracles.finite_difference_hessian(lambda w: objective(w)[0], weights)
        # differences over steps of ¼ lose some digits of the loss
        assert (np.linalg.eigvalsh(hessian)[0] < -1e-6) == falls


@pytest.mark.slow
def test_random_points_of_random_architectures():
    rng = np.random.default_rng(15)
    tried = 0
    for _ in range(200):
        shape = (int(rng.integers(1, 5)), int(rng.integers(1, 5)))
        hidden = tuple(rng.integers(1, 5, rng.integers(1, 5)).tolist())
        count = int(rng.integers(1, 12))
        problem = from_rows(*rows(rng, *shape, count=count), hidden)
        for modes, kinds in sets_of(problem):
            for kind in kinds:
                asked = None if kind == "minimum" else kind
                weights = critical_point(problem, modes=modes, kind=asked, rng=rng)
                assert relative_slopes(problem, weights) < 1e-11
                assert (inertia(problem, weights)[0] > 0) == (kind == "strict")
                tried += 1
    print(f"{tried} critical points of 200 networks")
    assert tried > 700


# ---- Worked examples


def test_a_network_of_one_unit_a_layer():
    # L = (1 − uvw)²: zero is a saddle whose Hessian vanishes, and strict ones do not exist… but do
    # with uv = 0 and one factor left: the Hessian's off-diagonal −2w is then not zero
    problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((1, 1)))
    flat = critical_point(problem, modes=(), kind="non-strict", rng=0)
    assert not any(W.any() for W in flat)
    bent = critical_point(problem, modes=(), kind="strict", rng=0)
    assert sum(bool(W.any()) for W in bent) == 1
    (size,) = (abs(W.item()) for W in bent if W.any())
    eigenvalues = np.linalg.eigvalsh(problem.hessian(bent))
    assert eigenvalues == pytest.approx([-2 * size, 0, 2 * size], abs=1e-12)


def test_the_worked_example_at_rank_three():
    # 5-4-4-5, modes {0, 1, 2}: published counts with all Z = 0, and with Z_2 alone
    moments = ls.Moments(np.eye(5), np.diag([5.0, 4, 3, 2, 1]), np.diag([25.0, 16, 9, 4, 1]))
    problem = ls.Problem(moments, ls.Network((4, 4)))
    kept = {
        tuple(inertia(problem, critical_point(problem, modes=(0, 1, 2), kind=kind, rng=seed)))
        for kind in ("strict", "non-strict")
        for seed in range(20)
    }
    assert (0, 35, 21) in kept
    assert (2, 31, 23) in kept
    assert inertia(problem, critical_point(problem, modes=(0, 1, 2, 3), rng=0)) == (0, 32, 24)


def test_the_reading_of_three_blocks_fails():
    # "W is tightened if for every pair one of B_{H:i+1}, B_{i−1:j+1}, B_{j−1:1} has rank r"
    problem = ls.Problem(ls.Moments(np.eye(2), [[1.0], [0.0]], [[1.0]]), ls.Network((1, 1)))
    first, second, third = weights = [np.array([[0.0, 1.0]]), np.zeros((1, 1)), np.zeros((1, 1))]
    assert not any(slope.any() for slope in problem.gradient(weights))
    assert not np.any(third @ second @ first)  # r = 0
    above, between, below = np.eye(1), np.eye(1), first  # the pair (3, 2)
    assert [np.linalg.matrix_rank(block) for block in (above, between, below)] == [1, 1, 1]
    # so it would be a strict saddle; but through the data the block is zero, and so is the Hessian
    assert not np.any(below @ problem.moments.C @ above)
    assert not np.any(problem.hessian(weights))
    assert problem.loss(weights) == 1.0


# ---- Data that lack something, repeated values, units


@pytest.mark.parametrize("hidden", [(3,), (3, 3), (2, 4, 3)])
def test_deficient_data(hidden):
    rng = np.random.default_rng(5)
    X, Y = rows(rng, 2, 3)
    collinear = from_rows(X @ rng.standard_normal((2, 4)), Y, hidden)
    few = from_rows(*rows(rng, 4, 3, count=2), hidden)
    low = from_rows(X, X @ rng.standard_normal((2, 1)) @ rng.standard_normal((1, 3)), hidden)
    constant = from_rows(np.column_stack([X, np.zeros(30)]), Y, hidden)
    for problem in (collinear, few, low, constant):
        total = np.trace(problem.moments.yy)
        for modes, kinds in sets_of(problem):
            for kind in kinds:
                asked = None if kind == "minimum" else kind
                weights = critical_point(problem, modes=modes, kind=asked, rng=rng)
                assert relative_slopes(problem, weights) < 1e-11
                explained = sum(data_modes(problem).values[list(modes)])
                assert problem.loss(weights) == pytest.approx(total - explained, abs=1e-12 * total)
                assert (inertia(problem, weights)[0] > 0) == (kind == "strict")


@pytest.mark.parametrize("modes", [(0, 1), (0, 2), (1, 2)])
def test_any_of_equal_modes_will_do(modes):
    rng = np.random.default_rng(6)
    problem = with_modes([2.0, 2.0, 2.0, 1.0], (3, 3), rng)
    weights = critical_point(problem, modes=modes, kind="non-strict", rng=rng)
    assert relative_slopes(problem, weights) < 1e-12
    assert inertia(problem, weights)[0] == 0


@pytest.mark.parametrize("x_scale", [1e-8, 1e8])
@pytest.mark.parametrize("y_scale", [1e-8, 1e8])
def test_units_of_x_and_y(x_scale, y_scale):
    rng = np.random.default_rng(7)
    X, Y = rows(rng, 3, 3)
    problem = from_rows(X * x_scale, Y * y_scale, (3, 4))
    for modes, kinds in sets_of(problem):
        asked = None if kinds == ["minimum"] else kinds[-1]
        weights = critical_point(problem, modes=modes, kind=asked, rng=rng)
        assert relative_slopes(problem, weights) < 1e-12
        sizes = [np.linalg.norm(W) for W in weights if W.any()]
        assert not sizes or max(sizes) < 1e3 * min(sizes)


def test_free_biases():
    rng = np.random.default_rng(8)
    X, Y = rows(rng, 3, 3)
    problem = from_rows(X + 2, Y - 1, (3, 3), bias="free")
    for modes, kinds in sets_of(problem):
        for kind in kinds:
            asked = None if kind == "minimum" else kind
            weights = critical_point(problem, modes=modes, kind=asked, rng=rng)
            assert relative_slopes(problem, weights) < 1e-11
            assert (inertia(problem, weights)[0] > 0) == (kind == "strict")


def test_random_points_differ_and_seeds_repeat():
    problem = from_rows(*rows(np.random.default_rng(9)), (3, 3))
    one, same, other = (critical_point(problem, modes=(1,), rng=seed) for seed in (0, 0, 1))
    assert all(np.array_equal(*pair) for pair in zip(one, same, strict=True))
    assert np.abs(one[0] - other[0]).max() > 0.01


def test_a_wide_network():
    rng = np.random.default_rng(10)
    problem = from_rows(*rows(rng, 20, 10, count=100), (200, 300))
    weights = critical_point(problem, modes=(0, 3, 7), rng=rng)
    assert relative_slopes(problem, weights) < 1e-11


def test_rotating_the_data_rotates_the_loss_not_the_class():
    rng = np.random.default_rng(11)
    X, Y = rows(rng, 3, 3)
    turned = from_rows(X @ orthogonal(3, rng), Y @ orthogonal(3, rng), (2, 3))
    one = from_rows(X, Y, (2, 3))
    for modes in ((), (1,), (0, 2)):
        losses = [p.loss(critical_point(p, modes=modes, rng=rng)) for p in (one, turned)]
        assert losses[1] == pytest.approx(losses[0], rel=1e-10)


# ---- What does not exist


@pytest.mark.parametrize(
    ("hidden", "modes", "kind", "words"),
    [
        ((3,), (0,), "non-strict", "with one hidden layer"),
        ((3,), (), "non-strict", "with one hidden layer"),
        ((3, 3), (1,), "non-strict", "explain less"),
        ((3,), (0, 2), "non-strict", "explain less"),
        ((2, 3), (0, 1), "strict", "global minimum"),
        ((2, 3), (0, 1), "non-strict", "global minimum"),
        ((2, 3), (0, 1, 2), None, "least width"),
        ((3, 3), (3,), None, "3 modes"),
        ((3, 3), (-1,), None, "at least 0"),
        ((3, 3), (1, 1), None, "distinct"),
        ((3, 3), (0.5,), None, "whole numbers"),
        ((3, 3), 1, None, "whole numbers"),
        ((), (0,), None, "without a hidden layer"),
        ((), (0, 1, 2), "strict", "global minimum"),
    ],
)
def test_what_does_not_exist_is_refused_with_the_reason(hidden, modes, kind, words):
    problem = from_rows(*rows(np.random.default_rng(12)), hidden)
    with pytest.raises(NoExactSolution, match=words):
        critical_point(problem, modes=modes, kind=kind, rng=0)


def test_other_kinds_and_networks_are_refused():
    data = rows(np.random.default_rng(13))
    with pytest.raises(ValueError, match="'non-strict'"):
        critical_point(from_rows(*data, (3,)), modes=(0,), kind="minimum", rng=0)
    with pytest.raises(NoExactSolution, match="without weight decay"):
        critical_point(from_rows(*data, (3,), weight_decay=0.1), modes=(0,), rng=0)


def test_without_a_hidden_layer_it_is_least_squares():
    X, Y = rows(np.random.default_rng(14))
    (W,) = critical_point(from_rows(X, Y, ()), modes=(0, 1, 2), rng=0)
    coefficients, *_ = np.linalg.lstsq(X, Y, rcond=None)
    assert np.abs(coefficients.T - W).max() < 1e-10


def test_data_that_are_all_zero_have_zero_alone():
    problem = ls.Problem(ls.Moments([[0.0]], [[0.0, 0.0]], np.zeros((2, 2))), ls.Network((2, 4)))
    weights = ls.critical_point(problem, modes=[], rng=7)
    assert problem.loss(weights) == 0.0
    assert not any(np.any(G) for G in problem.gradient(weights))
