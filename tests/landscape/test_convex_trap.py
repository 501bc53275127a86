"""The trap of nets known by their rows: any convex loss, ReLU, mini-batches, sampled masks."""

import itertools
import math

import numpy as np
import pytest

import linscape as ls
from linscape.errors import InvalidData, InvalidNetwork
from linscape.landscape.convex_trap import (
    convex_trap_radius,
    cross_entropy_moment,
    relu_trap_radius,
    square_loss_moment,
)
from linscape.landscape.trap import trap_radius

# ---- Any convex loss, and ReLU


def net_gradient(weights, X, slope, masks=None, *, decays, chances=1.0, activation=None):
    """∂/∂W_k of Σ_patterns chance · mean_rows ℓ(f) + Σγ‖W‖², with slope(f) = ∇ℓ for every row."""
    act, bend = activation or (lambda z: z, lambda z: np.ones_like(z))
    masks = masks or [np.ones((1, 1, 1))] * (len(weights) - 1)
    h, tape = X[None], []
    for W, mask in zip(weights[:-1], masks, strict=True):
        z = h @ W.T
        tape.append((h, z))
        h = mask * act(z)
    back = slope(h @ weights[-1].T) * np.reshape(chances, (-1, 1, 1)) / len(X)
    h = np.broadcast_to(h, (*back.shape[:2], h.shape[-1]))
    gradient = [np.einsum("pni,pnj->ij", back, h)]
    back = back @ weights[-1]
    for W, (h, z), mask in zip(weights[-2::-1], tape[::-1], masks[::-1], strict=True):
        back = back * mask * bend(z)
        h = np.broadcast_to(h, (*back.shape[:2], h.shape[-1]))
        gradient.append(np.einsum("pni,pnj->ij", back, h))
        back = back @ W
    return [G + 2 * g * W for G, g, W in zip(gradient[::-1], decays, weights, strict=True)]


