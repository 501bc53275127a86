"""classify on networks without decay or noise: theory against Hessians, exact and in float64."""

import itertools

import numpy as np
import pytest
from critical_cases import (
    critical_weights,
    exact,
    exact_hessian,
    exact_inertia,
    expected_kind,
    modes_of,
)

import linscape as ls
from linscape.landscape.classify import classify

WIDEST = 5


def moments(rng, inputs, outputs, rank=None):
    """Moments of well-conditioned data, E[xxᵀ] of the given rank."""
    rank = inputs if rank is None else rank
    Q, _ = np.linalg.qr(rng.standard_normal((inputs, inputs)))
    root = Q[:, :rank] * rng.uniform(0.5, 1.5, rank)
    T = rng.standard_normal((outputs, rank))
    A, C = root @ root.T, root @ T.T
    return (A + A.T) / 2, C, T @ T.T + 0.5 * np.eye(outputs)


def random_point(rng, *, deficient=False):
    """A problem with critical weights, and what they are made of."""
    layers = int(rng.integers(2, 6))
    inputs, outputs = (int(n) for n in rng.integers(1, WIDEST + 1, 2))
    rank = int(rng.integers(1, inputs + 1)) if deficient else inputs
    hidden = tuple(int(n) for n in rng.integers(1, WIDEST + 1, layers - 1))
    A, C, yy = moments(rng, inputs, outputs, rank)
    most, available = min(inputs, *hidden, rank, outputs), min(rank, outputs)
    r = int(rng.integers(0, most + 1))
    modes = list(range(r))
    if rng.random() < 0.5:
        modes = sorted(rng.choice(available, r, replace=False).tolist())
    count = int(rng.integers(2, layers + 1))
    zeros = sorted((rng.choice(layers, count, replace=False) + 1).tolist())
    weights = critical_weights(A, C, hidden, modes, zeros, rng)
    kind = expected_kind(modes_of(A, C)[0][:available], hidden, inputs, modes, zeros)
    return ls.Problem(ls.Moments(A, C, yy), ls.Network(hidden)), weights, modes, kind


def check_against_hessian(problem, weights, modes, kind):
    found = classify(problem, weights)
    assert found.kind == kind
    assert found.rank == len(modes)
    assert found.modes == tuple(modes)
    values = np.linalg.eigvalsh(problem.hessian(weights))
    zero = 1e-9 * np.abs(values).max()  # rounding of products of five layers, and of eigvalsh
    signs = (np.sum(values < -zero), np.sum(np.abs(values) <= zero), np.sum(values > zero))
    assert (signs[0] > 0) == (kind == "strict saddle")
    assert found.inertia in (None, signs)
    if found.escape is not None:
        lower = problem.loss(found.escape.weights(found.escape.step))
        assert lower < problem.loss(weights)
    assert (found.escape is not None) == kind.endswith("saddle")


@pytest.mark.parametrize("seed", range(60))
def test_random_critical_points(seed):
    check_against_hessian(*random_point(np.random.default_rng(seed)))


@pytest.mark.parametrize("seed", range(30))
def test_random_critical_points_of_deficient_data(seed):
    check_against_hessian(*random_point(np.random.default_rng(1000 + seed), deficient=True))


@pytest.mark.slow
def test_many_random_critical_points():
    counts = {}
    for seed in range(3000):
        case = random_point(np.random.default_rng(10_000 + seed), deficient=seed % 2 == 0)
        check_against_hessian(*case)
        counts[case[-1]] = counts.get(case[-1], 0) + 1
    print(counts)
    assert len(counts) == 3


# ---- Integers: exact Hessians in rational arithmetic


