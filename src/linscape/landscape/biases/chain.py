r"""A one-output network with decayed biases, reduced exactly to one number a layer.

Divide L by the factor of its data term. With V_k = ‖U‖²‖W_D‖²⋯‖W_{k+1}‖², the mean output written
as p·x + c_1 + ⋯ + c_D + β_U (c_k is what β_k adds) and s_k = p·E[x] + c_1 + ⋯ + c_k, the loss of
any weights is at least

    τ pᵀΣp − 2p·Cov(x, y) + Var(y) + κ(s_D − ȳ)² + Σ_k ρ_k s_k²
    + γ_1‖p‖²/V_1 + Σ_k γ_k c_k²/V_k + γ_u V_D + Σ_{k≥2} γ_k V_{k−1}/V_k,

κ = γ_u/(1 + γ_u), ρ_k = σ_k²/d_k Π_{j>k}(1 + σ_j²/d_j), and rank-one layers with units of one size
attain it. In the ridge parameters z_k = γ_k/V_k it is quadratic in p and c: a ladder of conductors
z_1, …, z_D from the node s_0 = p·E[x] to the node s_D, with ρ_k from s_k to earth and κ from s_D to
the potential ȳ. At a critical point the energies e_k = γ_k‖W_k‖² obey

    z_1 e_2 = ‖z_1 p‖² + θ_1²,  e_{k+1} = e_k + θ_k²/z_k,  γ_k z_{k+1} = z_k e_{k+1}, z_{D+1} = γ_u,

θ_k = z_k c_k being the current through z_k. Where a V_k vanishes all V_j below it do: what is left
is a chain without inputs that starts at a higher layer.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.network import Network

Array = NDArray[np.float64]


class State(NamedTuple):
    """The best p and c for given ridge parameters, for n of them at once.

    Attributes
    ----------
    predictor : (n, r) ndarray
        Components of p.
    offsets : (D, n) ndarray
        c_1, …, c_D.
    currents : (D, n) ndarray
        θ_k = z_k c_k.
    gain : (n,) ndarray
        Loss of the trivial state minus loss.
    """

    predictor: Array
    offsets: Array
    currents: Array
    gain: Array


@dataclass(frozen=True, eq=False)
class Chain:
    """The reduced problem, for a data term of factor 1.

    Attributes
    ----------
    variances, signals, means : (r,) ndarray
        τa_i, and the components of Cov(x, y) and E[x] along the eigenvectors of Cov(x).
    decays : (D,) ndarray
        γ_1, …, γ_D.
    output_decay : float
        γ_u.
    noise : (D,) ndarray
        ρ_1, …, ρ_D.
    target : float
        ȳ ≥ 0.
    """

    variances: Array
    signals: Array
    means: Array
    decays: Array
    output_decay: float
    noise: Array
    target: float

    @property
    def depth(self) -> int:
        """Number D of hidden layers."""
        return len(self.decays)

    @property
    def pull(self) -> float:
        """Return κ: what is left of (s − ȳ)² when the output bias has done its best."""
        return self.output_decay / (1 + self.output_decay)

    @property
    def bias_reach(self) -> float:
        """Return κȳ², the most that the hidden biases alone could gain."""
        return self.pull * self.target**2

    @property
    def data_reach(self) -> float:
        """Return what p alone could gain without decay."""
        alive = self.signals != 0
        return float(np.sum(self.signals[alive] ** 2 / self.variances[alive]))

    @property
    def reach(self) -> float:
        """Return the sum of both, which no gain exceeds."""
        return self.data_reach + self.bias_reach

    @property
    def log_product(self) -> float:
        """Return log(γ_u Π γ_k)."""
        return math.fsum(map(math.log, (*self.decays, self.output_decay)))

    def above(self, layer: int) -> "Chain":
        """Return the chain of the layers above one whose units are dead: biases alone feed it."""
        none = np.zeros(0)
        return dataclasses.replace(
            self,
            variances=none,
            signals=none,
            means=none,
            decays=self.decays[layer:],
            noise=self.noise[layer:],
        )

    def state(self, ridges: Array) -> State:
        """Return the best p and c for ridge parameters (D, n), by eliminating from the top."""
        conductors, potentials = self._ladder(ridges)
        weights = 1 / (self.variances + ridges[0][:, None])
        cross, spread = weights @ (self.signals * self.means), weights @ self.means**2
        resistance = 1 / conductors[0] + 1 / ridges[0]
        current = (potentials[0] - cross) / (resistance + spread)
        predictor = weights * (self.signals + current[:, None] * self.means)
        level, currents = predictor @ self.means, []
        for ridge, conductor, potential in zip(ridges, conductors, potentials, strict=True):
            current = (potential - level) / (1 / conductor + 1 / ridge)
            level = level + current / ridge
            currents.append(current)
        quadratic = predictor @ self.signals + self.pull * self.target * level
        norms = self.decays[:, None] / ridges
        penalty = self.output_decay * norms[-1] + (ridges[1:] * norms[:-1]).sum(axis=0)
        flows = np.array(currents)
        return State(predictor, flows / ridges, flows, quadratic - penalty)

    def polished(self, ridges: Array) -> Array:
        """Return the critical ridge parameters next to given ones (D,); these where it is worse."""
        found = self.nearest_critical(ridges)
        with np.errstate(all="ignore"):
            before, after = self.state(np.column_stack([ridges, found])).gain
        return found if after >= before - 1e-14 * self.reach else ridges

    def nearest_critical(self, ridges: Array) -> Array:
        """Return where Newton's method leads from given ridge parameters (D,)."""
        from scipy.optimize import root

        found = root(self.mismatch, np.log(ridges), method="hybr", options={"xtol": 1e-15})
        result: Array = np.exp(np.clip(found.x, -700, 700))
        return result

    def slope(self, log_norms: Array) -> Array:
        """Return the derivatives of the loss by log V_k at points (D, n).

        They are e_{k+1} − e_k − θ_k²/z_k, and e_2 − (‖z_1 p‖² + θ_1²)/z_1 for k = 1, where e_{k+1}
        stands for γ_{k+1}V_k/V_{k+1}.
        """
        ridges = np.exp(np.log(self.decays)[:, None] - log_norms)
        state = self.state(ridges)
        above = np.vstack([ridges[1:], np.full(ridges.shape[1], self.output_decay)])
        energies = self.decays[:, None] * above / ridges
        below = np.vstack([ridges[:1] * (state.predictor**2).sum(axis=1), energies[:-1]])
        result: Array = energies - below - state.currents**2 / ridges
        return result

    def mismatch(self, log_ridges: Array) -> Array:
        """Return log z_{k+1}, as the energies have it, minus log z_{k+1}."""
        ridges = np.exp(np.clip(log_ridges, -700, 700))
        with np.errstate(all="ignore"):
            state = self.state(ridges[:, None])
            energy = ridges[0] * np.sum(state.predictor**2)
            energies = energy + np.cumsum(state.currents[:, 0] ** 2 / ridges)
            following = np.log(np.append(ridges[1:], self.output_decay))
            mismatch = np.log(energies * ridges / self.decays) - following
        return np.asarray(np.nan_to_num(mismatch, nan=1e3, posinf=1e3, neginf=-1e3))

    def _ladder(self, ridges: Array) -> tuple[list[Array], list[Array]]:
        """Return, for each node s_k, the conductor and potential that all above it amount to."""
        conductor = np.full(ridges.shape[1], self.pull + self.noise[-1])
        potential = self.pull * self.target / conductor
        conductors, potentials = [conductor], [potential]
        for ridge, noise in zip(ridges[:0:-1], self.noise[-2::-1], strict=True):
            through = 1 / (1 / conductor + 1 / ridge)
            potential = potential * through / (through + noise)
            conductor = through + noise
            conductors.append(conductor)
            potentials.append(potential)
        return conductors[::-1], potentials[::-1]


def noise_to_earth(network: Network) -> Array:
    """Return ρ_k = σ_k²/d_k Π_{j>k}(1 + σ_j²/d_j), what noise makes of s_k²; their sum is τ − 1.

    Examples
    --------
    >>> noise_to_earth(Network(hidden=(2, 4), noise=1.0)).tolist()  # ½·(1 + ¼) and ¼
    [0.625, 0.25]
    """
    ratios = np.array(network.noise) / np.array(network.hidden)
    later = np.append(np.cumprod((1 + ratios)[:0:-1])[::-1], 1.0)
    result: Array = ratios * later
    return result
