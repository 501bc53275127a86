"""Stochastic descent: its mean step is the exact gradient, and without chance it is `descend`."""

import numpy as np
import pytest

import linscape as ls
from linscape.dynamics.descent import descend
from linscape.dynamics.stochastic import Sample, descend_stochastic, sampled_gradient
from linscape.errors import InvalidData, InvalidWeights
from oracles import forward


def data(rng, rows=12, inputs=3, outputs=2):
    X = rng.standard_normal((rows, inputs)) + 0.5
    return X, X @ rng.standard_normal((inputs, outputs)) + rng.standard_normal((rows, outputs))


def start(network, rng, batch=(), inputs=3, outputs=2):
    return [rng.standard_normal((*batch, *s)) for s in network.shapes(inputs, outputs)]


NETWORKS = [
    ls.Network((), weight_decay=0.1, input_noise=0.4),
    ls.Network((4,), noise=0.5, weight_decay=(0.2, 0.1), bias="decayed"),
    ls.Network((3, 2), noise=(0.3, 0.0), weight_decay=0.1, bias="free", input_noise=0.2),
    ls.Network((2, 3), noise=0.25),
]


@pytest.mark.parametrize("noise", ["dropout", "gaussian"])
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("batch_size", [1, 5, 12])
def test_the_mean_gradient_is_exact(network, noise, batch_size):
    """Within 4.5 standard errors in every entry, of 10,000 samples."""
    rng = np.random.default_rng([7, batch_size])
    X, y = data(rng)
    problem = ls.Problem(ls.Moments.from_arrays(X, y), network)
    weights = start(network, rng)
    many = [np.broadcast_to(W, (10_000, *W.shape)) for W in weights]
    sample = Sample(X, y, batch_size, np.random.default_rng(1), noise)
    gradients, losses = sampled_gradient(problem, many, sample)
    exact = problem.gradient(weights)
    for found, expected in zip([*gradients, losses], [*exact, problem.loss(weights)], strict=True):
        error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
        # what has no chance in it (a standard error of rounding only) must agree outright
        scale = 1e-12 * (1 + np.abs(expected))
        assert np.all(np.abs(found.mean(axis=0) - expected) <= 4.5 * error + scale)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("noise", ["dropout", "gaussian"])
def test_one_sample_by_the_definition(network, noise):
    """The loss of the drawn rows and masks, and its derivative by central differences."""
    rng = np.random.default_rng(5)
    X, y = data(rng)
    problem = ls.Problem(ls.Moments.from_arrays(X, y), network, reduction="half_sum")
    weights = start(network, rng)

    def loss(matrices):
        fixed = Sample(X, y, 4, np.random.default_rng(11), noise)
        return sampled_gradient(problem, [W[None] for W in matrices], fixed)[1][0]

    draws = Recorded(X, y, 4, np.random.default_rng(11), noise)
    gradients, losses = sampled_gradient(problem, [W[None] for W in weights], draws)
    (x, target), masks = draws.drawn, draws.drawn_masks
    output = forward(x[0], weights, [mask[0] for mask in masks], network.bias)
    penalty = sum(
        decay * np.sum((W[:, :-1] if network.bias == "free" else W) ** 2)
        for decay, W in zip(network.weight_decay, weights, strict=True)
    )
    expected = 0.5 * len(X) * np.mean(np.sum((output - target[0]) ** 2, axis=1)) + penalty
    assert losses[0] == pytest.approx(expected, rel=1e-12)
    for k, W in enumerate(weights):
        for index in np.ndindex(W.shape):
            ends = []
            for sign in (1, -1):
                moved = [matrix.copy() for matrix in weights]
                moved[k][index] += sign * 2**-13
                ends.append(loss(moved))
            slope = (ends[0] - ends[1]) * 2**12
            # the loss is quadratic in one weight: the difference is exact but for its rounding
            assert gradients[k][0][index] == pytest.approx(slope, rel=1e-8, abs=1e-8 * expected)


