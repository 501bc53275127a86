"""Extreme eigenvalues of the Hessian, against dense ones, planted ones and other libraries."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp
from scipy.sparse.linalg import eigsh

import linscape as ls
from cases import NOISES, orthogonal, tiny_net
from linscape.errors import InvalidWeights, OutOfRange
from linscape.landscape.curvature import curvature, inertia, lanczos
from linscape.landscape.curvature.subspace import seen_directions
from oracles import averaged_loss_and_gradient, flatten, mp_loss

BIASES = (False, "decayed", "free")
TIGHT = 1e-13


def oracle_hessian(problem, weights, data, oracle):
    """The Hessian by exact differences of the oracle's gradient, quadratic in each weight."""
    function = averaged_loss_and_gradient(*data, **oracle)
    w, columns = flatten(weights), []
    for e in np.eye(len(w)):
        ends = [function(problem.unflatten(w + step * e))[1] for step in (0.5, -0.5)]
        columns.append(flatten(ends[0]) - flatten(ends[1]))
    return np.array(columns)


def random_problem(hidden, *, inputs=4, outputs=2, rng, scale=1.0, **network):
    """A problem from random rows, and random weights."""
    X = rng.standard_normal((40, inputs))
    Y = X @ rng.standard_normal((inputs, outputs)) + rng.standard_normal((40, outputs)) + 0.5
    problem = ls.Problem(ls.Moments.from_arrays(X, Y), ls.Network(hidden, **network))
    return problem, [scale * rng.standard_normal(shape) for shape in problem.shapes]


def check_ends(found, problem, weights, values, rel=1e-10):
    """Both eigenvalues, their unit directions and residuals."""
    size = np.abs(values).max()
    for end, value in ((found.smallest, values[0]), (found.largest, values[-1])):
        assert end.value == pytest.approx(value, rel=0, abs=rel * size)
        vector = problem.flatten(end.direction)
        assert np.linalg.norm(vector) == pytest.approx(1, rel=1e-12)
        image = problem.flatten(problem.hessian_product(weights, end.direction))
        residual = np.linalg.norm(image - end.value * vector)
        assert end.residual == pytest.approx(residual, abs=1e-13 * size)
    assert found.converged


# ---- Against dense eigenvalues


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("hidden", [(), (4,), (4, 3)])
@pytest.mark.parametrize("reduction", ["mean", "half_sum"])
def test_the_ends_are_those_of_the_oracles_hessian(outputs, noise, bias, hidden, reduction):
    problem, weights, data, oracle = tiny_net(
        outputs, noise, bias, hidden=hidden, reduction=reduction, weighted=True
    )
    values = np.linalg.eigvalsh(oracle_hessian(problem, weights, data, oracle))
    check_ends(curvature(problem, weights, tolerance=TIGHT), problem, weights, values)


@pytest.mark.parametrize("noise", ["silent", "hidden"])
def test_the_ends_agree_with_sixty_digits(noise):
    problem, weights, data, oracle = tiny_net(1, noise, hidden=(2, 1))
    with mp.workdps(60):
        w = [mp.mpf(float(x)) for x in problem.flatten(weights)]
        shapes = problem.shapes
        cuts = np.cumsum([a * b for a, b in shapes])[:-1]

        def loss(*moves):
            v = np.array(w, dtype=object)
            for i, step in moves:
                v[i] += step
            parts = zip(np.split(v, cuts), shapes, strict=True)
            return mp_loss(*data, [part.reshape(shape) for part, shape in parts], **oracle)

        # every power of one weight is at most two: the differences are exact at any step
        H, middle = mp.matrix(len(w), len(w)), loss()
        for i in range(len(w)):
            H[i, i] = loss((i, 1)) - 2 * middle + loss((i, -1))
            for j in range(i):
                corners = [a * b * loss((i, a), (j, b)) for a in (1, -1) for b in (1, -1)]
                H[i, j] = H[j, i] = mp.fsum(corners) / 4
        values = [float(x) for x in mp.eigsy(H, eigvals_only=True)]
    check_ends(curvature(problem, weights, tolerance=TIGHT), problem, weights, values)


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("decay", [0.0, (0.3, 0.1, 0.2), 5.0])
@pytest.mark.parametrize("input_noise", [0.0, 0.7])
def test_wide_layers_without_noise(bias, decay, input_noise):
    # most directions lie outside the subspace here
    rng = np.random.default_rng(1)
    problem, weights = random_problem(
        (12, 9), outputs=2, rng=rng, bias=bias, weight_decay=decay, input_noise=input_noise
    )
    values = np.linalg.eigvalsh(problem.hessian(weights))
    check_ends(curvature(problem, weights, tolerance=TIGHT), problem, weights, values)


