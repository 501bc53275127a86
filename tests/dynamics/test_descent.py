"""Gradient descent: against hand-written loops, closed forms, invariances and the definition."""

import math

import numpy as np
import pytest

import linscape as ls
from cases import data_problem, symmetric
from linscape.dynamics.descent import descend
from linscape.errors import InvalidWeights, OutOfRange
from oracles import averaged_loss_and_gradient

ETA = 2e-3


def rows(rng, inputs=3, outputs=2, count=12):
    X = rng.standard_normal((count, inputs)) + 0.5
    y = X @ rng.standard_normal((inputs, outputs)) + rng.standard_normal((count, outputs))
    return X, y[:, 0] if outputs == 1 else y


def start(problem, rng, batch=(), size=0.6):
    return [size * rng.standard_normal((*batch, *shape)) for shape in problem.shapes]


NETWORKS = [
    ls.Network((), weight_decay=0.1, input_noise=0.3),
    ls.Network((4,), noise=0.5, weight_decay=(0.2, 0.1)),
    ls.Network((4, 2), weight_decay=(0.1, 0.0, 0.2), input_noise=0.2),
    ls.Network((2, 3, 4), noise=(0.0, 0.4, 0.1), weight_decay=0.1),
    ls.Network((3,), noise=0.5, weight_decay=(0.2, 0.1), bias="decayed"),
    ls.Network((3, 2), weight_decay=0.1, bias="free", input_noise=0.2),
    ls.Network((3, 2), noise=0.3, weight_decay=0.1, bias="decayed"),
]


# ---- Against loops written by hand


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.8, False), (0.8, True)])
def test_it_is_the_plain_formula(network, outputs, momentum, nesterov):
    rng = np.random.default_rng(1)
    problem = data_problem(*rows(rng, outputs=outputs), network, reduction="half_sum")
    batch, sizes = (2, 2), ETA * np.array([[1, 0.5], [2, 0.1]])
    weights = start(problem, rng, batch)
    run = descend(
        problem,
        weights,
        step_size=sizes,
        steps=40,
        momentum=momentum,
        nesterov=nesterov,
        record=["loss", "weights"],
        every=1,
    )
    velocity = [np.zeros_like(W) for W in weights]
    for step in range(41):
        np.testing.assert_allclose(run["loss"][step], problem.loss(weights), rtol=1e-12)
        np.testing.assert_allclose(
            run["weights"][step], problem.flatten(weights), rtol=1e-12, atol=1e-13
        )
        gradient = problem.gradient(weights)
        velocity = [momentum * v + g for v, g in zip(velocity, gradient, strict=True)]
        moves = velocity
        if nesterov:
            moves = [g + momentum * v for g, v in zip(gradient, velocity, strict=True)]
        weights = [
            W - sizes[..., None, None] * move for W, move in zip(weights, moves, strict=True)
        ]
    assert np.all(run.status == "running")
    assert np.all(run.stopped_at == 40)
    for last, row in zip(run.weights, problem.unflatten(run["weights"][-1]), strict=True):
        assert np.array_equal(last, row)


@pytest.mark.parametrize("network", NETWORKS)
def test_it_agrees_with_the_loss_averaged_row_by_row(network):
    """The oracle knows rows, not moments, and shares no code."""
    rng = np.random.default_rng(3)
    X, y = rows(rng)
    problem = data_problem(X, y, network)
    oracle = averaged_loss_and_gradient(
        X,
        y,
        noise=list(network.noise),
        weight_decay=list(network.weight_decay),
        bias=network.bias,
        input_noise=network.input_noise,
    )
    weights = start(problem, rng)
    run = descend(problem, weights, step_size=0.01, steps=60, momentum=0.5, every=[20])
    velocity, losses = [np.zeros_like(W) for W in weights], []
    for _ in range(61):
        loss, gradient = oracle(weights)
        losses.append(loss)
        velocity = [0.5 * v + g for v, g in zip(velocity, gradient, strict=True)]
        weights = [W - 0.01 * v for W, v in zip(weights, velocity, strict=True)]
    np.testing.assert_allclose(run["loss"], [losses[0], losses[20], losses[60]], rtol=1e-10)


