"""One mode in closed form, and graded bases: against quadrature and many digits."""

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from linscape.dynamics.closed_forms import mode_strength, mode_time
from linscape.dynamics.closed_forms.graded import graded_basis
from linscape.errors import OutOfRange


@pytest.mark.parametrize("layers", [1, 2, 3, 4, 7, 30])
@pytest.mark.parametrize("signal", [1.3, 0.0, -0.7])
@pytest.mark.parametrize("start", [1e-9, 0.3, 1.6, 40.0, -0.2])
def test_a_mode_obeys_its_equation(layers, signal, start):
    curvature = 0.8
    rate = 2 * layers * abs(start) ** (1 - 2 / layers) * max(abs(signal), curvature * abs(start))
    times = np.array([0.0, 0.1, 1.0, 5.0]) / rate
    solution = solve_ivp(
        lambda _, u: 2 * layers * np.abs(u) ** (2 - 2 / layers) * (signal - curvature * u),
        (0, times[-1]), [start], method="DOP853", rtol=1e-13, atol=1e-16 * abs(start), t_eval=times,
    )  # fmt: skip
    found = mode_strength(times, start=start, signal=signal, curvature=curvature, layers=layers)
    np.testing.assert_allclose(found, solution.y[0], rtol=1e-10, atol=1e-12 * abs(start))


@given(
    st.sampled_from([2, 3, 4, 9, 40]),
    st.floats(-12, 3),
    st.floats(1e-3, 1 - 1e-6),
    st.sampled_from([-1.0, 1.0]),
)
def test_time_and_strength_are_inverse(layers, log_start, share, sign):
    start, signal = 10.0**log_start, 0.9 * sign
    limit = signal / 0.7 if sign > 0 else 0.0
    strength = math.exp((1 - share) * math.log(start) + share * math.log(limit or 1e-3 * start))
    if strength == start:
        return
    values = {"start": start, "signal": signal, "curvature": 0.7, "layers": layers}
    time = mode_time(strength, **values)
    assert time > 0
    back = mode_strength([time], **values)[0]
    # a plateau long against the final rise magnifies the rounding of the time
    speed = 2 * layers * strength ** (1 - 2 / layers) * abs(signal - 0.7 * strength)
    assert back == pytest.approx(strength, rel=1e-12 + 4e-15 * speed * time)


def mp_time(strength, start, signal, curvature, layers):
    """∫du/u̇ in mpmath, in the coordinate w = |u|^{1/N}."""
    with mp.workdps(40):
        s, a = mp.mpf(signal), mp.mpf(curvature)
        ends = [mp.mpf(x) ** (mp.mpf(1) / layers) for x in (start, strength)]
        points = [ends[0] * (ends[1] / ends[0]) ** (mp.mpf(k) / 8) for k in range(9)]
        return float(mp.quad(lambda w: 1 / (2 * w ** (layers - 1) * (s - a * w**layers)), points))


@pytest.mark.parametrize(
    ("strength", "start", "signal", "layers"),
    [
        (1e-9, 1e-12, 1.0, 3),
        (0.999, 0.001, 1.0, 3),
        (1.0 - 1e-9, 0.5, 1.0, 5),
        (1.001, 50.0, 1.0, 4),
        (0.01, 7.0, -1.0, 3),
        (5.0, 7.0, -1.0, 6),
        (0.3, 0.7, -2.0, 8),
        (0.3, 0.7, 0.0, 8),
        (0.7, 0.3, 3.0, 50),
    ],
)
def test_times_are_the_integral_at_40_digits(strength, start, signal, layers):
    found = mode_time(strength, start=start, signal=signal, curvature=1.0, layers=layers)
    assert found == pytest.approx(mp_time(strength, start, signal, 1.0, layers), rel=1e-10)


def test_three_layers_by_hand():
    # s = a = 1 and u = w³: t = ½∫dw/(w²(1 − w³)), with ∫x dx/(1 − x³) elementary
    def antiderivative(w):
        part = math.log((w * w + w + 1) / (1 - w) ** 2) / 6
        return -1 / w + part - math.atan((2 * w + 1) / math.sqrt(3)) / math.sqrt(3)

    expected = (antiderivative(0.9) - antiderivative(0.2)) / 2
    found = mode_time(0.9**3, start=0.2**3, signal=1.0, curvature=1.0, layers=3)
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("layers", [1, 2, 3, 10])
def test_modes_are_monotone_and_end_at_their_limit(layers):
    times = np.concatenate([[0], np.logspace(-6, 6, 400)])
    for start, limit in ((0.01, 1.25), (9.0, 1.25)):
        u = mode_strength(times, start=start, signal=1.0, curvature=0.8, layers=layers)
        assert u[0] == pytest.approx(start, rel=1e-14)
        # one rounding of u is all that may turn it round
        assert np.all(np.diff(u) * np.sign(limit - start) >= -1e-15 * limit)
        assert u[-1] == pytest.approx(limit, rel=1e-14)


def test_modes_that_stand_still():
    for values in (
        {"start": 0.0, "signal": 1.0, "curvature": 1.0, "layers": 3},
        {"start": 2.0, "signal": 0.0, "curvature": 0.0, "layers": 3},
        {"start": 2.0, "signal": 1.0, "curvature": 0.5, "layers": 3},
        {"start": 2.0, "signal": 1.0, "curvature": 0.5, "layers": 2},
    ):
        np.testing.assert_array_equal(mode_strength([0.0, 1.0, 1e9], **values), values["start"])
        assert mode_time(values["start"], **values) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strength": 2.0}, "never to 2.0"),
        ({"strength": 0.05}, "never to 0.05"),
        ({"curvature": -1.0}, "curvature must be positive"),
        ({"curvature": 0.0}, "curvature must be positive"),
        ({"signal": math.nan}, "must be finite"),
        ({"layers": 0}, "whole number"),
        ({"layers": 2.5}, "whole number"),
    ],
)
def test_modes_refuse_what_they_do_not_cover(changes, message):
    values = {"start": 0.1, "signal": 1.0, "curvature": 1.0, "layers": 3, "strength": 0.5}
    values |= changes
    strength = values.pop("strength")
    with pytest.raises(ValueError, match=message):
        mode_time(strength, **values)


# ---- Rows beyond the range of floats


@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_graded_bases_are_those_of_150_digits(seed):
    rng = np.random.default_rng(seed)
    B, exponents = rng.standard_normal((6, 3)), rng.uniform(-300, 300, 6)
    Q = graded_basis(B, exponents)
    with mp.workdps(700):
        A = mp.matrix(6, 3)
        for i, j in np.ndindex(6, 3):
            A[i, j] = mp.exp(mp.mpf(float(exponents[i]))) * mp.mpf(float(B[i, j]))
        P = A * mp.inverse(A.T * A) * A.T
        P = np.array(P.tolist(), dtype=float).reshape(6, 6)
    np.testing.assert_allclose(Q.T @ Q, np.eye(3), atol=1e-13)
    np.testing.assert_allclose(Q @ Q.T, P, atol=1e-9)  # conditioning of random 3×3 minors


def test_a_share_of_the_limit_that_underflows():
    values = {"start": 1e-8, "signal": 1.0, "curvature": 5e-324, "layers": 3}
    with pytest.raises(OutOfRange, match="rescale"):
        mode_strength([0.0], **values)
    with pytest.raises(OutOfRange, match="rescale"):
        mode_time(1e-7, **values)
