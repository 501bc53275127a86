"""Predicted plateaus, against integrals, the integrated flow, and what descent really does."""

import json
import math

import numpy as np
import pytest
from scipy.integrate import quad

import linscape as ls
from cases import orthogonal
from linscape.dynamics.flow import flow
from linscape.dynamics.plateaus import plateaus
from linscape.dynamics.saddle_to_saddle import saddle_to_saddle
from linscape.errors import NoExactSolution
from linscape.initialisation import balanced_weights


def aligned(signals, curvatures, hidden, seed=0, rest=0.0, **options):
    """E[yxᵀ] = L diag(s) Rᵀ and E[xxᵀ] = R diag(a) Rᵀ in random bases."""
    rng = np.random.default_rng(seed)
    s, a = np.asarray(signals, dtype=float), np.asarray(curvatures, dtype=float)
    L, R = orthogonal(len(s), rng), orthogonal(len(s), rng)
    C = (R * s) @ L.T
    yy = (L * (s**2 / a + rest)) @ L.T
    A = (R * a) @ R.T
    moments = ls.Moments((A + A.T) / 2, C, (yy + yy.T) / 2)
    return ls.Problem(moments, ls.Network(hidden, **options))


def time_to(share, signal, curvature, start, layers, alpha=1.0):
    """The time at which a mode has a share of its gain, by quadrature of its equation."""
    end = signal / curvature * (1 - math.sqrt(1 - share))
    power = 2 - 2 / layers
    return quad(
        lambda x: math.exp(x)
        / (2 * alpha * layers * math.exp(x * power) * (signal - curvature * math.exp(x))),
        math.log(start), math.log(end), epsabs=0, epsrel=1e-11,
    )[0]  # fmt: skip


@pytest.mark.parametrize(
    ("hidden", "strength", "reduction"),
    [((3,), 1e-6, "mean"), ((4, 3), 1e-5, "half_mean"), ((3, 5, 3), 1e-4, "mean")],
)
def test_times_and_levels_are_those_of_the_modes(hidden, strength, reduction):
    s, a = np.array([3.0, 2.0, 1.0]), np.array([1.5, 1.2, 1.0])
    base = aligned(s, a, hidden, rest=0.2)
    problem = ls.Problem(base.moments, base.network, reduction=reduction)
    alpha, layers = problem.data_factor, len(hidden) + 1
    found = saddle_to_saddle(problem, strength=strength)
    assert found.order == (0, 1, 2)
    for i, time in enumerate(found.times):
        expected = time_to(0.5, s[i], a[i], strength, layers, alpha)
        assert time == pytest.approx(expected, rel=1e-9)  # what the quadrature reaches
    gains = alpha * s**2 / a
    levels = alpha * np.trace(problem.moments.yy) - np.cumsum([0, *gains])
    assert found.plateaus[-1].modes == (0, 1, 2)
    for plateau in found.plateaus:
        k = len(plateau.modes)
        assert plateau.modes == tuple(range(k))
        assert plateau.loss == pytest.approx(levels[k], rel=1e-10)
        near = 0.05 * min(gains[max(k - 1, 0) : k + 1])  # what is lost or gained next
        if k > 0:
            share = 1 - near / gains[k - 1]
            expected = time_to(share, s[k - 1], a[k - 1], strength, layers, alpha)
            assert plateau.entered == pytest.approx(expected, rel=1e-9)
        if k < 3:
            expected = time_to(near / gains[k], s[k], a[k], strength, layers, alpha)
            assert plateau.left == pytest.approx(expected, rel=1e-9)
    assert found.plateaus[0].entered == 0
    assert found.plateaus[-1].left == math.inf


@pytest.mark.parametrize(
    ("hidden", "strength"),
    [((3,), 1e-9), ((3, 3), 1e-6), pytest.param((3, 3, 3), 1e-5, marks=pytest.mark.slow)],
)
def test_the_integrated_flow_has_these_plateaus(hidden, strength):
    problem = aligned([3.0, 1.5, 0.6], [1.0, 1.0, 1.0], hidden, rest=0.1)
    predicted = saddle_to_saddle(problem, strength=strength)
    weights = balanced_weights(problem, product=predicted.product, rng=1)
    times = np.linspace(0, 1.4 * predicted.times[-1], 500)
    found = plateaus(problem, flow(problem, weights, times, rtol=1e-6))
    assert [one.modes for one in found] == [one.modes for one in predicted.plateaus]
    for one, expected in zip(found, predicted.plateaus, strict=True):
        # as near as the records are; other modes gain less than that meanwhile
        assert one.entered == pytest.approx(expected.entered, abs=3 * times[1])
        if expected.left < math.inf:
            assert one.left == pytest.approx(expected.left, abs=3 * times[1])
        assert one.value == pytest.approx(expected.loss, rel=1e-10)


def test_the_order_is_that_of_the_signals_not_of_the_gains():
    # s = 2, 1.5 and a = 4, 1: gains s²/a = 1 and 2.25, so mode 0 of the landscape is the one with
    # s = 1.5, and yet the other comes first: a plateau at a value that is not the best of rank 1
    problem = aligned([2.0, 1.5], [4.0, 1.0], (2, 2), rest=0.1)
    predicted = saddle_to_saddle(problem, strength=1e-9)
    assert predicted.order == (1, 0)
    assert [one.modes for one in predicted.plateaus] == [(), (1,), (0, 1)]
    assert (1,) not in {value.modes for value in ls.critical_values(problem).descent}
    weights = balanced_weights(problem, product=predicted.product, rng=0)
    times = np.linspace(0, 1.3 * predicted.times[-1], 400)
    found = plateaus(problem, flow(problem, weights, times, rtol=1e-6))
    # rounding grows along the exchange of mode 1 for mode 0, which the aligned path excludes
    assert [one.modes for one in found][:2] == [(), (1,)]
    assert found[1].entered == pytest.approx(predicted.plateaus[1].entered, abs=2 * times[1])
    assert found[1].left < predicted.plateaus[1].left
    assert found[-1].modes == (0, 1)


