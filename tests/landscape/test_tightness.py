"""Tightness by its definition: ranks of the two complementary blocks of every pivot."""

import functools
import itertools

import numpy as np
import pytest
from critical_cases import critical_weights
from hypothesis import given
from hypothesis import strategies as st

import linscape as ls
from linscape.landscape.unregularised.frame import frame, layer_scales
from linscape.landscape.unregularised.tightness import SAFETY, levels, tightness


def product(layers, width):
    return functools.reduce(lambda P, W: W @ P, layers, np.eye(width))


def tightened_by_definition(C, weights, rank):
    """Every pivot i > j has B_{j−1:1} E[xyᵀ] B_{N:i+1} or B_{i−1:j+1} of rank r."""
    widths = [len(C), *map(len, weights)]
    count = len(weights)
    for j, i in itertools.combinations(range(1, count + 1), 2):
        lower = product(weights[: j - 1], widths[0])
        between = product(weights[j : i - 1], widths[j])
        upper = product(weights[i:], widths[i])
        ranks = [np.linalg.matrix_rank(M, tol=1e-9) for M in (lower @ C @ upper, between)]
        assert min(ranks) >= rank
        if rank not in ranks:
            return False
    return True


@pytest.mark.parametrize("seed", range(60))
def test_against_the_definition(seed):
    rng = np.random.default_rng(seed)
    layers = int(rng.integers(2, 6))
    hidden = tuple(int(n) for n in rng.integers(2, 6, layers - 1))
    A, C = np.diag([1.0, 0.5, 2.0, 1.0]), rng.standard_normal((4, 3))
    rank = int(rng.integers(0, min(hidden) if min(hidden) < 3 else 3))
    zeros = tuple(rng.choice(layers, int(rng.integers(2, layers + 1)), replace=False) + 1)
    weights = critical_weights(A, C, hidden, list(range(rank)), zeros, rng)
    yy = C.T @ np.linalg.inv(A) @ C
    at = frame(ls.Problem(ls.Moments(A, C, yy), ls.Network(hidden)), weights, 1e-6)
    found = tightness(at, rank, at.gradient_norm(), 1e-6)
    assert found.tightened is tightened_by_definition(C, weights, rank)
    assert (found.pivot is None) == found.tightened
    assert found.tightened == (len(zeros) >= 3)


def test_two_layers_are_never_tightened_below_full_rank():
    C = np.diag([2.0, 1.0])
    problem = ls.Problem(ls.Moments(np.eye(2), C, C @ C), ls.Network((3,)))
    at = frame(problem, [np.zeros((3, 2)), np.zeros((2, 3))], 1e-6)
    assert tightness(at, 0, 0.0, 1e-6).pivot == (2, 1)


@pytest.mark.parametrize(("size", "expected"), [(1e-13, True), (1e-8, None), (1e-2, False)])
def test_a_block_too_small_to_tell(size, expected):
    C = np.diag([3.0, 1.0])
    problem = ls.Problem(ls.Moments(np.eye(2), C, C @ C), ls.Network((2, 2)))
    weights = [np.diag([3.0, 0.0]), np.diag([1.0, size]), np.diag([1.0, 0.0])]
    found = tightness(frame(problem, weights, 1e-6), 1, 0.0, 1e-6)
    assert found.tightened is expected
    assert (found.undecided == (3, 1)) is (expected is None)


# ---- Scales of the layers


positive = st.floats(1e-6, 1e6)


@given(st.lists(st.one_of(st.just(0.0), positive), min_size=1, max_size=6), positive)
def test_scales_are_no_smaller_than_the_norms(norms, target):
    norms = np.array(norms)
    scales = layer_scales(norms, target, 1e-6)
    assert np.all(scales > 0)
    kept = norms > 0
    if kept.all() and np.prod(norms) >= target:
        np.testing.assert_array_equal(scales, norms)
    assert np.all(scales >= norms * (1 - 1e-12))
    if not kept.all():  # zeros take what the others leave
        assert np.prod(scales) == pytest.approx(target, rel=1e-10) or np.prod(scales) >= target


def test_scales_known_by_hand():
    np.testing.assert_allclose(layer_scales(np.array([2.0, 3.0]), 6.0, 1e-6), [2, 3])
    np.testing.assert_allclose(layer_scales(np.array([2.0, 0.0]), 6.0, 1e-6), [2, 3])
    np.testing.assert_allclose(layer_scales(np.array([2.0, 0.0, 1e-9]), 8.0, 1e-6), [2, 2, 2])
    np.testing.assert_allclose(layer_scales(np.array([2.0, 0.0, 1e-3]), 8.0, 1e-6), [2, 4e3, 1e-3])
    np.testing.assert_allclose(layer_scales(np.array([0.0, 0.0]), 0.0, 1e-6), [1, 1])


def test_levels_follow_gradient_rounding_and_tolerance():
    C = np.diag([3.0, 1.0])
    problem = ls.Problem(ls.Moments(np.eye(2), C, C @ C), ls.Network((2,)))
    at = frame(problem, [np.eye(2), np.eye(2)], 1e-6)
    assert levels(at, 0.0, 1e-12, 1.0).zero == SAFETY * at.rounding
    assert levels(at, 1e-9, 1e-6, 1.0).zero == pytest.approx(SAFETY * 1e-9)
    assert levels(at, 0.0, 1e-6, 1.0).clear == pytest.approx(1e-5)
    assert levels(at, 0.0, 1e-3, 2.0).zero == pytest.approx(SAFETY * 2e-6)