class Recorded(Sample):
    """A sample that keeps what it drew."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.drawn_masks = []

    def masks(self, variance, shape):
        self.drawn_masks.append(super().masks(variance, shape))
        return self.drawn_masks[-1]

    def rows(self, nets):
        self.drawn = super().rows(nets)
        return self.drawn


@pytest.mark.parametrize("bias", [False, "decayed", "free"])
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.8, False), (0.8, True)])
def test_without_chance_it_is_gradient_descent(bias, momentum, nesterov):
    rng = np.random.default_rng(2)
    X, y = data(rng)
    network = ls.Network((4, 3), weight_decay=(0.1, 0.0, 0.2), bias=bias)
    weights = start(network, rng, batch=(2,))
    options = {
        "step_size": [0.001, 0.002],
        "steps": 40,
        "momentum": momentum,
        "nesterov": nesterov,
        "record": ["loss", "weights"],
        "every": 7,
    }
    exact = descend(ls.Problem(ls.Moments.from_arrays(X, y), network), weights, **options)
    found = descend_stochastic(X, y, network, weights, batch_size=len(X), rng=0, **options)
    assert np.array_equal(found.at, exact.at)
    for name in ("loss", "weights"):
        np.testing.assert_allclose(found[name], exact[name], rtol=1e-10, atol=1e-12)


def test_rows_of_a_batch_are_different_and_equally_likely():
    rng = np.random.default_rng(0)
    X = np.arange(6.0)[:, None]
    x, y = Sample(X, X, 4, rng, "dropout").rows(5000)
    assert np.array_equal(x, y)
    drawn = np.sort(x[..., 0], axis=1)
    assert np.all(np.diff(drawn, axis=1) > 0)
    counts = np.bincount(drawn.ravel().astype(int), minlength=6)
    # each row is in a batch with probability 2/3
    assert np.all(np.abs(counts - 5000 * 2 / 3) < 4.5 * np.sqrt(5000 * 2 / 9))


def test_dropout_takes_two_values():
    masks = Sample(np.ones((1, 1)), np.ones((1, 1)), 1, np.random.default_rng(0), "dropout").masks
    drawn = masks(ls.dropout(0.2), (200_000,))
    assert np.allclose(np.unique(drawn), [0, 1.25], rtol=1e-15)
    assert abs(np.mean(drawn == 0) - 0.2) < 4.5 * np.sqrt(0.16 / 200_000)


def test_a_seed_repeats_a_run_and_nets_draw_their_own():
    rng = np.random.default_rng(4)
    X, y = data(rng)
    network = ls.Network((3,), noise=0.5)
    one = start(network, rng)
    weights = [np.stack([W, W]) for W in one]
    runs = [
        descend_stochastic(
            X, y, network, weights, batch_size=2, step_size=0.01, steps=20, rng=seed
        ).weights[0]
        for seed in (1, 1, 2)
    ]
    assert np.array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])
    assert not np.array_equal(runs[0][0], runs[0][1])


def test_the_recorded_loss_is_the_exact_one():
    rng = np.random.default_rng(6)
    X, y = data(rng)
    network = ls.Network((3,), noise=0.5, weight_decay=0.1)
    run = descend_stochastic(
        X,
        y,
        network,
        start(network, rng),
        batch_size=3,
        step_size=0.01,
        steps=10,
        rng=0,
        record=["loss", "weights"],
        every=[4],
    )
    problem = ls.Problem(ls.Moments.from_arrays(X, y), network)
    assert run.at.tolist() == [0, 4, 10]
    for loss, row in zip(run["loss"], run["weights"], strict=True):
        assert loss == problem.loss(problem.unflatten(row))


def test_diverging_nets_stop_alone():
    rng = np.random.default_rng(8)
    X, y = data(rng)
    network = ls.Network((3, 3), noise=0.2)
    weights = [np.stack([W] * 3) for W in start(network, rng)]
    run = descend_stochastic(
        X, y, network, weights, batch_size=4, step_size=[1e-3, 50.0, 1e-3], steps=60, rng=0
    )
    assert run.status.tolist() == ["running", "diverged", "running"]
    assert run.stopped_at[0] == run.stopped_at[2] == 60
    assert 0 < run.stopped_at[1] < 10
    assert all(np.isfinite(W).all() for W in run.weights)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"batch_size": 13}, ValueError, "at most the number of rows, 12"),
        ({"batch_size": 2.5}, ValueError, "batch_size"),
        ({"steps": -1}, ValueError, "steps"),
        ({"step_size": 0.0}, ValueError, "step_size"),
        ({"noise": "salt"}, ValueError, "noise"),
        ({"momentum": 1.0}, ValueError, "momentum"),
        ({"nesterov": True}, ValueError, "nesterov"),
        ({"loss_limit": 0.5}, ValueError, "loss_limit"),
        ({"record": ["speed"]}, ValueError, "record"),
        ({"y": np.ones(5)}, InvalidData, "rows"),
        ({"X": np.full((12, 3), np.nan)}, InvalidData, "NaN"),
        ({"weights": [np.ones((1, 1))]}, InvalidWeights, "weight"),
    ],
)
def test_bad_input(changes, error, message):
    rng = np.random.default_rng(0)
    X, y = data(rng)
    network = ls.Network((2,))
    weights = changes.pop("weights", start(network, rng))
    options = {"batch_size": 2, "step_size": 0.1, "steps": 3, "rng": 0}
    positional = [changes.pop("X", X), changes.pop("y", y), network, weights]
    with pytest.raises(error, match=message):
        descend_stochastic(*positional, **(options | changes))


def test_sparse_rows_are_refused():
    from scipy import sparse

    X, y = data(np.random.default_rng(0))
    with pytest.raises(InvalidData, match="toarray"):
        descend_stochastic(
            sparse.csr_array(X),
            y,
            ls.Network(()),
            [np.ones((2, 3))],
            batch_size=2,
            step_size=0.1,
            steps=1,
            rng=0,
        )
