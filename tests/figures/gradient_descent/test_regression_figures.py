"""Plateaus, saddles and critical values of the regression, against rows and plain loops."""

import itertools

import numpy as np
import pytest

from linscape.figures import reproduce
from linscape.figures.gradient_descent import critical_values, plateaus, saddle_escape
from linscape.figures.gradient_descent.regression import rank_three, regression
from linscape.initialisation import random_weights
from linscape.landscape.classify import classify
from linscape.landscape.unregularised.modes import data_modes


def rows(seed=0):
    """The data, drawn again."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((1000, 5))
    Y = X @ np.diag([5.0, 4.0, 3.0, 2.0, 1.0]) + np.sqrt(0.1) * rng.standard_normal((1000, 5))
    return X, Y, rng


def eigen(X, Y):
    fitted = X @ np.linalg.lstsq(X, Y, rcond=None)[0]
    values, vectors = np.linalg.eigh(fitted.T @ fitted / len(X))
    return values[::-1], vectors[:, ::-1]


def descent_by_rows(X, Y, weights, step, steps):
    """Losses of plain gradient descent on the mean of squares."""
    A, C, yy = X.T @ X / len(X), X.T @ Y / len(X), np.sum(Y**2) / len(X)
    W1, W2, W3 = weights
    losses = []
    for _ in range(steps + 1):
        P = W3 @ W2 @ W1
        losses.append(np.sum((P @ A) * P) - 2 * np.sum(P * C.T) + yy)
        G = 2 * (P @ A - C.T)
        W1, W2, W3 = (
            W1 - step * W2.T @ W3.T @ G,
            W2 - step * W3.T @ G @ W1.T,
            W3 - step * G @ W1.T @ W2.T,
        )
    return np.array(losses)


def test_critical_values_and_minimiser_are_those_of_the_rows(monkeypatch):
    monkeypatch.setattr(critical_values, "_QUICK", (1, 2, 10))
    found = reproduce("critical-values", quick=True)
    X, Y, _ = rows()
    values, U = eigen(X, Y)
    total = np.sum(Y**2) / len(X)
    sums = [
        total - sum(values[list(chosen)])
        for size in range(5)
        for chosen in itertools.combinations(range(5), size)
    ]
    assert len(sums) == 31
    np.testing.assert_allclose(found.arrays["losses"], np.sort(sums), rtol=1e-10)
    best = U[:, :4] @ U[:, :4].T @ np.linalg.lstsq(X, Y, rcond=None)[0].T
    np.testing.assert_allclose(found.arrays["minimiser"], best, atol=1e-10)
    # no product of rank four is better: the singular values of what is left
    loss = np.sum((Y - X @ best.T) ** 2) / len(X)
    assert loss == pytest.approx(found.arrays["losses"][0], rel=1e-10)


def test_the_losses_drawn_are_those_of_a_plain_loop(monkeypatch):
    monkeypatch.setattr(plateaus, "_QUICK", (2, 300))
    found = reproduce("plateaus", quick=True)
    X, Y, rng = rows()
    units = random_weights(regression(np.random.default_rng(0)), scheme="normal", rng=rng, batch=2)
    for k in (0, 2):
        start = [plateaus.GAINS[k] * W[0] for W in units]
        losses = descent_by_rows(X, Y, start, found.parameters["step_size"], 300)
        # a loss is a difference of numbers of the size of E‖y‖²
        np.testing.assert_allclose(found.arrays["losses"][:, k], losses[::10], rtol=1e-8)


def test_levels_are_the_best_values_of_their_ranks(monkeypatch):
    monkeypatch.setattr(plateaus, "_QUICK", (1, 20))
    found = reproduce("plateaus", quick=True)
    X, Y, _ = rows()
    values, _ = eigen(X, Y)
    levels = np.sum(Y**2) / len(X) - np.cumsum([0.0, *values[:4]])
    np.testing.assert_allclose(found.arrays["levels"], levels, rtol=1e-10)


@pytest.mark.parametrize(
    ("middle", "kind"),
    [(1.0, "strict saddle"), (0.35, "strict saddle"), (0.0, "non-strict saddle")],
)
def test_the_saddles_are_what_they_are_called(middle, kind):
    problem = regression(np.random.default_rng(0))
    weights = rank_three(data_modes(problem), middle)
    assert np.abs(problem.flatten(problem.gradient(weights))).max() < 1e-12
    found = classify(problem, weights)
    assert (found.kind, found.modes) == (kind, (0, 1, 2))
    # the curvature grows with the middle block: −2·Z_2·√λ_4, up to the scale of the outer layers
    least = np.linalg.eigvalsh(problem.hessian(weights))[0]
    assert least == pytest.approx(-2 * middle * np.sqrt(data_modes(problem).values[3]), rel=0.1)


def test_escape_times_are_those_of_a_plain_loop(monkeypatch):
    problem = regression(np.random.default_rng(0))
    X, Y, _ = rows()
    values, _ = eigen(X, Y)
    modes, step = data_modes(problem), 0.005
    monkeypatch.setattr(saddle_escape, "SIZES", (0.1, 0.2))
    saddle = rank_three(modes, 1.0)
    medians = saddle_escape._medians(problem, saddle, 1, step, 500, np.random.default_rng(3))
    units = random_weights(problem, scheme="normal", rng=np.random.default_rng(3), batch=1)
    for size, median in zip((0.1, 0.2), medians, strict=True):
        start = [W + size * E[0] for W, E in zip(saddle, units, strict=True)]
        losses = descent_by_rows(X, Y, start, step, 500)
        level = np.sum(Y**2) / len(X) - values[:3].sum()
        first = np.argmax(losses <= level - values[3] / 2)
        assert 0 < first <= median <= 1.02 * first + 1  # looked at every per cent
