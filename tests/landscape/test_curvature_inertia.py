"""The inertia of the Hessian: counted, computed, and exact in rational arithmetic."""

import itertools
import json

import numpy as np
import pytest
from curvature_points import critical_point, data, exact_inertia, integer_hessian

import linscape as ls
from cases import NOISES, orthogonal, tiny_net
from linscape.errors import InvalidWeights, OutOfRange
from linscape.landscape.curvature import (
    inertia,
    structured_inertia,
    zero_residual_inertia,
)
from oracles import averaged_loss_and_gradient, flatten


def problem_of(point_data, hidden):
    """The problem whose critical points they are."""
    return ls.Problem(point_data.moments, ls.Network(hidden))


def check_critical(problem, weights):
    """The gradient is zero beside its own terms."""
    size = max(np.abs(W).max() for W in weights) + 1
    assert max(np.abs(G).max() for G in problem.gradient(weights)) <= 1e-9 * size**6


# ---- The published case


PUBLISHED = [
    ((0, 1, 2), False, (0, 35, 21)),
    ((0, 1, 2), True, (2, 31, 23)),
    ((0, 1, 2, 3), False, (0, 32, 24)),
]


@pytest.mark.parametrize(("modes", "inner", "expected"), PUBLISHED)
def test_the_widths_5_4_4_5(modes, inner, expected):
    rng = np.random.default_rng(0)
    known = data(rng, 5, [5, 4, 3, 2, 1])
    Z = {2: np.array([[0.7]])} if inner else {}
    problem, weights = problem_of(known, (4, 4)), critical_point(rng, known, modes, (4, 4), Z)
    check_critical(problem, weights)
    counted = structured_inertia([5, 4, 3, 2, 1], modes, (5, 4, 4, 5), inner_rank=int(inner))
    assert counted == inertia(problem, weights).counts == expected


# ---- Exact rational arithmetic


def integer_columns(size, vector):
    """Orthogonal columns of integers, all of length v·v: (v·v) I − 2 v vᵀ."""
    v = np.asarray(vector[:size])
    return v @ v * np.eye(size, dtype=int) - 2 * np.outer(v, v)


def unimodular(size, rng):
    """An integer matrix and its integer inverse."""
    D, inverse = np.eye(size, dtype=int), np.eye(size, dtype=int)
    for i, j in itertools.permutations(range(size), 2):
        k = int(rng.integers(-1, 2))
        D[:, j] += k * D[:, i]
        inverse[i] -= k * inverse[j]
    assert (D @ inverse == np.eye(size)).all()
    return D, inverse


def integer_point(rng, widths, factors, modes, Z=None):
    """Y = Σ u_i y_iᵀ with X = I, and integer weights of these modes: exact λ and a critical point.

    λ_i = |u_i|²|y_i|² = (v·v)²(w·w)² factors_i², so that equal factors are equal eigenvalues.
    """
    inputs, *hidden, outputs = widths
    U = integer_columns(outputs, [1, 1, 0, 1, 2])
    V = integer_columns(inputs, [1, 0, 1, 2, 1])
    count = min(inputs, outputs)
    factors = np.asarray(factors[:count])
    Y = U[:, :count] @ (factors[:, None] * V[:, :count].T)
    lengths = int(U[:, 0] @ U[:, 0]) * int(V[:, 0] @ V[:, 0])
    eigenvalues = np.concatenate([lengths * factors**2, np.zeros(outputs - count, dtype=int)])
    modes, r, Z = list(modes), len(modes), Z or {}
    rest = [i for i in range(outputs) if i not in modes]
    layers = []
    for h, (below, above) in enumerate(itertools.pairwise(widths), start=1):
        W = np.zeros((above, below), dtype=int)
        if h == 1:
            W[:r] = (factors[:, None] * V[:, :count].T)[modes]
            W[r:] = Z.get(h, 0)
        elif h == len(widths) - 1:
            W[:, :r], W[:, r:] = U[:, modes], U[:, rest] @ Z[h] if h in Z else 0
        else:
            W[:r, :r] = np.eye(r)
            W[r:, r:] = Z.get(h, 0)
        layers.append(W)
    for h, width in enumerate(hidden):
        D, inverse = unimodular(width, rng)
        layers[h], layers[h + 1] = D @ layers[h], layers[h + 1] @ inverse
    return Y, eigenvalues, layers


