"""The decomposition of badly scaled moments: its relative bounds, checked at 60 digits."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp

import linscape as ls
from linscape.grading import graded_bounds, is_badly_scaled
from linscape.spectrum import spectra


def scaled_gram(scales, rng, extra=3):
    """A Gram matrix of Gaussian columns with these scales, of Frobenius norm at most one."""
    X = rng.standard_normal((len(scales) + extra, len(scales))) * scales
    A = X.T @ X
    return np.ldexp(A, -2 * math.ceil((math.frexp(float(np.linalg.norm(A)))[1]) / 2))


def check(A, c):
    """|pᵀEp| ≤ e·pᵀAp for all p is ‖L⁻¹EL⁻ᵀ‖ ≤ e with A = LLᵀ."""
    bounds = graded_bounds(A)
    assert bounds is not None
    assert (np.diff(bounds.values) >= 0).all()
    components, error = bounds.components(c)
    with mp.workdps(150):
        exact, Q = mp.matrix(A.tolist()), mp.matrix(bounds.basis.tolist())
        E = exact - Q * mp.diag([mp.mpf(float(a)) for a in bounds.values]) * Q.T
        inverse = mp.inverse(mp.cholesky(exact))
        relative = inverse * E * inverse.T
        relative = (relative + relative.T) / 2
        assert max(map(abs, mp.eigsy(relative, eigvals_only=True))) <= bounds.relative_error
        overlap = Q.T * Q - mp.eye(len(A))
        assert max(map(abs, mp.eigsy(overlap, eigvals_only=True))) <= bounds.norm_error
        c = mp.matrix([mp.mpf(float(x)) for x in c])
        difference = mp.lu_solve(Q, c) - mp.matrix([mp.mpf(float(x)) for x in components])
        # each component is rounded by four units besides, as the docstring says
        beyond = [
            max(abs(d) - 4 * mp.mpf(2) ** -53 * abs(mp.mpf(float(x))), 0)
            for d, x in zip(difference, components, strict=True)
        ]
        assert mp.norm(mp.matrix(beyond)) <= error
    return bounds


@given(st.integers(2, 7), st.floats(4, 60), st.integers(0, 2**32 - 1))
def test_any_scales_are_decomposed_within_relative_bounds(size, decades, seed):
    rng = np.random.default_rng(seed)
    scales = 10.0 ** -np.append(0, rng.uniform(0, decades, size - 1))
    scales[-1] = 10.0**-decades
    A = scaled_gram(scales, rng)
    c = rng.standard_normal(size)
    bounds = check(A, c / np.linalg.norm(c) / 2)
    # sharp: rounding over the least eigenvalue of the correlations
    correlation = A / np.sqrt(np.outer(np.diagonal(A), np.diagonal(A)))
    assert bounds.relative_error <= 1e-13 / np.linalg.eigvalsh(correlation)[0]


def test_eigenvalues_keep_their_digits_at_any_scale():
    scales = 10.0 ** -np.arange(0, 60, 12.0)
    A = scaled_gram(scales, np.random.default_rng(0))
    with mp.workdps(200):
        exact = [float(a) for a in mp.eigsy(mp.matrix(A.tolist()), eigvals_only=True)]
    np.testing.assert_allclose(graded_bounds(A).values, exact, rtol=1e-10)


def test_well_scaled_moments_are_left_to_the_plain_method():
    rng = np.random.default_rng(1)
    assert not is_badly_scaled(scaled_gram(np.ones(4), rng))
    assert is_badly_scaled(scaled_gram(np.array([1, 1e-9]), rng))
    assert not is_badly_scaled(np.diag([1.0, 0.0]))


def test_correlations_that_are_singular_have_no_relative_bounds():
    X = np.random.default_rng(2).standard_normal((9, 2)) @ [[1.0, 1e-9, 1.0], [0.0, 1e-9, 1.0]]
    A = X.T @ X
    assert graded_bounds(A / 4 / np.linalg.norm(A)) is None


@pytest.mark.parametrize("input_noise", [0.0, 0.1])
def test_no_direction_of_badly_scaled_columns_is_left_out(input_noise):
    rng = np.random.default_rng(3)
    X = rng.standard_normal((20, 4)) * [1e9, 1.0, 1e-9, 1e3]
    problem = ls.Problem(
        ls.Moments.from_arrays(X, X @ [1e-9, 1.0, 1e9, 0.0]),
        ls.Network((2,), input_noise=input_noise),
    )
    (measure,) = spectra(problem)
    assert measure.null_directions == 0
