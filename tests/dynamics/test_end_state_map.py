"""Which minimum descent ends in, by the scale it starts from."""

import json

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

import linscape as ls
from linscape.dynamics.end_state_map import UNDECIDED, end_state_map
from linscape.dynamics.sharpness_step import sharpness_step_size
from linscape.errors import NoExactSolution
from linscape.initialisation import random_weights


def chain(decay=0.1):
    return ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((1, 1), weight_decay=decay))


def two_minima():
    """Two nontrivial minima beside zero: eigenvalues 400 and 1."""
    moments = ls.Moments(np.diag([400.0, 1.0]), np.array([4.472, 1.0]), 10.0)
    return ls.Problem(moments, ls.Network((2, 2), noise=0.5, weight_decay=0.3))


def test_a_chain_of_single_units_changes_at_the_root():
    root = brentq(lambda g: g - g**4 - 0.1, 0, 0.5)
    gains = [0.5 * root, 0.98 * root, 1.02 * root, 1.5]
    found = end_state_map(chain(), scheme="orthogonal", gains=gains, starts=16, rng=3)
    draws = random_weights(chain(), scheme="orthogonal", rng=3, batch=16)
    positive = np.prod([W[:, 0, 0] for W in draws], axis=0) > 0
    assert [one.kind for one in found.solutions] == ["minimum", "saddle", "minimum"]
    assert found.states[:2].tolist() == [[0] * 16] * 2
    expected = np.where(positive, 2, 0).tolist()
    assert found.states[2:].tolist() == [expected] * 2
    assert found.shares[2].tolist() == pytest.approx([1 - positive.mean(), 0, positive.mean()])
    ends = np.array([one.loss for one in found.solutions])[found.states]
    # stopped at a thousandth of the decay part, near the minimum and on the way to zero
    assert found.losses[2:] == pytest.approx(ends[2:], rel=0.02)


def test_the_end_is_that_of_the_integrated_flow():
    problem = two_minima()
    assert sum(one.kind == "minimum" for one in ls.solutions(problem)) == 3
    gains = (0.05, 0.4)
    found = end_state_map(problem, scheme="lecun", gains=gains, starts=1, rng=1)
    draws = random_weights(problem, scheme="lecun", rng=1, batch=1)
    energies = np.array([one.energy for one in found.solutions])
    for j, gain in enumerate(gains):
        end = solve_ivp(
            lambda _, w: -problem.flatten(problem.gradient(problem.unflatten(w))),
            (0, 100), problem.flatten([gain * W[0] for W in draws]),
            method="LSODA", rtol=1e-6, atol=1e-8,
        ).y[:, -1]  # fmt: skip
        reached = problem.energies(problem.unflatten(end)).mean()
        assert found.states[j, 0] == np.argmin(np.abs(energies - reached))


@pytest.mark.parametrize("unit", [1e-8, 1e8])
def test_units_do_not_matter(unit):
    problem, m = chain(), chain().moments
    other = ls.Problem(
        ls.Moments(m.A, unit * m.C, unit**2 * m.yy),
        ls.Network((1, 1), weight_decay=0.1 * unit ** (4 / 3)),
    )
    gains = np.array([0.1, 0.6])
    one = end_state_map(problem, gains=gains, starts=4, rng=0)
    two = end_state_map(other, gains=unit ** (1 / 3) * gains, starts=4, rng=0)
    assert one.states.tolist() == two.states.tolist()


def test_one_hidden_layer_collapses_or_never_does():
    moments = ls.Moments(np.eye(2), np.array([1.0, 0.0]), 1.0)
    for decay, state in ((2.0, 0), (0.2, 1)):
        problem = ls.Problem(moments, ls.Network((3,), weight_decay=decay))
        found = end_state_map(problem, gains=[0.1, 2.0], starts=5, rng=0)
        assert np.all(found.states == state)


def test_runs_too_short_or_too_wild_are_not_labelled():
    short = end_state_map(chain(), gains=[0.6], starts=4, rng=0, steps=1)
    assert np.all((short.states == UNDECIDED) | (short.states == 0))
    assert np.any(short.states == UNDECIDED)
    wild = end_state_map(chain(), gains=[3.0], starts=4, rng=0, step_size=5.0)
    assert wild.diverged.all()
    assert np.all(wild.states == UNDECIDED)
    json.dumps(wild.to_dict(), allow_nan=False)


def test_what_cannot_be_asked_is_refused():
    several = ls.Problem(
        ls.Moments(np.eye(2), np.eye(2), np.eye(2)), ls.Network((2, 2), weight_decay=0.1)
    )
    with pytest.raises(NoExactSolution):
        end_state_map(several, gains=[1.0], rng=0)
    with pytest.raises(NoExactSolution):
        end_state_map(chain(0.0), gains=[1.0], rng=0)
    for wrong in ({"gains": [0.0]}, {"gains": [1.0], "starts": 0}, {"gains": [1.0], "steps": 0}):
        with pytest.raises(ValueError, match=list(wrong)[-1].rstrip("s")):
            end_state_map(chain(), rng=0, **wrong)
    with pytest.raises(ValueError, match="step_size"):
        end_state_map(chain(), gains=[1.0], rng=0, step_size=-1.0)


def test_the_document_is_strict_json():
    found = end_state_map(chain(), gains=[0.05, 0.6], starts=3, rng=0)
    facts = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert facts["states"] == found.states.tolist()
    assert len(facts["solutions"]) == 3
    assert facts["shares"][0] == [1.0, 0.0, 0.0]


def test_the_automatic_step_is_a_quarter_of_the_limit_at_the_sharper_end():
    problem = chain()
    minimum = ls.global_minimum(problem).weights()
    at_minimum = np.linalg.eigvalsh(problem.hessian(minimum))[-1]
    small, large = 0.01 * np.ones((1, 1)), 3.0 * np.ones((1, 1))
    assert sharpness_step_size(problem, [small] * 3) == pytest.approx(0.5 / at_minimum, rel=1e-10)
    there = np.linalg.eigvalsh(problem.hessian([large] * 3))[-1]
    assert there > at_minimum
    batch = sharpness_step_size(problem, [np.stack([small, large])] * 3)
    assert batch == pytest.approx([0.5 / at_minimum, 0.5 / there], rel=1e-10)
    # a decay of zero among others: no minimum is attained
    rng = np.random.default_rng(0)
    unknown = ls.Problem(
        ls.Moments.from_arrays(rng.standard_normal((9, 2)), rng.standard_normal((9, 2))),
        ls.Network((2, 2), weight_decay=(0.1, 0.0, 0.1)),
    )
    weights = random_weights(unknown, rng=0)
    there = np.linalg.eigvalsh(unknown.hessian(weights))[-1]
    assert sharpness_step_size(unknown, weights) == pytest.approx(0.5 / there, rel=1e-10)
