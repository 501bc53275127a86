"""How small the layers of a linear residual net can be: bounds from below and from above."""

import math
import operator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.arguments import guarded
from linscape.errors import InvalidNetwork
from linscape.residual.polar import Determinant, checked_map, determinant_of, polar, rounding
from linscape.residual.shares import best_shares

Array = NDArray[np.float64]

SOURCE = "Hardt & Ma (2016), Theorem 2.1"


@dataclass(frozen=True)
class ResidualNormBound:
    """Bounds on the smallest max_i ‖A_i‖₂ over all A with (I + A_l) ⋯ (I + A_1) = R.

    Attributes
    ----------
    layers : int
        Number l of layers.
    log_stretch : float
        γ, the largest |log σ| over the singular values σ of R; infinite if one is zero.
    determinant : "positive", "negative" or "undecided"
        Sign of det R; undecided where R cannot be told from a singular matrix.
    lower : float
        Every factorisation has a layer of at least this norm.
    upper : float or None
        A factorisation with this norm exists; None where none is constructed (det R not positive
        and more than one layer).
    a_priori : float or None
        e^{γ/l} − 1 + 2 sin(π/2l), a bound on `upper` by γ and l alone; None where `upper` is.
    theorem : float or None
        (4π + 3γ)/l of Hardt & Ma; None where one of its hypotheses fails.
    failing : tuple of str
        The hypotheses of their theorem that fail.
    source : str
        What it rests on.
    """

    layers: int
    log_stretch: float
    determinant: Determinant
    lower: float
    upper: float | None
    a_priori: float | None
    theorem: float | None
    failing: tuple[str, ...]
    source: str = f"{SOURCE}; the sharper bounds are proven in docs/residual.md"

    def to_dict(self) -> dict[str, Any]:
        """Return the bounds ready for JSON, infinity as the string "inf"."""
        values = {**asdict(self), "failing": list(self.failing)}
        return {key: "inf" if value == math.inf else value for key, value in values.items()}


@guarded
def residual_norm_bound(R: ArrayLike, layers: int) -> ResidualNormBound:
    r"""Bound the norm that the layers of a linear residual net need to compute R.

    For τ* = min max_i ‖A_i‖₂ over (I + A_l) ⋯ (I + A_1) = R, with σ the singular values of R and
    γ = max |log σ|:

    - from below, τ* ≥ |ρ^{1/l} e^{iω/l} − 1| for every x ≠ 0, with ρ = ‖Rx‖/‖x‖ and ω the angle
      between x and Rx, taken over the right singular vectors and the eigenvectors of R; this
      contains σ_max^{1/l} − 1 and 1 − σ_min^{1/l}. If det R ≤ 0, τ* ≥ 1 as well.
    - from above, if det R > 0, by the norm of :func:`residual_factors`' construction, which needs
      no condition on l and is at most e^{γ/l} − 1 + 2 sin(π/2l); for l ≥ 3γ that is below
      (4π + 3γ)/l.

    The two meet if R is normal with negative eigenvalues of even multiplicity only; and if l = 1,
    where τ* = ‖R − I‖ ≤ e^γ + 1 for every R.
    The values are exact up to rounding in float64.

    Parameters
    ----------
    R : (d, d) array
        The map.
    layers : int
        Number l ≥ 1 of layers.

    Raises
    ------
    InvalidData
        If R is not a finite real square matrix.
    InvalidNetwork
        If `layers` is not a whole number of at least 1.

    References
    ----------
    Hardt & Ma (2016), *Identity matters in deep learning*, Theorem 2.1. The bounds from below by
    angles and the construction with equal shares are proven in docs/residual.md.

    Examples
    --------
    A stretch by 8 in three layers needs a factor of 2 in each:

    >>> bound = residual_norm_bound([[8.0]], 3)
    >>> round(bound.lower, 12), round(bound.upper, 12)
    (1.0, 1.0)
    >>> residual_norm_bound([[-1.0]], 50).lower
    1.0
    """
    matrix, count = checked_map(R), checked_layers(layers)
    singular_values = np.asarray(np.linalg.svd(matrix, compute_uv=False))
    determinant = determinant_of(matrix)
    log_stretch = _log_stretch(singular_values)
    failing = _failing(determinant, log_stretch, count)
    lower = _lower(matrix, singular_values, determinant, count)
    upper = None
    if count == 1:
        upper = lower
    elif determinant == "positive":
        upper = best_shares(polar(matrix), count).norm
        lower = min(lower, upper)  # they differ by rounding where they meet
    return ResidualNormBound(
        layers=count,
        log_stretch=log_stretch,
        determinant=determinant,
        lower=lower,
        upper=upper,
        a_priori=None if upper is None else _a_priori(log_stretch, count),
        theorem=None if failing else (4 * math.pi + 3 * log_stretch) / count,
        failing=failing,
    )


def checked_layers(layers: int) -> int:
    """Return a number of layers, or refuse it."""
    try:
        count = 0 if isinstance(layers, bool) else operator.index(layers)
    except TypeError:
        count = 0
    if count < 1:
        raise InvalidNetwork(f"layers must be a whole number of at least 1, got {layers!r}")
    return count


def _log_stretch(singular_values: Array) -> float:
    if singular_values[-1] == 0:
        return math.inf
    return float(np.abs(np.log(singular_values)).max())


def _a_priori(log_stretch: float, layers: int) -> float:
    with np.errstate(over="ignore"):
        return float(np.expm1(log_stretch / layers)) + 2 * math.sin(math.pi / (2 * layers))


def _failing(determinant: Determinant, log_stretch: float, layers: int) -> tuple[str, ...]:
    failing = []
    if determinant != "positive":
        state = "is negative" if determinant == "negative" else "cannot be told from zero"
        failing.append(f"det R > 0: it {state}")
    # the slack is rounding of γ: the bound itself holds well beyond l = 3γ
    if layers < 3 * log_stretch * (1 - 1e-12):
        failing.append(f"layers >= 3γ: {layers} < {3 * log_stretch:.6g}")
    return tuple(failing)


def _lower(R: Array, singular_values: Array, determinant: Determinant, layers: int) -> float:
    if layers == 1:
        return float(np.linalg.norm(R - np.eye(len(R)), 2))
    if determinant == "undecided":
        return max(
            float(singular_values[0] ** (1 / layers)) - 1,
            1 - float((2 * rounding(singular_values)) ** (1 / layers)),
        )
    return max(_turning(R, layers), 1.0 if determinant == "negative" else 0.0)


def _turning(R: Array, layers: int) -> float:
    """Return the largest |ρ^{1/l} e^{iω/l} − 1| over the singular vectors and eigenvectors."""
    vectors = np.linalg.eig(R)[1]
    candidates = np.hstack([np.linalg.svd(R)[2].T, vectors.real, vectors.imag])
    candidates = candidates[:, np.linalg.norm(candidates, axis=0) > 0]
    unit = candidates / np.linalg.norm(candidates, axis=0)
    images = R @ unit
    lengths = np.linalg.norm(images, axis=0)
    images = images / lengths
    # of two unit vectors; the arc cosine would lose small angles
    angles = 2 * np.arctan2(
        np.linalg.norm(images - unit, axis=0), np.linalg.norm(images + unit, axis=0)
    )
    return float(np.abs(np.expm1((np.log(lengths) + 1j * angles) / layers)).max())