@pytest.mark.parametrize("noise", [0.0, 0.4])
def test_a_net_too_large_for_the_dense_hessian_agrees_with_arpack(noise):
    rng = np.random.default_rng(2)
    problem, weights = random_problem((60, 60), rng=rng, scale=0.3, noise=noise, weight_decay=0.1)
    operator = problem.hessian_operator(weights)
    ends = eigsh(operator, k=1, which="SA", tol=1e-12)[0], eigsh(operator, k=1, which="LA")[0]
    values = np.concatenate(ends)
    check_ends(curvature(problem, weights, tolerance=1e-12), problem, weights, values)


@given(
    hidden=st.lists(st.integers(1, 5), max_size=3),
    outputs=st.integers(1, 3),
    inputs=st.integers(1, 4),
    bias=st.sampled_from(BIASES),
    noise=st.sampled_from([0.0, 0.5]),
    decay=st.sampled_from([0.0, 1e-3, 2.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_net(hidden, outputs, inputs, bias, noise, decay, seed):
    problem, weights = random_problem(
        tuple(hidden),
        inputs=inputs,
        outputs=outputs,
        rng=np.random.default_rng(seed),
        noise=noise,
        bias=bias,
        weight_decay=decay,
    )
    values = np.linalg.eigvalsh(problem.hessian(weights))
    check_ends(curvature(problem, weights, tolerance=TIGHT), problem, weights, values)


# ---- Zero, degenerate and planted


@pytest.mark.parametrize("hidden", [(3, 4), (512, 512)])
def test_the_hessian_is_zero_at_zero_with_two_layers(hidden):
    problem, weights = random_problem(hidden, rng=np.random.default_rng(3), scale=0.0)
    found = curvature(problem, weights)
    for end in (found.smallest, found.largest):
        assert end.value == 0
        assert end.residual == 0
        assert np.linalg.norm(problem.flatten(end.direction)) == pytest.approx(1, rel=1e-12)
    assert found.converged


@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize("bias", [False, "decayed"])
def test_the_hessian_is_the_decay_at_zero(noise, bias):
    rng = np.random.default_rng(4)
    X, Y = rng.standard_normal((30, 4)), rng.standard_normal((30, 2))
    X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    network = ls.Network((5, 6), noise=noise, bias=bias, weight_decay=(0.3, 0.1, 0.2))
    problem = ls.Problem(ls.Moments.from_arrays(X, Y), network)
    weights = [np.zeros(shape) for shape in problem.shapes]
    found = curvature(problem, weights)
    assert found.smallest.value == pytest.approx(0.2, rel=1e-12)
    # the bias of the output adds 2 E[1²] to its decay
    assert found.largest.value == pytest.approx(2.4 if bias else 0.6, rel=1e-12)
    assert found.iterations <= 5


@pytest.mark.parametrize("width", [1, 3, 512])
@pytest.mark.parametrize("decays", [(0.0, 0.0), (0.25, 0.25), (0.1, 0.7)])
def test_one_hidden_layer_at_zero_is_known(width, decays):
    # the form Σγ‖V‖² − 2 tr(V_U V_W C): γ_w + γ_u ± √((γ_w − γ_u)² + 4σ²) for each σ of C
    rng = np.random.default_rng(5)
    C = (orthogonal(4, rng)[:, :3] * [2.0, 2.0, 0.5]) @ orthogonal(3, rng)  # repeated extremes
    moments = ls.Moments(np.eye(4), C, C.T @ C + np.eye(3))
    problem = ls.Problem(moments, ls.Network((width,), weight_decay=decays))
    found = curvature(problem, [np.zeros(shape) for shape in problem.shapes], tolerance=TIGHT)
    root = np.sqrt((decays[0] - decays[1]) ** 2 + 4 * 2.0**2)
    assert found.smallest.value == pytest.approx(sum(decays) - root, rel=1e-10)
    assert found.largest.value == pytest.approx(sum(decays) + root, rel=1e-10)


@pytest.mark.parametrize("gap", [0.0, 1e-9, 1e-3, 0.5])
def test_planted_eigenvalues_of_a_linear_model(gap):
    # 2a_i + 2γ, each once for every output; the two at each end lie `gap` apart
    rng = np.random.default_rng(6)
    a = np.concatenate([[1, 1 + gap], rng.uniform(2, 8, 60), [9 - gap, 9]])
    Q = orthogonal(len(a), rng)
    A = (Q * a) @ Q.T
    moments = ls.Moments((A + A.T) / 2, np.zeros((len(a), 3)), np.eye(3))
    problem = ls.Problem(moments, ls.Network((), weight_decay=0.5))
    found = curvature(problem, [np.ones((3, len(a)))], tolerance=TIGHT)
    assert found.smallest.value == pytest.approx(3, rel=1e-10)
    assert found.largest.value == pytest.approx(19, rel=1e-10)


def test_an_undecayed_direction_outside_the_subspace_is_found():
    # at a fit without error the Hessian is positive but for the directions nobody sees
    rng = np.random.default_rng(7)
    X = rng.standard_normal((20, 3))
    problem = ls.Problem(ls.Moments.from_arrays(X, X @ np.ones(3)), ls.Network((30, 30)))
    minimum = ls.global_minimum(problem)
    found = curvature(problem, minimum.weights())
    assert abs(found.smallest.value) <= 1e-12 * found.largest.value


# ---- Invariances


@pytest.mark.parametrize("x", [1e-50, 1e-8, 1e8, 1e50])
@pytest.mark.parametrize("w", [1e-25, 1e-8, 1e8, 1e25])
@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_units_of_data_and_weights(x, w, noise):
    # no decay: with x, all weights and hence y rescaled, L'' goes with x² w^{2(D+1) − 2}
    rng = np.random.default_rng(8)
    X, Y = rng.standard_normal((20, 3)), rng.standard_normal((20, 2))
    network = ls.Network((6, 5), noise=noise)
    one = ls.Problem(ls.Moments.from_arrays(X, Y), network)
    other = ls.Problem(ls.Moments.from_arrays(x * X, x * w**3 * Y), network)
    weights = [rng.standard_normal(shape) for shape in one.shapes]
    expected = curvature(one, weights, tolerance=TIGHT)
    found = curvature(other, [w * W for W in weights], tolerance=TIGHT)
    factor = x**2 * w**4
    assert found.converged
    assert found.smallest.value == pytest.approx(factor * expected.smallest.value, rel=1e-10)
    assert found.largest.value == pytest.approx(factor * expected.largest.value, rel=1e-10)


def test_rotated_hidden_units_change_nothing():
    rng = np.random.default_rng(9)
    problem, (W, V, U) = random_problem((20, 15), rng=rng, weight_decay=(0.1, 0.2, 0.3))
    P, Q = orthogonal(20, rng), orthogonal(15, rng)
    one = curvature(problem, [W, V, U], tolerance=TIGHT)
    other = curvature(problem, [P @ W, Q @ V @ P.T, U @ Q.T], tolerance=TIGHT)
    assert other.smallest.value == pytest.approx(one.smallest.value, rel=1e-10)
    assert other.largest.value == pytest.approx(one.largest.value, rel=1e-10)


def test_other_starts_find_the_same():
    problem, weights = random_problem((7, 8), rng=np.random.default_rng(10))
    found = [curvature(problem, weights, tolerance=TIGHT, rng=seed) for seed in range(5)]
    for one, other in itertools.pairwise(found):
        assert one.smallest.value == pytest.approx(other.smallest.value, rel=1e-10)
        assert one.largest.value == pytest.approx(other.largest.value, rel=1e-10)
    again = curvature(problem, weights, tolerance=TIGHT, rng=0)
    assert again.smallest.value == found[0].smallest.value


# ---- The subspace


@pytest.mark.parametrize("bias", BIASES)
def test_the_hessian_maps_the_subspace_into_itself_and_is_the_decay_outside(bias):
    rng = np.random.default_rng(11)
    decay = (0.3, 0.1, 0.2)
    problem, weights = random_problem((9, 8), rng=rng, bias=bias, weight_decay=decay)
    seen = seen_directions(problem, weights)
    assert seen.dimension + sum(seen.complements) == sum(W.size for W in weights)
    vector = seen.project(rng.standard_normal(seen.size))
    direction = seen.embed(vector)
    length = np.linalg.norm(problem.flatten(direction))
    assert length == pytest.approx(np.linalg.norm(vector), rel=1e-12)
    image = problem.flatten(problem.hessian_product(weights, direction))
    inside = problem.flatten(seen.embed(seen.product(vector)))
    np.testing.assert_allclose(inside, image, rtol=0, atol=1e-12 * np.linalg.norm(image))
    # the spectrum is that inside, and the decays; what stands for no direction gives zeros
    inner = np.linalg.eigvalsh(seen.product(np.eye(seen.size)))
    decays = np.repeat([2 * gamma for gamma in decay], seen.complements)
    idle = np.zeros(seen.size - seen.dimension)
    every = np.linalg.eigvalsh(problem.hessian(weights))
    found, expected = np.concatenate([inner, decays]), np.concatenate([every, idle])
    atol = 1e-12 * np.abs(every).max()
    np.testing.assert_allclose(np.sort(found), np.sort(expected), rtol=0, atol=atol)
    assert sum(seen.complements) > 0


def test_the_subspace_of_a_large_net_is_small():
    # m rows and m columns of each layer, at most
    problem, weights = random_problem(
        (100, 100), inputs=8, outputs=2, rng=np.random.default_rng(12)
    )
    dimension = seen_directions(problem, weights).dimension
    assert dimension <= 2 * sum(sum(W.shape) for W in weights)
    assert dimension < sum(W.size for W in weights) / 10


# ---- The method


class Diagonal:
    """A diagonal matrix as an operator."""

    def __init__(self, values):
        self.values = np.asarray(values, dtype=float)
        self.size = self.dimension = len(self.values)

    def project(self, vector):
        return vector

    def product(self, vector):
        return self.values * vector


@pytest.mark.parametrize("capacity", [8, 20, 300])
def test_a_restarted_basis_finds_the_same_ends(capacity, monkeypatch):
    monkeypatch.setattr(lanczos, "_LARGEST_BASIS", capacity)
    monkeypatch.setattr(lanczos, "_SMALLEST_BASIS", capacity)
    values = np.concatenate([[-3.0], np.linspace(-2, 4, 400), [5.0]])
    ends = lanczos.spectrum_ends(
        Diagonal(values), tolerance=1e-11, max_products=3000, rng=np.random.default_rng(0)
    )
    assert ends.converged
    assert (ends.products > capacity) == (capacity < 300)
    quotients = np.einsum("ij,j,ij->i", ends.vectors, values, ends.vectors)
    np.testing.assert_allclose(quotients, [-3, 5], rtol=1e-10)


@pytest.mark.parametrize("values", [[0.0], [0.0] * 50, [7.0] * 50, [1.0] * 30 + [2.0] * 30])
def test_few_eigenvalues_are_found_exactly(values):
    ends = lanczos.spectrum_ends(
        Diagonal(values), tolerance=1e-14, max_products=100, rng=np.random.default_rng(0)
    )
    quotients = np.einsum("ij,j,ij->i", ends.vectors, values, ends.vectors)
    np.testing.assert_allclose(quotients, [min(values), max(values)], rtol=1e-12)
    assert ends.products <= 3


@pytest.mark.parametrize("tolerance", [1e-2, 1e-5, 1e-9])
def test_the_residual_is_as_small_as_asked_and_bounds_the_error(tolerance):
    problem, weights = random_problem((9, 9), inputs=9, outputs=4, rng=np.random.default_rng(13))
    values = np.linalg.eigvalsh(problem.hessian(weights))
    found = curvature(problem, weights, tolerance=tolerance)
    size = max(abs(found.smallest.value), abs(found.largest.value))
    for end in (found.smallest, found.largest):
        assert end.residual <= tolerance * size * (1 + 1e-6) + 1e-13 * size
        assert np.abs(values - end.value).min() <= end.residual + 1e-13 * size
    assert found.smallest.value >= values[0] - 1e-13 * size
    assert found.largest.value <= values[-1] + 1e-13 * size


def test_what_has_not_converged_says_so():
    problem, weights = random_problem((9, 9), inputs=9, outputs=4, rng=np.random.default_rng(14))
    values = np.linalg.eigvalsh(problem.hessian(weights))
    found = curvature(problem, weights, max_iterations=4)
    assert not found.converged
    assert found.iterations == 4
    assert values[0] < found.smallest.value < found.largest.value < values[-1]
    assert found.smallest.residual > found.tolerance * values[-1]


# ---- Results and bad input


def test_the_result_is_json():
    problem, weights = random_problem((2,), rng=np.random.default_rng(15))
    found = curvature(problem, weights, tolerance=np.float32(1e-8))
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert document["smallest"] == {
        "value": found.smallest.value,
        "residual": found.smallest.residual,
    }
    assert document["converged"] is True


def test_batch_axes_are_refused():
    problem, weights = random_problem((2,), rng=np.random.default_rng(16))
    batch = [np.stack([W, W]) for W in weights]
    with pytest.raises(InvalidWeights, match="one set of weights, got batch axes"):
        curvature(problem, batch)
    for method in (problem.hessian, problem.hessian_operator):
        with pytest.raises(InvalidWeights, match="one set of weights, got batch axes"):
            method(batch)


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_a_hessian_out_of_range_is_refused(noise):
    problem, weights = random_problem((2, 2), rng=np.random.default_rng(18), noise=noise)
    for function in (curvature, inertia):
        with pytest.raises(OutOfRange, match="rescale data or weights"):
            function(problem, [1e120 * W for W in weights])


def test_bad_weights_and_options_are_refused():
    problem, weights = random_problem((2,), rng=np.random.default_rng(17))
    with pytest.raises(InvalidWeights, match="NaN or infinite"):
        curvature(problem, [np.full_like(W, np.nan) for W in weights])
    with pytest.raises(InvalidWeights, match="expected 2 weight matrices"):
        curvature(problem, weights[:1])
    for tolerance in (0.0, -1.0, 1.0, np.nan, 1e-16, "small"):
        with pytest.raises(ValueError, match="tolerance must be"):
            curvature(problem, weights, tolerance=tolerance)
    for iterations in (0, -3, 2.5):
        with pytest.raises(ValueError, match="max_iterations must be"):
            curvature(problem, weights, max_iterations=iterations)
