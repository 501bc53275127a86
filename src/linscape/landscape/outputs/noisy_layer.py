r"""One hidden layer with noise, any number of units: the convex problem below the true one.

A network of d_1 units (u_j, w_j) has, at the best scales within each unit,

    E‖f − y‖² + decay = E‖Mx − y‖² + σ² Σ_j q_j² + λ Σ_j ‖u_j‖‖w_j‖,      q_j = ‖u_j‖ E[(w_j·x)²]^½,

and σ² Σ q_j² ≥ ν (Σ q_j)², ν = σ²/d_1, with equality where all q_j agree. What is left does not
depend on d_1 and is convex in M once any number of units is allowed: see
:mod:`linscape.landscape.outputs.noisy_certificate`, whose bound is the stopping rule here.
"""

import numpy as np
from numpy.typing import NDArray

from linscape.landscape.outputs.newton import Factors
from linscape.landscape.outputs.noisy_newton import (
    VANISHING,
    NoisyLayer,
    Point,
    critical_units,
)

Array = NDArray[np.float64]

_GAP = 1e-10  # of the gain, where the solver stops
_ROUNDS = 60
_STALE = 8  # rounds without progress after which rounding is to blame
_POINTS = 257
_FLAT = 40.0  # so far from every log 1/a_i the ratio rises or falls throughout


def best_units(layer: NoisyLayer, start: Factors | None = None) -> Factors:
    """Return units of least value in the convex problem, to a duality gap of 1e-10 of the gain.

    Numerical: what is proven of the result is for the certificate to say. If rounding stops the
    descent earlier, the best units found are returned.

    Parameters
    ----------
    layer : NoisyLayer
        In units in which `values` and `target` are of norm one or so; all values positive, and
        2‖T‖₂ > λ.
    start : Factors, optional
        Units near the best, as those of a nearby problem are.

    Examples
    --------
    a = 1, T = 3, ν = 1, λ = 2: m = (3 − 1)/(1 + ν) = 1.

    >>> units = best_units(NoisyLayer(np.ones(1), np.array([[3.0]]), 1.0, 2.0))
    >>> float((units.left @ units.right).round(9)[0, 0])
    1.0
    """
    units = _first(layer) if start is None else start
    tolerance, best, stale = 1e-3, np.inf, 0
    for _ in range(_ROUNDS):
        point = critical_units(layer, units, tolerance)
        kept = point.outer * point.inner > VANISHING * np.max(point.outer * point.inner)
        units = Factors(point.at.left[:, kept], point.at.right[kept])
        if not kept.all():
            continue
        ratios, found = violations(layer, point)
        gap, gain = _gap(layer, point, float(ratios.max())), -point.value
        stale = stale + 1 if abs(gap) >= 0.5 * best else 0
        if abs(gap) <= _GAP * gain or stale == _STALE:
            break
        best = min(best, abs(gap))
        missing = ratios > 1 + 10 * tolerance
        if missing.any():
            new = Factors(found.left[:, missing], found.right[missing])
            units = _with_units(layer, point, ratios[missing], new)
        else:
            tolerance *= 1e-3
    return units


def _first(layer: NoisyLayer) -> Factors:
    """Return a unit for each singular direction of T that alone would pay."""
    outer, sizes, inner = np.linalg.svd(layer.target, full_matrices=False)
    paying = sizes > layer.penalty / 2
    outer, sizes, inner = outer[:, paying], sizes[paying], inner[paying]
    inflated = (1 + layer.spread * len(sizes)) * (inner**2 @ layer.values)
    root = np.sqrt((sizes - layer.penalty / 2) / inflated)
    return Factors(outer * root, root[:, None] * inner)


def violations(layer: NoisyLayer, point: Point) -> tuple[Array, Factors]:
    """Return the local maxima over w of ‖Gw‖/(νT E[(w·x)²]^½ + ½λ‖w‖), and a unit at each.

    G = T − M diag(a). By the square of the sum the ratio is the largest, over y, of
    ‖G(I + e^y A)^{−½}‖₂/((½λ)² + (νT)²e^{−y})^½.
    """
    pull, half = point.pull / 2, layer.penalty / 2
    ends = -np.log(layer.values)
    middle = np.clip(2 * np.log(pull / half), ends.min() - _FLAT, ends.max() + _FLAT)
    y = np.linspace(min(ends.min(), middle) - 4, max(ends.max(), middle) + 4, _POINTS)
    ratios = _ratios(layer, point, y)
    padded = np.concatenate([[-np.inf], ratios, [-np.inf]])
    peaks = (ratios >= padded[:-2]) & (ratios >= padded[2:]) & (ratios > 0.95 * ratios.max())
    y, reach = y[peaks], y[1] - y[0]
    for _ in range(5):  # each turn narrows every peak to an eighth
        around = y[:, None] + np.linspace(-reach, reach, 17)
        found = _ratios(layer, point, around.ravel()).reshape(around.shape)
        best = np.argmax(found, axis=1)
        y, ratios = np.take_along_axis(around, best[:, None], 1)[:, 0], found.max(axis=1)
        reach /= 8
    weights = np.sqrt(1 / (1 + np.exp(y)[:, None] * layer.values))
    outer, _, inner = np.linalg.svd(point.slack * weights[:, None, :], full_matrices=False)
    w = inner[:, 0] * weights
    return ratios, Factors(outer[:, :, 0].T, w / np.linalg.norm(w, axis=1, keepdims=True))


def _ratios(layer: NoisyLayer, point: Point, y: Array) -> Array:
    """Return ‖G(I + e^y A)^{−½}‖₂/((½λ)² + (νT)²e^{−y})^½ at each y."""
    weights = 1 / (1 + np.exp(y)[:, None] * layer.values)
    slack = point.slack if len(point.slack) <= point.slack.shape[1] else point.slack.T
    if slack is point.slack:
        grams = (slack * weights[:, None, :]) @ slack.T
    else:
        roots = np.sqrt(weights)
        grams = roots[:, :, None] * (slack @ slack.T) * roots[:, None, :]
    largest = np.linalg.eigvalsh(grams)[:, -1]
    ratios: Array = np.sqrt(largest / (layer.penalty**2 / 4 + point.pull**2 / 4 * np.exp(-y)))
    return ratios


def _gap(layer: NoisyLayer, point: Point, excess: float) -> float:
    """Return what the dual point of the scaled residual exceeds the gain by."""
    product = point.at.left @ point.at.right
    signal = float(np.sum(product * layer.target))
    quadratic = float(np.sum(product**2 * layer.values))
    explained = float(np.sum(layer.target**2 / layer.values))
    short = max(1 - 1 / excess, 0.0)
    dual = short**2 * explained + 2 * short * (1 - short) * signal + (1 - short) ** 2 * quadratic
    return layer.spread * point.noise**2 + dual + point.value


def _with_units(layer: NoisyLayer, point: Point, ratios: Array, units: Factors) -> Factors:
    """Add units, each of the size that is best for it alone, the others as they are."""
    energies = units.right**2 @ layer.values
    costs = point.pull * np.sqrt(energies) + layer.penalty
    count = len(ratios)
    root = np.sqrt((ratios - 1) * costs / 2 / ((1 + layer.spread) * energies * count))
    return Factors(
        np.hstack([point.at.left, root * units.left]),
        np.vstack([point.at.right, root[:, None] * units.right]),
    )
