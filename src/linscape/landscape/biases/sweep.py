"""One sweep through boxes of ridge parameters, in interval arithmetic.

It encloses, for the critical points in a box, the ladder from the top down, the current into the
inputs, and from the bottom up the potentials and energies. These give the ridge parameters again.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.landscape.biases.chain import Chain
from linscape.landscape.biases.ranges import Range, weighted_sum

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Limits(NamedTuple):
    """What a point with at least the best gain can have in all, and in biases."""

    energy: float
    bias: float


def sweep(chain: Chain, ridges: list[Range], limits: Limits) -> tuple[list[Range], Array, Mask]:
    """Narrow the ridge parameters of boxes.

    Returns
    -------
    ridges : list of Range
        As given, narrower, for the critical points within `limits`.
    gain : ndarray
        Upper bound on their gain.
    dead : ndarray of bool
        Boxes proven to have none.
    """
    inverses = [ridge.inverse() for ridge in ridges]
    conductors, potentials = _ladder(chain, inverses)
    resistance = conductors[0].inverse() + inverses[0]
    weights = (_column(ridges[0]) + chain.variances).inverse()
    cross = weighted_sum(chain.signals * chain.means, *weights)
    spread = weighted_sum(chain.means**2, *weights)
    fit = weighted_sum(chain.signals**2, *weights)
    current = (potentials[0] - cross) * (resistance + spread).inverse()
    share = (resistance * spread.inverse() + 1.0).inverse()
    rest = (spread * resistance.inverse() + 1.0).inverse()
    level = potentials[0] * share + cross * rest
    product = _square_of_inputs(chain, inverses[0], current) + current.square()
    energies, levels, dead = _climb(
        chain, (ridges, inverses), (conductors, potentials), (product, current, level), limits
    )
    gain = fit + current * cross + levels[-1] * (Range.exactly(chain.pull) * chain.target)
    for energy in energies:
        gain = gain - energy
    narrower, missed = _ridges(chain, ridges, product, energies)
    return narrower, np.where(np.isnan(gain.upper), np.inf, gain.upper), dead | missed


def _column(values: Range) -> Range:
    return Range(values.lower[:, None], values.upper[:, None])


def _ladder(chain: Chain, inverses: list[Range]) -> tuple[list[Range], list[Range]]:
    """Return the conductor and potential that all above each node amounts to, from the bottom."""
    count = len(inverses[0].lower)
    conductor = Range.exactly(np.full(count, chain.pull)) + chain.noise[-1]
    potential = conductor.inverse() * (Range.exactly(chain.pull) * chain.target)
    conductors, potentials = [conductor], [potential]
    for inverse, noise in zip(inverses[:0:-1], chain.noise[-2::-1], strict=True):
        resistance = conductor.inverse() + inverse
        potential = potential * (resistance * noise + 1.0).inverse()
        conductor = resistance.inverse() + noise
        conductors.append(conductor)
        potentials.append(potential)
    return conductors[::-1], potentials[::-1]


def _square_of_inputs(chain: Chain, inverse: Range, current: Range) -> Range:
    """Return ‖z_1 p‖² = Σ (c_i + θ_1 m_i)²/(1 + τa_i/z_1)²."""
    shares = (_column(inverse) * chain.variances + 1.0).inverse()
    terms = ((_column(current) * chain.means + chain.signals) * shares).square()
    return weighted_sum(np.ones(len(chain.means)), *terms)


def _climb(
    chain: Chain,
    layers: tuple[list[Range], list[Range]],
    ladder: tuple[list[Range], list[Range]],
    bottom: tuple[Range, Range, Range],
    limits: Limits,
) -> tuple[list[Range], list[Range], Mask]:
    """Return e_2, …, e_{D+1} and s_1, …, s_D, from z_1 e_2, θ_1 and s_0; and what is ruled out."""
    product, current, level = bottom
    most = limits.energy / 2
    energies = [(product * layers[1][0]).within(0.0, most)]
    levels, costs, spent = [], [], np.zeros(len(level.lower))
    for k, (ridge, inverse) in enumerate(zip(*layers, strict=True)):
        conductor, potential = ladder[0][k], ladder[1][k]
        if k:
            current = (potential - level) * (conductor.inverse() + inverse).inverse()
        costs.append((current.square() * inverse).within(0.0, limits.bias))
        if k:
            energies.append((energies[-1] + costs[-1]).within(0.0, most))
        share = (ridge * conductor.inverse() + 1.0).inverse()
        rest = (conductor * inverse + 1.0).inverse()
        level = potential * share + level * rest
        levels.append(level)
        spent = spent + costs[-1].lower + chain.noise[k] * level.square().lower
    for k in range(chain.depth - 1, 0, -1):
        before = energies[k] - costs[k]
        energies[k - 1] = energies[k - 1].within(before.lower, before.upper)
    spent = spent + chain.pull * (level - chain.target).square().lower
    dead = spent * (1 - 1e-12) > limits.bias
    for part in (*energies, *costs):
        dead |= part.lower > part.upper
    total = sum(energy.lower for energy in energies) + energies[-1].lower
    return energies, levels, dead | (total * (1 - 1e-12) > limits.energy)


def _ridges(
    chain: Chain, ridges: list[Range], product: Range, energies: list[Range]
) -> tuple[list[Range], Mask]:
    """Return z_2, …, z_D from both ends of γ_k z_{k+1} = z_k e_{k+1}, within their old ranges."""
    inverse_decays = [Range.exactly(decay).inverse() for decay in chain.decays]
    energies = _ordered(chain, product, energies)
    narrower, ridge = [ridges[0]], product * inverse_decays[0]
    for k in range(1, chain.depth):
        narrower.append(ridge.within(*ridges[k]))
        ridge = narrower[k] * energies[k] * inverse_decays[k]
    dead = ridge.misses(chain.output_decay)
    back = Range.exactly(np.full(len(product.lower), chain.output_decay))
    for k in range(chain.depth - 1, 0, -1):
        back = back * chain.decays[k] * energies[k].inverse()
        narrower[k] = narrower[k].within(*back)
        dead |= narrower[k].lower > narrower[k].upper
    return narrower, dead


def _ordered(chain: Chain, product: Range, energies: list[Range]) -> list[Range]:
    """Use e_2 ≤ … ≤ e_{D+1} and z_1e_2·e_3⋯e_{D+1} = γ_u Πγ_k: the last is at least their mean."""
    if chain.depth == 1:
        return energies
    logarithm = (chain.log_product - np.log(product.upper)) / (chain.depth - 1)
    mean = np.exp(logarithm) * (1 - 1e-9)
    return [*energies[:-1], energies[-1].within(mean, np.inf)]
