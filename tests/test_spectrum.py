"""The enclosure of the eigendecomposition really encloses: checked at 50 digits."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp

import linscape as ls
from cases import orthogonal, symmetric
from linscape.enclosure import UNIT_ROUNDOFF, eigen_bounds, symmetric_product
from linscape.errors import InvalidMoments
from linscape.spectrum import linear_moments, spectra

GENERATOR = np.random.default_rng(0)


def normalised(A):
    """The matrix over a power of two at least its Frobenius norm."""
    return np.ldexp(A, -math.frexp(float(np.linalg.norm(A)))[1])


def gram(rows, columns, shift=0.0):
    X = GENERATOR.standard_normal((rows, columns)) + shift
    return X.T @ X


MATRICES = {
    "random": gram(20, 6),
    "singular": gram(3, 8),
    "zero": np.zeros((3, 3)),
    "one by one": np.array([[0.7]]),
    "diagonal": np.diag([0.3, 0.0, 1e-200, 0.9]),
    "graded": symmetric(np.logspace(0, -14, 7), GENERATOR),
    "steep": symmetric(np.logspace(0, -30, 6), GENERATOR),
    "identity, rotated": symmetric(np.ones(6), GENERATOR),
    "clustered": symmetric(1 + 1e-15 * np.arange(6.0), GENERATOR),
    "two clusters": symmetric(np.array([1, 1 + 1e-13, 1 + 2e-13, 1e-8, 1e-8]), GENERATOR),
    "large means": gram(12, 5, shift=1e6),
    "badly scaled": gram(12, 5) * np.outer(10.0 ** np.arange(5), 10.0 ** np.arange(5)),
    "two blocks": np.block([[gram(5, 2), np.zeros((2, 2))], [np.zeros((2, 2)), gram(5, 2)]]),
    "tiny off-diagonal": np.diag([1.0, 0.5]) + 1e-170 * np.ones((2, 2)),
    "repeated rows": np.ones((5, 5)),
}
MATRICES = {name: normalised(A) if A.any() else A for name, A in MATRICES.items()}
every_matrix = pytest.mark.parametrize("name", MATRICES)


def exact(A):
    return mp.matrix(np.asarray(A).tolist())


def nearest_orthogonal(Q):
    """The polar factor, by Newton's iteration in mp."""
    for _ in range(6):
        Q = (Q + mp.inverse(Q.T)) / 2
    return Q


def spectral_norm(R):
    """‖R‖₂ of a symmetric matrix."""
    return max(map(abs, mp.eigsy(R, eigvals_only=True)))


def check_enclosure(A, c):
    bounds = eigen_bounds(A)
    assert (bounds.values >= 0).all()
    assert (np.diff(bounds.values) >= 0).all()
    components, error = bounds.components(c)
    with mp.workdps(50):
        Q = exact(bounds.basis)
        R = nearest_orthogonal(Q)
        assert spectral_norm(R.T * R - mp.eye(len(A))) < mp.mpf(10) ** -45
        assert mp.sqrt(spectral_norm((Q - R).T * (Q - R))) <= bounds.basis_error + 1e-48
        residual = exact(A) - R * mp.diag([mp.mpf(float(a)) for a in bounds.values]) * R.T
        # the docstring grants each value one rounding on top
        allowed = bounds.value_error + UNIT_ROUNDOFF * bounds.values[-1]
        assert spectral_norm(residual) <= allowed
        assert mp.norm(R.T * exact(c[:, None]) - exact(components[:, None])) <= error + 1e-48
    return bounds, error


# ---- The enclosure


@every_matrix
def test_the_decomposition_lies_within_its_bounds(name):
    A = MATRICES[name]
    c = np.random.default_rng(1).standard_normal(len(A))
    bounds, error = check_enclosure(A, c / np.linalg.norm(c) / (1 + 1e-15))
    # and the bounds are sharp: rounding of a few units for every column
    assert bounds.value_error <= 20 * len(A) * UNIT_ROUNDOFF
    assert error <= 20 * len(A) * UNIT_ROUNDOFF


@given(st.integers(1, 6), st.floats(0, 40), st.integers(0, 2**32 - 1))
def test_any_spectrum_is_enclosed(size, steepness, seed):
    rng = np.random.default_rng(seed)
    A = normalised(symmetric(10 ** -rng.uniform(0, steepness, size), rng))
    c = rng.standard_normal(size) * 10 ** -rng.uniform(0, 10, size)
    check_enclosure(A, c / np.linalg.norm(c) / (1 + 1e-15))


