"""From a problem to its chain, and how far the errors of the spectrum can move its answer."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF, gram_residual
from linscape.errors import OutOfRange
from linscape.landscape.biases.chain import Chain, noise_to_earth
from linscape.problem import Problem
from linscape.spectrum import Spectrum

Array = NDArray[np.float64]


class Setting(NamedTuple):
    """A chain with what leads back to the problem.

    Attributes
    ----------
    chain : Chain
        With y in units of 2^exponent and its mean made positive, for a data term of factor 1.
    measure : Spectrum
        Of the centred moments.
    basis : (d, r) ndarray
        The directions that the chain's components belong to.
    sign : float
        Sign of E[y], by which y was multiplied.
    exponent : int
        The unit of y.
    mean_error : float
        Bound on the error of the components of E[x].
    """

    chain: Chain
    measure: Spectrum
    basis: Array
    sign: float
    exponent: int
    mean_error: float


def setting(problem: Problem, measure: Spectrum) -> Setting:
    """Return the chain of a problem with decayed biases, from the spectrum of its centred moments.

    Raises
    ------
    OutOfRange
        If the moments and decays are too far from one for its numbers.
    """
    network, moments = problem.network, problem.moments
    mean_y = float(np.reshape(np.asarray(moments.mean_y), ()))
    exponent = math.frexp(float(np.reshape(np.asarray(moments.yy), ())))[1] // 2
    sign = -1.0 if mean_y < 0 else 1.0
    basis, means, mean_error = _means(np.asarray(moments.mean_x), measure)
    extra = np.zeros(len(means) - len(measure.values))
    variances = np.ldexp(measure.values, 2 * measure.input_exponent) * network.inflation
    shift = measure.input_exponent + measure.output_exponent - exponent
    decays = np.array(network.weight_decay) / problem.data_factor
    chain = Chain(
        variances=np.append(variances, extra),
        signals=sign * np.append(np.ldexp(measure.coefficients, shift), extra),
        means=means,
        decays=np.ldexp(decays[:-1], -2 * exponent),
        output_decay=float(decays[-1]),
        noise=noise_to_earth(network),
        target=math.ldexp(abs(mean_y), -exponent),
    )
    check_range(chain.variances, chain.signals, chain.means, chain.decays, chain.means**2)
    if np.any(variances == 0) or np.any(chain.decays == 0):
        raise OutOfRange(
            "the moments and decays are too far from 1 for 64-bit floats; rescale x, y"
        )
    return Setting(chain, measure, basis, sign, exponent, mean_error)


def check_range(*arrays: Array) -> None:
    """Raise OutOfRange unless every number is finite."""
    if not all(np.isfinite(array).all() for array in arrays):
        raise OutOfRange(
            "the minimum with biases does not fit 64-bit floats; rescale x, y or decays"
        )


def spectral_error(found: Setting, free_gain: float, gain: float) -> float:
    """Bound what the errors of the spectrum, and of E[x] in it, do to the largest gain.

    They act through p alone. At a minimum that gains at least `gain`, with r what the data and the
    biases could gain together, τpᵀΣp ≤ (√R + √(r − gain))², R what the data could, and
    (D + 1)(P‖p‖²)^{1/(D+1)} ≤ r − gain; moving p·E[x] by δ moves every s_k by δ.
    """
    chain, measure = found.chain, found.measure
    left = max(chain.reach - gain, 0.0) * (1 + 1e-9)
    square = (math.sqrt(chain.data_reach) + math.sqrt(left)) ** 2
    size = _largest_predictor(found, left, square)
    shift = measure.input_exponent + measure.output_exponent - found.exponent
    values = math.ldexp(measure.value_error, 2 * measure.input_exponent)
    signals = math.ldexp(measure.coefficient_error, shift)
    excess = float(np.sum(chain.noise))
    stiffness, moved = chain.pull + excess, found.mean_error * size
    bias = max(free_gain + chain.bias_reach - gain, 0.0)
    return (
        (1 + excess) * values * size**2
        + (measure.relative_error + measure.norm_error) * (square + left)
        + 2 * signals * size
        + 2 * moved * math.sqrt(stiffness * bias)
        + stiffness * moved**2
    )


def _largest_predictor(found: Setting, energy: float, square: float) -> float:
    """Bound ‖p‖ by what its layers may cost, and by what its variance may."""
    chain, measure = found.chain, found.measure
    if energy == 0:
        return 0.0
    layers = chain.depth + 1
    logarithm = (layers * math.log(energy / layers) - chain.log_product) / 2
    size = math.exp(min(logarithm, 700.0))
    if not measure.null_directions and len(measure.values):
        least = float(np.ldexp(measure.lowered[0], 2 * measure.input_exponent))
        size = min(size, math.sqrt(square / least))
    return size


def _means(mean: Array, measure: Spectrum) -> tuple[Array, Array, float]:
    """Return the basis, with one more direction where x has a mean but no variance, and E[x] in it.

    The last number bounds the error of these components.
    """
    top = int(np.frexp(np.max(np.abs(mean), initial=0.0))[1])
    unit, basis = np.ldexp(mean, -top), measure.basis
    components = basis.T @ unit
    components += basis.T @ (unit - basis @ components)
    rest = unit - basis @ components
    size, left = float(np.linalg.norm(unit)), float(np.linalg.norm(rest))
    _, overlap = gram_residual(basis.T, np.eye(basis.shape[1]))
    error = (2 * overlap + 2 * (len(mean) + 4) ** 1.5 * UNIT_ROUNDOFF) * size
    if measure.null_directions and left > error:
        basis, components = np.column_stack([basis, rest / left]), np.append(components, left)
    else:
        error += left
    return basis, np.ldexp(components, top), math.ldexp(error, top)
