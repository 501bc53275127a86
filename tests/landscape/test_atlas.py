"""Every critical point under decay: found by search, counted, and its Hessian as stated."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from orbits import orbit, problem_of
from scipy.optimize import root

import linscape as ls
from cases import humps, isotropic, isotropic_thresholds, orthogonal, three_minima
from linscape.errors import InvalidNetwork, NoExactSolution, OutOfRange
from linscape.landscape.atlas import decayed_critical_points
from oracles import averaged_loss_and_gradient, flatten, unflatten

ROWS = ([[1.0, 0.5], [-0.5, 1.5], [2.0, 1.0]], [1.0, 2.0, 2.5])
# hidden widths, standard deviations of the noise, decays
NETS = {
    "one layer": ((3,), (1.0,), (0.3, 0.5)),
    "two layers": ((2, 2), (0.8, 0.5), (0.2, 0.3, 0.4)),
    "wide first": ((3, 1), (1.2, 0.4), (0.6, 0.2, 0.1)),
    "three layers": ((2, 1, 2), (0.5, 0.6, 0.7), (0.2, 0.1, 0.3, 0.2)),
    "some collapsed": ((2, 1), (1.0, 0.5), (1.5, 1.5, 1.5)),
    "collapsed": ((2, 2), (1.0, 0.5), (3.0, 3.0, 3.0)),
    "no noise": ((2, 3), (0.0, 0.0), (0.2, 0.3, 0.4)),
    "first noisy": ((3, 2), (0.7, 0.0), (0.2, 0.3, 0.4)),
    "last noisy": ((2, 3), (0.0, 0.7), (0.4, 0.3, 0.2)),
    "single silent": ((1, 2), (0.0, 0.7), (0.4, 0.3, 0.2)),
    "one silent layer": ((3,), (0.0,), (0.3, 0.5)),
}
every_net = pytest.mark.parametrize("net", NETS)
every_noisy_net = pytest.mark.parametrize("net", [net for net in NETS if 0.0 not in NETS[net][1]])


def make(net):
    return problem_of(*ROWS, *NETS[net])


def singular():
    """One direction without variance, and three inputs."""
    X = np.array([[1.0, 2.0, 0.0], [2.0, 4.0, 1.0], [-1.0, -2.0, 1.0]])
    return problem_of(X, [1.0, 3.0, 0.5], (2, 2), (0.5, 0.9), (0.2, 0.3, 0.2))


def inertia(hessian):
    values = np.linalg.eigvalsh(hessian)
    small = 1e-9 * np.abs(values).max()
    return np.count_nonzero(values < -small), np.count_nonzero(np.abs(values) <= small)


def pulls(problem, weights):
    """The size of the decay's part of the gradient."""
    decays = problem.network.weight_decay
    return max(2 * g * np.abs(W).max() for g, W in zip(decays, weights, strict=True))


# ---- Search: nothing else is found


def starts(problem, count, rng):
    """Gaussian weights of many sizes; half of them with single weights or units left out."""
    for number in range(count):
        scale = 10 ** rng.uniform(-1, 0.4)
        weights = [scale * rng.standard_normal(shape) for shape in problem.shapes]
        if number % 2:
            weights = [W * (rng.random(W.shape) < 0.7) for W in weights]
        for layer, width in enumerate(problem.network.hidden):
            dead = rng.random(width) < 0.25
            weights[layer][dead] = 0
            weights[layer + 1][:, dead] = 0
        yield flatten(weights)


def search(problem, X, y, rng, count=30):
    """Critical points of the row-by-row loss, by Powell's method from many starts."""
    loss_and_gradient = averaged_loss_and_gradient(
        X, y, noise=problem.network.noise, weight_decay=problem.network.weight_decay
    )

    def gradient(vector):
        return flatten(loss_and_gradient(unflatten(vector, problem.shapes))[1])

    for start in starts(problem, count, rng):
        end = root(gradient, start, method="hybr", options={"xtol": 1e-13})
        if np.abs(end.fun).max() < 1e-10:
            yield end.x, loss_and_gradient(unflatten(end.x, problem.shapes))[0]


