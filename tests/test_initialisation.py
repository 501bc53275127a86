"""Random weights: their variances, their distribution, their shapes."""

import numpy as np
import pytest
from scipy import stats

import linscape as ls
from linscape.initialisation import random_weights

INPUTS, HIDDEN, OUTPUTS = 5, (3, 8), 2
FANS = [(5, 3), (3, 8), (8, 2)]  # (n_in, n_out)
VARIANCES = {
    "kaiming": lambda n_in, n_out: 2 / n_in,
    "xavier": lambda n_in, n_out: 2 / (n_in + n_out),
    "lecun": lambda n_in, n_out: 1 / n_in,
    "orthogonal": lambda n_in, n_out: 1 / max(n_in, n_out),
    "normal": lambda n_in, n_out: 1.0,
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


def test_the_default_of_pytorch_has_the_norms_of_lecun_at_one_over_root_three():
    # uniform on ±1/√n_in: E‖W‖² = n_out/3
    weights = random_weights(problem(), scheme="lecun", gain=3**-0.5, rng=7, batch=4000)
    for W, (_, n_out) in zip(weights, FANS, strict=True):
        squares = (W**2).sum(axis=(1, 2))
        error = squares.std(ddof=1) / np.sqrt(len(squares))
        assert abs(squares.mean() - n_out / 3) < SIGMAS * error


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
