"""The worked step size and the doubled one, against the theorem and plain loops."""

import math

import numpy as np
import pytest

import linscape as ls
from linscape.dynamics.step_size import safe_step_size
from linscape.figures import reproduce
from linscape.figures.gradient_descent import safe_step_sizes, step_doubling, step_size_example


def test_the_norm_that_the_printed_step_allows():
    # from the theorem's own formula: with this ‖X‖ and nothing else in B, 2/B is the step
    largest = step_size_example.largest_norm(step_size_example.STEP)
    K = 4**3 * step_size_example.DELTA
    assert 2 / (2 * math.e * 3 * K**2 * largest**2) == pytest.approx(
        step_size_example.STEP, rel=1e-12
    )
    assert largest == pytest.approx(0.303, abs=5e-4)
    # K = 64δ for any M: δ = M^{2/3}/48
    for M in (0.1, 3.0, 500.0):
        delta = M ** (2 / 3) / 48
        assert M ** (2 / 3) + 16 * delta == pytest.approx(64 * delta, rel=1e-12)


def test_norms_are_those_of_normal_matrices():
    found = reproduce("step-size-example", quick=True)
    norms = found.arrays["norms"]
    rng = np.random.default_rng(9)
    again = np.array([np.linalg.svd(rng.standard_normal((5, 5)))[1][0] for _ in range(2000)])
    error = 4 * math.hypot(norms.std(), again.std()) / math.sqrt(2000)
    assert abs(norms.mean() - again.mean()) < error


def test_doubled_steps_are_descended_with():
    found = reproduce("step-doubling", quick=True)
    net = step_doubling._covered(np.random.default_rng(0))
    X, Y = net.X[0], net.Y[0]
    weights = [W[0] for W in net.weights]
    problem = ls.Problem(ls.Moments.from_arrays(X.T, Y.T), ls.Network((5, 5)), reduction="half_sum")
    safe = safe_step_size(problem, weights)
    # σ_min of the library is lowered by the rounding of XXᵀ
    assert found.arrays["bound"] == pytest.approx(safe.suggested_step_size, rel=1e-6)
    for k in (0, 5):
        W = [V.copy() for V in weights]
        step = found.arrays["step_sizes"][k]
        for _ in range(50):
            P = W[2] @ W[1] @ W[0]
            G = (P @ X - Y) @ X.T
            W = [
                W[0] - step * W[1].T @ W[2].T @ G,
                W[1] - step * W[2].T @ G @ W[0].T,
                W[2] - step * G @ W[0].T @ W[1].T,
            ]
        loss = np.sum((Y - W[2] @ W[1] @ W[0] @ X) ** 2) / 2
        assert found.arrays["losses"][5, k] == pytest.approx(loss, rel=1e-9)
    # five outputs of rank five: the least loss is that of least squares, up to rounding of ‖Y‖²
    least = np.sum((Y - Y @ np.linalg.pinv(X) @ X) ** 2) / 2
    assert found.arrays["minimum"] == pytest.approx(least, abs=1e-10 * np.sum(Y**2))


@pytest.mark.parametrize(
    ("slow", "verdicts"),
    [
        ([5.0, 4.9, 4.8], ["PASS", "OPEN"]),
        ([5.0, 2.0, 1.0], ["PASS", "PASS"]),
        ([5.0, 6.0, 1.0], ["FAIL", "PASS"]),
        ([5.0, 6.0, 4.0], ["FAIL", "OPEN"]),
    ],
)
def test_not_rising_and_arriving_are_two_claims(slow, verdicts):
    arrays = {
        "losses": np.array([slow, [5.0, 7.0, 9.0]]).T,
        "step_sizes": np.array([0.9, 1.8]),
        "diverged": np.array([False, True]),
        "minimum": np.array(1.0),
    }
    claims = step_doubling._claims(arrays)[:2]
    assert [claim.verdict for claim in claims] == verdicts
    assert {claim.source for claim in claims} == {step_doubling.THEOREM}


def test_medians_by_deviation_agree_with_the_histograms():
    found = reproduce("safe-step-sizes", quick=True)
    place = safe_step_sizes.DEVIATIONS.index(0.1)
    for key in ("two", "three", "narrow", "four"):
        bounds = found.arrays[key]
        few = found.parameters["nets_by_deviation"]
        median, _, covered = found.arrays[f"{key}_by_deviation"][place]
        # the rank of one median among the others: binomial, with that many nets covered
        rank = np.mean(bounds < median)
        assert abs(rank - 0.5) < 4 * 0.5 / math.sqrt(covered * few)