INTEGER_CASES = [
    ((5, 4, 4, 5), [5, 4, 3, 2, 1], (0, 1, 2), {}, 0),
    ((5, 4, 4, 5), [5, 4, 3, 2, 1], (0, 1, 2), {2: [[3]]}, 1),
    ((5, 4, 4, 5), [5, 4, 3, 2, 1], (0, 1, 2, 3), {}, 0),
    ((3, 3, 2), [2, 1], (1,), {}, 0),
    ((3, 3, 2), [2, 2], (0,), {}, 0),
    ((3, 2, 2, 3), [3, 2, 2], (1,), {2: [[1]]}, 1),
    ((2, 3, 2, 4), [3, 1], (1,), {}, 0),
    ((2, 2, 3, 2, 3), [2, 1], (0,), {2: [[1], [2]], 3: [[2, 1]]}, 1),
    ((4, 2, 1, 2, 3), [3, 2, 0], (1,), {1: [[1, 0, 2, 0]], 4: [[1], [2]]}, 0),
    ((3, 2, 3), [3, 2, 1], (), {}, 0),
]


@pytest.mark.parametrize(("widths", "factors", "modes", "Z", "inner"), INTEGER_CASES)
def test_integer_points_by_rational_congruence(widths, factors, modes, Z, inner):
    rng = np.random.default_rng(1)
    Z = {h: np.array(block) for h, block in Z.items()}
    Y, eigenvalues, weights = integer_point(rng, widths, factors, modes, Z)
    exact = exact_inertia(integer_hessian(Y, weights))
    assert structured_inertia(eigenvalues, modes, widths, inner_rank=inner) == exact
    moments = ls.Moments(np.eye(widths[0]), Y.T.astype(float), (Y @ Y.T).astype(float))
    problem = ls.Problem(moments, ls.Network(widths[1:-1]))
    check_critical(problem, [W.astype(float) for W in weights])
    assert inertia(problem, weights).counts == exact


def test_the_rational_oracle_counts_known_signs():
    rng = np.random.default_rng(2)
    for _ in range(20):
        signs = rng.integers(-1, 2, 6)
        D, _ = unimodular(6, rng)
        expected = tuple(int((signs == s).sum()) for s in (-1, 0, 1))
        assert exact_inertia(D @ np.diag(signs) @ D.T) == expected
    assert exact_inertia([[0, 1], [1, 0]]) == (1, 0, 1)
    H = integer_hessian([[2]], [[[3]], [[5]]])  # (2 − uw)² at w = 3, u = 5
    assert H.tolist() == [[4 * 2 * 25, 4 * 56], [4 * 56, 4 * 2 * 9]]


def test_three_blocks_full_in_number_but_not_tightened_in_pairs_have_no_curvature():
    # widths 2-1-1-1, X = I, Y = [1 0], W = ([0 1], 0, 0): loss 1, and no second derivative at all
    weights = [np.array([[0, 1]]), np.array([[0]]), np.array([[0]])]
    assert exact_inertia(integer_hessian([[1, 0]], weights)) == (0, 4, 0)
    problem = ls.Problem(ls.Moments(np.eye(2), [1.0, 0.0], 1.0), ls.Network((1, 1)))
    assert inertia(problem, weights).counts == (0, 4, 0)


def test_random_integer_points_by_rational_congruence():
    rng = np.random.default_rng(7)
    for _ in range(12):
        widths = tuple(int(k) for k in rng.integers(1, 4, int(rng.integers(3, 6))))
        count = min(widths[0], widths[-1])
        factors = np.sort(rng.integers(1, 4, count))[::-1]
        r = int(rng.integers(0, min(*widths[1:-1], count) + 1))
        modes = tuple(int(i) for i in np.sort(rng.choice(count, r, replace=False)))
        Z, inner = {}, 0
        if len(widths) > 3:
            product = np.eye(widths[1] - r)
            for h in range(2, len(widths) - 1):
                Z[h] = rng.integers(-1, 2, (widths[h] - r, widths[h - 1] - r))
                product = Z[h] @ product
            inner = int(np.linalg.matrix_rank(product)) if product.size else 0
        Y, eigenvalues, weights = integer_point(rng, widths, factors, modes, Z)
        exact = exact_inertia(integer_hessian(Y, weights))
        assert structured_inertia(eigenvalues, modes, widths, inner_rank=inner) == exact


