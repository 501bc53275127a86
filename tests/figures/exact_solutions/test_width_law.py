"""The initialisation claim at small widths: descent against the library's, edges in closed form."""

import io

import numpy as np
import pytest

import linscape as ls
from linscape.dynamics.collapse import COLLAPSED, LEARNING, end_states
from linscape.figures import draw, reproduce
from linscape.figures.exact_solutions import rank_one, width_law
from linscape.landscape import trap_radius

ENDS = {rank_one.COLLAPSED: COLLAPSED, rank_one.ELSEWHERE: LEARNING}


@pytest.fixture(scope="module")
def found():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(width_law, "WIDTHS", (4, 8, 16))
        patch.setattr(width_law, "HALVINGS", 5)
        yield reproduce("width-law", quick=True)


def test_verdicts(found):
    assert [claim.verdict for claim in found.claims] == ["FAIL", "PASS", "PASS", "FAIL", "FAIL"]


def test_existence_is_the_closed_form():
    # P_e = ‖c‖⁴/3 (3/4)⁴ at γ³
    expected = (width_law.DECAY**3 * 3 * (4 / 3) ** 4) ** 0.25
    assert width_law.existence() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("share", [1.1, 2.0, 4.0])
def test_ends_are_those_of_the_exact_descent(share):
    problem = width_law.problem_of(5, share * width_law.existence())
    trap = trap_radius(problem)
    base = ls.random_weights(problem, rng=7, batch=6)
    for gain in (0.05, 0.12, 0.3, 1.0):
        weights = [gain * matrix for matrix in base]
        expected = end_states(problem, trap, weights, 10_000)
        found = [
            rank_one.outcome(
                [W[at] for W in weights], problem.moments.C, width_law.DECAY, trap, 9000
            )
            for at in range(6)
        ]
        assert [ENDS[end] for end in found] == expected.tolist()


def test_gradients_are_the_exact_ones():
    problem = width_law.problem_of(6, 0.7)
    weights = ls.random_weights(problem, rng=2)
    found = rank_one.gradients(weights, problem.moments.C, width_law.DECAY)
    for ours, exact in zip(found, problem.gradient(weights), strict=True):
        np.testing.assert_allclose(ours, exact, rtol=1e-10, atol=1e-12)


def test_step_size_is_below_the_inverse_of_the_curvature():
    problem = width_law.problem_of(4, 0.7)
    for seed in range(5):
        W1, W2, U = weights = ls.random_weights(problem, rng=seed)
        v, H = U @ W2, W2 @ W1
        residual = 2 * (v @ W1 - problem.moments.C)
        eta = rank_one.step_size(W1, np.linalg.norm(W2), U, v, H, residual, width_law.DECAY)
        assert eta * np.abs(np.linalg.eigvalsh(problem.hessian(weights))).max() <= 0.5


def test_critical_gain_separates_the_ends():
    problem = width_law.problem_of(6, 2 * width_law.existence())
    trap, c = trap_radius(problem), problem.moments.C
    weights = ls.random_weights(problem, rng=3)
    gain = rank_one.critical_gain(weights, c, width_law.DECAY, trap, 10_000, 10)

    def end(factor):
        scaled = [factor * gain * W for W in weights]
        return rank_one.outcome(scaled, c, width_law.DECAY, trap, 10_000)

    assert (end(0.98), end(1.02)) == (rank_one.COLLAPSED, rank_one.ELSEWHERE)


def test_proven_signals_are_the_edge_of_the_trap(found):
    starts = found.parameters["starts"]
    for width, edge in zip(found.arrays["width"], found.arrays["proven"], strict=True):
        width = int(width)
        rng = np.random.default_rng([0, width])
        weights = ls.random_weights(width_law.problem_of(width, 1.0), rng=rng, batch=starts)
        inside = [
            min(
                ls.in_trap(width_law.problem_of(width, f * edge), [W[at] for W in weights]).proven
                for at in range(starts)
            )
            for f in (0.999, 1.001)
        ]
        assert inside == [True, False]


def test_draws(found):
    figure = draw(found)
    figure.savefig(io.BytesIO(), format="png", dpi=20)
    assert len(figure.axes) == 3
