"""Arguments that no call can take, each with an error of linscape's own."""

import numpy as np
import pytest

import linscape as ls
from linscape.errors import InvalidNetwork, InvalidOption, InvalidWeights, LinscapeError

MOMENTS = ls.Moments(np.diag([2.0, 1.0]), [1.0, 0.5], 2.0)
PROBLEM = ls.Problem(MOMENTS, ls.Network((2, 2), weight_decay=0.05))
PLAIN = ls.Problem(ls.Moments(np.eye(2), np.eye(2), np.eye(2)), ls.Network((2, 2)))


@pytest.mark.parametrize("energies", [[-1.0], [np.nan], "a", [np.inf]])
def test_energies(energies):
    with pytest.raises(InvalidOption, match="energies"):
        ls.energy_curve(PROBLEM, energies)


@pytest.mark.parametrize("path", [[], "a", [np.inf], [[0.1]]])
def test_paths(path):
    with pytest.raises(InvalidNetwork, match="weight_decay"):
        ls.branches(PROBLEM, weight_decay=path)


@pytest.mark.parametrize("depth", [-1, 1.5, "a", True])
def test_depths(depth):
    with pytest.raises(InvalidNetwork, match="depth"):
        ls.convex_trap_radius(1.0, weight_decay=0.1, depth=depth)


@pytest.mark.parametrize("largest", [0, -3, "a", 2.0])
def test_largest_depths(largest):
    with pytest.raises(InvalidOption, match="largest"):
        ls.critical_depth(PROBLEM, largest=largest)


@pytest.mark.parametrize(
    "options", [{"batch": -1}, {"gain": "a"}, {"gain": -1.0}, {"scheme": "best"}]
)
def test_random_weights(options):
    with pytest.raises(InvalidOption, match=next(iter(options))):
        ls.random_weights(PROBLEM, rng=0, **options)


@pytest.mark.parametrize("weights", [None, 3.0, "abc"])
def test_weights_that_are_none(weights):
    for door in (PROBLEM.loss, PROBLEM.gradient):
        with pytest.raises(InvalidWeights, match="list of 3 matrices"):
            door(weights)
    with pytest.raises(InvalidWeights):
        ls.in_trap(PROBLEM, weights)


@pytest.mark.parametrize("parts", [(3, 4), (MOMENTS, 4), (ls.Network((2,)), MOMENTS)])
def test_parts_of_a_problem(parts):
    with pytest.raises(InvalidOption, match=r"a Moments and a Network"):
        ls.Problem(*parts)


def test_one_class_catches_them_all():
    for call in (
        lambda: ls.Problem(MOMENTS, ls.Network((2,)), reduction="max"),
        lambda: ls.random_weights(PROBLEM, rng=0, scheme="best"),
        lambda: ls.critical_point(PLAIN, modes=(0,), kind="mild", rng=0),
        lambda: ls.classify(PLAIN, [np.eye(2)] * 3, tolerance=-1),
    ):
        with pytest.raises(LinscapeError):
            call()


def test_kinds_may_be_named_as_they_are_given_back():
    rng = np.random.default_rng(0)
    moments = ls.Moments(np.diag([2.0, 1.0]), np.diag([2.0, 1.0]), np.diag([2.0, 1.0]))
    problem = ls.Problem(moments, ls.Network((2, 2)))
    for kind in ("strict saddle", "non-strict saddle"):
        weights = ls.critical_point(problem, modes=(0,), kind=kind, rng=rng)
        assert ls.classify(problem, weights).kind == kind


@pytest.mark.parametrize("widths", [[], [2], "inf", None, np.zeros(0)])
def test_widths_that_are_none(widths):
    with pytest.raises(LinscapeError, match="width"):
        ls.structured_inertia([1.0], [], widths)
    with pytest.raises(LinscapeError, match="width"):
        ls.zero_residual_inertia([0], [2, 1], widths)