@every_noisy_net
def test_a_search_finds_the_listed_points_and_no_others(net):
    problem = make(net)
    classes = decayed_critical_points(problem)
    listed = [orbit(point.weights()) for point in classes]
    assert [len(points) for points in listed] == [point.multiplicity for point in classes]
    everything = np.concatenate(listed)
    owner = np.repeat(np.arange(len(classes)), [len(points) for points in listed])
    met, number = set(), 0
    for vector, loss in search(problem, *ROWS, np.random.default_rng(1)):
        distances = np.linalg.norm(everything - vector, axis=1)
        nearest = int(np.argmin(distances))
        # the search stops at gradients of 1e-10, and the smallest curvatures are about 1e-3
        assert distances[nearest] < 1e-6
        assert loss == pytest.approx(classes[owner[nearest]].loss, rel=1e-10)
        met.add(owner[nearest])
        number += 1
    assert number >= 15
    assert len(met) >= min(len(classes), 3)


@pytest.mark.parametrize("net", [net for net in NETS if 0.0 in NETS[net][1]])
def test_with_silent_layers_a_search_finds_the_listed_spheres_and_no_others(net):
    problem = make(net)
    classes = decayed_critical_points(problem)
    number = 0
    for vector, loss in search(problem, *ROWS, np.random.default_rng(2), count=30):
        weights = unflatten(vector, problem.shapes)
        alive = tuple(np.count_nonzero(np.linalg.norm(W, axis=1) > 1e-6) for W in weights[:-1])
        same = [
            point
            for point in classes
            if point.loss == pytest.approx(loss, rel=1e-9)  # the error of the search
            and np.allclose(problem.predictor(weights), point.predictor, rtol=0, atol=1e-6)
            and all(
                k == n or not s
                for k, n, s in zip(alive, point.active, problem.network.noise, strict=True)
            )
        ]
        assert len(same) == 1
        number += 1
    assert number >= 10


# ---- Each point: no gradient, the loss, the Hessian's signs


@pytest.mark.parametrize("rng", [None, np.random.default_rng(3)], ids=["plain", "drawn"])
@pytest.mark.parametrize(
    "problem",
    [*map(make, NETS), singular(), three_minima(), humps(3, 2, ratio=1e4)],
    ids=[*NETS, "singular", "three minima", "humps"],
)
def test_every_class_has_no_gradient_and_the_stated_loss_and_inertia(problem, rng):
    for point in decayed_critical_points(problem):
        weights = point.weights(rng)
        gradient = problem.flatten(problem.gradient(weights))
        assert np.abs(gradient).max() <= 1e-9 * pulls(problem, weights)  # K is polished to 1e-10
        assert problem.loss(weights) == pytest.approx(point.loss, rel=1e-10)
        np.testing.assert_allclose(problem.energies(weights), point.energy, rtol=1e-10)
        np.testing.assert_allclose(problem.predictor(weights), point.predictor, rtol=1e-10)
        assert inertia(problem.hessian(weights)) == (point.index, point.nullity)
        assert point.nullity == point.dimension
        assert (point.kind == "minimum") == (point.index == 0)
        for W, count, variance in zip(weights, point.active, problem.network.noise, strict=False):
            if variance:
                assert np.count_nonzero(np.any(W, axis=1)) == count


@pytest.mark.parametrize("net", ["one layer", "two layers", "wide first"])
def test_the_drawn_weights_are_all_points_of_the_class(net):
    rng = np.random.default_rng(4)
    for point in decayed_critical_points(make(net)):
        if point.branch > 1:
            continue  # the same points but for their size
        count = point.multiplicity
        scale = np.sqrt(point.energy) or 1.0
        # each of n points is missed by 12 n draws with a chance of e^{-12}
        draws = (flatten(point.weights(rng)) / scale for _ in range(12 * count))
        drawn = {tuple(np.round(vector, 9) + 0.0) for vector in draws}
        listed = {tuple(np.round(v / scale, 9) + 0.0) for v in orbit(point.weights())}
        assert drawn == listed
        assert len(drawn) == count


# ---- Their number


