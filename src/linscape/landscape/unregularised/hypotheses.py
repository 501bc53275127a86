"""Hypotheses of the theorems on networks without decay or noise, decided for given data."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.landscape.unregularised.subsets import groups_of_equals
from linscape.landscape.unregularised.whitening import decomposed, whitened
from linscape.problem import Problem
from linscape.spectrum import linear_moments, spectra

Array = NDArray[np.float64]

_FORMATION = 64 * UNIT_ROUNDOFF  # rounding, per row and column, of moments formed in float64
_BAND = 10.0  # up to this many times the rounding nothing is decided


@dataclass(frozen=True)
class Hypothesis:
    """One hypothesis and whether this problem meets it.

    Attributes
    ----------
    name : str
        In a few words.
    holds : bool or None
        None where the number behind it is within rounding.
    detail : str
        The numbers.
    """

    name: str
    holds: bool | None
    detail: str

    def to_dict(self) -> dict[str, Any]:
        """Return the hypothesis ready for JSON."""
        return asdict(self)


def hypotheses(problem: Problem) -> tuple[Hypothesis, ...]:
    """Return all hypotheses that the theorems of :func:`theorem_report` have."""
    network = problem.network
    A, C, yy = linear_moments(problem)
    inputs, outputs = C.shape
    widths = list(network.hidden)
    return (
        Hypothesis(
            "no decay",
            not any(network.weight_decay),
            f"weight_decay {list(network.weight_decay)}",
        ),
        Hypothesis("no noise", not any(network.noise), f"noise {list(network.noise)}"),
        Hypothesis(
            "biases none or free",
            network.bias != "decayed",
            "moments are centred" if network.bias == "free" else f"bias {network.bias!r}",
        ),
        Hypothesis("hidden layer", bool(widths), f"hidden widths {widths}"),
        _nonsingular("E[xxᵀ] nonsingular", A, problem.moments.n),
        _nonsingular("E[yyᵀ] nonsingular", yy, problem.moments.n),
        _full_rank(A, C, yy),
        Hypothesis("d_y ≤ d_x", outputs <= inputs, f"d_y = {outputs}, d_x = {inputs}"),
        _distinct(problem),
        Hypothesis(
            "no bottleneck",
            min(widths, default=inputs) >= min(inputs, outputs),
            f"least hidden width {min(widths, default=None)}, min(d_x, d_y) = "
            f"{min(inputs, outputs)}",
        ),
    )


def _nonsingular(name: str, matrix: Array, rows: float | None) -> Hypothesis:
    """Decide whether a matrix of second moments is nonsingular, its columns scaled alike."""
    size = len(matrix)
    deviations = np.sqrt(np.diagonal(matrix))
    if not np.all(deviations > 0):
        return Hypothesis(name, False, f"{int(np.sum(deviations == 0))} columns are zero")
    if rows is not None and rows < size:
        return Hypothesis(name, False, f"{rows:g} rows, {size} columns")
    values = np.linalg.eigvalsh(matrix / deviations[:, None] / deviations)
    least = float(values[0] / values[-1])
    rounding = _FORMATION * size
    holds = None if least <= _BAND * rounding else True
    return Hypothesis(
        name,
        holds,
        f"least eigenvalue {max(least, 0.0):.3g} of the largest, columns scaled alike; rounding "
        f"{rounding:.1g}",
    )


def _full_rank(A: Array, C: Array, yy: Array) -> Hypothesis:
    """Decide whether E[xyᵀ] has full rank, rows and columns scaled alike."""
    name = "E[xyᵀ] full rank"
    x, y = np.sqrt(np.diagonal(A)), np.sqrt(np.diagonal(yy))
    if not (np.any(C, axis=1).all() or np.any(C, axis=0).all()):
        return Hypothesis(name, False, "it has zero rows and zero columns")
    zero = (
        (not np.any(C, axis=0).all()) if C.shape[1] <= C.shape[0] else (not np.any(C, axis=1).all())
    )
    if zero:
        return Hypothesis(name, False, "a row or column along its short side is zero")
    scaled = C / np.where(x > 0, x, 1.0)[:, None] / np.where(y > 0, y, 1.0)
    values = np.linalg.svd(scaled, compute_uv=False)
    least = float(values[-1])
    rounding = _FORMATION * sum(C.shape)
    return Hypothesis(
        name,
        None if least <= _BAND * rounding else True,
        f"least singular value {least:.3g} in units of standard deviations; rounding "
        f"{rounding:.1g}",
    )


def _distinct(problem: Problem) -> Hypothesis:
    """Decide whether all d_y eigenvalues of Σ differ."""
    name = "distinct eigenvalues of Σ"
    whitening = whitened(spectra(problem))
    _, singular, rounding = decomposed(whitening)
    outputs, directions = whitening.matrix.shape
    if outputs == 1:
        return Hypothesis(name, True, "d_y = 1")
    if outputs > directions + 1:
        zeros = outputs - directions
        return Hypothesis(name, False, f"at least {zeros} of {outputs} are zero")
    values = np.zeros(outputs)
    values[: len(singular)] = singular**2
    if values[0] == 0:
        return Hypothesis(name, False, "all are zero")
    error = rounding + whitening.spectral
    gap = float(np.min(-np.diff(values)) / values[0])
    apart = len(groups_of_equals(values.tolist(), error)) == outputs
    detail = f"smallest gap {gap:.3g} of the largest, error {error / values[0]:.1g}"
    return Hypothesis(name, True if apart else None, detail)