# ---- Random critical points: theory against the Hessian


def random_case(rng):
    """Data of any rank, a critical point of any modes, and what the formula says of it."""
    layers = int(rng.integers(2, 6))
    widths = tuple(int(k) for k in rng.integers(1, 7, layers + 1))
    inputs, *hidden, outputs = widths
    rank = int(rng.integers(1, inputs + 1)) if rng.random() < 0.4 else inputs
    repeated = rng.random() < 0.5
    draw = rng.integers(1, 5, outputs) if repeated else rng.uniform(0.5, 5, outputs)
    eigenvalues = np.sort(draw.astype(float))[::-1].copy()
    top = min(rank, outputs)
    positive = int(rng.integers(0, top + 1)) if rng.random() < 0.4 else top
    eigenvalues[positive:] = 0
    known = data(rng, inputs, eigenvalues, rank=rank)
    r = int(rng.integers(0, min(*hidden, positive) + 1))
    modes = tuple(int(i) for i in np.sort(rng.choice(positive, r, replace=False)))
    Z, inner = _blocks(rng, known, widths, r)
    weights = critical_point(rng, known, modes, tuple(hidden), Z)
    counted = structured_inertia(eigenvalues, modes, widths, input_rank=rank, inner_rank=inner)
    return problem_of(known, tuple(hidden)), weights, counted, widths


def _blocks(rng, known, widths, r):
    """Random Z of one of the three kinds that the formula covers, and the rank it asks for."""
    layers, Z, inner = len(widths) - 1, {}, 0
    kind = rng.integers(3)
    if kind == 1 and layers > 2:
        product = np.eye(widths[1] - r)
        for h in range(2, layers):
            shape = widths[h] - r, widths[h - 1] - r
            rank = int(rng.integers(0, min(shape) + 1))
            Z[h] = rng.standard_normal((shape[0], rank)) @ rng.standard_normal((rank, shape[1]))
            product = Z[h] @ product
        inner = int(np.linalg.matrix_rank(product)) if product.size else 0
    if kind == 2 and r in widths[1:-1]:
        Z[1] = rng.standard_normal((widths[1] - r, widths[0])) @ known.moments.A
        for h in range(2, layers + 1):
            Z[h] = rng.standard_normal((widths[h] - r, widths[h - 1] - r))
    return Z, inner


def check_random(rng, count):
    kinds = {"negative": 0, "deficient": 0}
    for _ in range(count):
        problem, weights, counted, widths = random_case(rng)
        check_critical(problem, weights)
        assert inertia(problem, weights).counts == counted, widths
        assert sum(counted) == sum(W.size for W in weights)
        kinds["negative"] += counted[0] > 0
        kinds["deficient"] += np.linalg.matrix_rank(problem.moments.A) < widths[0]
    return kinds


def test_random_critical_points_have_the_counted_inertia():
    kinds = check_random(np.random.default_rng(3), 200)
    assert min(kinds.values()) > 20


@pytest.mark.slow
def test_many_random_critical_points_have_the_counted_inertia():
    count = 5000
    print(f"{count} critical points: {check_random(np.random.default_rng(4), count)}")


@pytest.mark.parametrize("widths", [(4, 3, 3), (5, 3, 4, 3), (6, 5, 5, 5, 4)])
def test_full_data_and_few_outputs_reduce_to_the_classical_count(widths):
    # n₊ = r² + r(d_x − d_y) + Σ (2 if λ_s > λ_q else 1), H = 2 adds (d_1 − r) #Q to both
    outputs = widths[-1]
    eigenvalues = np.arange(outputs, 0, -1)
    for r in range(min(widths) + 1):
        for modes in itertools.combinations(range(outputs), r):
            rest = [i for i in range(outputs) if i not in modes]
            pairs = [(q, s) for q in rest for s in modes]
            positive = r * r + r * (widths[0] - outputs)
            positive += sum(2 if eigenvalues[s] > eigenvalues[q] else 1 for q, s in pairs)
            negative = sum(eigenvalues[q] > eigenvalues[s] for q, s in pairs)
            extra = (widths[1] - r) * len(rest) if len(widths) == 3 else 0
            n_minus, _, n_plus = structured_inertia(eigenvalues, modes, widths)
            assert (n_minus, n_plus) == (negative + extra, positive + extra)