@given(st.integers(0, 10**6))
def test_the_indices_add_up_to_one(seed):
    # Morse theory: L grows at infinity, so Σ (−1)^index χ(class) is the Euler number of R^N
    rng = np.random.default_rng(seed)
    depth = int(rng.integers(1, 4))
    hidden = tuple(int(width) for width in rng.integers(1, 5, depth))
    deviations = rng.uniform(0.1, 1.5, depth) * (rng.random(depth) < 0.7)
    decays = 10 ** rng.uniform(-2, 0.3, depth + 1)
    X = rng.standard_normal((4, int(rng.integers(1, 4)))) * [10 ** rng.uniform(0, 1.5)]
    problem = problem_of(X, rng.standard_normal(4) + X.sum(axis=1), hidden, deviations, decays)
    classes = decayed_critical_points(problem)
    assume(all(point.kind != "fold" for point in classes))
    silent = [k for k, s in zip(hidden, problem.network.noise, strict=True) if not s and k > 1]
    sphere = math.prod(1 + (-1) ** (width - 1) for width in silent)
    euler = sum(
        (-1) ** point.index * point.multiplicity * (sphere if any(point.active) else 1)
        for point in classes
    )
    assert euler == 1


@pytest.mark.parametrize("width", [1, 2, 7, 40])
def test_one_noisy_layer_has_three_to_the_width_points_where_it_learns(width):
    c = 2.0
    for decay, total in ((c * (1 - 1e-9), 3**width), (c * (1 + 1e-9), 1)):
        problem = isotropic(1, c=(c,), decay=decay, noise=0.7, width=width)
        classes = decayed_critical_points(problem)
        assert sum(point.multiplicity for point in classes) == total
        assert classes[0].index == (width if total > 1 else 0)
    for point in classes[1:]:
        assert point.index == width - point.active[0]


def test_where_one_layer_begins_to_learn_zero_is_not_told():
    zero, *_ = decayed_critical_points(isotropic(1, c=(2.0,), decay=2.0, noise=0.7))
    assert (zero.kind, zero.index, zero.nullity) == ("fold", None, None)


@pytest.mark.parametrize("depth", [2, 3])
def test_a_subnetwork_has_two_solutions_up_to_its_own_existence_threshold(depth):
    width, noise = 3, 0.8
    for k in range(1, width + 1):
        tau = (1 + noise / k) * (1 + noise / width) ** (depth - 1)
        _, existence = isotropic_thresholds(depth, 1, tau, 1)
        for side, expected in ((1 - 1e-6, 2), (1 + 1e-6, 0)):
            decay = float(existence * side) ** (1 / (depth + 1))
            problem = isotropic(depth, decay=decay, noise=noise, width=width)
            active = (k,) + (width,) * (depth - 1)
            assert len(decayed_critical_points(problem, active=active)) == expected


def test_where_two_solutions_of_a_subnetwork_meet_the_index_is_not_told():
    # A = c = 1, D = 2: P_e = 27/(256 τ′), and with one unit alive in each layer τ′ = 27/16
    network = ls.Network((2, 1), noise=(0.125, 0.5), weight_decay=(0.25, 0.25, 1.0))
    problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), network)
    (point,) = decayed_critical_points(problem, active=(1, 1))
    assert (point.kind, point.index, point.nullity) == ("fold", None, None)
    # H(t) = t/(1 + t²)² is largest at t² = 1/3, where p = 1/(τ′(1 + 1/t²))
    assert point.predictor[0] == pytest.approx(16 / 27 / 4, rel=1e-6)  # a double root: √rounding


def test_in_the_collapsed_phase_zero_is_the_only_critical_point():
    for decay in np.geomspace(0.5, 5, 6):
        problem = isotropic(2, decay=decay, noise=0.4, width=3)
        collapsed = ls.phase(problem).name == "collapsed"
        assert collapsed == (len(decayed_critical_points(problem)) == 1)


@pytest.mark.parametrize("count", [2, 3])
def test_many_minima_of_the_curve_are_classes_of_every_subnetwork(count):
    classes = decayed_critical_points(humps(2, count, level=0.6, noise=0.1))
    for active in itertools.product((1, 2), repeat=2):
        found = [point for point in classes if point.active == active]
        assert [point.branch for point in found] == list(range(1, 2 * count + 1))
        assert sum(point.kind == "minimum" for point in found) == count * (active == (2, 2))


