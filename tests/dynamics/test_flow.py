"""The integrated flow: against another integrator, its order, its laws, its limits."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import linscape as ls
from linscape.dynamics import integration
from linscape.dynamics.balance import imbalances
from linscape.dynamics.descent import descend
from linscape.dynamics.flow import flow
from linscape.errors import InvalidWeights
from linscape.initialisation import balanced_weights, random_weights
from oracles import averaged_loss_and_gradient, flatten, unflatten


def rows(outputs=2, seed=0, spread=(1.0, 0.6, 2.0)):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((15, 3)) * spread + 0.3
    return X, X @ rng.standard_normal((3, outputs)) + 0.3 * rng.standard_normal((15, outputs)) + 1


def net(hidden=(3, 2), *, seed=0, scale=0.5, batch=None, spread=(1.0, 0.6, 2.0), **network):
    X, Y = rows(seed=seed, spread=spread)
    problem = ls.Problem(ls.Moments.from_arrays(X, Y), ls.Network(hidden, **network))
    rng = np.random.default_rng(seed + 1)
    axes = () if batch is None else batch
    return (X, Y), problem, [scale * rng.standard_normal((*axes, *s)) for s in problem.shapes]


# ---- The flow itself


@pytest.mark.parametrize(
    "network",
    [
        {},
        {"hidden": ()},
        {"weight_decay": 0.2, "noise": 0.3},
        {"weight_decay": (0.1, 0.0, 0.4), "input_noise": 0.2},
        {"bias": "free", "weight_decay": 0.1},
        {"bias": "decayed", "weight_decay": (0.3, 0.1, 0.2), "noise": (0.0, 0.4)},
    ],
)
def test_it_is_the_flow_of_the_gradient_of_rows(network):
    data, problem, weights = net(**network)
    options = {name: value for name, value in network.items() if name != "hidden"}
    loss_and_gradient = averaged_loss_and_gradient(*data, **options)

    def field(_, w):
        return -flatten(loss_and_gradient(unflatten(w, problem.shapes))[1])

    times = [0.0, 0.1, 0.5]
    truth = solve_ivp(
        field, (0, 0.5), flatten(weights), method="DOP853", rtol=1e-12, atol=1e-13, t_eval=times
    )
    path = flow(problem, weights, times, record=("weights", "loss"), rtol=1e-12)
    # interpolated by the other integrator, whose interpolant is of lower order
    np.testing.assert_allclose(path["weights"], truth.y.T, rtol=1e-8, atol=1e-8)
    last = unflatten(truth.y[:, -1], problem.shapes)
    np.testing.assert_allclose(flatten(path.weights), flatten(last), rtol=1e-9, atol=1e-10)
    losses = [loss_and_gradient(unflatten(w, problem.shapes))[0] for w in truth.y.T]
    np.testing.assert_allclose(path["loss"], losses, rtol=1e-8)
    assert path.coordinate == "time"
    assert path.status == "running"
    assert path.stopped_at == 0.5


def test_the_error_falls_with_the_tolerance():
    _, problem, weights = net(weight_decay=0.1)
    exact = flow(problem, weights, [1.0], rtol=1e-13).weights
    errors = []
    for rtol in (1e-3, 1e-6, 1e-9):
        found = flow(problem, weights, [1.0], rtol=rtol).weights
        errors.append(np.linalg.norm(problem.flatten(found) - problem.flatten(exact)))
        assert errors[-1] < 100 * rtol  # the sum of some tens of local errors
    assert errors[0] > 30 * errors[1] > 900 * errors[2]


def test_small_steps_of_descent_follow_it_to_first_order():
    _, problem, weights = net(weight_decay=0.1, noise=0.3)
    exact = problem.flatten(flow(problem, weights, [0.4]).weights)
    errors = []
    for steps in (400, 800, 1600):
        found = descend(problem, weights, step_size=0.4 / steps, steps=steps, record=()).weights
        errors.append(np.linalg.norm(problem.flatten(found) - exact))
    # Euler's error is c/steps + O(1/steps²)
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.05)
    assert errors[1] / errors[2] == pytest.approx(2, abs=0.025)


def test_a_linear_model_by_hand():
    # W(t) = W* + (W_0 − W*) e^{−2t} for A = I
    C = np.array([[1.0, 0.2], [0.5, -1.0]])
    problem = ls.Problem(ls.Moments(np.eye(2), C, C.T @ C + np.eye(2)), ls.Network(()))
    start = np.array([[3.0, 0], [0, -2.0]])
    path = flow(problem, [start], [0.0, 0.3, 2.0], record=("weights",), rtol=1e-12)
    fade = np.exp(-2 * path.at)[:, None, None]
    expected = C.T + (start - C.T) * fade
    np.testing.assert_allclose(path["weights"], expected.reshape(3, 4), rtol=1e-10, atol=1e-11)


def test_batches_are_the_nets_one_by_one():
    _, problem, weights = net(batch=(2, 2), noise=0.2, weight_decay=0.1)
    times = [0.0, 0.2]
    together = flow(problem, weights, times, record=("loss", "singular_values"))
    assert together["loss"].shape == (2, 2, 2)
    assert together["imbalance_drift"].shape == (2, 2, 2)
    for i in np.ndindex(2, 2):
        alone = flow(problem, [W[i] for W in weights], times, record=("loss", "singular_values"))
        for name in together.values:
            np.testing.assert_array_equal(together[name][(slice(None), *i)], alone[name])
        for W, V in zip(together.weights, alone.weights, strict=True):
            np.testing.assert_array_equal(W[i], V)


def test_rotated_data_flow_along():
    data, problem, weights = net(weight_decay=0.1)
    V = np.linalg.qr(np.random.default_rng(9).standard_normal((3, 3)))[0]
    turned = ls.Problem(ls.Moments.from_arrays(data[0] @ V.T, data[1]), problem.network)
    one = flow(problem, weights, [0.5], rtol=1e-12)
    other = flow(turned, [weights[0] @ V.T, *weights[1:]], [0.5], rtol=1e-12)
    np.testing.assert_allclose(other.weights[0], one.weights[0] @ V.T, atol=1e-9)


@pytest.mark.parametrize("power", [-8, 8])
def test_scales(power):
    # x → x/s, W_1 → s W_1 alone is no symmetry of the flow; y → s³y with every layer times s is
    size = 10.0**power
    data, problem, weights = net((3, 2), spread=(1.0, 1.0, 1.0))
    scaled = ls.Problem(ls.Moments.from_arrays(data[0], size**3 * data[1]), problem.network)
    times = np.array([0.0, 0.2, 0.6])
    one = flow(problem, weights, times)
    other = flow(scaled, [size * W for W in weights], times / size**4)
    np.testing.assert_allclose(other["loss"], size**6 * one["loss"], rtol=1e-8)  # two integrations
    np.testing.assert_allclose(other["imbalance_drift"], 0, atol=1e-8)


def test_tiny_starts_keep_their_relative_accuracy():
    # from 1e-8 the logistic curve takes a time of 9.2 to leave, on which errors grow with it
    problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((1,)))
    path = flow(problem, [[[1e-8]], [[1e-8]]], [0.0, 5.0, 9.0, 12.0], record=("singular_values",))
    expected = 1 / (1 + (1e16 - 1) * np.exp(-4 * path.at))
    np.testing.assert_allclose(path["singular_values"][:, 0], expected, rtol=1e-7)


# ---- Stiffness


def test_stiff_problems_switch_to_implicit_steps_and_come_to_rest():
    _, problem, weights = net((4, 3), spread=(1.0, 10.0, 100.0), scale=0.3)
    path = flow(problem, weights, [0.0, 1.0, 1e5])
    assert path.status == "converged"
    assert path.stopped_at < 1e5
    best = ls.Problem(problem.moments, ls.Network(()))
    A, C = problem.moments.A, problem.moments.C
    least = best.loss([np.linalg.solve(A, C).T])  # width 3 and 2 outputs: no bottleneck
    assert path["loss"][-1] == pytest.approx(least, rel=1e-9)
    assert path["imbalance_drift"].max() < 1e-8
    assert path["loss_increase"].max() < 1e-12


def test_implicit_and_explicit_steps_agree(monkeypatch):
    _, problem, weights = net((3,), spread=(1.0, 2.0, 4.0), weight_decay=(0.1, 0.3))
    explicit = flow(problem, weights, [2.0])
    switched = []

    def at_once(solver, *_):
        switched.append(solver.t)
        return len(switched) == 1

    monkeypatch.setattr(integration, "_is_stiff", at_once)
    implicit = flow(problem, weights, [2.0])
    assert switched[0] < 2
    for W, V in zip(implicit.weights, explicit.weights, strict=True):
        np.testing.assert_allclose(W, V, rtol=1e-8, atol=1e-8)
    assert implicit["imbalance_drift"].max() < 1e-9


# ---- The laws


@pytest.mark.parametrize(
    "network",
    [
        {},
        {"weight_decay": 0.3},
        {"weight_decay": (0.1, 0.6, 0.0)},
        {"weight_decay": (0.1, 0.6, 0.0), "noise": (0.5, 0.0)},
        {"weight_decay": 0.3, "bias": "free"},
        {"weight_decay": (0.2, 0.3, 0.4), "bias": "decayed", "noise": 0.2},
    ],
)
def test_the_drift_from_the_laws_is_of_the_size_of_the_tolerance(network):
    _, problem, weights = net(**network)
    fine = flow(problem, weights, [0.0, 0.5, 2.0])
    assert fine["imbalance_drift"][0] == 0
    assert fine["imbalance_drift"].max() < 1e-9
    coarse = flow(problem, weights, [0.0, 0.5, 2.0], rtol=1e-3)
    assert coarse["imbalance_drift"].max() > 1e-9  # it does measure the integration
    assert fine["loss_increase"].max() == 0


def test_the_drift_is_what_it_says():
    # a coarse integration of a conserved law, by the definition
    _, problem, weights = net()
    path = flow(problem, weights, [0.0, 1.0], record=("weights",), rtol=1e-3)
    after = problem.unflatten(path["weights"][1])
    errors = [
        np.linalg.norm(D - E) for D, E in zip(imbalances(after), imbalances(weights), strict=True)
    ]
    sizes = [
        np.linalg.norm(net[j]) ** 2 + np.linalg.norm(net[j + 1]) ** 2
        for net in (weights, after)
        for j in range(2)
    ]
    assert path["imbalance_drift"][1] == pytest.approx(max(errors) / max(sizes), rel=1e-10)


def test_the_decaying_imbalance_by_hand():
    _, problem, weights = net(weight_decay=0.25)
    path = flow(problem, weights, [1.0])
    for after, before in zip(imbalances(path.weights), imbalances(weights), strict=True):
        np.testing.assert_allclose(after, math.exp(-1) * before, rtol=1e-8, atol=1e-9)


# ---- Ends, edges and bad input


def test_nothing_moves_at_a_critical_point_or_in_no_time():
    _, problem, weights = net()
    zero = [np.zeros_like(W) for W in weights]
    path = flow(problem, zero, [0.0, 1.0, 100.0])
    np.testing.assert_array_equal(problem.flatten(path.weights), 0)
    np.testing.assert_array_equal(path["imbalance_drift"], 0)
    path = flow(problem, weights, [0.0, 0.0])
    np.testing.assert_array_equal(problem.flatten(path.weights), problem.flatten(weights))


def test_biases_grow_from_zero_weights():
    _, problem, weights = net(bias="free")
    path = flow(problem, [np.zeros_like(W) for W in weights], [0.5], rtol=1e-12)
    mean = problem.moments.mean_y
    np.testing.assert_allclose(path.weights[-1][:, -1], mean * (1 - math.exp(-1)), rtol=1e-10)


def test_a_net_out_of_range_has_diverged_and_the_others_go_on():
    problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((1, 1)))
    weights = [np.array([[[0.5]], [[1e120]], [[1e200]]])] * 3
    path = flow(problem, weights, [0.0, 1.0])
    assert path.status.tolist() == ["running", "diverged", "diverged"]
    assert np.all(path.stopped_at[1:] < 1)
    assert np.isfinite(problem.flatten(path.weights)).all()
    alone = flow(problem, [W[0] for W in weights], [0.0, 1.0])
    np.testing.assert_array_equal(path["loss"][:, 0], alone["loss"])


def test_a_net_out_of_steps_is_left_where_it_is():
    _, problem, weights = net()
    path = flow(problem, weights, [0.0, 0.01, 10.0], max_steps=3)
    assert path.status == "running"
    assert 0 < path.stopped_at < 10
    again = flow(problem, weights, [path.stopped_at])
    np.testing.assert_allclose(path.weights[0], again.weights[0], rtol=1e-8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"times": []}, "one or more numbers"),
        ({"times": [1.0, 0.5]}, "ascending"),
        ({"times": [-1.0]}, "at least 0"),
        ({"times": [np.nan]}, "finite"),
        ({"times": [[1.0]]}, "in a row"),
        ({"rtol": 0.5}, "rtol must lie"),
        ({"rtol": 1e-16}, "rtol must lie"),
        ({"max_steps": 0}, "max_steps"),
        ({"record": ("los",)}, "record must be"),
    ],
)
def test_bad_options(options, message):
    _, problem, weights = net()
    with pytest.raises(ValueError, match=message):
        flow(problem, weights, **({"times": [1.0]} | options))


def test_bad_weights():
    _, problem, weights = net()
    with pytest.raises(InvalidWeights, match="expected 3 weight matrices"):
        flow(problem, weights[:2], [1.0])
    weights[0][0, 0] = np.nan
    with pytest.raises(InvalidWeights, match="NaN"):
        flow(problem, weights, [1.0])


@pytest.mark.slow
def test_many_random_problems_keep_their_laws_and_never_climb():
    count = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        depth = int(rng.integers(1, 4))
        hidden = tuple(int(k) for k in rng.integers(1, 5, depth))
        _, problem, _ = net(
            hidden,
            seed=seed,
            spread=10.0 ** rng.uniform(-1, 1, 3),
            noise=rng.choice([0.0, 0.4]),
            weight_decay=rng.choice([0.0, 0.1], depth + 1),
            bias=[False, "free", "decayed"][seed % 3],
        )
        start = random_weights(problem, scheme="xavier", rng=rng)
        path = flow(problem, start, np.linspace(0, 2, 9))
        assert path.status != "diverged"
        assert path["imbalance_drift"].max() < 1e-8
        assert path["loss_increase"].max() < 1e-9
        count += 1
    print(f"{count} flows")


def test_balanced_starts_stay_balanced():
    _, problem, _ = net((4, 2))
    path = flow(problem, balanced_weights(problem, rng=0), [0.0, 3.0], record=("balancedness",))
    np.testing.assert_allclose(path["balancedness"], 0, atol=1e-9)


def test_subnormal_weights_do_not_halt_the_steps():
    """Their absolute error underflowed to zero, and the step size became NaN for ever."""
    problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((1,)))
    still = ls.Problem(ls.Moments([[0.0]], [0.0], 1.0), ls.Network((1,)))
    for one in (problem, still):
        trajectory = flow(one, [[[1e-323]], [[-5e-324]]], [0.0, 1.0], max_steps=50)
        np.testing.assert_allclose(trajectory["loss"], [1.0, 1.0], rtol=1e-15)