def integer_points(rng, count):
    """Critical points with entries −1, 0, 1 and X = I, found by drawing; all kinds of Z."""
    found = 0
    while found < count:
        widths = rng.integers(1, 4, int(rng.integers(3, 6)))
        Y = np.zeros((widths[-1], widths[0]))
        np.fill_diagonal(Y, rng.choice([0, 1, 1, 2, 3], min(Y.shape)))
        layers = [
            rng.choice([0, 0, 0, 0, 1, -1], (after, before)).astype(float)
            for before, after in itertools.pairwise(widths)
        ]
        if not Y.any() or sum(layer.size for layer in layers) > 14:
            continue
        if is_critical(layers, Y):
            found += 1
            yield Y, layers


def is_critical(layers, Y):
    """Whether B_{N:h+1}ᵀ(P − Y)B_{h−1:1}ᵀ = 0 for every h, in exact integers."""
    lower = [np.eye(Y.shape[1])]
    for layer in layers:
        lower.append(layer @ lower[-1])
    upper = [np.eye(len(Y))]
    for layer in layers[::-1]:
        upper.append(upper[-1] @ layer)
    E = lower[-1] - Y
    return not any(
        (above.T @ E @ below.T).any()
        for above, below in zip(upper[-2::-1], lower[:-1], strict=True)
    )


def integer_problem(Y, layers):
    hidden = tuple(len(layer) for layer in layers[:-1])
    return ls.Problem(ls.Moments(np.eye(Y.shape[1]), Y.T, Y @ Y.T), ls.Network(hidden))


@pytest.mark.parametrize("seed", range(5))
def test_exact_inertia_of_integer_points(seed):
    for Y, layers in integer_points(np.random.default_rng(seed), 5):
        gradient, hessian = exact_hessian(
            exact(np.eye(Y.shape[1])), exact(Y), [exact(layer) for layer in layers]
        )
        assert not any(gradient)
        inertia = exact_inertia(hessian)
        values = np.sort(np.diag(Y[: Y.shape[1], : len(Y)]) ** 2)[::-1]
        least = np.sum(Y**2) - np.sum(values[: min(len(Y), *map(len, layers), Y.shape[1])])
        problem = integer_problem(Y, layers)
        found = classify(problem, layers)
        if problem.loss(layers) == least:
            assert found.kind == "global minimum"
        else:
            assert found.kind == ("strict saddle" if inertia[0] else "non-strict saddle")
        assert found.inertia == inertia


def test_the_exact_oracle_against_a_hand_computed_hessian():
    # (1 − uw)²: derivatives 2u², 2w² and 4uw − 2
    gradient, hessian = exact_hessian(exact([[1]]), exact([[1]]), [exact([[2]]), exact([[3]])])
    assert gradient == [30, 20]
    assert hessian == [[18, 22], [22, 8]]
    assert exact_inertia(hessian) == (1, 0, 1)
    assert exact_inertia(exact([[0, 1, 0], [1, 0, 0], [0, 0, 0]])) == (1, 1, 1)


# ---- The published examples


@pytest.mark.parametrize(
    ("modes", "zeros", "kind", "inertia"),
    [
        ([0, 1, 2], (1, 2, 3), "non-strict saddle", (0, 35, 21)),
        ([0, 1, 2], (1, 3), "strict saddle", (2, 31, 23)),
        ([0, 1, 2, 3], (1, 2, 3), "global minimum", (0, 32, 24)),
    ],
)
def test_five_four_four_five(modes, zeros, kind, inertia):
    rng = np.random.default_rng(5)
    A = np.diag([1.0, 2.0, 1.0, 0.5, 1.0])
    C = A @ np.diag([5.0, 4.0, 3.0, 2.0, 1.0])
    problem = ls.Problem(ls.Moments(A, C, C @ np.linalg.inv(A) @ C), ls.Network((4, 4)))
    weights = critical_weights(A, C, (4, 4), modes, zeros, rng)
    found = classify(problem, weights)
    # Z_2 is one by one here, so that one of two entries decides for strictness
    assert (found.kind, found.inertia) == (kind, inertia)


