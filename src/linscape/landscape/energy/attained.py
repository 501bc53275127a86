"""The gain that a given predictor attains, evaluated on the moments themselves.

Any predictor bounds the largest gain from below, so nothing here depends on how it was found.
"""

import math

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF, symmetric_product
from linscape.network import Network
from linscape.spectrum import Spectrum

Array = NDArray[np.float64]


def attained_gain(
    network: Network,
    spectrum: Spectrum,
    log_decay_product: float,
    log_error: float,
    predictor: Array,
) -> tuple[float, float]:
    """Return 2c·p − τ pᵀAp − (D + 1)(P‖p‖²)^{1/(D+1)} and a bound on its rounding error.

    Parameters
    ----------
    network : Network
        Gives D and τ.
    spectrum : Spectrum
        Gives A and c, in whose units everything is.
    log_decay_product : float
        log P; −inf where nothing decays.
    log_error : float
        Bound on its error: the logarithms of decays and units may cancel.
    predictor : (d,) ndarray
        p.
    """
    size = float(np.max(np.abs(predictor), initial=0.0))
    if size == 0:
        return 0.0, 0.0
    scale = math.frexp(size * math.sqrt(len(predictor)))[1]
    direction = np.ldexp(predictor, -scale)
    norm = float(np.linalg.norm(direction))
    image, image_error = symmetric_product(spectrum.second_moment_x, direction)
    linear, linear_error = _dot(spectrum.cross_moment, direction)
    square, square_error = _dot(image, direction)
    inflation = network.inflation
    penalty, penalty_error = 0.0, 0.0
    if log_decay_product > -math.inf:
        layers = network.depth + 1
        logarithm = (log_decay_product + 2 * (math.log(norm) + scale * math.log(2))) / layers
        penalty = layers * math.exp(logarithm)
        terms = 8 * abs(logarithm) + 4 * abs(log_decay_product) + 16 + len(predictor)
        penalty_error = penalty * (terms * UNIT_ROUNDOFF + log_error)
    linear, linear_error = (2 * math.ldexp(part, scale) for part in (linear, linear_error))
    square_error += norm * image_error + 8 * (network.depth + 1) * UNIT_ROUNDOFF * abs(square)
    square, square_error = (
        inflation * math.ldexp(part, 2 * scale) for part in (square, square_error)
    )
    total = linear - square - penalty
    error = linear_error + square_error + penalty_error
    return total, error + 4 * UNIT_ROUNDOFF * (abs(linear) + abs(square) + penalty)


def _dot(x: Array, y: Array) -> tuple[float, float]:
    """Return x·y, its products rounded but their sum exact, and a bound on the error."""
    products = x * y
    return math.fsum(products), 2 * UNIT_ROUNDOFF * float(np.sum(np.abs(products)))
