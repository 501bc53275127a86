"""g(s) = cᵀ(A + I/s)⁻¹c against 60 digits, and what it says of matrices that are not definite."""

import numpy as np
import pytest
from flint import arb, arb_mat, ctx
from mpmath import mp

from cases import symmetric
from linscape.verification.coordinates import Coordinates, Imprecise
from linscape.verification.resolvent import NotDefinite, resolvents
from linscape.verification.statement import Statement


def statement(A, c, directions=None):
    """A statement of which only the moments matter."""
    d = len(c)
    return Statement(
        second_moment_x=np.asarray(A, dtype=float).tolist(),
        cross_moment=[[float(x) for x in c]],
        second_moment_y=[1.0],
        input_variances=[0.0] * d,
        data_factor=1.0,
        hidden=[1],
        noise=[0.0],
        weight_decay=[1.0, 1.0],
        input_noise=0.0,
        directions=directions,
        lower=0.0,
        upper=0.0,
        gain_lower=0.0,
        gain_upper=0.0,
        is_trivial=None,
        predictor=[[0.0] * d],
    )


def resolvent(A, c, directions=None, rounding=0.0):
    moments = Coordinates(statement(A, c, directions))
    return resolvents(moments, arb(rounding))[0]


def number(ball):
    """The midpoint of a ball as an mp number."""
    mantissa, exponent = (int(part) for part in ball.mid().man_exp())
    return mp.mpf(mantissa) * mp.mpf(2) ** exponent


SPECTRA = {
    "plain": [3.0, 1.0, 0.5],
    "one": [2.0],
    "repeated": [1.0, 1.0, 1.0, 0.25],
    "condition 1e14": np.logspace(0, -14, 8),
    "clustered": 1 + 1e-13 * np.arange(6),
}


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("balls", [False, True])
@pytest.mark.parametrize("s", [2.0**-40, 0.3, 2.0**40])
def test_it_is_the_quadratic_form_of_the_inverse(name, balls, s):
    rng = np.random.default_rng(0)
    A, c = symmetric(SPECTRA[name], rng), rng.standard_normal(len(SPECTRA[name]))
    directions = np.linalg.qr(rng.standard_normal(A.shape))[0].tolist() if balls else None
    with mp.workdps(80), ctx.workprec(1024):
        matrix = mp.matrix(A.tolist()) + mp.eye(len(c)) / mp.mpf(s)
        vector = mp.matrix(c.tolist())
        expected = (vector.T * mp.lu_solve(matrix, vector))[0]
        found = resolvent(A, c, directions)(arb(s))
        assert abs(number(found) - expected) <= mp.mpf(10) ** -60 * expected
        assert found.rel_accuracy_bits() > 200


def test_its_ends_are_the_norm_of_c_and_least_squares():
    A, c = np.diag([4.0, 2.0]), [2.0, 1.0]
    found = resolvent(A, c)
    assert found.start == 5.0
    assert found.end == 1.5


@pytest.mark.parametrize("directions", [None, [[1.0, 0.0], [0.0, 1.0]]])
def test_a_negative_eigenvalue_is_told_from_rounding(directions):
    with pytest.raises(NotDefinite) as large:
        resolvent(np.diag([1.0, -0.5]), [1.0, 1.0], directions, rounding=1e-12)
    assert large.value.by_rounding is False
    with pytest.raises(NotDefinite) as small:
        resolvent(np.diag([1.0, -1e-15]), [1.0, 1.0], directions, rounding=1e-12)
    assert small.value.by_rounding is True


def test_a_singular_matrix_is_exactly_singular_over_the_integers():
    with pytest.raises(NotDefinite) as error:
        resolvent([[1.0, 2.0], [2.0, 4.0]], [1.0, 2.0], rounding=1e-12)
    assert error.value.by_rounding is True


def test_the_least_positive_eigenvalue_is_positive():
    # 2⁻¹⁰⁷⁴ beside 1: no float64 decomposition tells it from zero
    with ctx.workprec(256):
        found = resolvent(np.diag([1.0, 5e-324]), [1.0, 0.0])
        assert found.end == 1.0


def test_too_little_precision_is_no_answer():
    rng = np.random.default_rng(0)
    A = symmetric(np.logspace(0, -14, 10), rng)
    directions = np.linalg.qr(rng.standard_normal(A.shape))[0].tolist()
    with ctx.workprec(160), pytest.raises(Imprecise):
        resolvent(A, np.ones(10), directions)


def test_directions_restrict_the_form_to_their_span():
    # the span of (1, 1, 0) and (0, 0, 2), which is not orthonormal
    A, c = np.diag([1.0, 3.0, 5.0]), [1.0, 1.0, 1.0]
    with ctx.workprec(256):
        found = resolvent(A, c, [[1.0, 1.0, 0.0], [0.0, 0.0, 2.0]])
        # on it A is diag(2, 5) and c is (√2, 1)
        expected = arb(2) / (2 + arb(1) / 3) + arb(1) / (5 + arb(1) / 3)
        assert found(arb(3)).overlaps(expected)
        assert abs(found(arb(3)) - expected) < 1e-60


def test_what_is_left_out_is_measured():
    A, c = np.diag([1.0, 3.0, 5.0]), [1.0, 1.0, 2.0]
    moments = Coordinates(statement(A, c, [[1.0, 1.0, 0.0]]))
    # left out are (1, −1, 0)/√2, of variance 2 and no signal, and (0, 0, 1)
    assert abs(moments.variance_left_out() - arb(29).sqrt()) < 1e-12
    assert abs(moments.signal_left_out(0) - 2) < 1e-12


def test_integers_are_those_of_the_matrix():
    from linscape.verification.resolvent import _integers

    integers, unit = _integers(arb_mat([[0.5, 3.0], [0.0, 2.0**-10]]))
    assert unit == -10
    assert [[int(integers[i, j]) for j in range(2)] for i in range(2)] == [[512, 3072], [0, 1]]
