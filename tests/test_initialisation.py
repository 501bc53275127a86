"""Random weights: their variances, distributions and shapes; balanced weights: their balance."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

import linscape as ls
from linscape.initialisation import balanced_weights, random_weights

INPUTS, HIDDEN, OUTPUTS = 5, (3, 8), 2
FANS = [(5, 3), (3, 8), (8, 2)]  # (n_in, n_out)
VARIANCES = {
    "kaiming": lambda n_in, n_out: 2 / n_in,
    "xavier": lambda n_in, n_out: 2 / (n_in + n_out),
    "lecun": lambda n_in, n_out: 1 / n_in,
    "orthogonal": lambda n_in, n_out: 1 / max(n_in, n_out),
    "normal": lambda n_in, n_out: 1.0,
    "pytorch": lambda n_in, n_out: 1 / (3 * n_in),
}
SIGMAS = 5  # two-sided chance below 1e-6 for each comparison

every_scheme = pytest.mark.parametrize("scheme", VARIANCES)


def problem(bias=False):
    moments = ls.Moments(
        np.eye(INPUTS), np.ones((INPUTS, OUTPUTS)) / 4, np.eye(OUTPUTS), np.zeros(INPUTS),
        np.zeros(OUTPUTS),
    )  # fmt: skip
    return ls.Problem(moments, ls.Network(HIDDEN, weight_decay=0.1, bias=bias))


@every_scheme
@pytest.mark.parametrize("gain", [1.0, 0.3])
def test_entries_have_mean_zero_and_the_stated_variance(scheme, gain):
    draws = 4000
    weights = random_weights(problem(), scheme=scheme, gain=gain, rng=1, batch=draws)
    for W, fans in zip(weights, FANS, strict=True):
        variance = gain**2 * VARIANCES[scheme](*fans)
        assert W.shape == (draws, fans[1], fans[0])
        # over the draws, entry by entry: independent also where a matrix is orthogonal
        assert np.all(np.abs(W.mean(axis=0)) < SIGMAS * np.sqrt(variance / draws))
        # Var w² ≤ 2·variance²: equality for a normal, less on a sphere
        spread = variance * np.sqrt(2 / draws)
        assert np.all(np.abs((W**2).mean(axis=0) - variance) < SIGMAS * spread)


@pytest.mark.parametrize("scheme", ["kaiming", "xavier", "lecun", "normal"])
def test_entries_are_normal_and_uncorrelated(scheme):
    W = random_weights(problem(), scheme=scheme, rng=2, batch=500)[1]
    scaled = W / np.sqrt(VARIANCES[scheme](*FANS[1]))
    assert stats.kstest(scaled.ravel(), "norm").pvalue > 1e-6
    flat = scaled.reshape(500, -1)
    correlations = (flat.T @ flat / 500)[np.triu_indices(flat.shape[1], 1)]
    assert np.all(np.abs(correlations) < 6 / np.sqrt(500))  # 276 of them


@pytest.mark.parametrize("gain", [1.0, 2.5])
def test_orthogonal_matrices_are_orthonormal_times_the_gain(gain):
    for W in random_weights(problem(), scheme="orthogonal", gain=gain, rng=3, batch=20):
        rows, columns = W.shape[-2:]
        gram = W.mT @ W if rows >= columns else W @ W.mT
        expected = np.broadcast_to(gain**2 * np.eye(min(rows, columns)), gram.shape)
        np.testing.assert_allclose(gram, expected, atol=1e-12)


def test_orthogonal_matrices_are_uniform_even_in_their_first_column():
    # without the sign correction the diagonal of R has one sign, and E Q₁₁ is not zero
    moments = ls.Moments(np.eye(3), np.ones((3, 3)) / 4, np.eye(3))
    square = ls.Problem(moments, ls.Network((3,)))
    W = random_weights(square, scheme="orthogonal", rng=4, batch=4000)[0]
    assert np.all(np.abs(W.mean(axis=0)) < SIGMAS * np.sqrt(1 / 3 / 4000))
    # an entry of a random unit vector of R³ is uniform on [−1, 1]
    assert stats.kstest(W[:, 0, 0], stats.uniform(-1, 2).cdf).pvalue > 1e-6


@every_scheme
@pytest.mark.parametrize("bias", ["decayed", "free"])
def test_biases_are_zero_and_do_not_count_as_inputs(scheme, bias):
    plain = random_weights(problem(), scheme=scheme, rng=5)
    biased = random_weights(problem(bias), scheme=scheme, rng=5)
    for W, V in zip(plain, biased, strict=True):
        np.testing.assert_array_equal(V[:, :-1], W)
        np.testing.assert_array_equal(V[:, -1], 0)


@every_scheme
def test_the_loss_takes_them_and_the_gain_multiplies_every_layer(scheme):
    p = problem()
    once = random_weights(p, scheme=scheme, rng=6, batch=(2, 3))
    twice = random_weights(p, scheme=scheme, gain=2.0, rng=np.random.default_rng(6), batch=(2, 3))
    assert p.loss(once).shape == (2, 3)
    assert np.shape(p.loss(random_weights(p, scheme=scheme, rng=6))) == ()
    for W, V in zip(once, twice, strict=True):
        np.testing.assert_array_equal(2 * W, V)


def test_the_default_of_pytorch_is_uniform_and_has_the_norms_of_lecun_at_one_over_root_three():
    # uniform on ±1/√n_in: E‖W‖² = n_out/3
    for options in ({"scheme": "pytorch"}, {"scheme": "lecun", "gain": 3**-0.5}):
        weights = random_weights(problem(), **options, rng=7, batch=4000)
        for W, (_, n_out) in zip(weights, FANS, strict=True):
            squares = (W**2).sum(axis=(1, 2))
            error = squares.std(ddof=1) / np.sqrt(len(squares))
            assert abs(squares.mean() - n_out / 3) < SIGMAS * error
    for W, (n_in, _) in zip(
        random_weights(problem(), scheme="pytorch", rng=8, batch=300), FANS, strict=True
    ):
        edge = n_in**-0.5
        assert stats.kstest(W.ravel(), stats.uniform(-edge, 2 * edge).cdf).pvalue > 1e-6


# ---- Balanced weights


def imbalances(weights):
    return [V.mT @ V - W @ W.mT for W, V in pairwise(weights)]


def end_to_end(weights):
    product = weights[0]
    for W in weights[1:]:
        product = W @ product
    return product


def sized(hidden, inputs=4, outputs=3, **network):
    moments = ls.Moments(
        np.eye(inputs), np.zeros((inputs, outputs)), np.eye(outputs), np.zeros(inputs),
        np.zeros(outputs),
    )  # fmt: skip
    return ls.Problem(moments, ls.Network(hidden, **network))


every_width = pytest.mark.parametrize("hidden", [(), (2,), (7,), (3, 5), (6, 2, 4), (3,) * 6])


@every_width
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_balanced_weights_are_balanced_and_have_their_product(hidden, scale):
    p = sized(hidden)
    rank = min(3, *hidden, 4)
    rng = np.random.default_rng(0)
    product = rng.standard_normal((3, rank)) @ rng.standard_normal((rank, 4))
    weights = balanced_weights(p, product=product, scale=scale, rng=1)
    assert [W.shape for W in weights] == list(p.shapes)
    np.testing.assert_allclose(end_to_end(weights), scale * product, atol=1e-13 * scale)
    size = max(np.linalg.norm(W) ** 2 for W in weights)
    for delta in imbalances(weights):
        np.testing.assert_allclose(delta, 0, atol=1e-14 * size)
    # every layer has the singular values of the product, to the power 1/N
    expected = np.linalg.svd(product)[1][:rank] ** (1 / len(weights))
    for W in weights:
        values = np.linalg.svd(W)[1]
        np.testing.assert_allclose(
            values[:rank], expected * scale ** (1 / len(weights)), rtol=1e-10
        )
        np.testing.assert_allclose(values[rank:], 0, atol=1e-14 * np.sqrt(size))


def test_a_product_of_low_rank_leaves_exact_zeros_behind():
    # an N-th root would turn the rounding 1e-17 of a zero into 1e-4
    p = sized((4, 4, 4))
    weights = balanced_weights(p, product=np.outer([1.0, 2, 3], [1.0, 1, 0, 1]), rng=0)
    for W in weights:
        assert np.linalg.svd(W)[1][1] < 1e-14


def test_the_default_product_is_normal_and_cut_to_the_smallest_width():
    draws = 4000
    weights = balanced_weights(sized((5, 6)), scale=0.3, rng=3, batch=draws)
    product = end_to_end(weights)
    assert stats.kstest((product / 0.3).ravel(), "norm").pvalue > 1e-6
    narrow = balanced_weights(sized((5, 1)), rng=3, batch=20)
    values = np.linalg.svd(end_to_end(narrow), compute_uv=False)
    np.testing.assert_allclose(values[:, 1:], 0, atol=1e-13)


def test_hidden_directions_are_uniform():
    # row space of W_1 in the hidden layer: a random unit vector of R³ has uniform entries
    weights = balanced_weights(sized((3,), 1, 1), product=[[1.0]], rng=4, batch=4000)
    assert stats.kstest(weights[0][:, 0, 0], stats.uniform(-1, 2).cdf).pvalue > 1e-6


@pytest.mark.parametrize(
    ("inputs", "hidden", "outputs", "value"),
    [
        (4, 2, 3, 1.5),
        (4, 3, 3, 1e-9),
        (4, 2, 3, -2.0),
        (4, 4, 2, -0.3),
        (1, 3, 5, 7.0),
        (4, 2, 3, 1e8),
    ],
)
def test_two_layers_can_differ_by_a_multiple_of_the_identity(inputs, hidden, outputs, value):
    p = sized((hidden,), inputs, outputs)
    weights = balanced_weights(p, imbalance=value, rng=0, batch=2)
    plain = balanced_weights(p, rng=0, batch=2)
    np.testing.assert_allclose(end_to_end(weights), end_to_end(plain), atol=1e-12)
    (delta,) = imbalances(weights)
    scale = max(1, abs(value))
    expected = np.broadcast_to(value * np.eye(hidden), delta.shape)
    np.testing.assert_allclose(delta, expected, atol=1e-13 * 10 * scale)


@pytest.mark.parametrize("hidden", [(2,), (7,), (3, 5), (6, 2, 4)])
@pytest.mark.parametrize("share", [1e-3, 1.0, 1e4])
def test_near_balanced_weights_miss_balance_by_exactly_delta(hidden, share):
    p = sized(hidden)
    weights = balanced_weights(p, scale=0.1, balancedness=0.1 * share, rng=0, batch=3)
    plain = balanced_weights(p, scale=0.1, rng=0, batch=3)
    norms = np.max([np.linalg.norm(D, 2, axis=(-2, -1)) for D in imbalances(weights)], axis=0)
    np.testing.assert_allclose(norms, 0.1 * share, rtol=1e-10)
    size = max(np.linalg.norm(W) for W in weights)
    np.testing.assert_allclose(
        end_to_end(weights), end_to_end(plain), atol=1e-13 * size ** len(weights)
    )


@pytest.mark.parametrize("bias", ["decayed", "free"])
def test_balanced_weights_have_zero_biases(bias):
    plain = balanced_weights(sized((3, 5)), balancedness=0.2, rng=5)
    biased = balanced_weights(sized((3, 5), bias=bias), balancedness=0.2, rng=5)
    for W, V in zip(plain, biased, strict=True):
        np.testing.assert_array_equal(V[:, :-1], W)
        np.testing.assert_array_equal(V[:, -1], 0)


@pytest.mark.parametrize(
    ("hidden", "options", "message"),
    [
        ((2,), {"scale": -1.0}, "scale must be"),
        ((2,), {"balancedness": -1.0}, "balancedness must be"),
        ((2,), {"imbalance": np.nan}, "imbalance must be"),
        ((2,), {"balancedness": 0.1, "imbalance": 0.1}, "for imbalance 0"),
        ((), {"balancedness": 0.1}, "with a hidden layer"),
        ((2, 2), {"imbalance": 0.1}, "one hidden layer"),
        ((4,), {"imbalance": 0.1}, "at least as many outputs"),
        ((5,), {"imbalance": -0.1}, "at least as many inputs"),
        ((2,), {"product": np.ones((2, 4))}, "shape"),
        ((2,), {"product": np.full((3, 4), np.nan)}, "finite"),
        ((2,), {"product": np.eye(3, 4)}, "rank above 2"),
        ((2,), {"product": np.zeros((3, 4)), "balancedness": 0.1}, "product of zero"),
    ],
)
def test_balance_that_cannot_be_is_refused(hidden, options, message):
    with pytest.raises(ValueError, match=message):
        balanced_weights(sized(hidden), rng=0, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scheme": "glorot"}, "scheme must be one of"),
        ({"gain": -1.0}, "gain must be"),
        ({"gain": float("nan")}, "gain must be"),
        ({"gain": float("inf")}, "gain must be"),
    ],
)
def test_what_is_not_understood_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        random_weights(problem(), rng=0, **options)


def test_a_balancedness_below_rounding():
    problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((2,)))
    with pytest.raises(ls.errors.OutOfRange, match="below the rounding error"):
        ls.balanced_weights(problem, balancedness=5e-324, rng=0)
