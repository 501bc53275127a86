"""The corrected bounds hold on random problems and are attained where they should be."""

import math
from collections import Counter

import numpy as np
import pytest
from mpmath import mp

import linscape as ls
from cases import isotropic, isotropic_thresholds, scaled_decays, split, symmetric, truth
from linscape.errors import NoExactSolution
from linscape.landscape import bounds

DECAYS = (
    bounds.existence_necessary,
    bounds.existence_sufficient,
    bounds.learning_necessary,
    bounds.learning_sufficient,
)


# ---- Random problems, never a violation


def draw(rng):
    """A random problem with its mean decay near the thresholds; a third has equal layers."""
    depth, inputs = int(rng.integers(1, 6)), int(rng.integers(1, 5))
    eigenvalues = 10 ** (rng.choice([0.0, 0.3, 2.0]) * rng.uniform(-1, 1, inputs))
    eigenvalues[1:] *= rng.random(inputs - 1) > 0.1  # some directions without variance
    A, p = symmetric(eigenvalues, rng), rng.standard_normal(inputs)
    sx, sy = 10 ** rng.uniform(-8, 8, 2)
    moments = ls.Moments(
        sx**2 * A, sx * sy * (A @ p), sy**2 * (p @ A @ p) * (1 + rng.uniform(1e-3, 1))
    )
    equal = rng.random() < 1 / 3
    options = {
        "hidden": (int(rng.integers(1, 5)),) * depth if equal else rng.integers(1, 5, depth),
        "noise": float(rng.choice([0.0, 0.3, 3.0])) if equal else rng.uniform(0, 3, depth),
        "input_noise": float(rng.choice([0.0, 0.2])),
    }
    reduction = str(rng.choice(["mean", "half_mean"]))
    bare = ls.Problem(moments, ls.Network(**options), reduction=reduction)
    low, high = bounds.learning_sufficient(bare).value, bounds.existence_necessary(bare).value
    level = rng.uniform(math.log(low / 3), math.log(2 * high))
    decay = math.exp(level)
    if not equal:
        decay = split((depth + 1) * level, depth + 1, rng)
    network = ls.Network(**options, weight_decay=decay)
    return ls.Problem(moments, network, reduction=reduction), decay if equal else math.exp(level)


def violations(problem, decay, counts, slack):
    """The bounds that the solutions of a problem break; `counts` what each had to say.

    `decay` is the geometric mean; what lies within a factor 1 ± `slack` of a bound is left alone.
    """
    _, *found = ls.solutions(problem)
    exists, learns = bool(found), any(solution.gain > 0 for solution in found)
    energies = np.array([solution.energy for solution in found])
    signal = float(problem.moments.C @ problem.moments.C)
    lower, upper = bounds.deep_energy(problem)
    ranges = [(lower, upper)]
    if problem.network.depth == 1:
        ranges.append(bounds.two_layer_energy(problem))

    broken = []

    def check(name, speaks, holds):
        counts[name] += bool(speaks)
        if speaks and not holds:
            broken.append(name)

    above, below = decay / (1 + slack), decay * (1 + slack)
    check("(14)", above > bounds.existence_necessary(problem).value, not exists)
    check("(15)", below < bounds.existence_sufficient(problem).value, exists)
    check("(18)", below < bounds.learning_sufficient(problem).value, learns)
    check("(18) a_min", above > bounds.learning_necessary(problem).value, not learns)
    check("(20)", signal > bounds.signal_sufficient(problem).value * (1 + slack), exists)
    check("(20) a_min", signal * (1 + slack) < bounds.signal_necessary(problem).value, not exists)
    for name, (low, high) in zip(("(16)", "(8)"), ranges, strict=False):
        inside = (low.value <= energies * (1 + slack)) & (energies <= high.value * (1 + slack))
        check(name, exists, inside.all())
    if upper.as_printed is not None:
        counts["(16) printed, broken"] += bool((energies > upper.as_printed * (1 + slack)).any())
    return broken


def run_battery(count, seed):
    rng, counts = np.random.default_rng(seed), Counter()
    for _ in range(count):
        problem, decay = draw(rng)
        # 1e-9: the accuracy of a computed solution close to a fold
        assert violations(problem, decay, counts, 1e-9) == [], problem
    return counts


def test_no_bound_is_violated_in_two_thousand_draws():
    counts = run_battery(2000, 20)
    claims = ("(8)", "(14)", "(15)", "(16)", "(18)", "(18) a_min", "(20)", "(20) a_min")
    assert min(counts[name] for name in claims) > 100, counts
    assert counts["(16) printed, broken"] > 20, counts


@pytest.mark.slow
def test_no_bound_is_violated_in_forty_thousand_draws():
    print("\nbounds, times each spoke:", dict(run_battery(40_000, 21)), "violations: 0 of 40000")