def test_a_wrong_decomposition_gets_a_bound_that_covers_it(monkeypatch):
    A, eigh = MATRICES["random"], np.linalg.eigh
    honest = eigen_bounds(A).value_error
    for size in (1e-13, 1e-9, 1e-5):
        noise = size * np.random.default_rng(1).standard_normal(A.shape)

        def wrong(matrix, noise=noise):
            values, Q = eigh(matrix)
            return values * (1 + noise[0]), Q + noise

        with monkeypatch.context() as patch:
            patch.setattr(np.linalg, "eigh", wrong)
            bounds, _ = check_enclosure(A, A[0])
        assert bounds.value_error > 10 * honest


def test_a_diagonal_matrix_is_decomposed_without_error():
    bounds = eigen_bounds(np.diag([0.5, 0.0, 0.25]))
    assert bounds.values.tolist() == [0.0, 0.25, 0.5]
    assert (bounds.value_error, bounds.basis_error) == (0.0, 0.0)
    components, error = bounds.components(np.array([0.1, 0.2, 0.3]))
    assert (components.tolist(), error) == ([0.2, 0.3, 0.1], 0.0)


def test_a_negative_diagonal_entry_is_counted_as_error():
    bounds = eigen_bounds(np.diag([0.5, -1e-17]))
    assert bounds.values.tolist() == [0.0, 0.5]
    assert bounds.value_error == 1e-17


@every_matrix
def test_a_product_lies_within_its_bound(name):
    A = MATRICES[name]
    x = np.random.default_rng(1).standard_normal(len(A))
    x /= np.linalg.norm(x) * (1 + 1e-15)
    image, error = symmetric_product(A, x)
    with mp.workdps(50):
        difference = exact(A) * exact(x[:, None]) - exact(image[:, None])
        assert mp.norm(difference) <= error + 1e-48
    # sharp as well: two units of the result, and 2⁻²⁵ of a unit of x in each entry
    assert error <= 2 * UNIT_ROUNDOFF * (np.linalg.norm(image) + len(A) ** 1.5 * 2.0**-25)


# ---- The measure of a problem


def problem_of(A, p, noise=1.0, **network):
    """Moments of a true signal p, so that E[xy] = Ap lies in the range of A."""
    c = A @ p
    return ls.Problem(ls.Moments(A, c, p @ c + noise), ls.Network((2,), **network))


@every_matrix
def test_the_measure_is_that_of_the_moments(name):
    A = MATRICES[name]
    problem = problem_of(A, np.linspace(1, 2, len(A)))
    (measure,) = spectra(problem)
    assert len(measure.values) + measure.null_directions == len(A)
    assert (measure.values > 2 * measure.value_error).all()
    s, t = measure.input_exponent, measure.output_exponent
    np.testing.assert_array_equal(np.ldexp(measure.second_moment_x, 2 * s), problem.moments.A)
    np.testing.assert_array_equal(np.ldexp(measure.cross_moment, s + t), problem.moments.C)
    assert math.ldexp(measure.second_moment_y, 2 * t) == problem.moments.yy
    assert np.linalg.norm(measure.second_moment_x) <= 1
    assert np.linalg.norm(measure.cross_moment) <= 1
    energy = np.linalg.norm(np.append(measure.coefficients, measure.null_signal))
    assert energy == pytest.approx(np.linalg.norm(measure.cross_moment), rel=1e-14)


