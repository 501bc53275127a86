"""The exact loss, its derivatives and its maps, against enumerated and sampled noise."""

import itertools

import numpy as np
import pytest
from scipy import sparse

import linscape as ls
from cases import NOISES, tiny_net
from linscape.errors import InvalidMoments, InvalidWeights
from oracles import (
    averaged_loss_and_gradient,
    enumerated_loss,
    finite_difference_gradient,
    flatten,
    forward,
    penalty,
    read,
    sampled_loss,
)

BIASES = (False, "decayed", "free")
REDUCTIONS = ("mean", "sum", "half_mean", "half_sum")

every_bias = pytest.mark.parametrize("bias", BIASES)
every_noise = pytest.mark.parametrize("noise", NOISES)
one_or_two_outputs = pytest.mark.parametrize("outputs", [1, 2])


def close(got, expected):
    """Compare lists of arrays at 1e-10 of the largest entry."""
    scale = max(np.abs(part).max() for part in expected)
    for one, other in zip(got, expected, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-10 * scale)


# ---- The loss


@one_or_two_outputs
@every_noise
@every_bias
@pytest.mark.parametrize("decayed", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_the_loss_is_that_of_enumerated_noise(outputs, noise, bias, decayed, weighted, reduction):
    problem, weights, data, oracle = tiny_net(
        outputs, noise, bias, decayed=decayed, weighted=weighted, reduction=reduction
    )
    expected = enumerated_loss(*data, weights, **oracle)
    assert problem.loss(weights) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("hidden", [(), (1,), (3,), (2, 2)])
@one_or_two_outputs
@every_bias
def test_the_loss_at_every_depth(hidden, outputs, bias):
    problem, weights, data, oracle = tiny_net(outputs, "input", bias, hidden=hidden)
    expected = enumerated_loss(*data, weights, **oracle)
    assert problem.loss(weights) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("law", ["gaussian", "dropout"])
@every_bias
def test_the_loss_is_the_mean_of_sampled_noise(law, bias):
    problem, weights, data, oracle = tiny_net(2, "hidden", bias, hidden=(5, 3))
    rng = np.random.default_rng(2)
    mean, error = sampled_loss(*data, weights, samples=20_000, rng=rng, law=law, **oracle)
    assert abs(problem.loss(weights) - mean) < 5 * error
    assert error < 0.1 * mean


def test_a_sample_weight_of_two_is_a_row_twice():
    rng = np.random.default_rng(3)
    X, y = rng.standard_normal((4, 2)), rng.standard_normal(4)
    network = ls.Network((2,), noise=0.5, weight_decay=0.1)
    weighted = ls.Moments.from_arrays(X, y, sample_weight=[2, 1, 1, 1])
    repeated = ls.Moments.from_arrays(np.vstack([X, X[:1]]), np.append(y, y[0]))
    for reduction in REDUCTIONS:
        one = ls.Problem(weighted, network, reduction=reduction)
        other = ls.Problem(repeated, network, reduction=reduction)
        weights = [rng.standard_normal(shape) for shape in one.shapes]
        assert one.loss(weights) == pytest.approx(other.loss(weights), rel=1e-12)


# ---- Derivatives


@one_or_two_outputs
@every_noise
@every_bias
@pytest.mark.parametrize("reduction", ["mean", "half_sum"])
def test_the_gradient_is_that_of_enumerated_noise(outputs, noise, bias, reduction):
    problem, weights, data, oracle = tiny_net(
        outputs, noise, bias, weighted=True, reduction=reduction
    )
    differences = finite_difference_gradient(
        lambda w: enumerated_loss(*data, w, **oracle), weights, levels=1
    )
    close(problem.gradient(weights), differences)
    close(problem.gradient(weights), averaged_loss_and_gradient(*data, **oracle)(weights)[1])


@one_or_two_outputs
@every_noise
@every_bias
@pytest.mark.parametrize("hidden", [(), (2,), (2, 1)])
def test_the_hessian_is_the_exact_difference_of_gradients(outputs, noise, bias, hidden):
    problem, weights, data, oracle = tiny_net(
        outputs, noise, bias, hidden=hidden, weighted=True, reduction="sum"
    )
    function = averaged_loss_and_gradient(*data, **oracle)
    w = flatten(weights)
    columns = []
    for e in np.eye(len(w)):  # a gradient entry is at most quadratic in one weight
        ends = [function(problem.unflatten(w + step * e))[1] for step in (0.5, -0.5)]
        columns.append(flatten(ends[0]) - flatten(ends[1]))
    close([problem.hessian(weights)], [np.array(columns)])


@one_or_two_outputs
@every_bias
def test_the_hessian_operator_is_symmetric_and_agrees_with_the_dense_one(outputs, bias):
    problem, weights, _, _ = tiny_net(outputs, "input", bias)
    operator, dense = problem.hessian_operator(weights), problem.hessian(weights)
    rng = np.random.default_rng(4)
    V = rng.standard_normal((len(dense), 3))
    close([operator @ V], [dense @ V])
    close([operator.matvec(V[:, 0])], [dense @ V[:, 0]])
    close([operator.rmatvec(V[:, 0])], [dense.T @ V[:, 0]])
    columns = operator.matmat(np.eye(len(dense)))
    close([columns], [columns.T])
    product = problem.hessian_product(weights, problem.unflatten(V[:, 1]))
    close([problem.flatten(product)], [dense @ V[:, 1]])


@every_bias
def test_the_loss_along_a_line_has_the_slopes_of_gradient_and_hessian(bias):
    problem, weights, _, _ = tiny_net(1, "hidden", bias)
    rng = np.random.default_rng(5)
    w, v = flatten(weights), flatten([rng.standard_normal(W.shape) for W in weights])
    # a polynomial of degree 6 in t: seven values give it exactly
    t = np.linspace(-1, 1, 7)
    losses = [problem.loss(problem.unflatten(w + s * v)) for s in t]
    coefficients = np.linalg.solve(np.vander(t, increasing=True), losses)
    slope = problem.flatten(problem.gradient(weights)) @ v
    assert coefficients[1] == pytest.approx(slope, rel=1e-10)
    assert 2 * coefficients[2] == pytest.approx(v @ problem.hessian(weights) @ v, rel=1e-10)


# ---- Batches


@one_or_two_outputs
@every_bias
def test_batch_axes_agree_with_a_loop(outputs, bias):
    problem, _, _, _ = tiny_net(outputs, "input", bias)
    rng = np.random.default_rng(6)
    batch = [rng.standard_normal((3, 2, *shape)) for shape in problem.shapes]
    along = [rng.standard_normal((3, 2, *shape)) for shape in problem.shapes]
    every = {
        "loss": problem.loss(batch),
        "energies": problem.energies(batch),
        "predictor": problem.predictor(batch),
        "intercept": problem.intercept(batch),
        "flatten": problem.flatten(batch),
    }
    gradient, product = problem.gradient(batch), problem.hessian_product(batch, along)
    for index in np.ndindex(3, 2):
        weights, tangents = ([W[index] for W in part] for part in (batch, along))
        for name, values in every.items():
            expected = np.asarray(getattr(problem, name)(weights))
            np.testing.assert_allclose(values[index], expected, rtol=1e-12, atol=1e-13)
        close([G[index] for G in gradient], problem.gradient(weights))
        close([G[index] for G in product], problem.hessian_product(weights, tangents))


def test_several_directions_at_once():
    problem, weights, _, _ = tiny_net(2, "hidden", "decayed")
    rng = np.random.default_rng(7)
    along = [rng.standard_normal((5, *shape)) for shape in problem.shapes]
    products = problem.hessian_product(weights, along)
    for i in range(5):
        close([G[i] for G in products], problem.hessian_product(weights, [V[i] for V in along]))


# ---- The maps


@one_or_two_outputs
@every_bias
@pytest.mark.parametrize("hidden", [(), (3,), (2, 4)])
def test_predictor_and_intercept_are_the_mean_output(outputs, bias, hidden):
    problem, weights, (X, _), _ = tiny_net(outputs, "input", bias, hidden=hidden)
    silent = forward(X, weights, [np.ones(k) for k in (2, *hidden)], bias)
    mean = X @ problem.predictor(weights).T + problem.intercept(weights)
    np.testing.assert_allclose(mean.reshape(silent.shape), silent, rtol=1e-12, atol=1e-13)


@every_bias
def test_the_energies_sum_to_the_penalty(bias):
    problem, weights, data, oracle = tiny_net(2, "hidden", bias)
    energies = problem.energies(weights)
    assert energies.shape == (3,)
    assert energies.sum() == pytest.approx(penalty(weights, read(*data, **oracle)), rel=1e-12)
    for k, W in enumerate(weights):
        alone = [W if j == k else 0 * V for j, V in enumerate(weights)]
        assert problem.energies(alone)[k] == pytest.approx(energies[k], rel=1e-12)


@every_bias
def test_flatten_and_unflatten_undo_each_other(bias):
    problem, weights, _, _ = tiny_net(2, "hidden", bias)
    vector = problem.flatten(weights)
    np.testing.assert_array_equal(vector, flatten(weights))
    for one, other in zip(problem.unflatten(vector), weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_single_column_target_keeps_its_axis_and_a_flat_one_has_none():
    rng = np.random.default_rng(8)
    X, y = rng.standard_normal((5, 2)), rng.standard_normal(5)
    network = ls.Network((2,), bias="free")
    flat = ls.Problem(ls.Moments.from_arrays(X, y), network)
    column = ls.Problem(ls.Moments.from_arrays(X, y[:, None]), network)
    weights = [rng.standard_normal(shape) for shape in flat.shapes]
    assert flat.predictor(weights).shape == (2,)
    assert column.predictor(weights).shape == (1, 2)
    assert isinstance(flat.intercept(weights), float)
    assert column.intercept(weights).shape == (1,)
    assert isinstance(flat.loss(weights), float)
    assert flat.loss(weights) == pytest.approx(column.loss(weights), rel=1e-14)


# ---- What is refused


def test_the_wrong_number_of_matrices_is_refused():
    problem, weights, _, _ = tiny_net()
    for wrong in ([], weights[:-1], [*weights, weights[-1]]):
        with pytest.raises(InvalidWeights, match="3 weight matrices"):
            problem.loss(wrong)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_bad_matrix_is_named_by_its_position(position):
    problem, weights, _, _ = tiny_net()
    W = weights[position]
    nan, inf = W.copy(), W.copy()
    nan.flat[0], inf.flat[-1] = np.nan, -np.inf
    for wrong in (np.hstack([W, W]), W.ravel(), 1j * W, W.astype(str), nan, inf, None):
        bad = [wrong if k == position else V for k, V in enumerate(weights)]
        with pytest.raises(InvalidWeights, match=rf"weights\[{position}\]"):
            problem.gradient(bad)


def test_batch_axes_must_agree():
    problem, weights, _, _ = tiny_net()
    with pytest.raises(InvalidWeights, match="batch axes"):
        problem.loss([np.stack([weights[0]] * 2), *weights[1:]])


@pytest.mark.parametrize("vector", [0.0, np.zeros(3), np.zeros((8, 1))])
def test_a_vector_of_the_wrong_length_is_refused(vector):
    problem, _, _, _ = tiny_net()
    with pytest.raises(InvalidWeights, match="7 entries"):
        problem.unflatten(vector)


def test_an_unknown_reduction_is_refused_with_the_choices():
    moments = ls.Moments([[1.0]], [1.0], 1.0, n=3)
    with pytest.raises(ValueError, match=r"half_sum.*'total'"):
        ls.Problem(moments, ls.Network((2,)), reduction="total")


@pytest.mark.parametrize("reduction", ["sum", "half_sum"])
def test_a_sum_needs_the_number_of_rows(reduction):
    with pytest.raises(InvalidMoments, match="number of rows"):
        ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((2,)), reduction=reduction)


@pytest.mark.parametrize("bias", ["decayed", "free"])
def test_biases_need_the_means(bias):
    with pytest.raises(InvalidMoments, match="means"):
        ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((2,), bias=bias))