def test_the_thresholds_lie_between_the_bounds():
    rng = np.random.default_rng(22)
    for _ in range(200):
        problem, _ = draw(rng)
        critical = ls.critical_weight_decay(problem)
        necessary, sufficient, learn_necessary, learn_sufficient = (
            bound(problem).value for bound in DECAYS
        )
        # rounding alone: at A = s²I both sides are equal
        assert sufficient <= critical.existence_interval[1] * (1 + 1e-12)
        assert necessary >= critical.existence_interval[0] * (1 - 1e-12)
        assert learn_sufficient <= critical.learning_interval[1] * (1 + 1e-12)
        assert learn_necessary >= critical.learning_interval[0] * (1 - 1e-12)


def test_the_phase_agrees_on_either_side_of_each_threshold():
    rng = np.random.default_rng(23)
    for _ in range(60):
        problem, decay = draw(rng)

        def phase_at(level, problem=problem, decay=decay):
            return ls.phase(scaled_decays(problem, level / decay)).name

        above, below = 1 + 1e-6, 1 - 1e-6
        assert phase_at(bounds.existence_necessary(problem).value * above) == "collapsed"
        assert phase_at(bounds.existence_sufficient(problem).value * below) != "collapsed"
        assert phase_at(bounds.learning_necessary(problem).value * above) != "learning"
        assert phase_at(bounds.learning_sufficient(problem).value * below) == "learning"


def balance(entries, eigenvalues, c, D, width, noise, decay):
    """The left-hand side of (59), ‖b^{D−1}d^{D−1}[b^{2D}d^D(σ²+d)^D A + γ]⁻¹c‖², over entries b."""
    growth = entries ** (2 * D) * (width * (noise + width)) ** D
    terms = c / (growth[:, None] * eigenvalues + decay)
    return (entries * width) ** (2 * D - 2) * (terms**2).sum(axis=1)


def test_equation_59_has_its_roots_where_the_bounds_allow():
    """The same, against the paper's own equation on a grid of b, without linscape's solver."""
    rng, counts = np.random.default_rng(24), Counter()
    for _ in range(1000):
        D, d, width = (int(rng.integers(low, high)) for low, high in ((1, 6), (1, 6), (1, 5)))
        noise = float(rng.choice([0.0, 0.5, 2.0]))
        a, p = 10 ** rng.uniform(-1.5, 1.5, d), rng.standard_normal(d)
        moments = ls.Moments(np.diag(a), a * p, float(a @ p**2) * 1.5)
        bare = ls.Problem(moments, ls.Network((width,) * D, noise=noise))
        necessary, sufficient = (bound(bare).value for bound in DECAYS[:2])
        decay = math.exp(rng.uniform(math.log(sufficient / 3), math.log(2 * necessary)))
        lower, upper = bounds.deep_energy(scaled_network(bare, decay))
        low, high = (math.sqrt(each.value / decay) / width for each in (lower, upper))
        arguments = a, a * p, D, width, noise, decay
        if decay > necessary:
            assert (balance(np.geomspace(1e-4, 1e4, 200), *arguments) < 1).all()
            counts["(14)"] += 1
        elif decay < sufficient:
            # the peak lies between those of the extreme eigenvalues; the grid misses it by < 1e-5
            inside = np.geomspace(max(low, 1e-9), high, 2000)
            assert balance(inside, *arguments).max() > 1 - 1e-5
            counts["(15)"] += 1
        if D > 1:
            below = balance(low * np.geomspace(1e-3, 1, 50)[:-1], *arguments)
            counts["(16) lower"] += bool((below < 1).all())
        above = balance(high * np.geomspace(1, 1e3, 50)[1:], *arguments)
        counts["(16) upper"] += bool((above < 1).all())
        counts["deep"] += D > 1
    assert counts["(16) lower"] == counts["deep"]
    assert counts["(16) upper"] == 1000
    assert min(counts["(14)"], counts["(15)"]) > 100


def scaled_network(problem, decay):
    return ls.Problem(
        problem.moments, ls.Network(**{**problem.network.to_dict(), "weight_decay": decay})
    )


# ---- Attained


@pytest.mark.parametrize("depth", [1, 2, 3, 6])
@pytest.mark.parametrize("noise", [0.0, 0.7])
def test_isotropic_data_make_the_bounds_equal_and_exact(depth, noise):
    problem = isotropic(depth, square=2.5, c=(0.3, -0.4, 1.2), noise=noise, width=3)
    learning, existence = (
        float(mp.root(level, depth + 1))
        for level in isotropic_thresholds(depth, 1.3, (1 + noise / 3) ** depth, 2.5)
    )
    values = [bound(problem).value for bound in DECAYS]
    assert values == pytest.approx([existence, existence, learning, learning], rel=1e-12)
    critical = ls.critical_weight_decay(problem)
    assert [critical.existence, critical.learning] == pytest.approx(values[1:3], rel=1e-12)


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_the_energy_bounds_are_attained_as_the_decay_vanishes(depth):
    problem = isotropic(depth, square=2.5, c=(0.6, 0.8), noise=0.7, width=3, decay=1e-6)
    lower, upper = bounds.deep_energy(problem)
    saddle, minimum = map(float, truth(problem)["stationary"])
    # the gaps are of the order of the decay; 1e-12 is rounding
    assert -1e-12 < saddle / lower.value - 1 < 1e-5
    assert 0 < 1 - minimum / upper.value < 1e-5