# ---- Against closed forms


@pytest.mark.parametrize("decay", [0.0, 0.2])
def test_without_hidden_layer_the_error_is_geometric(decay):
    """U_t − U* = (U_0 − U*)(I − 2η(A + γ))^t, a quadratic."""
    rng = np.random.default_rng(5)
    A = symmetric([3.0, 1.0, 0.01], rng)
    C, U = rng.standard_normal((3, 2)), rng.standard_normal((2, 3))
    moments = ls.Moments(A, C, 1e4 * np.eye(2))
    problem = ls.Problem(moments, ls.Network((), weight_decay=decay))
    run = descend(problem, [U], step_size=0.1, steps=200, record=["weights"], every=50)
    best = np.linalg.solve(A + decay * np.eye(3), C).T
    factor = np.eye(3) - 0.2 * (A + decay * np.eye(3))
    for step, row in zip(run.at, run["weights"], strict=True):
        expected = best + (U - best) @ np.linalg.matrix_power(factor, step)
        np.testing.assert_allclose(row.reshape(2, 3), expected, rtol=1e-10)


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_equal_single_units_stay_equal(depth, momentum):
    """All weights w: the slope is 2(a w^{2D+1} − c w^D + γ w), one scalar recursion."""
    a, c, decay, w, v = 1.3, 0.9, 0.02, 0.7, 0.0
    network = ls.Network((1,) * depth, weight_decay=decay)
    problem = ls.Problem(ls.Moments([[a]], [c], 2.0), network)
    run = descend(
        problem, [[[w]]] * (depth + 1), step_size=0.01, steps=300, momentum=momentum, every=300
    )
    for _ in range(300):
        v = momentum * v + 2 * (a * w ** (2 * depth + 1) - c * w**depth + decay * w)
        w -= 0.01 * v
    for W in run.weights:
        assert W[0, 0] == pytest.approx(w, rel=1e-10)


def test_heavy_ball_at_the_critical_momentum():
    """On the quadratic u², μ = (1 − √(2η))²: e_t = (1 + kt)μ^{t/2} e_0, a double root."""
    eta = 0.02
    root = 1 - math.sqrt(2 * eta)
    problem = ls.Problem(ls.Moments([[1.0]], [0.0], 1.0), ls.Network(()))
    run = descend(
        problem, [[[1.0]]], step_size=eta, steps=50, momentum=root**2, record=["weights"], every=1
    )
    # from e_1 = (1 − 2η)e_0
    slope = (1 - 2 * eta) / root - 1
    steps = np.arange(51)
    # the double root loses half the digits of the recursion's coefficients in 50 steps
    np.testing.assert_allclose(run["weights"][:, 0], (1 + slope * steps) * root**steps, rtol=1e-9)


# ---- Invariances


