"""Figure 3 at a small size: its claims, and what stands beside the trained networks."""

import io

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.linear_model import Ridge

import linscape as ls
from linscape.figures import draw, reproduce
from linscape.figures.exact_solutions import training_loss


@pytest.fixture(scope="module")
def found():
    with pytest.MonkeyPatch.context() as patch:
        # quick takes the last two decays and every third signal
        patch.setattr(training_loss, "DECAYS", (0.0, 0.0, 0.03, 0.1))
        patch.setattr(training_loss, "SIGNALS", (0.03, 0, 0, 3.0))
        yield reproduce("training-loss", quick=True)


def test_verdicts(found):
    assert [claim.verdict for claim in found.claims] == ["PASS", "PASS", "FAIL", "PASS", "PASS"]


def test_losses_are_trivial_or_learnt(found):
    for name in training_loss.ACTIVATIONS:
        # full batch at rest: trivial to float32; learnt far below
        losses = found.arrays[f"{name}_full"]
        np.testing.assert_allclose(losses[:, 0], 1, atol=1e-4)
        assert np.all(losses[:, 1] < 0.5)


@pytest.mark.parametrize("decay", [1e-3, 0.1])
def test_predicted_transitions_are_changes_of_phase(decay):
    X, unit = training_loss.data(100, 2)
    edges = training_loss.predicted(X, unit, np.array([decay]))

    def name(signal):
        return ls.phase(training_loss.problem_of(X, signal * unit, decay)).name

    names = [name(f * float(edges[e][0])) for e in ("existence", "learning") for f in (0.99, 1.01)]
    assert names == ["collapsed", "metastable", "metastable", "learning"]


def test_predicted_transitions_for_white_inputs():
    X = 2 * np.array([[1.0, 1, -1, -1], [1, -1, 1, -1]])  # A = 4I
    y = np.array([0.25, 0]) @ X
    edges = training_loss.predicted(X, y, np.array([0.01]))
    # P_e = c⁴/(3s²)·(3/4)⁴ and P* = c⁴/(16 s²) at γ³, s² = 4 and ‖E[xy]‖ = 1 here
    assert edges["existence"][0] == pytest.approx((12 * (4 / 3) ** 4 * 1e-6) ** 0.25, rel=1e-9)
    assert edges["learning"][0] == pytest.approx((64 * 1e-6) ** 0.25, rel=1e-9)


def test_data_have_the_signal_asked_for():
    X, unit = training_loss.data(200, 1)
    assert np.linalg.norm(X @ unit / 200) == pytest.approx(1, rel=1e-12)


def test_ridge_is_scikit_learns():
    X, unit = training_loss.data(200, 1)
    model = Ridge(alpha=0.1 * 200).fit(X.T, unit)
    expected = np.mean((model.predict(X.T) - unit) ** 2) / np.var(unit)
    assert training_loss.ridge_loss(X, unit, 0.1) == pytest.approx(expected, rel=1e-9)


def test_trivial_loss_is_that_of_the_best_constant():
    y, decay = np.array([1.0, 4.0, 4.0]), 0.3
    best = minimize_scalar(lambda b: np.mean((b - y) ** 2) + decay * b * b).x
    # the minimiser is known to the root of the precision, the loss to about 1e-8
    expected = np.mean((best - y) ** 2)
    assert training_loss.trivial_loss(y, np.array(decay)) == pytest.approx(expected, rel=1e-7)


def test_draws(found):
    figure = draw(found)
    figure.savefig(io.BytesIO(), format="png", dpi=20)
    assert len(figure.axes) == 4