# ---- Closed forms and invariance


def test_one_layer_on_equal_variances_in_closed_form():
    decays, noise, width, s2, c = (0.3, 0.5), 1.3, 4, 2.0, np.array([1.5, -2.0])
    problem = isotropic(1, square=s2, c=c, decay=decays, noise=noise, width=width)
    left = np.linalg.norm(c) - math.sqrt(math.prod(decays))
    zero, *others = decayed_critical_points(problem)
    assert (zero.kind, zero.index, zero.multiplicity) == ("saddle", width, 1)
    for k, point in enumerate(others, start=1):
        size = left / (s2 * (1 + noise / k))
        assert point.active == (k,)
        assert (point.index, point.multiplicity) == (width - k, math.comb(width, k) * 2**k)
        assert point.gain == pytest.approx(size * left, rel=1e-10)
        np.testing.assert_allclose(point.predictor, size * c / np.linalg.norm(c), rtol=1e-10)
        assert point.energy == pytest.approx(math.sqrt(math.prod(decays)) * size, rel=1e-10)


@every_net
def test_the_full_network_has_its_solutions(net):
    problem = make(net)
    found = decayed_critical_points(problem, active=problem.network.hidden)
    for point, solution in zip(found, ls.solutions(problem)[1:], strict=True):
        assert (point.loss, point.energy, point.kind) == (
            solution.loss,
            solution.energy,
            solution.kind,
        )
    assert decayed_critical_points(problem, active=[0] * problem.network.depth)[0].energy == 0
    least = min(decayed_critical_points(problem), key=lambda point: point.loss)
    assert least.loss == pytest.approx(ls.global_minimum(problem).loss, rel=1e-12)
    assert least.kind == "minimum"