@pytest.mark.parametrize("exponent", [-27, 27])
@pytest.mark.parametrize("network", NETWORKS[1:4])
def test_powers_of_two_in_the_data_change_no_bit(network, exponent):
    """y → s^N y, W → sW, γ → s^{2N−2}γ, η → s^{2−2N}η for N layers; s^N reaches 2^{±108}."""
    rng = np.random.default_rng(6)
    X, y = rows(rng)
    layers, s = network.depth + 1, 2.0**exponent
    base = data_problem(X, y, network)
    changed = network.to_dict()
    changed["weight_decay"] = [s ** (2 * layers - 2) * decay for decay in network.weight_decay]
    other = data_problem(X, s**layers * y, ls.Network(**changed))
    weights = start(base, rng, (3,))
    one = descend(base, weights, step_size=ETA, steps=50)
    two = descend(other, [s * W for W in weights], step_size=s ** (2 - 2 * layers) * ETA, steps=50)
    np.testing.assert_allclose(s ** (2 * layers) * one["loss"], two["loss"], rtol=1e-12)
    for W, V in zip(one.weights, two.weights, strict=True):
        np.testing.assert_allclose(s * W, V, rtol=1e-12, atol=1e-14 * s)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_the_scale_of_the_inputs(scale):
    """X → sX, W → s^{−1/N}W, η → s^{−2/N}η leave the loss as it is."""
    rng = np.random.default_rng(8)
    X, y = rows(rng)
    network = ls.Network((3, 3))
    base, other = data_problem(X, y, network), data_problem(scale * X, y, network)
    weights = start(base, rng)
    one = descend(base, weights, step_size=ETA, steps=200)
    two = descend(
        other,
        [scale ** (-1 / 3) * W for W in weights],
        step_size=scale ** (-2 / 3) * ETA,
        steps=200,
    )
    np.testing.assert_allclose(one["loss"], two["loss"], rtol=1e-10)


def test_rotations_of_hidden_units_do_not_matter_without_noise():
    rng = np.random.default_rng(9)
    problem = data_problem(*rows(rng), ls.Network((4, 3), weight_decay=0.1))
    W1, W2, U = start(problem, rng)
    Q = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    one = descend(problem, [W1, W2, U], step_size=ETA, steps=200)
    two = descend(problem, [Q @ W1, W2 @ Q.T, U], step_size=ETA, steps=200)
    np.testing.assert_allclose(one["loss"], two["loss"], rtol=1e-10)


def test_a_net_does_not_depend_on_its_neighbours():
    rng = np.random.default_rng(10)
    problem = data_problem(*rows(rng), ls.Network((4, 3), noise=0.2))
    weights = start(problem, rng, (40,))
    together = descend(problem, weights, step_size=ETA, steps=30)
    alone = descend(problem, [W[17] for W in weights], step_size=ETA, steps=30)
    assert alone.status.shape == ()
    # BLAS may order the sums of a stack of matrices in another way
    np.testing.assert_allclose(together["loss"][:, 17], alone["loss"], rtol=1e-12)


def test_no_steps():
    rng = np.random.default_rng(11)
    problem = data_problem(*rows(rng), ls.Network((4,)))
    weights = start(problem, rng)
    still = descend(problem, weights, step_size=ETA, steps=0)
    assert still.at.tolist() == [0]
    assert all(np.array_equal(W, V) for W, V in zip(still.weights, weights, strict=True))


def test_the_weights_given_are_not_touched():
    rng = np.random.default_rng(12)
    problem = data_problem(*rows(rng), ls.Network((4,)))
    weights = start(problem, rng)
    copies = [W.copy() for W in weights]
    descend(problem, weights, step_size=ETA, steps=10)
    assert all(np.array_equal(W, V) for W, V in zip(weights, copies, strict=True))


# ---- How nets stop


@pytest.mark.parametrize("network", NETWORKS)
def test_diverging_nets_are_flagged_one_by_one(network):
    rng = np.random.default_rng(13)
    problem = data_problem(*rows(rng), network)
    one = start(problem, rng)
    weights = [np.stack([W] * 4) for W in one]
    sizes = np.array([1e-3, 1e3, 2e-3, 1e9])
    run = descend(problem, weights, step_size=sizes, steps=50, every=1)
    assert run.status.tolist() == ["running", "diverged", "running", "diverged"]
    assert np.all(np.isfinite(run["loss"]))
    limit = 1e8 * max(problem.loss(one), problem.data_factor * np.trace(problem.moments.yy))
    for net in (1, 3):
        stop = run.stopped_at[net]
        # it stops before the first step from a loss beyond the limit, and stays there
        assert run["loss"][stop, net] > limit
        assert np.all(run["loss"][:stop, net] <= limit)
        assert np.all(run["loss"][stop:, net] == run["loss"][stop, net])
    for net in (0, 2):
        alone = descend(problem, one, step_size=sizes[net], steps=50, every=1)
        np.testing.assert_allclose(run["loss"][:, net], alone["loss"], rtol=1e-12)


