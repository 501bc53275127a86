"""Worked examples of the literature, with corrected numbers, and claims that fail."""

import math

import numpy as np
import pytest

import linscape as ls
from linscape.errors import NoExactSolution
from linscape.residual import residual_factors, residual_norm_bound, residual_problem

# ---- Two layers of width two on X = [1 2], Y = [2 4]: L = ½Σ(ab·x − y)² = (5/2)(ab − 2)²


def small_net():
    moments = ls.Moments.from_arrays([[1.0], [2.0]], [[2.0], [4.0]])
    return ls.Problem(moments, ls.Network(hidden=(2,)), reduction="half_sum")


def eigenvalues(a, b):
    return np.linalg.eigvalsh(small_net().hessian([np.reshape(b, (2, 1)), np.reshape(a, (1, 2))]))


@pytest.mark.parametrize(
    ("a", "b"),
    [((1.0, 2.0), (3.0, -0.5)), ((0.5, -1.0), (2.0, -1.0)), ((4.0, 0.0), (0.5, 3.0))],
)
def test_the_curvature_at_the_minima_is_that_of_both_layers(a, b):
    # one family has a_2 ≠ 0 and the other a_2 = 0 ≠ a_1; the eigenvalues are printed the wrong way
    # round, and both are 5(‖a‖² + ‖b‖²)
    weights = [np.reshape(b, (2, 1)), np.reshape(a, (1, 2))]
    assert small_net().loss(weights) == pytest.approx(0, abs=1e-13)
    top = 5 * (np.dot(a, a) + np.dot(b, b))
    np.testing.assert_allclose(eigenvalues(a, b), [0, 0, 0, top], rtol=1e-10, atol=1e-12 * top)


def test_the_printed_curvature_belongs_to_the_other_family():
    a_1, b_1, b_2 = 4.0, 0.5, 3.0  # a_2 = 0, b_1 = 2/a_1
    swapped = 5 * (4 + a_1**4 + a_1**2 * b_2**2) / a_1**2
    np.testing.assert_allclose(eigenvalues((a_1, 0.0), (b_1, b_2))[-1], swapped, rtol=1e-10)
    a_1, a_2, b_1 = 1.0, 2.0, 3.0  # b_2 = (2 − a_1 b_1)/a_2
    other = 5 * (
        4 + (a_1 * a_2) ** 2 + a_2**4 - 4 * a_1 * b_1 + (a_1 * b_1) ** 2 + (a_2 * b_1) ** 2
    )
    computed = eigenvalues((a_1, a_2), (b_1, (2 - a_1 * b_1) / a_2))[-1]
    np.testing.assert_allclose(computed, other / a_2**2, rtol=1e-10)


def test_zero_is_a_saddle():
    np.testing.assert_allclose(eigenvalues((0.0, 0.0), (0.0, 0.0)), [-10, -10, 10, 10], rtol=1e-10)


# ---- Two maps printed as counterexamples to Theorem 2.1 at l = 1


@pytest.mark.parametrize("off_diagonal", [-19.0, -21.0])
def test_the_counterexamples_break_a_hypothesis(off_diagonal):
    diagonal = -40 - off_diagonal
    R = np.array([[diagonal, off_diagonal], [off_diagonal, diagonal]])
    bound = residual_norm_bound(R, 1)
    np.testing.assert_allclose(bound.upper, 41, rtol=1e-12)
    np.testing.assert_allclose(bound.log_stretch, math.log(40), rtol=1e-12)
    assert bound.upper > 4 * math.pi + 3 * bound.log_stretch  # so the conclusion fails
    assert any("layers >= 3γ" in hypothesis for hypothesis in bound.failing)
    assert bound.theorem is None
    with pytest.raises(NoExactSolution, match="layers >= 3γ"):
        residual_factors(R, 1)


def test_with_enough_layers_the_first_is_no_counterexample():
    R = [[-21.0, -19.0], [-19.0, -21.0]]
    result = residual_factors(R, 12)
    assert result.norm <= (4 * math.pi + 3 * math.log(40)) / 12
    assert result.error <= 1e-13


def test_the_condition_on_the_determinant_is_idle_for_one_layer_only():
    # for l = 1 every map with γ ≤ 1/3 obeys e^γ + 1; for more layers a reflection needs norm 1,
    # while (4π + 3γ)/l goes to zero
    reflection = np.diag([1.0, -1.0])
    assert residual_norm_bound(reflection, 1).upper <= 4 * math.pi
    many = residual_norm_bound(reflection, 100)
    assert many.lower == 1 > 4 * math.pi / 100


def test_a_minimum_needs_the_product_only_where_inputs_vary():
    # f least iff the product is R, it is said, if x ≠ 0 happens: false for x always along one axis
    moments = ls.Moments(np.diag([1.0, 0.0]), np.diag([1.0, 0.0]), np.diag([1.0, 0.0]))
    weights = [np.diag([1.0, 5.0])]
    assert residual_problem(moments, 1).loss(weights) == 0
    assert residual_problem(moments, 1).loss([np.eye(2)]) == 0


def test_the_hessian_is_lipschitz_only_locally():
    # y = x, l = 3 layers of one unit: the second derivative along the first grows like w⁴
    problem = residual_problem(ls.Moments([[1.0]], [1.0], 1.0), 3)
    curvatures = [problem.hessian([[[1.0]], [[w]], [[w]]])[0, 0] for w in (1.0, 10.0, 100.0)]
    np.testing.assert_allclose(curvatures, [2, 2e4, 2e8], rtol=1e-10)