@pytest.mark.parametrize("s", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("t", [1e-8, 1.0, 1e8])
def test_units_of_the_data_and_rotations_change_nothing(s, t):
    problem = make("two layers")
    moments, network = problem.moments, problem.network
    Q = orthogonal(2, np.random.default_rng(5))
    moved = ls.Moments(
        s**2 * Q @ moments.A @ Q.T, s * t * Q @ moments.C, t**2 * float(np.ravel(moments.yy)[0])
    )
    first, second, last = network.weight_decay
    decays = (first * (s * t) ** 2, second * t**2, last)
    other = ls.Problem(moved, ls.Network(network.hidden, noise=network.noise, weight_decay=decays))
    pairs = zip(decayed_critical_points(problem), decayed_critical_points(other), strict=True)
    for one, two in pairs:
        assert (one.active, one.branch, one.index) == (two.active, two.branch, two.index)
        assert two.loss == pytest.approx(t**2 * one.loss, rel=1e-10)
        assert two.energy == pytest.approx(t**2 * one.energy, rel=1e-10)
        np.testing.assert_allclose(Q.T @ two.predictor * s / t, one.predictor, rtol=1e-10)
        gradient = [np.abs(g).max() for g in other.gradient(two.weights())]
        sizes = [2 * g * np.abs(W).max() for g, W in zip(decays, two.weights(), strict=True)]
        assert all(g <= 1e-9 * size for g, size in zip(gradient, sizes, strict=True))


def test_the_reduction_scales_the_data_term():
    X, y = map(np.array, ROWS)
    hidden, deviations, decays = NETS["two layers"]
    plain = problem_of(X, y, hidden, deviations, decays)
    threefold = ls.Network(
        hidden, noise=plain.network.noise, weight_decay=[3 * g for g in decays], input_noise=0.0
    )
    summed = ls.Problem(ls.Moments.from_arrays(X, y), threefold, reduction="sum")
    pairs = zip(decayed_critical_points(plain), decayed_critical_points(summed), strict=True)
    for one, two in pairs:
        assert two.loss == pytest.approx(3 * one.loss, rel=1e-10)
        assert two.multiplicity == one.multiplicity


def test_without_signal_zero_is_the_only_critical_point():
    network = ls.Network((2, 2), noise=0.3, weight_decay=0.1)
    (zero,) = decayed_critical_points(ls.Problem(ls.Moments([[1.0]], [0.0], 1.0), network))
    assert (zero.kind, zero.index, zero.loss) == ("minimum", 0, 1.0)


# ---- Where it stops being true


def test_two_outputs_have_critical_points_of_another_form():
    # A = I: one unit serves each output, so the layers have rank two
    gamma, variance, c = 0.2, 0.7, np.array([1.0, 0.6])
    network = ls.Network((2,), noise=variance, weight_decay=gamma)
    problem = ls.Problem(ls.Moments(np.eye(2), np.diag(c), np.eye(2)), network)
    root_sizes = np.diag(np.sqrt((c - gamma) / (1 + variance)))
    gradient = problem.flatten(problem.gradient([root_sizes, root_sizes]))
    assert np.abs(gradient).max() < 1e-14
    with pytest.raises(NoExactSolution, match="2 outputs"):
        decayed_critical_points(problem)


def test_the_bias_of_a_dead_unit_may_take_any_value():
    X, y = map(np.array, ROWS)
    hidden, deviations, decays = NETS["two layers"]
    centred = ls.Moments.from_arrays(3 * X, 3 * y).centered()
    noise = [s**2 for s in deviations]
    plain = ls.Problem(centred, ls.Network(hidden, noise=noise, weight_decay=decays))
    biased = ls.Problem(centred, ls.Network(hidden, noise=noise, weight_decay=decays, bias="free"))
    point = decayed_critical_points(plain, active=(1, 2))[-1]
    indices = set()
    for value in (0.0, 1.0, 30.0):
        weights = [np.column_stack([W, np.zeros(len(W))]) for W in point.weights()]
        weights[0][1, -1] = value  # the second unit of the first layer is dead
        gradient = biased.flatten(biased.gradient(weights))
        assert np.abs(gradient).max() <= 1e-9 * pulls(plain, point.weights())
        indices.add(inertia(biased.hessian(weights))[0])
    assert len(indices) > 1  # so the continuum has no one index
    with pytest.raises(NoExactSolution, match="biases"):
        decayed_critical_points(biased)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"weight_decay": 0.0}, "positive decays"),
        ({"weight_decay": (0.1, 0.0, 0.1)}, r"weight_decay\[1\] is zero"),
        ({"hidden": ()}, "hidden layer"),
        ({"bias": "decayed"}, "biases that decay"),
        ({"bias": "free"}, "centred moments"),
    ],
)
def test_problems_that_are_not_covered_are_refused(changes, match):
    network = ls.Network(**({"hidden": (2, 2), "noise": 0.1, "weight_decay": 0.1} | changes))
    with pytest.raises(NoExactSolution, match=match):
        decayed_critical_points(ls.Problem(ls.Moments.from_arrays(*ROWS), network))


@pytest.mark.parametrize("active", [(1,), (3, 1), (0, 1), (1, -1), (1.5, 1), "11", (1, 1, 1), ()])
def test_counts_of_no_subnetwork_are_refused(active):
    with pytest.raises(InvalidNetwork, match="active must give"):
        decayed_critical_points(make("two layers"), active=active)


def test_counts_that_are_no_sequence_are_refused():
    with pytest.raises(InvalidNetwork, match="active must give"):
        decayed_critical_points(make("two layers"), active=2)


def test_a_silent_layer_counts_in_full():
    with pytest.raises(InvalidNetwork, match="2 to 2"):
        decayed_critical_points(make("first noisy"), active=(1, 1))


def test_too_many_subnetworks_are_asked_for_one_at_a_time():
    problem = isotropic(2, decay=0.1, noise=0.1, width=101)
    with pytest.raises(OutOfRange, match="10201 kinds of sub-network"):
        decayed_critical_points(problem)
    saddle, minimum = decayed_critical_points(problem, active=(101, 100))
    assert (saddle.index, minimum.index) == (2, 1)
    assert minimum.multiplicity == 101 * 2**201


def test_a_class_as_json():
    *_, point = decayed_critical_points(make("two layers"))
    document = json.loads(json.dumps(point.to_dict(), allow_nan=False))
    assert document["active"] == [2, 2]
    assert (document["kind"], document["index"], document["multiplicity"]) == ("minimum", 0, 16)
    assert "docs/atlas.md" in document["source"]