def softmax(f):
    e = np.exp(f - f.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


RELU = (lambda z: np.maximum(z, 0), lambda z: 1.0 * (z > 0))
LEAKY = (lambda z: np.where(z > 0, z, 0.2 * z), lambda z: np.where(z > 0, 1.0, 0.2))

LOSSES = {  # outputs, ∇ℓ(f, y), the largest curvature of ℓ
    "cross-entropy": (3, lambda f, Y: softmax(f) - Y, 0.5),
    "logistic": (1, lambda f, Y: -Y / (1 + np.exp(Y * f)), 0.25),
    "Huber": (1, lambda f, Y: np.clip(f - Y, -0.5, 0.5), 1.0),
}
every_loss = pytest.mark.parametrize("loss", LOSSES)


def classify_data(loss, seed=0):
    """Rows of three unequal classes; targets one-hot, ±1 or real."""
    rng = np.random.default_rng(seed)
    label = np.repeat([0, 1, 2], [15, 9, 6])
    X = np.array([[1.5, 0], [-1, 1], [0, -2]])[label] + 0.7 * rng.standard_normal((30, 2))
    if loss == "cross-entropy":
        return X, np.eye(3)[label], label
    if loss == "logistic":
        return X, np.where(label == 0, 1.0, -1.0)[:, None], label
    return X, X[:, :1] - 0.4 * X[:, 1:] + 0.3 * rng.standard_normal((30, 1)), label


def moment(loss, X, Y):
    """B = E[∇ℓ(0, y) xᵀ] from the rows."""
    outputs, slope, _ = LOSSES[loss]
    return slope(np.zeros((len(X), outputs)), Y).T @ X / len(X)


def top_directions(B, widths):
    """Rank-one layers of norm one along the descent direction of ⟨B, M⟩."""
    left, _, right = np.linalg.svd(-B)
    ends = [right[0], *[np.eye(width)[0] for width in widths], left[:, 0]]
    return [np.outer(after, before) for before, after in itertools.pairwise(ends)]


def descend(weights, gradient, step, steps):
    for _ in range(steps):
        weights = [W - step * G for W, G in zip(weights, gradient(weights), strict=True)]
    return weights


def largest(weights):
    return max(np.linalg.norm(W) for W in weights)


def shrinks_to_zero(weights, gradient, step, steps=1000):
    """Whether the largest norm falls at every step, to a hundredth."""
    first = before = largest(weights)
    for _ in range(steps):
        weights = descend(weights, gradient, step, 1)
        after = largest(weights)
        if not after < before:
            return False
        if after < 0.01 * first:
            return True
        before = after
    return False


def grows_to_three(weights, gradient, step, steps=2000):
    """Whether the largest norm comes to three times what it was."""
    first = largest(weights)
    for _ in range(steps):
        weights = descend(weights, gradient, step, 1)
        if largest(weights) > 3 * first:
            return True
    return False


@every_loss
@pytest.mark.parametrize("depth", [2, 3])
def test_convex_losses_collapse_inside_and_escape_outside(loss, depth):
    X, Y, _ = classify_data(loss)
    outputs, slope, smoothness = LOSSES[loss]
    decay, B = 1e-3, moment(loss, X, Y)
    radius = convex_trap_radius(np.linalg.norm(B, 2), weight_decay=decay, depth=depth)
    a_max = np.linalg.norm(X.T @ X / len(X), 2)
    step = 1 / (2 * decay + smoothness / 2 * a_max * radius ** (2 * depth))
    widths = (3,) * depth
    rng = np.random.default_rng(1)

    def gradient(weights):
        return net_gradient(weights, X, lambda f: slope(f, Y), decays=(decay,) * (depth + 1))

    sizes = (2, *widths, outputs)
    for trial in range(6):
        drawn = [rng.standard_normal((b, a)) for a, b in itertools.pairwise(sizes)]
        drawn = top_directions(B, widths) if trial < 2 else drawn
        inside = [0.98 * radius * W / np.linalg.norm(W) for W in drawn]
        assert shrinks_to_zero(inside, gradient, step)
    outside = [1.02 * radius * W for W in top_directions(B, widths)]
    assert grows_to_three(outside, gradient, 0.02 / decay)


@pytest.mark.parametrize("loss", LOSSES)
def test_noise_of_mean_one_leaves_the_convex_radius_as_it_is(loss):
    X, Y, _ = classify_data(loss)
    _, slope, _ = LOSSES[loss]
    B, decay, variance = moment(loss, X, Y), 0.02, 0.6
    radius = convex_trap_radius(np.linalg.norm(B, 2), weight_decay=decay, depth=2)
    patterns, chances = two_point_masks((2, 2), variance)

    def gradient(weights):
        return net_gradient(
            weights, X, lambda f: slope(f, Y), patterns, decays=(decay,) * 3, chances=chances
        )

    weights = [0.98 * radius * W for W in top_directions(B, (2, 2))]
    assert shrinks_to_zero(weights, gradient, 0.1 / decay)


def two_point_masks(widths, variance):
    """All patterns of symmetric two-point noise on every hidden unit, and their chances."""
    spread = math.sqrt(variance)
    patterns = np.array(list(itertools.product((1 - spread, 1 + spread), repeat=sum(widths))))
    cuts = np.cumsum(widths)[:-1]
    masks = [part[:, None, :] for part in np.split(patterns, cuts, axis=1)]
    return masks, np.full(len(patterns), 1 / len(patterns))


@every_loss
@pytest.mark.parametrize("activation", [RELU, LEAKY], ids=["ReLU", "LeakyReLU"])
@pytest.mark.parametrize("variance", [0.0, 0.6])
def test_relu_nets_collapse_inside(loss, activation, variance):
    X, Y, _ = classify_data(loss)
    outputs, slope, _ = LOSSES[loss]
    slopes = slope(np.zeros((30, outputs)), Y)
    norms = np.linalg.norm(slopes, axis=1), np.linalg.norm(X, axis=1)
    a_max = np.linalg.norm(X.T @ X / 30, 2)
    bounds = (norms[0] * norms[1]).mean(), math.sqrt(a_max * (norms[0] ** 2).mean())
    decays = (0.02, 0.05, 0.03)
    radius = relu_trap_radius(min(bounds), weight_decay=decays, depth=2, noise=variance)
    patterns, chances = two_point_masks((2, 2), variance)
    rng = np.random.default_rng(3)

    def gradient(weights):
        return net_gradient(
            weights, X, lambda f: slope(f, Y), patterns, decays=decays, chances=chances,
            activation=activation,
        )  # fmt: skip

    for _ in range(4):
        weights = [rng.standard_normal(shape) for shape in ((2, 2), (2, 2), (outputs, 2))]
        weights = [0.98 * radius * W / np.linalg.norm(W) for W in weights]
        assert shrinks_to_zero(weights, gradient, 4.0)


def test_a_relu_net_on_one_point_escapes_just_outside():
    # one row, a class to push: E‖∇ℓ‖‖x‖ is attained by the aligned net, so the radius is sharp
    X, decay = np.array([[2.0]]), 1e-3
    radius = relu_trap_radius(0.5 * 2.0, weight_decay=decay, depth=2)

    def gradient(weights):
        return net_gradient(
            weights, X, lambda f: -1 / (1 + np.exp(f)), decays=(decay,) * 3, activation=RELU
        )

    inside, outside = ([np.full((1, 1), reach * radius)] * 3 for reach in (0.98, 1.02))
    assert shrinks_to_zero(inside, gradient, 20.0)
    assert grows_to_three(outside, gradient, 20.0)


@every_loss
@pytest.mark.parametrize("decays", [(0.05, 0.05), (0.025, 0.1)])
def test_one_hidden_layer_with_a_convex_loss_learns_below_the_threshold_only(loss, decays):
    X, Y, _ = classify_data(loss)
    outputs, slope, _ = LOSSES[loss]
    B = moment(loss, X, Y)
    for ratio, learns in ((0.95, True), (1.05, False)):  # decays over their threshold
        scale = ratio * np.linalg.norm(B, 2) / (2 * math.sqrt(math.prod(decays)))
        both = tuple(scale * decay for decay in decays)
        radius = convex_trap_radius(np.linalg.norm(B, 2), weight_decay=both, depth=1)
        assert radius == (0 if learns else math.inf)

        def gradient(weights, both=both):
            return net_gradient(weights, X, lambda f: slope(f, Y), decays=both)

        rng = np.random.default_rng(2)
        weights = [rng.standard_normal((3, 2)), rng.standard_normal((outputs, 3))]
        end = largest(descend(weights, gradient, 0.3, 2500))
        assert bool(end > 0.05) is learns
        assert bool(end < 0.01) is (not learns)


def test_a_free_output_bias_moves_the_threshold_to_the_best_constant():
    X, Y, label = classify_data("cross-entropy")
    means = np.array([X[label == c].mean(axis=0) for c in range(3)])
    rates = np.bincount(label) / 30
    B = cross_entropy_moment(means, rates, output_bias=True)
    np.testing.assert_allclose(B, (rates - Y).T @ X / 30, atol=1e-14)
    norm = np.linalg.norm(B, 2)
    assert abs(norm / np.linalg.norm(moment("cross-entropy", X, Y), 2) - 1) > 0.02
    for ratio, learns in ((0.95, True), (1.05, False)):
        decay = ratio * norm / 2
        rng = np.random.default_rng(2)
        W, U = rng.standard_normal((3, 2)), rng.standard_normal((3, 3))
        b = np.zeros(3)
        for _ in range(4000):
            error = softmax(X @ W.T @ U.T + b) - Y
            step_w = U.T @ error.T @ X / 30 + 2 * decay * W
            step_u = error.T @ (X @ W.T) / 30 + 2 * decay * U
            W, U, b = W - 0.2 * step_w, U - 0.2 * step_u, b - 0.2 * error.mean(axis=0)
        assert bool(largest([W, U]) > 0.05) is learns
        assert bool(largest([W, U]) < 0.01) is (not learns)
        if not learns:
            np.testing.assert_allclose(softmax(b), rates, atol=1e-3)  # of 4000 steps


def test_moments_of_the_losses():
    X, Y, label = classify_data("cross-entropy")
    means = np.array([X[label == c].mean(axis=0) for c in range(3)])
    B = cross_entropy_moment(means, np.bincount(label) / 30)
    np.testing.assert_allclose(B, moment("cross-entropy", X, Y), atol=1e-14)
    for reduction, factor in (("mean", 1), ("half_mean", 0.5), ("sum", 30)):
        problem = ls.Problem(ls.Moments.from_arrays(X, Y), ls.Network((2, 2)), reduction=reduction)
        expected = factor * (2 * (0 - Y)).T @ X / 30
        np.testing.assert_allclose(square_loss_moment(problem), expected, rtol=1e-10)


@pytest.mark.parametrize("decays", [0.2, (0.05, 0.7, 0.2)])
@pytest.mark.parametrize("reduction", ["mean", "sum", "half_mean"])
def test_the_square_loss_is_a_convex_loss(decays, reduction):
    X, Y, _ = classify_data("cross-entropy")
    network = ls.Network((3, 2), weight_decay=decays, noise=0.4)
    problem = ls.Problem(ls.Moments.from_arrays(X, Y), network, reduction=reduction)
    bound = np.linalg.norm(square_loss_moment(problem), 2)
    decays = problem.network.weight_decay
    radius = convex_trap_radius(bound, weight_decay=decays, depth=problem.network.depth)
    assert radius == pytest.approx(trap_radius(problem).radius, rel=1e-10)


def test_edges_of_the_convex_radius():
    assert convex_trap_radius(0.0, weight_decay=0.1, depth=3) == math.inf
    assert convex_trap_radius(1.0, weight_decay=(0.1, 0.0, 0.1), depth=2) == 0
    assert convex_trap_radius(1.0, weight_decay=0.1, depth=0) == 0
    assert relu_trap_radius(3.0, weight_decay=0.1, depth=2) == pytest.approx(0.2 / 3, rel=1e-10)
    assert relu_trap_radius(3.0, weight_decay=0.1, depth=3, noise=(0.0, 1.0, 3.0)) == pytest.approx(
        (0.2 / 3 / math.sqrt(8)) ** 0.5, rel=1e-10
    )


@pytest.mark.parametrize("bound", [-1.0, math.nan, math.inf])
def test_a_bound_that_is_no_norm_is_refused(bound):
    with pytest.raises(InvalidData, match="the bound must be"):
        convex_trap_radius(bound, weight_decay=0.1, depth=2)


def test_decays_and_classes_that_do_not_fit_are_refused():
    with pytest.raises(InvalidNetwork, match="3 layers"):
        convex_trap_radius(1.0, weight_decay=(0.1, 0.2), depth=2)
    with pytest.raises(InvalidData, match="class_means"):
        cross_entropy_moment([[1.0], [2.0]], [1.0])
    with pytest.raises(InvalidData, match="sum one"):
        cross_entropy_moment([[1.0], [2.0]], [0.5, 0.6])


# ---- Mini-batches, and masks drawn for each row


def minibatch_radius(X, Y, decays, masks):
    """The radius with the norms of the worst batch: E‖x‖‖y‖ if every row has its own masks."""
    keep = math.prod(1 - rate for rate in masks)
    if masks:
        signal = (np.linalg.norm(X, axis=1) * np.linalg.norm(Y, axis=1)).mean() / keep
    else:
        signal = np.linalg.norm(X.T @ Y / len(X), 2)
    return min(decays) / signal, np.linalg.norm(X.T @ X / len(X), 2) / keep**2


@pytest.mark.parametrize("rates", [(), (0.5, 0.2)])
def test_minibatches_and_sampled_masks_shrink_the_layers_too(rates):
    rng = np.random.default_rng(8)
    X, Y, decays = rng.standard_normal((12, 3)), rng.standard_normal((12, 2)), (0.05, 0.7, 0.2)
    batches = [rng.choice(12, 4, replace=False) for _ in range(20)]
    worst = [minibatch_radius(X[rows], Y[rows], decays, rates) for rows in batches]
    radius, a_max = min(R for R, _ in worst), max(a for _, a in worst)
    step = 1 / (2 * max(decays) + a_max * radius**4)
    for _ in range(6):
        layers = [rng.standard_normal(shape) for shape in ((3, 3), (2, 3), (2, 2))]
        layers = [0.99 * radius * W / np.linalg.norm(W) for W in layers]
        for number in range(40):
            rows = batches[number % len(batches)]
            masks = [
                (rng.random((1, 4, width)) > rate) / (1 - rate)
                for rate, width in zip(rates or (0.0, 0.0), (3, 2), strict=True)
            ]
            gradient = net_gradient(
                layers, X[rows], lambda f, rows=rows: 2 * (f - Y[rows]), masks, decays=decays
            )
            after = [W - step * G for W, G in zip(layers, gradient, strict=True)]
            assert largest(after) < largest(layers)
            layers = after


def test_masks_of_their_own_for_each_row_can_raise_the_norms_where_a_batch_has_no_signal():
    # y = ±1 on the same x: C_B = 0, but the second row's unit is dropped
    X, Y, decay = np.ones((2, 1)), np.array([[1.0], [-1.0]]), 0.01
    layers = [np.full((1, 1), 0.1)] * 3
    masks = [np.array([[[2.0], [0.0]]]), np.ones((1, 2, 1))]
    gradient = net_gradient(layers, X, lambda f: 2 * (f - Y), masks, decays=(decay,) * 3)
    assert np.linalg.norm(X.T @ Y) == 0
    assert all(G[0, 0] < 0 for G in gradient)