def test_perfect_fits_have_the_inertia_of_a_staircase():
    rng = np.random.default_rng(5)
    for _ in range(150):
        layers = int(rng.integers(1, 5))
        widths = tuple(int(k) for k in rng.integers(1, 6, layers + 1))
        rank = int(rng.integers(1, widths[0] + 1))
        weights = []
        for below, above in itertools.pairwise(widths):
            inner = int(rng.integers(1, min(below, above) + 1))
            weights.append(
                rng.standard_normal((above, inner)) @ rng.standard_normal((inner, below))
            )
        half = orthogonal(widths[0], rng)[:, :rank] * rng.uniform(0.7, 1.4, rank)
        A = half @ half.T
        product = np.linalg.multi_dot([np.eye(widths[-1]), *weights[::-1], np.eye(widths[0])])
        yy = product @ A @ product.T
        moments = ls.Moments((A + A.T) / 2, A @ product.T, (yy + yy.T) / 2)
        left, right = [np.eye(widths[-1])], [half]
        for W in weights[:0:-1]:
            left.insert(0, left[0] @ W)
        for W in weights[:-1]:
            right.append(W @ right[-1])
        ranks = [[int(np.linalg.matrix_rank(M, rtol=1e-9)) for M in side] for side in (left, right)]
        counted = zero_residual_inertia(*ranks, widths)
        problem = ls.Problem(moments, ls.Network(widths[1:-1]))
        assert inertia(problem, weights, tolerance=1e-11).counts == counted


# ---- Any weights


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("bias", [False, "decayed", "free"])
@pytest.mark.parametrize("decayed", [True, False])
def test_the_signs_are_those_of_the_oracles_hessian(outputs, noise, bias, decayed):
    problem, weights, rows, oracle = tiny_net(outputs, noise, bias, hidden=(4, 3), decayed=decayed)
    function = averaged_loss_and_gradient(*rows, **oracle)
    w, columns = flatten(weights), []
    for e in np.eye(len(w)):
        ends = [function(problem.unflatten(w + step * e))[1] for step in (0.5, -0.5)]
        columns.append(flatten(ends[0]) - flatten(ends[1]))
    values = np.linalg.eigvalsh(np.array(columns))
    small = 1e-9 * np.abs(values).max()
    expected = tuple(int(count) for count in ((values < -small).sum(), 0, (values > small).sum()))
    expected = expected[0], len(w) - sum(expected), expected[2]
    assert inertia(problem, weights).counts == expected


