r"""The best network of rank one, for any depth, noise and moments; exact behind a single unit.

A network whose product has rank one, M = u pᵀ, obeys (3) of docs/outputs.md with one bracket, and
that is attained by the one-output network for u·y. So the largest gain of rank one is

    max over unit u and K of  uᵀQ(K)u − D·K,      Q(K) = Cᵀ(τA + P K^{−D} I)⁻¹C.

It is attained by some network whatever the widths, and where the narrowest layer has one unit, or
one output or input is all there is, it is the largest of all.
"""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.landscape.energy.candidates import largest_gain
from linscape.landscape.energy.energy import Energy
from linscape.landscape.interval import from_logarithm
from linscape.landscape.outputs.frame import Frame, FrameProblem, candidate_frames
from linscape.landscape.outputs.majorant import bounded_gain
from linscape.landscape.outputs.measure import OutputMeasure
from linscape.problem import Problem

Array = NDArray[np.float64]

_PEAKS = 8  # of the largest eigenvalue over energies, that are looked at closely


class SingleMode(NamedTuple):
    """The best network of rank one that was found: its proven gain, and M."""

    lower: float  # in the units of the problem
    value: float
    product: Array  # (m, d), in the units of the problem


def best_single_mode(problem: Problem, measure: OutputMeasure) -> SingleMode:
    """Return the best product of rank one, zero if none gains."""
    nothing = np.zeros((problem.moments.outputs, problem.moments.inputs))
    if not np.any(measure.coefficients):
        return SingleMode(0.0, 0.0, nothing)
    frame = _best_mode(measure, Energy.of(problem, measure.spectrum))
    direction = frame.directions[:, 0]
    spectrum = measure.along(direction)
    gain = largest_gain(Energy.of(problem, spectrum))
    if gain.log_ridge == -math.inf:
        return SingleMode(0.0, 0.0, nothing)
    ridge = from_logarithm(-gain.log_ridge, "the ridge parameter of the mode")
    along = spectrum.ridge_predictor(ridge, problem.network.log_inflation)
    unit = problem.data_factor * math.ldexp(1.0, 2 * measure.spectrum.output_exponent)
    product = np.outer(direction, spectrum.unscaled(along))
    return SingleMode(unit * gain.lower, unit * gain.value, product)


def single_mode_bound(measure: OutputMeasure, energy: Energy) -> float:
    """Return an upper bound on the gain of rank one, in units of the measure, for D ≥ 2.

    With D = 1 it serves where the gain is positive. Each of the modes of a product of higher rank
    gains no more either.
    """
    if not len(measure.spectrum.values):  # inputs without variance
        return 0.0
    frames, frame = silent_frames(measure, energy, 1), _best_mode(measure, energy)
    paying = frames.gains(frame) > 0
    frame = Frame(frame.directions[:, paying], frame.logs[paying])
    return bounded_gain(measure, energy, frames, frame)


def _best_mode(measure: OutputMeasure, energy: Energy) -> Frame:
    """Return the unit u and the y = log(τK^D/P) of largest uᵀQ(K)u − D·K, negative or not."""
    frames = silent_frames(measure, energy, 1)
    y = frames.grid
    gains = _mode_gains(frames, y)
    padded = np.concatenate([[-np.inf], gains, [-np.inf]])
    peaks = np.flatnonzero((gains >= padded[:-2]) & (gains >= padded[2:]))
    peaks = peaks[np.argsort(-gains[peaks])][:_PEAKS]
    found, reach = y[peaks], float(y[1] - y[0])
    for _ in range(10):  # each turn narrows every peak to an eighth
        around = found[:, None] + np.linspace(-reach, reach, 17)
        values = _mode_gains(frames, around.ravel()).reshape(around.shape)
        found = np.take_along_axis(around, np.argmax(values, axis=1)[:, None], 1)[:, 0]
        reach /= 8
    best = float(found[np.argmax(values.max(axis=1))])
    weights = np.sqrt(frames.weights(np.array([best])))
    _, _, rows = np.linalg.svd(weights * frames.signal, full_matrices=False)
    return Frame(rows[:1].T / float(np.linalg.norm(rows[0])), np.array([best]))


def _mode_gains(frames: FrameProblem, y: Array) -> Array:
    """Return λ_max(Q(K)) − D·K at each y."""
    signal = frames.signal
    grams = np.einsum("ij,ip,ik->pjk", signal, frames.weights(y), signal, optimize=True)
    gains: Array = np.linalg.eigvalsh(grams)[:, -1] - frames.costs(y)
    return gains


def silent_frames(measure: OutputMeasure, energy: Energy, rank: int) -> FrameProblem:
    """Return the problem without noise that has the same Q(K): C/√τ and P/τ."""
    root = math.exp(-energy.log_inflation / 2)
    scaled = replace(measure, coefficients=measure.coefficients * root)
    log_product = energy.log_decay_product - energy.log_inflation
    quiet = replace(energy, log_inflation=0.0, log_decay_product=log_product)
    return FrameProblem(scaled, quiet, rank)


def best_frame(problem: FrameProblem) -> Frame:
    """Return the frame of largest gain found."""
    frames = candidate_frames(problem)
    return max(frames, key=lambda frame: float(problem.gains(frame).sum()))
