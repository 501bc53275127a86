r"""Noise at any depth bounded by a quadratic and a linear function of the product.

By (1) of docs/outputs.md noise costs at least (τ − 1)‖N‖_*², N = MA^½, and for every matrix Z and
every share κ in [0, 1]

    ‖N‖_*² ≥ κ‖N‖_F² + (1 − κ)(2⟨N, Z⟩ − ‖Z‖₂²).

The first term inflates A to (1 + κ(τ − 1))A, the linear one moves E[xyᵀ]: the gain over zero is at
most (1 − κ)(τ − 1)‖Z‖₂² plus the largest Σ_j max_K [u_jᵀQ(K)u_j − D·K] over orthonormal u_j, with

    Q(K) = C'ᵀ((1 + κ(τ − 1))A + P K^{−D} I)⁻¹C',     C' = C − (1 − κ)(τ − 1)A^½Zᵀ,

a problem without noise. The bound is convex in Z. Where that problem's best M has N = UΣVᵀ, and
Z = tr(Σ)(UVᵀ + W) with UᵀW = 0, WV = 0, ‖W‖₂ ≤ 1, it is the value of M, if κ = 0 or M has rank one.
"""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.landscape.energy.energy import Energy
from linscape.landscape.outputs.frame import Frame, FrameProblem
from linscape.landscape.outputs.majorant import bounded_gain
from linscape.landscape.outputs.measure import OutputMeasure
from linscape.landscape.outputs.single_mode import best_frame, silent_frames

Array = NDArray[np.float64]

_SHARES = (0.0, 1.0, 0.5)  # of the noise that the quadratic term takes
_TURNS = 10
_MET = 1e-10  # of the gain: where bound and value count as one
_CLOSED = 1e-9  # of the gain: where what is proven counts as attained
_SMALL = 1e-9  # singular values this small beside the largest are none


class TiltedGain(NamedTuple):
    """A bound on the gain, and the product that came nearest to it, (m, r) in the eigenbasis."""

    upper: float
    product: Array


class _Shares(NamedTuple):
    """How the noise is bounded: (1 − κ)(τ − 1) by the linear term, the inflation 1 + κ(τ − 1)."""

    linear: float
    log_inflation: float


class _Tilt(NamedTuple):
    """The problem that a matrix Z leaves, the best frame found in it, and the bound they give."""

    bound: float  # if the frame is the best
    product: Array  # (m, r), of the frame
    frames: FrameProblem
    frame: Frame
    measure: OutputMeasure
    energy: Energy


class _Mixture(NamedTuple):
    """An average of products: N = MA^½, and the average of what they gain without linear term."""

    root: Array
    gain: float


def tilted_gain(
    measure: OutputMeasure, energy: Energy, rank: int, product: Array, attained: float = 0.0
) -> TiltedGain:
    """Return an upper bound on the gain over zero, in the units of the measure.

    Parameters
    ----------
    measure, energy : OutputMeasure, Energy
        The problem, with noise.
    rank : int
        The least width, or the number of inputs or outputs if that is less.
    product : (m, r) ndarray
        A product of large gain in the eigenbasis, from which the search for Z starts; not zero.
    attained : float, optional
        A gain known to be attained: a bound that meets it ends the search.
    """
    excess = math.expm1(min(energy.log_inflation, 600.0))  # less noise than there is bounds it too
    best = TiltedGain(math.inf, product)
    for share in _SHARES:
        shares = _Shares((1 - share) * excess, math.log1p(share * excess))
        tilt, Z = _best_tilt(measure, energy, rank, product, shares, attained)
        if tilt.bound < best.upper:
            found = TiltedGain(_certified(measure, shares, tilt, Z), tilt.product)
            best = min(best, found, key=lambda gain: gain.upper)
        if best.upper - attained <= _CLOSED * attained:
            break
    return best


