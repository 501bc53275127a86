"""Descent from the identity: what it learns, what it cannot, and whether it stays in the ball."""

import json
import math

import numpy as np
import pytest
from maps import turn

import linscape as ls
from linscape.errors import InvalidData, InvalidMoments, InvalidNetwork
from linscape.residual import residual_descend


def white(R):
    """White inputs and y = Rx."""
    R = np.atleast_2d(np.asarray(R, dtype=float))
    return ls.Moments(np.eye(len(R)), R.T, R @ R.T)


def test_a_map_near_the_identity_is_learned_inside_the_ball():
    path = residual_descend(white([[1.2, 0.3], [-0.1, 0.9]]), 3, step_size=0.02, steps=2000)
    assert path.stayed_inside
    assert not path.diverged
    assert path.losses.shape == path.norms.shape == (2001,)
    assert abs(path.losses[-1]) <= 1e-13  # rounding of E‖y‖²
    assert (np.diff(path.losses) <= 1e-13).all()  # rounding again


def test_one_step_by_hand():
    # y = 3x, two layers: ∂f/∂a = 2(1·1 − 3)·1 = −4
    path = residual_descend(white(3.0), 2, step_size=0.1, steps=1)
    np.testing.assert_allclose(path.factors.ravel(), 0.4, rtol=1e-12)
    np.testing.assert_allclose(path.losses, [4, (1.4**2 - 3) ** 2], rtol=1e-12)
    np.testing.assert_allclose(path.norms, [0, 0.4], rtol=1e-12)


def test_leaving_the_ball_does_no_harm_to_a_stretch():
    # 1000 = w⁴ needs w = 5.6: outside, and yet learned
    path = residual_descend(white(1000.0), 4, step_size=1e-6, steps=2000)
    assert not path.stayed_inside
    np.testing.assert_allclose(path.norms[-1], 1000**0.25 - 1, rtol=1e-8)  # the end of a descent
    assert abs(path.losses[-1]) <= 1e-8


@pytest.mark.parametrize(
    ("R", "stuck"), [([[1.0, 0.0], [0.0, -0.5]], 0.25), ([[-1.0]], 1.0), (-np.eye(2), 2.0)]
)
def test_symmetric_maps_with_negative_eigenvalues_are_not_learned(R, stuck):
    # every mode keeps its sign: it ends at zero, where τ = 1, and −I has a positive determinant
    path = residual_descend(white(R), 3, step_size=0.1, steps=1500)
    np.testing.assert_allclose(path.losses[-1], stuck, rtol=1e-5)  # the approach is algebraic
    assert path.losses[-1] >= stuck
    assert path.stayed_inside
    assert path.norms[-1] > 0.95


@pytest.mark.parametrize(
    ("angle", "layers", "inside"), [(2.0, 2, True), (3.0, 2, False), (3.0, 3, True)]
)
def test_rotations_are_learned_in_and_outside_the_ball(angle, layers, inside):
    path = residual_descend(white(turn(angle)), layers, step_size=0.05, steps=1500)
    assert abs(path.losses[-1]) <= 1e-10
    # each layer ends as the turn by θ/l, in the ball if that is at most 60°; it may overshoot
    expected = 2 * math.sin(angle / (2 * layers))
    if inside:
        np.testing.assert_allclose(path.norms[-1], expected, rtol=1e-4)  # the end of a descent
    else:
        assert expected > 0.99
    assert path.stayed_inside is inside


def test_divergence_is_reported():
    path = residual_descend(white(50.0), 4, step_size=0.02, steps=100)
    assert path.diverged
    assert len(path.losses) == len(path.norms) < 101
    assert np.isfinite(path.losses).all()
    assert np.isfinite(path.factors).all()
    json.dumps(path.to_dict(), allow_nan=False)


def test_no_steps():
    path = residual_descend(white(np.eye(2)), 5, step_size=1.0, steps=0)
    assert path.factors.shape == (5, 2, 2)
    assert path.losses.tolist() == path.norms.tolist() == [0.0]


def test_bad_input():
    moments = white(2.0)
    for step_size in (0, -1.0, math.nan, math.inf, "a", None):
        with pytest.raises(InvalidData, match="step_size"):
            residual_descend(moments, 2, step_size=step_size, steps=1)
    for steps in (-1, 1.5, True, None):
        with pytest.raises(InvalidData, match="steps"):
            residual_descend(moments, 2, step_size=0.1, steps=steps)
    with pytest.raises(InvalidNetwork, match="layers"):
        residual_descend(moments, 0, step_size=0.1, steps=1)
    with pytest.raises(InvalidMoments, match="as many outputs"):
        residual_descend(ls.Moments(np.eye(2), np.zeros(2), 1.0), 2, step_size=0.1, steps=1)
