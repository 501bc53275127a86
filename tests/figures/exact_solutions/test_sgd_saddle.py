"""Footnote 8: the exponents against a closed form and against descent close to zero."""

import io

import numpy as np
import pytest

import linscape as ls
from linscape.figures import draw, reproduce
from linscape.figures.exact_solutions import sgd_saddle as saddle


@pytest.fixture(scope="module")
def found():
    return reproduce("sgd-saddle", quick=True)


def test_verdicts(found):
    assert [claim.verdict for claim in found.claims] == ["PASS", "PASS", "PASS"]


def test_exponents_for_two_rows(found):
    eta = found.arrays["step_size"]
    m, r, g = saddle.MEAN, saddle.SPREAD, saddle.DECAY
    for name, sign in (("rate_sum", 1), ("rate_difference", -1)):
        product = (1 - 2 * eta * g + sign * 2 * eta * m) ** 2 - (2 * eta * r) ** 2
        np.testing.assert_allclose(found.arrays[name], np.log(np.abs(product)) / 2, atol=1e-12)


@pytest.mark.parametrize("eta", [0.1, 0.4])
def test_exponent_is_the_growth_of_tiny_weights(eta):
    X, y = saddle.data()
    problem = saddle.problem_of(X, y)
    nets, steps = 200, 400
    start = ls.random_weights(problem, gain=1e-100, rng=0, batch=nets)
    end = ls.descend_stochastic(
        X, y, problem.network, start, batch_size=1, step_size=eta, steps=steps, rng=1
    ).weights

    def sums(weights):
        return np.linalg.norm(weights[1][:, 0] + weights[0][..., 0], axis=-1)

    growth = np.log(sums(end) / sums(start)) / steps
    expected = saddle.exponents(X[:, 0] * y, np.array([eta]))[0][0]
    error = growth.std() / np.sqrt(nets)
    assert abs(growth.mean() - expected) < 5 * error  # five standard errors, seeds fixed


def test_zero_is_a_saddle_of_the_landscape():
    X, y = saddle.data()
    problem = saddle.problem_of(X, y)
    zeros = [np.zeros(shape) for shape in problem.shapes]
    smallest = np.linalg.eigvalsh(problem.hessian(zeros))[0]
    # 2γ − 2‖E[xy]‖ with equal decays and one input
    assert smallest == pytest.approx(2 * saddle.DECAY - 2 * saddle.MEAN, rel=1e-12)


def test_ending_names():
    problem = saddle.problem_of(*saddle.data())
    start = ls.random_weights(problem, rng=0, batch=3)
    factors = np.array([1e-9, 1.0, 1.0])[:, None, None]
    status = np.array(["running", "running", "diverged"])
    ended = saddle.ending(problem, start, [factors * W for W in start], status)
    np.testing.assert_array_equal(ended, [0, 1, 2])


def test_draws(found):
    figure = draw(found)
    figure.savefig(io.BytesIO(), format="png", dpi=20)
    assert len(figure.axes) == 2
