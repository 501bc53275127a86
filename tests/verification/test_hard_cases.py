"""The float64 solver and Arb agree: every certificate of a battery is proven again."""

import json
from collections import Counter

import numpy as np
import pytest
from hard import KINDS, edges, far_from_one, near_transition, random_problems

import linscape as ls
from linscape.verification import certificate_document, verify

DISTANCES = (0.0, *(sign * 10.0**-k for k in (15, 13, 10, 6, 2) for sign in (1, -1)))


def verified(problem):
    """The minimum, and what Arb says of its certificate after a trip through JSON."""
    minimum = ls.global_minimum(problem)
    text = json.dumps(certificate_document(minimum), allow_nan=False)
    return minimum, verify(json.loads(text))


def run(problems):
    """Verify all, print counts and widths, and return what was not proven."""
    tried, left_out, unproven, widths, own = Counter(), 0, [], [], []
    for name, problem in problems:
        minimum, found = verified(problem)
        tried[name] += 1
        left_out += found.assumption is not None
        if found.holds is not True:
            unproven.append((name, problem, found.reason))
            continue
        scale = found.upper + found.gain_lower or 1.0  # the loss at zero
        widths.append(found.gap / scale)
        own.append((minimum.gain_upper - minimum.gain_lower) / scale)
    print(
        f"\n{sum(tried.values())} certificates ({dict(tried)}), {len(unproven)} not proven, "
        f"{left_out} with directions left out; width relative to E[y²], median and largest: "
        f"Arb {np.median(widths):.1e}, {max(widths):.1e}, solver {np.median(own):.1e}"
    )
    return unproven


def test_arb_proves_the_certificates_of_hard_problems():
    assert run(random_problems(252, seed=0)) == []


@pytest.mark.slow
def test_arb_proves_the_certificates_of_two_thousand_hard_problems():
    assert run(random_problems(2000, seed=1)) == []


def test_arb_proves_the_certificates_of_data_in_units_far_from_one():
    assert run(random_problems(140, seed=2, kinds=[far_from_one])) == []


@pytest.mark.slow
def test_arb_proves_the_certificates_of_much_data_in_units_far_from_one():
    assert run(random_problems(1400, seed=3, kinds=[far_from_one])) == []


def test_the_battery_has_trivial_and_nontrivial_minima_of_every_kind():
    seen = {
        (name, ls.global_minimum(problem).is_trivial)
        for name, problem in random_problems(252, seed=0)
    }
    for kind in KINDS:
        assert {(kind.__name__, True), (kind.__name__, False)} <= seen


@pytest.mark.parametrize("name", edges())
def test_arb_proves_the_certificates_of_edges(name):
    assert run([(name, edges()[name])]) == []


@pytest.mark.parametrize("depth", [1, 2, 3, 6])
def test_arb_proves_the_certificates_of_problems_near_their_transition(depth):
    problems = [
        (f"{distance:g}", near_transition(depth, seed, distance))
        for distance in DISTANCES
        for seed in range(2)
    ]
    assert run(problems) == []


@pytest.mark.slow
def test_arb_proves_the_certificates_of_hundreds_of_problems_near_their_transition():
    problems = [
        (f"depth {depth}", near_transition(depth, seed, distance))
        for depth in (1, 2, 3, 4, 6, 20)
        for distance in DISTANCES
        for seed in range(8)
    ]
    assert run(problems) == []


@pytest.mark.slow
@pytest.mark.parametrize("rows", [300, 60])
def test_arb_proves_the_certificate_of_a_hundred_inputs(rows):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, 100)) * np.logspace(0, -4, 100)
    y = X @ rng.standard_normal(100) + rng.standard_normal(rows)
    network = ls.Network((64, 64), noise=0.25, weight_decay=1e-2)
    assert run([(f"{rows} rows", ls.Problem(ls.Moments.from_arrays(X, y), network))]) == []