def test_overflow_without_a_limit_keeps_the_last_finite_weights():
    problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((1, 1)))
    weights = [np.array([[[0.5]], [[2.0]]])] * 3
    run = descend(problem, weights, step_size=[0.1, 1.0], steps=60, loss_limit=math.inf, every=1)
    assert run.status.tolist() == ["running", "diverged"]
    w, values = 2.0, [2.0]
    while abs(w) < 1e30:
        w -= 2 * (w**5 - w**2)
        values.append(w)
    stop = run.stopped_at[1]
    # each step takes w to about −2w⁵: the square of that leaves the range beyond 1e30
    assert stop == len(values) - 1
    assert all(W[1, 0, 0] == pytest.approx(values[stop], rel=1e-9) for W in run.weights)


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.7, False), (0.7, True)])
def test_nets_converge_at_the_first_step_whose_gradient_is_small(momentum, nesterov):
    rng = np.random.default_rng(14)
    problem = data_problem(*rows(rng), ls.Network((3,), weight_decay=0.3))
    weights = start(problem, rng, (3,))
    run = descend(
        problem,
        weights,
        step_size=0.02,
        steps=5000,
        tolerance=1e-4,
        momentum=momentum,
        nesterov=nesterov,
        record=["gradient_norm"],
    )
    assert np.all(run.status == "converged")
    for net in range(3):
        W, v = [matrix[net] for matrix in weights], 0.0
        first = None
        for step in range(5000):  # noqa: B007
            gradient = problem.flatten(problem.gradient(W))
            size = math.hypot(np.linalg.norm(gradient), np.linalg.norm(v) if momentum else 0.0)
            first = size if first is None else first
            if size <= 1e-4 * first:
                break
            v = momentum * v + gradient
            move = gradient + momentum * v if nesterov else v
            W = problem.unflatten(problem.flatten(W) - 0.02 * move)
        assert run.stopped_at[net] == step
        assert run["gradient_norm"][-1, net] <= 1e-4 * first
        for mine, theirs in zip(run.weights, W, strict=True):
            np.testing.assert_allclose(mine[net], theirs, rtol=1e-10, atol=1e-13)


def test_a_start_at_a_critical_point_has_converged():
    problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((2, 2)))
    zero = [np.zeros(shape) for shape in problem.shapes]
    run = descend(problem, zero, step_size=0.1, steps=5, tolerance=1e-6)
    assert (str(run.status), int(run.stopped_at)) == ("converged", 0)
    run = descend(problem, zero, step_size=0.1, steps=5)
    assert (str(run.status), int(run.stopped_at)) == ("running", 5)


def test_descent_ends_at_the_global_minimum():
    rng = np.random.default_rng(15)
    X, y = rows(rng, outputs=1)
    network = ls.Network((6,), noise=0.3, weight_decay=0.05)
    problem = data_problem(X, y, network)
    # one hidden layer: no other local minimum, and a start at random avoids the saddle
    run = descend(
        problem, start(problem, rng, (5,)), step_size=0.02, steps=40_000, tolerance=1e-9, every=[]
    )
    assert np.all(run.status == "converged")
    minimum = ls.global_minimum(problem)
    np.testing.assert_allclose(run["loss"][-1], minimum.loss, rtol=1e-10)


# ---- Options


def test_steps_to_record_at():
    rng = np.random.default_rng(16)
    problem = data_problem(*rows(rng), ls.Network((2,)))
    weights = start(problem, rng)

    def at(steps, every=None):
        return descend(problem, weights, step_size=ETA, steps=steps, every=every).at.tolist()

    assert at(7, 3) == [0, 3, 6, 7]
    assert at(7, 100) == [0, 7]
    assert at(7, [5, 2, 2]) == [0, 2, 5, 7]
    assert at(7, []) == [0, 7]
    assert at(5) == [0, 1, 2, 3, 4, 5]
    assert len(at(1000)) == 101


