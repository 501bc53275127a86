"""How long descent stays at saddles, against closed forms, and the published experiment."""

import json
import math

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

import linscape as ls
from linscape.dynamics.escape_times import EscapeTimes, escape_times
from linscape.errors import InvalidWeights, NoExactSolution
from linscape.initialisation import random_weights


def scalar(depth, signal=1.0, **options):
    return ls.Problem(
        ls.Moments([[1.0]], [signal], signal**2 + 0.5), ls.Network((1,) * depth, **options)
    )


@pytest.mark.parametrize("signal", [0.5, 2.0])
@pytest.mark.parametrize(("depth", "share"), [(1, 0.5), (2, 0.5), (2, 0.9), (3, 0.1)])
def test_a_chain_of_single_units_leaves_zero_at_its_integral(depth, share, signal):
    # equal weights w move as ẇ = 2 w^{N−1}(s − w^N); the loss has fallen by `share` of s² when
    # (1 − w^N/s)² = 1 − share
    layers, start = depth + 1, 0.1
    problem = scalar(depth, signal)
    end = (signal * (1 - math.sqrt(1 - share))) ** (1 / layers)
    time, _ = quad(lambda w: 1 / (2 * w**depth * (signal - w**layers)), start, end)
    step = time / 2000
    found = escape_times(
        problem,
        [np.zeros((1, 1))] * layers,
        [np.full((1, 1), start)] * layers,
        step_size=step,
        steps=2600,
        share=share,
        every=2,
    )
    # Euler's lag grows with the step; with 2000 it is below a percent
    assert found.median * step == pytest.approx(time, rel=0.01)
    assert found.kind == ("strict saddle" if depth == 1 else "non-strict saddle")
    assert found.gap == pytest.approx(signal**2, rel=1e-10)
    assert found.level == pytest.approx(signal**2 + 0.5, rel=1e-10)
    assert found.resolution == 2


def test_smaller_perturbations_take_logarithmically_and_inversely_longer():
    # near zero ẇ = 2w and ẇ = 2w²
    times = {}
    starts = 0.1 ** np.arange(2, 4).reshape(2, 1, 1)
    for layers, step, steps in ((2, 0.005, 1500), (3, 0.05, 12_000)):
        found = escape_times(
            scalar(layers - 1),
            [np.zeros((1, 1))] * layers,
            [starts] * layers,
            step_size=step,
            steps=steps,
            every=np.unique(np.geomspace(1, steps, 800).astype(int)),
        )
        times[layers] = step * found.steps
    # records are 1.5 % apart; the time after the saddle is 2 % of the shortest
    assert times[2][1] - times[2][0] == pytest.approx(math.log(10) / 2, rel=0.05)
    assert times[3][1] / times[3][0] == pytest.approx(10, rel=0.05)


def test_nets_that_stay_are_counted():
    problem = scalar(1)
    zero = [np.zeros((1, 1))] * 2
    starts = [np.array([0.0, 0.5, 1.0]).reshape(3, 1, 1)] * 2
    found = escape_times(problem, zero, starts, step_size=0.01, steps=500)
    assert found.steps[0] == math.inf
    assert 0 < found.steps[1] < 100
    assert found.steps[2] == 0  # it starts at the minimum
    assert found.escaped == 2
    facts = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert facts["steps"][0] == "inf"
    assert facts["median"] == found.steps[1]
    assert facts["median_interval"] == [0.0, "inf"]  # three nets bound nothing


@pytest.mark.parametrize("size", [9, 30, 201])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.999])
def test_the_median_interval_is_that_of_the_sign_test(size, confidence):
    steps = np.random.default_rng(size).exponential(100, size)
    found = EscapeTimes(steps, "strict saddle", 1.0, 1.0, 0.5, 1000, 1)
    low, high = found.median_interval(confidence)
    ordered = np.sort(steps)
    covered = sum(
        stats.binom.pmf(k, size, 0.5) for k in range(size + 1)
        if k >= np.sum(ordered <= low) and size - k >= np.sum(ordered >= high)
    )  # fmt: skip
    assert covered >= confidence
    if low > 0:
        tighter = stats.binom.cdf(np.sum(ordered <= low), size, 0.5)
        assert tighter > (1 - confidence) / 2  # one order statistic further in is too far


