"""What is recorded: each quantity against its definition."""

import itertools

import numpy as np
import pytest

import linscape as ls
from cases import data_problem, symmetric
from linscape.dynamics.recording import RECORDED, measures
from linscape.errors import OutOfRange


def problem_and_weights(network, batch=(2, 3), outputs=2, **options):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((15, 3)) + 0.3
    y = X @ rng.standard_normal((3, outputs)) + rng.standard_normal((15, outputs)) + 1
    problem = data_problem(X, y[:, 0] if outputs == 1 else y, network, **options)
    weights = [rng.standard_normal((*batch, *shape)) for shape in problem.shapes]
    return problem, weights, X, y


def each_net(weights):
    for net in np.ndindex(weights[0].shape[:-2]):
        yield net, [W[net] for W in weights]


NETWORKS = [
    ls.Network((), weight_decay=0.1),
    ls.Network((4, 2), noise=0.3, weight_decay=(0.1, 0.2, 0.0)),
    ls.Network((3,), bias="decayed", weight_decay=0.2),
    ls.Network((2, 2), bias="free", weight_decay=0.2),
]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("outputs", [1, 2])
def test_every_quantity_by_its_definition(network, outputs):
    problem, weights, *_ = problem_and_weights(network, outputs=outputs)
    found = {name: f(weights) for name, f in measures(problem, list(RECORDED)).items()}
    for net, one in each_net(weights):
        linear = [W[:, :-1] for W in one] if network.bias else one
        product = linear[0]
        for W in linear[1:]:
            product = W @ product
        imbalance = [
            np.linalg.norm(above.T @ above - below @ below.T, 2)
            for below, above in zip(one[:-1], linear[1:], strict=True)
        ]
        decayed = linear if network.bias == "free" else one
        expected = {
            "loss": problem.loss(one),
            "gradient_norm": np.sqrt(sum(np.sum(G**2) for G in problem.gradient(one))),
            "norm": np.sqrt(sum(np.sum(W**2) for W in one)),
            "energies": [
                decay * np.sum(W**2) for decay, W in zip(network.weight_decay, decayed, strict=True)
            ],
            "balancedness": max(imbalance, default=0.0),
            "singular_values": np.linalg.svd(product, compute_uv=False),
            "weights": np.concatenate([W.ravel() for W in one]),
        }
        for name, value in expected.items():
            np.testing.assert_allclose(found[name][net], value, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("bias", [False, "decayed", "free"])
@pytest.mark.parametrize("width", [1, 2, 5])
@pytest.mark.parametrize("outputs", [1, 3])
def test_distances_by_reduced_rank_regression(bias, width, outputs):
    """M* and the critical values from rows, with decay and noise that must not matter."""
    network = ls.Network((width, 6), bias=bias, weight_decay=0.1, noise=0.2)
    problem, weights, X, y = problem_and_weights(network, outputs=outputs, reduction="half_sum")
    if bias:
        X, y = X - X.mean(axis=0), y - y.mean(axis=0)
    best = np.linalg.lstsq(X, y, rcond=None)[0].T
    left, singular, _ = np.linalg.svd((X @ best.T).T / np.sqrt(len(X)), full_matrices=False)
    rank = min(width, outputs, 3)
    best = left[:, :rank] @ left[:, :rank].T @ best
    modes = [k for k in range(rank if outputs == 1 else len(singular)) if singular[k] > 1e-9]
    total = np.mean(np.sum(y**2, axis=1))
    values = [
        len(X) / 2 * (total - sum(singular[k] ** 2 for k in chosen))
        for size in range(rank + 1)
        for chosen in itertools.combinations(modes, size)
    ]
    found = {
        name: f(weights)
        for name, f in measures(problem, ["product_error", "critical_value_distance"]).items()
    }
    for net, one in each_net(weights):
        product = np.reshape(problem.predictor(one), (outputs, 3))
        error = np.sqrt(np.sum((product - best) ** 2))
        assert found["product_error"][net] == pytest.approx(error, rel=1e-10)
        distance = min(abs(problem.loss(one) - value) for value in values)
        # a difference of numbers a few hundred times as large
        assert found["critical_value_distance"][net] == pytest.approx(distance, rel=1e-8)


def test_at_the_minimum_both_distances_vanish():
    rng = np.random.default_rng(1)
    A = symmetric([2.0, 1.0, 0.1], rng)
    best = rng.standard_normal((2, 3))
    moments = ls.Moments(A, A @ best.T, best @ A @ best.T + np.eye(2))
    problem = ls.Problem(moments, ls.Network((2,)))
    values = {
        name: float(f([best, np.eye(2)]))
        for name, f in measures(problem, ["product_error", "critical_value_distance"]).items()
    }
    assert values["product_error"] < 1e-12
    assert values["critical_value_distance"] < 1e-12


@pytest.mark.parametrize("scale", [1e-8, 1e8, 1e150])
def test_norms_do_not_overflow(scale):
    problem, weights, *_ = problem_and_weights(ls.Network(()))
    small = measures(problem, ["norm"])["norm"](weights)
    large = measures(problem, ["norm"])["norm"]([scale * W for W in weights])
    np.testing.assert_allclose(large, scale * small, rtol=1e-12)


@pytest.mark.parametrize(
    "name", ["loss", "gradient_norm", "energies", "singular_values", "balancedness"]
)
def test_a_net_out_of_range_is_infinite_and_leaves_the_others_alone(name):
    problem, weights, *_ = problem_and_weights(ls.Network((4, 2), weight_decay=0.1), batch=(3,))
    measure = measures(problem, [name])[name]
    alone = measure([W[[0, 2]] for W in weights])
    for W in weights:
        W[1] *= 1e160
    together = measure(weights)
    assert np.array_equal(together[[0, 2]], alone)
    assert np.all(np.isinf(together[1]))


def test_a_single_net_out_of_range():
    problem, weights, *_ = problem_and_weights(ls.Network((4,)), batch=())
    measure = measures(problem, ["loss"])["loss"]
    assert measure([1e160 * W for W in weights]) == np.inf


def test_too_many_critical_values_are_refused():
    modes = 24
    values = np.sqrt(np.arange(1.0, modes + 1))
    moments = ls.Moments(np.eye(modes), np.diag(values), np.diag(values**2))
    problem = ls.Problem(moments, ls.Network((modes,)))
    with pytest.raises(OutOfRange, match="critical values"):
        measures(problem, ["critical_value_distance"])


@pytest.mark.parametrize("names", ["loss", ["loss", "loss"], ["speed"]])
def test_names_that_are_not_known(names):
    problem, *_ = problem_and_weights(ls.Network(()))
    with pytest.raises(ValueError, match="record must be"):
        measures(problem, names)