def _best_tilt(
    measure: OutputMeasure,
    energy: Energy,
    rank: int,
    product: Array,
    shares: _Shares,
    attained: float,
) -> tuple[_Tilt, Array]:
    """Return the Z of the least bound found, as the products it leads to are mixed."""
    roots = np.sqrt(measure.spectrum.values)
    mixture = _Mixture(product * roots, -math.inf)
    Z = _support(measure, shares.linear, mixture.root)
    tilt = _tilted(measure, energy, rank, shares, Z)
    best = tilt, Z
    for _ in range(_TURNS):
        root = tilt.product * roots
        gain = float(tilt.frames.gains(tilt.frame).sum())
        new = _Mixture(root, gain + 2 * shares.linear * float(np.sum(root * Z)))
        mixture = _mixed(mixture, new, shares.linear)
        value = max(_value(mixture, shares.linear), attained)
        if not shares.linear or best[0].bound - value <= _MET * value:
            break
        Z = _support(measure, shares.linear, mixture.root)
        tilt = _tilted(measure, energy, rank, shares, Z)
        if tilt.bound < best[0].bound:
            best = tilt, Z
    return best


def _value(mixture: _Mixture, linear: float) -> float:
    """Return the gain of a mixture, what the linear term stands for taken off."""
    return mixture.gain - linear * float(np.linalg.norm(mixture.root, "nuc")) ** 2


def _mixed(old: _Mixture, new: _Mixture, linear: float) -> _Mixture:
    """Return the best mixture of two, by halving: the value is concave along the segment."""
    if not math.isfinite(old.gain):
        return new

    def at(share: float) -> _Mixture:
        root = (1 - share) * old.root + share * new.root
        return _Mixture(root, (1 - share) * old.gain + share * new.gain)

    low, high = 0.0, 1.0
    for _ in range(40):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        if _value(at(left), linear) < _value(at(right), linear):
            low = left
        else:
            high = right
    return max(at(0.0), at(1.0), at((low + high) / 2), key=lambda found: _value(found, linear))


def _support(measure: OutputMeasure, linear: float, root: Array) -> Array:
    """Return a Z that supports ‖·‖_*² at N, as near to the rest of CᵀA^{−½} as it may be."""
    if not linear:
        return np.zeros_like(root)
    outer, sizes, inner = np.linalg.svd(root, full_matrices=False)
    kept = sizes > _SMALL * sizes[0]
    outer, total, inner = outer[:, kept], float(np.sum(sizes[kept])), inner[kept]
    rest = measure.coefficients.T / np.sqrt(measure.spectrum.values)
    rest = rest - outer @ (outer.T @ rest)
    rest = rest - (rest @ inner.T) @ inner
    left, lengths, right = np.linalg.svd(rest, full_matrices=False)
    with np.errstate(over="ignore"):
        lengths = np.minimum(lengths / linear, total)
    support: Array = total * outer @ inner + (left * lengths) @ right
    return support


def _tilted(measure: OutputMeasure, energy: Energy, rank: int, shares: _Shares, Z: Array) -> _Tilt:
    """Return the problem that Z leaves, and its best frame."""
    spectrum = measure.spectrum
    roots = np.sqrt(spectrum.values)
    # A^½Zᵀ is AB for the B = A^{−½}Zᵀ of the computed eigenbasis, and A is known to its errors
    linear = Z / roots
    error = spectrum.value_error * float(np.linalg.norm(linear))
    error += spectrum.relative_error * float(np.linalg.norm(Z)) * float(roots[-1])
    error += 8 * UNIT_ROUNDOFF * float(np.linalg.norm(Z * roots))
    tilted = replace(
        measure,
        coefficients=measure.coefficients - shares.linear * (Z * roots).T,
        coefficient_error=measure.coefficient_error + shares.linear * error,
    )
    inflated = replace(energy, log_inflation=shares.log_inflation)
    frames = silent_frames(tilted, inflated, rank)
    frame = best_frame(frames)
    bound = shares.linear * float(np.linalg.norm(Z, 2)) ** 2 + float(frames.gains(frame).sum())
    product = frames.product(frame) * math.exp(-shares.log_inflation / 2)
    return _Tilt(bound, product, frames, frame, tilted, inflated)


def _certified(measure: OutputMeasure, shares: _Shares, tilt: _Tilt, Z: Array) -> float:
    """Return what Z costs and the certified gain of the problem it leaves, rounding added."""
    spectrum = measure.spectrum
    unit = UNIT_ROUNDOFF * (64 + 8 * sum(Z.shape)) + spectrum.relative_error
    square = float(np.linalg.norm(Z, 2)) ** 2 * (1 + unit)
    square += spectrum.value_error * float(np.linalg.norm(Z / np.sqrt(spectrum.values))) ** 2
    rest = bounded_gain(tilt.measure, tilt.energy, tilt.frames, tilt.frame)
    return (shares.linear * square + rest) * (1 + unit)