def test_shapes_are_those_of_the_weights():
    for outputs, bias in itertools.product((1, 2), BIASES):
        problem, _, _, _ = tiny_net(outputs, "silent", bias, hidden=(4, 3))
        b = bias is not False
        assert problem.shapes == ((4, 2 + b), (3, 4 + b), (outputs, 3 + b))


def test_no_weights_at_all_flatten_too():
    problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((2,)))
    weights = [np.zeros((0, 2, 1)), np.zeros((0, 1, 2))]
    flat = problem.flatten(weights)
    assert flat.shape == (0, 4)
    for one, other in zip(problem.unflatten(flat), weights, strict=True):
        assert one.shape == other.shape


@pytest.mark.parametrize("batches", [((2,), (3,)), ((2,), ()), ((2, 1), (1,)), ((2,), (0,))])
def test_batches_of_directions_that_do_not_fit(batches):
    problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((1,)))
    weights, directions = ([np.ones((*batch, 1, 1))] * 2 for batch in batches)
    with pytest.raises(InvalidWeights, match="must end with"):
        problem.hessian_product(weights, directions)


@pytest.mark.parametrize(
    "weights",
    [
        sparse.csr_array(np.eye(2)),
        np.array(2.0),
        None,
        3,
        iter([1]),
        [[[1.0], [1.0, 2.0]], [[1.0]]],
    ],
)
def test_weights_that_have_no_shapes(weights):
    problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((1,)))
    with pytest.raises(InvalidWeights):
        problem.loss(weights)


@pytest.mark.parametrize("vector", ["a", None, [[1.0], [1.0, 2.0]], object(), np.ones(3)])
def test_vectors_that_are_no_weights(vector):
    problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((1,)))
    with pytest.raises(InvalidWeights, match="a vector of all weights"):
        problem.unflatten(vector)


@pytest.mark.parametrize("reduction", [np.zeros((2, 2)), ["mean"], None, 1])
def test_a_reduction_that_is_no_string(reduction):
    with pytest.raises(ls.errors.InvalidOption, match="reduction must be one of"):
        ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((1,)), reduction=reduction)
