"""How strongly one unit with a kink at zero can pull: what decides whether zero is optimal."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.errors import InvalidData, InvalidOption
from linscape.landscape.interval import Interval, real_numbers

Array = NDArray[np.float64]

_STARTS, _STEPS = 32, 60


def unit_signal(
    inputs: ArrayLike, gradients: ArrayLike, *, negative_slope: float = 0.0, starts: int = _STARTS
) -> Interval:
    r"""Bound S = sup over ‖w‖ = 1 of ‖E[∇ℓ(0, y) φ(w·x)]‖, φ a ReLU or LeakyReLU.

    With one hidden layer of such units, of any number of one at least, without biases, with or
    without noise of mean one on them, and any convex loss

    .. math:: \text{zero is a global minimum} \iff S ≤ 2\sqrt{γ_u γ_w},

    and if that is strict every start flows to zero. (Square loss, one output: ∇ℓ(0, y) = −2y, so
    that the condition is sup E[φ(w·x)y]² ≤ γ_uγ_w.) S itself is the maximum of a function with many
    maxima; what is returned encloses it. Below stands the largest value found, of which a unit w is
    at hand, so that zero is proven not to be global where it exceeds 2√(γ_uγ_w). Above stands

    .. math:: \frac{1+ν}{2}‖B‖_2 + \frac{1-ν}{2}
              \min\{\sqrt{λ_{max}(E[gg^T]) λ_{max}(E[xx^T])}, E[‖g‖‖x‖]\},

    g = ∇ℓ(0, y), B = E[gxᵀ], ν the slope below zero: φ(z) = (1+ν)z/2 + (1−ν)|z|/2.

    Parameters
    ----------
    inputs : (n, d) array
        x, the rows.
    gradients : (n, m) array
        g of each row; at the best constant output in place of 0 where the output has a free bias.
    negative_slope : float, default 0
        ν, of −1 to 1.
    starts : int, default 32
        Directions from which the largest value is looked for, beside those of the data.

    Returns
    -------
    Interval
        Lower and upper bound on S; the lower to rounding.

    Raises
    ------
    InvalidData
        If the arrays are not of as many rows each, or an entry is not finite.
    InvalidOption
        If the slope is not of −1 to 1, or there are no starts.

    References
    ----------
    Proven in docs/torch.md; the square loss's condition for zero to be optimal.

    Examples
    --------
    One row x = 2, g = −3: a unit that is alive there pulls with 6.

    >>> unit_signal([[2.0]], [[-3.0]])
    Interval(lower=6.0, upper=6.0)

    Two rows ±1 of a target y = x, g = −2y: half of what a linear unit has.

    >>> unit_signal([[1.0], [-1.0]], [[-2.0], [2.0]]).lower
    1.0
    """
    x, g = _rows(inputs), _rows(gradients)
    if len(x) != len(g):
        raise InvalidData(f"expected as many inputs as gradients, got {len(x)} and {len(g)} rows")
    if not -1 <= negative_slope <= 1:
        raise InvalidOption(f"the slope below zero must be of -1 to 1, got {negative_slope!r}")
    if isinstance(starts, bool) or not isinstance(starts, int) or starts < 1:
        raise InvalidOption(f"starts must be a whole number of at least 1, got {starts!r}")
    scale_x, scale_g = (float(np.max(np.abs(part))) or 1.0 for part in (x, g))
    x, g = x / scale_x, g / scale_g
    lower = _found(x, g, negative_slope, starts)
    upper = _bound(x, g, negative_slope)
    unit = scale_x * scale_g
    return Interval(unit * min(lower, upper), unit * upper)


def _rows(values: ArrayLike) -> Array:
    rows = real_numbers(values)
    if rows.ndim != 2 or not rows.size or not np.isfinite(rows).all():
        raise InvalidData(f"expected finite rows (n, k), at least one, got shape {rows.shape}")
    return rows


def _bound(x: Array, g: Array, slope: float) -> float:
    linear = float(np.linalg.norm(g.T @ x, 2)) / len(x)
    spectral = float(np.linalg.norm(g, 2)) * float(np.linalg.norm(x, 2)) / len(x)
    norms = np.linalg.norm(g, axis=1) * np.linalg.norm(x, axis=1)
    even = min(spectral, float(norms.mean()))
    return (1 + slope) / 2 * linear + (1 - slope) / 2 * even


def _found(x: Array, g: Array, slope: float, starts: int) -> float:
    """Climb from many unit vectors at once: w moves along the gradient of ‖E[gφ(w·x)]‖."""
    w = _starts(x, g, starts)
    best, size = 0.0, np.ones(w.shape[1])
    before = np.zeros(w.shape[1])
    for _ in range(_STEPS):
        z = x @ w
        alive = np.where(z > 0, 1.0, slope)
        pull = g.T @ (alive * z) / len(x)  # (m, starts)
        value = np.linalg.norm(pull, axis=0)
        best = max(best, float(value.max()))
        ascent = x.T @ (alive * (g @ pull))
        norm = np.linalg.norm(ascent, axis=0)
        size = np.where(value < before, size / 2, size)
        before = value
        w = w + size * ascent / np.where(norm > 0, norm, 1.0)
        w = w / np.linalg.norm(w, axis=0)
    return best


def _starts(x: Array, g: Array, count: int) -> Array:
    """Return unit vectors: the singular ones of B, the rows that pull most, and random ones."""
    singular = np.linalg.svd(g.T @ x, full_matrices=False)[2][:4]
    pulls = np.linalg.norm(g, axis=1) * np.linalg.norm(x, axis=1)
    rows = x[np.argsort(pulls)[-8:]]
    random = np.random.default_rng(0).standard_normal((count, x.shape[1]))
    w = np.concatenate([singular, rows, random]).T
    w = np.concatenate([w, -w], axis=1)
    norms = np.linalg.norm(w, axis=0)
    kept: Array = w[:, norms > 0] / norms[norms > 0]
    return kept