def test_two_layers_have_the_closed_form_of_appendix_c():
    """(104), (105), and (8) with both sides equal, against the weights of the global minimum."""
    c, square, noise, width = np.array([0.9, -1.2]), 0.7, 0.5, 4
    moments = ls.Moments(square * np.eye(2), c, c @ c / square + 1)
    u, w = 0.3, 0.8
    problem = ls.Problem(moments, ls.Network((width,), noise=noise, weight_decay=(w, u)))
    energy = bounds.isotropic_energy(problem).value
    for bound in bounds.two_layer_energy(problem):
        assert bound.value == pytest.approx(energy, rel=1e-12)
    first, last = ls.global_minimum(problem).weights()
    printed = (math.sqrt(w / u) * 1.5 - w) / ((noise + width) * square)
    assert energy / (u * width) == pytest.approx(printed, rel=1e-12)
    np.testing.assert_allclose(last**2, printed, rtol=1e-12)
    row = math.sqrt((math.sqrt(u / w) * 1.5 - u) / (square * (noise + width))) * c / 1.5
    np.testing.assert_allclose(first, np.tile(row, (width, 1)), rtol=1e-12)


def test_whitened_data_have_the_closed_form():
    rng = np.random.default_rng(25)
    X = rng.standard_normal((40, 3)) * [1.0, 10.0, 0.1]
    y = X @ [1.0, 0.3, -2.0] + rng.standard_normal(40)
    values, basis = np.linalg.eigh(X.T @ X / len(X))
    white = 2 * X @ (basis / np.sqrt(values)) @ basis.T
    network = ls.Network((5,), noise=0.4, weight_decay=0.2)
    problem = ls.Problem(ls.Moments.from_arrays(white, y), network)
    found = bounds.isotropic_energy(problem).value
    assert found == pytest.approx(ls.global_minimum(problem).energy, rel=1e-12)
    raw = ls.Problem(ls.Moments.from_arrays(X, y), network)
    with pytest.raises(NoExactSolution, match="equal eigenvalues"):
        bounds.isotropic_energy(raw)


# ---- The paper's own formulas, in its letters


@pytest.mark.parametrize("D", [1, 2, 3, 7])
@pytest.mark.parametrize("noise", [0.0, 1.3])
def test_equal_layers_give_the_printed_formulas(D, noise):
    """(8), (14), (15), (16), (18) and (20) letter by letter, for σ², d_0, γ."""
    d0, decay, c = 3, 0.2, np.array([0.5, 1.2])
    low, high, norm = 0.4, 5.0, 1.3
    network = ls.Network((d0,) * D, noise=noise, weight_decay=decay)
    problem = ls.Problem(ls.Moments(np.diag([low, high]), c, 9.0), network)

    def existence(a):
        inner = (D - 1) * norm / (2 * D * d0 * (noise + d0) ** D * a)
        return (D + 1) / (2 * D) * norm * d0 ** (D - 1) * inner ** ((D - 1) / (D + 1))

    def entry(a):
        return (norm / (d0 * (noise + d0) ** D * a)) ** (1 / (D + 1))

    def learning_signal(g):
        above = g ** ((D + 1) / D) * D**2 * (noise + d0) ** (D - 1) * high ** ((D - 1) / D)
        return above / (d0 ** (D - 1) * (D - 1) ** ((D - 1) / D))

    necessary, sufficient = (
        bounds.existence_necessary(problem),
        bounds.existence_sufficient(problem),
    )
    assert necessary.value == pytest.approx(existence(low), rel=1e-12)
    assert sufficient.value == pytest.approx(existence(high), rel=1e-12)
    found = bounds.learning_sufficient(problem).value
    assert learning_signal(found) == pytest.approx(norm**2, rel=1e-12)
    lower, upper = bounds.deep_energy(problem)
    assert math.sqrt(upper.as_printed / decay) / d0 == pytest.approx(entry(high), rel=1e-12)
    assert math.sqrt(upper.value / decay) / d0 == pytest.approx(entry(low), rel=1e-12)
    smallest = (decay / norm) ** (1 / (D - 1)) / d0 if D > 1 else 0.0
    assert math.sqrt(lower.value / decay) / d0 == pytest.approx(smallest, rel=1e-12)
    printed = 4 * d0**2 * high * decay * math.exp(D * math.log((noise + d0) / d0))
    assert bounds.signal_sufficient(problem).as_printed == pytest.approx(printed, rel=1e-12)
    if D == 1:
        for bound, a in zip(bounds.two_layer_energy(problem), (high, low), strict=True):
            square = (norm - decay) / ((noise + d0) * a)  # b_*², γ_u = γ_w
            assert bound.value / (decay * d0) == pytest.approx(square, rel=1e-12)