def test_the_counterexample_to_the_reading_by_single_blocks():
    # at pivot (3, 2) none of B_{N:i+1}, B_{i−1:j+1}, B_{j−1:1} has rank 0; read one by one they
    # would make this strict
    X, Y = np.eye(2), np.array([[1.0, 0.0]])
    weights = [np.array([[0.0, 1.0]]), np.zeros((1, 1)), np.zeros((1, 1))]
    problem = ls.Problem(ls.Moments.from_arrays(X.T, Y.T), ls.Network((1, 1)), reduction="sum")
    found = classify(problem, weights)
    assert not problem.hessian(weights).any()
    assert problem.loss(weights) == 1.0
    assert found.kind == "non-strict saddle"
    assert found.tightened is True
    assert found.inertia == (0, 4, 0)
    assert problem.loss(found.escape.weights(found.escape.step)) < 1.0


def test_kawaguchis_setting_with_one_input_and_two_hidden_units():
    # ½‖Y − W₂W₁X‖², X = [1 2], Y = [2 4]: −10, −10, 10, 10 at zero and 5(‖a‖² + ‖b‖²) on both
    # families of minima, which the worked example has the wrong way round
    problem = ls.Problem(
        ls.Moments.from_arrays([[1.0], [2.0]], [[2.0], [4.0]]),
        ls.Network((2,)),
        reduction="half_sum",
    )
    zero = [np.zeros((2, 1)), np.zeros((1, 2))]
    np.testing.assert_allclose(np.linalg.eigvalsh(problem.hessian(zero)), [-10, -10, 10, 10])
    assert classify(problem, zero).inertia == (2, 0, 2)
    assert classify(problem, zero).kind == "strict saddle"
    for a, b in (((3.0, 2.0), (1.0, -0.5)), ((4.0, 0.0), (0.5, 7.0))):
        weights = [np.array(b)[:, None], np.array(a)[None]]
        found = classify(problem, weights)
        assert (found.kind, found.inertia) == ("global minimum", (0, 3, 1))
        largest = np.linalg.eigvalsh(problem.hessian(weights))[-1]
        assert largest == pytest.approx(5 * (np.dot(a, a) + np.dot(b, b)), rel=1e-12)


def test_no_hidden_layer_has_only_global_minima():
    rng = np.random.default_rng(0)
    A, C, yy = moments(rng, 4, 3)
    problem = ls.Problem(ls.Moments(A, C, yy), ls.Network(()))
    solution = np.linalg.solve(A, C).T
    assert classify(problem, [solution]).kind == "global minimum"
    assert classify(problem, [solution * 1.1]).kind == "not critical"


@pytest.mark.parametrize("hidden", [(3,), (2, 4)])
def test_data_without_signal_have_only_global_minima(hidden):
    problem = ls.Problem(ls.Moments(np.eye(3), np.zeros((3, 2)), np.eye(2)), ls.Network(hidden))
    sizes = [3, *hidden, 2]
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal((b, a)) for a, b in itertools.pairwise(sizes)]
    assert classify(problem, weights).kind == "not critical"
    weights[0] *= 0
    assert classify(problem, weights).kind == "global minimum"


def test_inputs_that_are_all_zero():
    problem = ls.Problem(ls.Moments(np.zeros((2, 2)), np.zeros((2, 1)), [[1.0]]), ls.Network((3,)))
    found = classify(problem, [np.ones((3, 2)), np.ones((1, 3))])
    assert (found.kind, found.rank, found.inertia) == ("global minimum", 0, (0, 9, 0))


@pytest.mark.parametrize(
    ("zeros", "kind", "order"),
    [((3, 9, 15), "non-strict saddle", 3), ((1, 2, 8, 14, 20), "non-strict saddle", 5)],
)
def test_twenty_layers(zeros, kind, order):
    C = np.diag([4.0, 3.0, 2.0, 1.0])
    problem = ls.Problem(ls.Moments(np.eye(4), C, C @ C), ls.Network((5,) * 19))
    weights = critical_weights(
        np.eye(4), C, (5,) * 19, [0], zeros, np.random.default_rng(0), spread=1.2
    )
    found = classify(problem, weights)
    assert (found.kind, found.escape.order) == (kind, order)
