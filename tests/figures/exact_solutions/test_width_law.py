"""The initialisation claim at small widths: descent against the library's, edges in closed form."""

import io

import numpy as np
import pytest
from scipy.optimize import linprog

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


def test_the_end_of_collapse_is_bracketed_as_existence_is(found):
    # below existence all collapse; these starts are far outside every trap
    lower, upper = found.arrays["threshold_lower"], found.arrays["threshold_upper"]
    assert np.all(lower < width_law.existence())
    assert np.all(upper > width_law.existence())
    assert np.all(upper < 1.15 * lower)
    assert "between 0.281 and 0.318" in found.claims[0].computed


def test_undecided_runs_widen_the_bracket():
    C, U, E = rank_one.COLLAPSED, rank_one.UNDECIDED, rank_one.ELSEWHERE
    ends = [
        [[C, C], [C, E], [E, E], [E, E]],
        [[C, C], [U, U], [U, E], [E, E]],
        [[C, C], [C, C], [C, C], [C, U]],
    ]
    arrays = {"end": np.array(ends), "signal": np.array([1.0, 2.0, 4.0, 8.0])}
    lower, upper = width_law.thresholds(arrays)
    assert lower.tolist() == [2, 1, 8]
    assert upper.tolist() == [4, 8, np.inf]


@pytest.mark.parametrize("power", [-0.5, 0.0, 0.7])
def test_exponents_are_those_of_all_laws_in_the_brackets(power):
    rng = np.random.default_rng(4)
    width = 2.0 ** np.arange(3, 8)
    law = 0.3 * width**power
    lower = law * rng.uniform(0.7, 1.0, 5)
    upper = law * rng.uniform(1.0, 1.3, 5)
    x, low, high = np.log(width), np.log(lower), np.log(upper)
    rows = np.column_stack([np.ones(5), x])
    expected = [
        linprog(
            [0, sign], np.vstack([rows, -rows]), np.concatenate([high, -low]), bounds=(None, None)
        ).x[1]
        for sign in (1, -1)
    ]
    assert width_law.exponents(width, lower, upper) == pytest.approx(expected, rel=1e-8, abs=1e-8)


def test_one_bracket_for_all_widths_leaves_both_signs():
    # width 8 to 64, from 1 to 8 and back
    width = np.array([8.0, 16.0, 64.0])
    assert width_law.exponents(width, np.ones(3), np.full(3, 8.0)) == pytest.approx((-1, 1))


@pytest.mark.parametrize(
    ("least", "most", "holds"),
    [
        (-0.59, 0.59, None),
        (-0.7, -0.5, None),
        (-0.03, 0.03, False),
        (-0.9, -0.7, False),
        (-0.5, -0.51, False),
        (-0.52, -0.48, True),
        (-np.inf, np.inf, None),
    ],
)
def test_a_law_is_open_where_brackets_cannot_tell(least, most, holds):
    assert width_law.is_law(least, most) is holds


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