@pytest.mark.parametrize("x", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("y", [1e-8, 1e8])
@pytest.mark.parametrize("factors", [(1, 1, 1), (1e-8, 1e8, 1), (1e8, 1e-8, 1e8)])
def test_units_and_unbalanced_layers_change_nothing(x, y, factors):
    rng = np.random.default_rng(6)
    known = data(rng, 4, [3, 2, 1])
    weights = critical_point(rng, known, (0, 2), (3, 4))
    moments = known.moments
    scaled = ls.Moments(x**2 * moments.A, x * y * moments.C, y**2 * moments.yy)
    problem = ls.Problem(scaled, ls.Network((3, 4)))
    last = y / x / (factors[0] * factors[1])
    weights = [factor * W for factor, W in zip((*factors[:2], last), weights, strict=True)]
    assert inertia(problem, weights).counts == structured_inertia([3, 2, 1], (0, 2), (4, 3, 4, 3))


def test_the_inertia_of_a_large_net_at_zero():
    # one hidden layer: ±2σ for each singular value of E[yxᵀ] and each hidden unit
    problem = ls.Problem(ls.Moments(np.eye(3), [1.0, 2.0, 0.0], 6.0), ls.Network((300,)))
    weights = [np.zeros(shape) for shape in problem.shapes]
    assert inertia(problem, weights).counts == (300, 600, 300)
    decayed = ls.Problem(problem.moments, ls.Network((300,), weight_decay=0.1))
    assert inertia(decayed, weights).counts == (300, 0, 900)


def test_an_eigenvalue_between_zero_and_decided_is_undecided():
    moments = ls.Moments(np.diag([1.0, 1e-10]), [0.0, 0.0], 1.0)
    problem = ls.Problem(moments, ls.Network(()))
    found = inertia(problem, [np.zeros((1, 2))])
    assert found.counts is None
    assert (found.negative, found.zero, found.positive, found.undecided) == (0, 0, 1, 1)
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert document["counts"] is None
    sharper = inertia(problem, [np.zeros((1, 2))], tolerance=1e-15)
    assert sharper.counts == (0, 0, 2)
    assert inertia(problem, [np.zeros((1, 2))], tolerance=1e-9).counts == (0, 1, 1)


# ---- Bad input


def test_inertia_refuses_what_it_cannot_do():
    problem = ls.Problem(ls.Moments(np.eye(2), [1.0, 0.0], 1.0), ls.Network((2,)))
    weights = [np.ones(shape) for shape in problem.shapes]
    with pytest.raises(InvalidWeights, match="one set of weights"):
        inertia(problem, [np.stack([W, W]) for W in weights])
    with pytest.raises(InvalidWeights, match="NaN or infinite"):
        inertia(problem, [np.full_like(W, np.inf) for W in weights])
    for tolerance in (0.0, -1.0, 1e-3, np.nan, "small"):
        with pytest.raises(ValueError, match="tolerance must be a number"):
            inertia(problem, weights, tolerance=tolerance)
    large = ls.Problem(ls.Moments(np.eye(2), np.eye(2), np.eye(2)), ls.Network((2600,)))
    with pytest.raises(OutOfRange, match="curvature gives the extreme eigenvalues"):
        inertia(large, [np.zeros(shape) for shape in large.shapes])


@pytest.mark.parametrize(
    ("eigenvalues", "modes", "widths", "options"),
    [
        ([2, 1], (0,), (3, 2), {}),  # no hidden layer
        ([2, 1, 1], (0,), (3, 3, 2), {}),  # one eigenvalue too many
        ([2, -1], (0,), (3, 3, 2), {}),
        ([2, np.nan], (0,), (3, 3, 2), {}),
        ([2, 1], (0, 0), (3, 3, 2), {}),
        ([2, 1], (2,), (3, 3, 2), {}),
        ([2, 1], (-1,), (3, 3, 2), {}),
        ([2, 0], (1,), (3, 3, 2), {}),  # a mode that carries nothing
        ([2, 1], (0, 1), (3, 1, 2), {}),  # more modes than units
        ([2, 1], (0,), (1, 3, 2), {}),  # more eigenvalues than inputs
        ([2, 1], (0,), (3, 3, 2), {"input_rank": 1}),
        ([2, 1], (0,), (3, 3, 2), {"input_rank": 4}),
        ([2, 1], (0,), (3, 3, 3, 2), {"inner_rank": 3}),
        ([2, 1], (0,), (3, 3, 3, 2), {"inner_rank": -1}),
    ],
)
def test_the_formula_refuses_what_no_critical_point_has(eigenvalues, modes, widths, options):
    with pytest.raises(InvalidWeights):
        structured_inertia(eigenvalues, modes, widths, **options)


@pytest.mark.parametrize(
    ("left", "right", "widths"),
    [
        ((1,), (1, 1), (1, 1, 1)),
        ((1, 1), (1,), (1, 1, 1)),
        ((2, 1), (1, 1), (1, 2, 1)),  # ranks that fall towards the output
        ((1, 1), (1, 2), (2, 2, 1)),  # ranks that grow from the input
        ((1, 1), (1, 1), (1, 1, 2)),  # the last is not the number of outputs
        ((1, 1), (2, 1), (1, 1, 1)),  # above a width
        ((-1, 1), (1, 1), (1, 1, 1)),
    ],
)
def test_the_staircase_refuses_what_are_no_ranks(left, right, widths):
    with pytest.raises(InvalidWeights):
        zero_residual_inertia(left, right, widths)