def test_progress_is_shown_only_when_asked(capsys):
    rng = np.random.default_rng(17)
    problem = data_problem(*rows(rng), ls.Network((2,)))
    weights = start(problem, rng)
    quiet = descend(problem, weights, step_size=ETA, steps=10)
    assert capsys.readouterr() == ("", "")
    loud = descend(problem, weights, step_size=ETA, steps=10, progress=True)
    assert "descent" in capsys.readouterr().out
    assert np.array_equal(quiet["loss"], loud["loss"])


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"step_size": 0.0}, ValueError, "step_size"),
        ({"step_size": -1.0}, ValueError, "step_size"),
        ({"step_size": math.nan}, ValueError, "step_size"),
        ({"step_size": math.inf}, ValueError, "step_size"),
        ({"step_size": [0.1, 0.1]}, ValueError, r"shape \(3,\)"),
        ({"step_size": "0.1"}, ValueError, "step_size"),
        ({"step_size": True}, ValueError, "step_size"),
        ({"step_size": None}, ValueError, "step_size"),
        ({"steps": -1}, ValueError, "steps"),
        ({"steps": 1.5}, ValueError, "steps"),
        ({"steps": True}, ValueError, "steps"),
        ({"momentum": 1.0}, ValueError, "momentum"),
        ({"momentum": -0.1}, ValueError, "momentum"),
        ({"momentum": math.nan}, ValueError, "momentum"),
        ({"momentum": "0.9"}, ValueError, "momentum"),
        ({"nesterov": True}, ValueError, "nesterov"),
        ({"tolerance": -1e-3}, ValueError, "tolerance"),
        ({"tolerance": math.nan}, ValueError, "tolerance"),
        ({"loss_limit": 1.0}, ValueError, "loss_limit"),
        ({"loss_limit": math.nan}, ValueError, "loss_limit"),
        ({"every": 0}, ValueError, "every"),
        ({"every": 1.5}, ValueError, "every"),
        ({"every": [1, 11]}, ValueError, "every"),
        ({"every": [-1]}, ValueError, "every"),
        ({"every": [[1]]}, ValueError, "every"),
        ({"every": True}, ValueError, "every"),
        ({"record": "loss"}, ValueError, "record"),
        ({"record": ["speed"]}, ValueError, "singular_values"),
        ({"record": ["loss", "loss"]}, ValueError, "different"),
    ],
)
def test_bad_options(changes, error, message):
    rng = np.random.default_rng(0)
    problem = data_problem(*rows(rng), ls.Network((2,)))
    options = {"step_size": 0.1, "steps": 10} | changes
    with pytest.raises(error, match=message):
        descend(problem, start(problem, rng, (3,)), **options)


@pytest.mark.parametrize("what", ["none", "number", "shape", "batch", "nan", "complex"])
def test_bad_weights(what):
    rng = np.random.default_rng(0)
    problem = data_problem(*rows(rng), ls.Network((2,)))
    W, U = start(problem, rng, (3,))
    bad = {
        "none": [W[:0], U[:0]],
        "number": [W],
        "shape": [W[:, :, 1:], U],
        "batch": [W, U[0]],
        "nan": [W * np.nan, U],
        "complex": [W + 0j, U],
    }[what]
    with pytest.raises(InvalidWeights):
        descend(problem, bad, step_size=0.1, steps=3)


def test_layers_beyond_comparison_are_refused():
    problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((1,)))
    with pytest.raises(OutOfRange, match="differ so much in size"):
        descend(problem, [[[1e-150]], [[1e150]]], step_size=0.1, steps=3)