def test_what_cannot_be_asked_is_refused():
    problem, zero = scalar(1), [np.zeros((1, 1))] * 2
    small = [np.full((1, 1), 0.1)] * 2
    with pytest.raises(NoExactSolution, match="none"):
        escape_times(problem, small, small, step_size=0.01, steps=5)
    with pytest.raises(NoExactSolution, match="global minimum"):
        escape_times(problem, [np.ones((1, 1))] * 2, small, step_size=0.01, steps=5)
    with pytest.raises(NoExactSolution, match="weight decay"):
        escape_times(scalar(1, weight_decay=0.1), zero, small, step_size=0.01, steps=5)
    with pytest.raises(InvalidWeights):
        escape_times(problem, zero, small[:1], step_size=0.01, steps=5)
    for share in (0.0, 1.0, np.nan):
        with pytest.raises(ValueError, match="share"):
            escape_times(problem, zero, small, step_size=0.01, steps=5, share=share)
    found = escape_times(problem, zero, small, step_size=0.01, steps=5)
    with pytest.raises(ValueError, match="confidence"):
        found.median_interval(1.0)


# ---- The published experiment: escape near 500 steps (strict) and 2000 (non-strict)


def experiment():
    """1000 rows, y = diag(5, 4, 3, 2, 1)x + noise of variance 0.1, through 5-4-4-5."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1000, 5))
    Y = X @ np.diag([5.0, 4.0, 3.0, 2.0, 1.0]) + math.sqrt(0.1) * rng.standard_normal((1000, 5))
    return X, Y, ls.Problem(ls.Moments.from_arrays(X, Y), ls.Network((4, 4)))


def rank_three(X, Y, middle):
    """The critical point of the first three modes, Z = (0, middle, 0) in the plain basis."""
    R = np.linalg.lstsq(X, Y, rcond=None)[0].T
    fitted = X @ R.T
    _, vectors = np.linalg.eigh(fitted.T @ fitted)
    U = vectors[:, ::-1][:, :3]
    return [
        np.vstack([U.T @ R, np.zeros((1, 5))]),
        np.diag([1.0, 1.0, 1.0, middle]),
        np.hstack([U, np.zeros((5, 1))]),
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("middle", "kind", "printed", "found_again"),
    [(0.35, "strict saddle", 500, 520), (0.0, "non-strict saddle", 2000, 1770)],
)
def test_the_published_escape_times(middle, kind, printed, found_again):
    # the print gives neither step size nor perturbation: η = 3.6e-3 on the mean loss, Z_2 = 0.35,
    # entries uniform in [0, 0.08] and nine tenths of the gap were found to fit
    X, Y, problem = experiment()
    weights = rank_three(X, Y, middle)
    rng = np.random.default_rng(1)
    noise = [0.08 * rng.random((2000, *W.shape)) for W in weights]
    found = escape_times(
        problem, weights, noise, step_size=3.6e-3, steps=10_000, share=0.9, every=10
    )
    assert found.kind == kind
    low, high = found.median_interval(0.999)
    print(f"{kind}: median {found.median:g}, [{low:g}, {high:g}], {found.escaped} of 2000 escaped")
    # the earlier medians came from fewer starts and other data: 5 %
    assert low * 0.95 < found_again < high * 1.05
    assert abs(found.median / printed - 1) < 0.2  # "around", read off a curve


@pytest.mark.slow
def test_the_non_strict_saddle_holds_longer_whatever_the_perturbation():
    X, Y, problem = experiment()
    medians = []
    for middle in (0.35, 0.0):
        noise = random_weights(problem, scheme="normal", gain=0.08, rng=2, batch=1000)
        found = escape_times(
            problem, rank_three(X, Y, middle), noise, step_size=3.6e-3, steps=10_000, every=10
        )
        medians.append((found.median, *found.median_interval(0.999)))
    print(f"normal perturbations of deviation 0.08, half the gap: {medians}")
    assert medians[1][1] > medians[0][2]