@pytest.mark.parametrize("power", [-300, -7, 1, 299])
@pytest.mark.parametrize("which", ["x", "y", "both"])
def test_powers_of_two_change_the_exponents_only(power, which):
    A, p = MATRICES["random"], np.linspace(1, 2, 6)
    one = ls.Moments(A, A @ p, p @ A @ p + 1)
    x, y = power * (which != "y"), power * (which != "x")
    other = ls.Moments(np.ldexp(A, 2 * x), np.ldexp(one.C, x + y), math.ldexp(one.yy, 2 * y))
    (before,), (after,) = (spectra(ls.Problem(m, ls.Network((2,)))) for m in (one, other))
    for name in ("values", "coefficients", "basis", "second_moment_x", "cross_moment"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    for name in ("value_error", "coefficient_error", "second_moment_y", "null_signal"):
        assert getattr(before, name) == getattr(after, name)
    assert after.input_exponent - before.input_exponent == x
    assert after.output_exponent - before.output_exponent == y


def test_several_outputs_have_one_measure_each():
    rng = np.random.default_rng(2)
    X, Y = rng.standard_normal((9, 3)), rng.standard_normal((9, 2))
    both = spectra(ls.Problem(ls.Moments.from_arrays(X, Y), ls.Network(())))
    for k, measure in enumerate(both):
        (alone,) = spectra(ls.Problem(ls.Moments.from_arrays(X, Y[:, k]), ls.Network(())))
        np.testing.assert_allclose(measure.values, alone.values, rtol=1e-14)
        signals = np.abs(measure.coefficients), np.abs(alone.coefficients)
        np.testing.assert_allclose(*signals, rtol=1e-12)


def test_input_noise_enlarges_the_diagonal():
    rng = np.random.default_rng(3)
    moments = ls.Moments.from_arrays(rng.standard_normal((9, 3)), rng.standard_normal(9))
    A, C, yy = linear_moments(ls.Problem(moments, ls.Network((2,), input_noise=0.5)))
    np.testing.assert_allclose(A, moments.A * (1 + 0.5 * np.eye(3)), rtol=1e-15)
    np.testing.assert_array_equal(C[:, 0], moments.C)
    assert yy[0, 0] == moments.yy


def test_free_biases_leave_the_centred_moments_and_the_noise_of_the_raw_ones():
    rng = np.random.default_rng(4)
    moments = ls.Moments.from_arrays(rng.standard_normal((9, 3)) + 5, rng.standard_normal(9) + 1)
    network = ls.Network((2,), bias="free", input_noise=0.5)
    A, C, yy = linear_moments(ls.Problem(moments, network))
    raw = np.diag(np.diagonal(moments.A))
    np.testing.assert_allclose(A, moments.covariance_x + 0.5 * raw, rtol=1e-15)
    np.testing.assert_array_equal(C[:, 0], moments.covariance_xy)
    assert yy[0, 0] == moments.covariance_y


def test_directions_without_variance_are_counted_and_left_out():
    rng = np.random.default_rng(5)
    X = rng.standard_normal((4, 16))
    (measure,) = spectra(data := ls.Problem(
        ls.Moments.from_arrays(X, X @ np.ones(16)), ls.Network((2,))
    ))  # fmt: skip
    assert measure.null_directions == 12
    expected = np.linalg.svd(X, compute_uv=False)[::-1] ** 2 / 4
    values = np.ldexp(measure.values, 2 * measure.input_exponent)
    np.testing.assert_allclose(values, expected, rtol=1e-10)
    assert measure.null_signal <= 1e-14 * np.linalg.norm(measure.coefficients)
    assert data.moments.inputs == 16


def shifted(delta, mean=1e4):
    """Means so large that Moments cannot see c leave the range of the covariance by delta."""
    covariance = np.array([[1.0, 1.0], [1.0, 1.0]])
    c = np.array([1 + delta, 1 - delta])
    m = np.full(2, mean)
    moments = ls.Moments(covariance + np.outer(m, m), c + mean * m, 2 + mean**2, m, mean)
    return ls.Problem(moments, ls.Network((2,), bias="free"))


def test_a_signal_where_nothing_varies_is_refused():
    with pytest.raises(InvalidMoments, match="range of E"):
        spectra(shifted(1e-6))
    (measure,) = spectra(shifted(0.0))
    assert measure.null_directions == 1


def test_a_rotation_of_the_inputs_turns_the_basis_only():
    rng = np.random.default_rng(6)
    A, p, R = MATRICES["random"], np.linspace(1, 2, 6), orthogonal(6, rng)
    (one,) = spectra(problem_of(A, p))
    turned = R @ A @ R.T
    (other,) = spectra(problem_of((turned + turned.T) / 2, R @ p))
    scale = 2.0 ** (2 * (other.input_exponent - one.input_exponent))
    np.testing.assert_allclose(other.values * scale, one.values, rtol=1e-10)
    shift = 2.0 ** (other.input_exponent + other.output_exponent)
    shift /= 2.0 ** (one.input_exponent + one.output_exponent)
    signals = np.abs(other.coefficients) * shift, np.abs(one.coefficients)
    np.testing.assert_allclose(*signals, rtol=1e-10)
