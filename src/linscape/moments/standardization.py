"""Moments in units without mean, and with standard deviation one."""

import numpy as np

from linscape.errors import InvalidMoments
from linscape.moments.arrays import labels
from linscape.moments.state import State, affine
from linscape.moments.validation import Matrix, Vector

# A standard deviation of at most this many ulps of the mean is rounding.
CONSTANT = 8 * np.finfo(np.float64).eps


def centred_state(state: State) -> State:
    """State of the rows less their mean.

    Raises
    ------
    InvalidMoments
        If the means are unknown.
    """
    _, mean, covariance = state.centred
    return _transformed(state, mean, np.ones(len(mean)), covariance)


def standardized_state(state: State) -> State:
    """State of the rows less their mean, divided by their standard deviations.

    Raises
    ------
    InvalidMoments
        If the means are unknown or a column is constant.
    """
    _, mean, covariance = state.centred
    deviation = np.sqrt(covariance.diagonal())
    change = state.transform
    shift = np.append(change.shift_x, change.shift_y) / np.append(change.scale_x, change.scale_y)
    # The mean before any centring counts: subtracting it does not make rounding into data.
    constant = np.flatnonzero(deviation <= CONSTANT * np.abs(mean + shift))
    if len(constant):
        label = labels(state.names, state.targets, state.inputs, state.single)
        raise InvalidMoments(
            "expected columns that vary, got constant "
            f"{', '.join(label(int(column)) for column in constant)}; drop them"
        )
    correlation = covariance / deviation[:, None] / deviation
    correlation = 0.5 * (correlation + correlation.T)
    np.fill_diagonal(correlation, 1.0)
    return _transformed(state, mean, deviation, correlation)


def _transformed(state: State, shift: Vector, scale: Vector, covariance: Matrix) -> State:
    """State in other units, with mean zero."""
    change = affine(shift, scale, state.inputs, state.single)
    return state._replace(
        raw=None,
        covariance=covariance,
        mean=np.zeros(len(shift)),
        transform=state.transform.then(change),
    )
