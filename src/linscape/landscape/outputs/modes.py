r"""Inputs of one variance without noise: every singular direction of E[yxᵀ] is a net of its own.

With A = s²I the loss over products M separates over the singular values σ_j of C = E[xyᵀ],

    min over s_j ≥ 0 of  Σ_j [s²s_j² − 2σ_j s_j + (D + 1)P^{1/(D+1)} s_j^{2/(D+1)}],

each the problem of one output with the signal σ_j (von Neumann's trace inequality).
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.landscape.outputs.measure import OutputMeasure
from linscape.problem import Problem
from linscape.spectrum import Spectrum

Array = NDArray[np.float64]

_EQUAL = 1e-9  # variances this close, relatively, count as one; the interval pays for the rest


class SingularMode(NamedTuple):
    """One singular direction of C: its value, and the measure of the one output along it."""

    signal: float
    outer: Array  # (m,), unit
    inner: Array  # (r,), unit, in the eigenbasis
    spectrum: Spectrum


def is_isotropic(measure: OutputMeasure) -> bool:
    """Say whether all variances of x that are not zero agree to 1e-9."""
    values = measure.spectrum.values
    return len(values) > 0 and float(values[-1] - values[0]) <= _EQUAL * float(values[-1])


def singular_modes(measure: OutputMeasure) -> list[SingularMode]:
    """Return the singular directions of C, the largest value first, zeros left out.

    Each has the measure of one output with the one eigenvalue s²; the spread of the eigenvalues
    counts as their error, and the errors of C as that of σ_j.
    """
    inner, signals, outer = np.linalg.svd(measure.coefficients, full_matrices=False)
    spectrum = measure.spectrum
    values = spectrum.values
    middle = (float(values[0]) + float(values[-1])) / 2
    spread = (float(values[-1]) - float(values[0])) / 2 + spectrum.value_error
    rounding = 8 * sum(measure.coefficients.shape) * UNIT_ROUNDOFF * float(signals[0])
    error = measure.coefficient_error + rounding
    return [
        SingularMode(
            signal=float(signal),
            outer=outer[j],
            inner=inner[:, j],
            spectrum=replace(
                spectrum,
                values=np.array([middle]),
                coefficients=np.array([signal]),
                basis=spectrum.basis @ inner[:, [j]],
                value_error=spread + 4 * UNIT_ROUNDOFF * middle,
                coefficient_error=error,
            ),
        )
        for j, signal in enumerate(signals)
        if signal > 0
    ]


def rank_limit(problem: Problem) -> int:
    """Return how many modes the widths let through."""
    return min(problem.moments.inputs, *problem.network.hidden, problem.moments.outputs)