@pytest.mark.parametrize("deviation", [0.01, 0.03])
def test_nearly_white_inputs_have_nearly_these_times(deviation):
    rng = np.random.default_rng(5)
    noise = rng.standard_normal((3, 3))
    A = np.eye(3) + deviation * (noise + noise.T)
    T = np.diag([3.0, 1.5, 0.6])
    problem = ls.Problem(ls.Moments(A, A @ T.T, T @ A @ T.T), ls.Network((3, 3)))
    with pytest.raises(NoExactSolution, match="mixes"):
        saddle_to_saddle(problem, strength=1e-6)
    white = aligned([3.0, 1.5, 0.6], [1.0, 1.0, 1.0], (3, 3))
    predicted = saddle_to_saddle(white, strength=1e-6)
    start = balanced_weights(problem, product=1e-6 * np.eye(3), rng=0)
    times = np.linspace(0, 1.5 * predicted.times[-1], 500)
    found = plateaus(problem, flow(problem, start, times, rtol=1e-6))
    assert [one.modes for one in found] == [one.modes for one in predicted.plateaus]
    for one, expected in zip(found[:-1], predicted.plateaus[:-1], strict=True):
        # to first order in the deviation; the entries of `noise` reach 2.6, twice that on the
        # diagonal
        assert one.left == pytest.approx(expected.left, rel=6 * deviation)


def test_modes_learnt_together_have_no_plateau_between():
    problem = aligned([2.0, 2.0, 1.0], [1.0, 1.0, 1.0], (3, 3))
    found = saddle_to_saddle(problem, strength=1e-6)
    assert [one.modes for one in found.plateaus] == [(), (0, 1), (0, 1, 2)]
    assert found.times[0] == pytest.approx(found.times[1], rel=1e-10)
    large = saddle_to_saddle(problem, strength=0.5)
    assert [one.modes for one in large.plateaus] == [(0, 1, 2)]


def test_a_narrow_net_stops_at_its_width():
    problem = aligned([3.0, 2.0, 1.0], [1.0, 1.0, 1.0], (3, 2, 4))
    found = saddle_to_saddle(problem, strength=1e-4)
    assert [one.modes for one in found.plateaus] == [(), (0,), (0, 1)]
    assert found.plateaus[-1].loss == pytest.approx(ls.global_minimum(problem).loss, rel=1e-10)
    assert np.linalg.matrix_rank(found.product) == 2


@pytest.mark.parametrize("unit", [1e-8, 1e8])
def test_units_do_not_matter(unit):
    one = saddle_to_saddle(aligned([3.0, 1.0], [1.0, 1.0], (2, 2)), strength=1e-5)
    # y in another unit: strengths go with it; u̇ = 2N u^{4/3}(s − u) gives times by unit^{−4/3}
    other = saddle_to_saddle(aligned([3.0 * unit, unit], [1.0, 1.0], (2, 2)), strength=1e-5 * unit)
    factor = unit ** (-4 / 3)
    np.testing.assert_allclose(other.times, factor * np.array(one.times), rtol=1e-10)
    for a, b in zip(one.plateaus, other.plateaus, strict=True):
        assert a.modes == b.modes
        assert b.loss == pytest.approx(unit**2 * a.loss, rel=1e-10, abs=1e-12 * unit**2)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"hidden": ()}, "hidden layer"),
        ({"hidden": (2, 2), "weight_decay": 0.1}, "decay"),
        ({"hidden": (2, 2), "noise": 0.1}, "noise"),
        ({"hidden": (2, 2), "bias": "free"}, "bias"),
    ],
)
def test_hypotheses_that_fail_are_named(options, word):
    hidden = options.pop("hidden")
    base = aligned([3.0, 1.0], [1.0, 1.0], hidden)
    moments = ls.Moments(
        base.moments.A, base.moments.C, base.moments.yy, mean_x=np.zeros(2), mean_y=np.zeros(2)
    )
    with pytest.raises(NoExactSolution, match=word):
        saddle_to_saddle(ls.Problem(moments, ls.Network(hidden, **options)), strength=1e-3)


def test_numbers_out_of_range_are_refused():
    problem = aligned([3.0, 1.0], [1.0, 1.0], (2,))
    for strength in (0.0, -1.0, math.nan, math.inf, 1.0):
        with pytest.raises(ValueError, match="strength"):
            saddle_to_saddle(problem, strength=strength)
    for tolerance in (0.0, 0.5, math.nan):
        with pytest.raises(ValueError, match="tolerance"):
            saddle_to_saddle(problem, strength=1e-3, tolerance=tolerance)
    nothing = ls.Problem(ls.Moments(np.eye(2), np.zeros((2, 2)), np.eye(2)), ls.Network((2,)))
    with pytest.raises(NoExactSolution, match="covary"):
        saddle_to_saddle(nothing, strength=1e-3)


def test_the_document_is_strict_json():
    found = saddle_to_saddle(aligned([3.0, 1.0], [1.0, 1.0], (2,)), strength=1e-3)
    facts = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert facts["plateaus"][-1]["left"] == "inf"
    assert facts["order"] == [0, 1]
