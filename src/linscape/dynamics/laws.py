"""What the laws of balance predict along a flow, and how far the weights are from it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from linscape.dynamics.balance import neighbours
from linscape.problem import Problem

Array = NDArray[np.float64]


class BalanceLaws:
    r"""The laws of one problem, for any weights.

    Δ̇_j = −4γ_{j+1}Δ_j + S_j with S_j = −4(γ_{j+1}W_jW_jᵀ − γ_jW_jW_jᵀ), which is zero for equal
    decays. (A free bias is left out of the last term.) Where S_j is zero, Δ_j is an exponential;
    elsewhere this equation is integrated along with the weights, and linear in its own variable.
    """

    def __init__(self, problem: Problem) -> None:
        network = problem.network
        self.decays, self.noise = network.weight_decay, network.noise
        self.free = network.bias == "free"
        self.widths = network.hidden
        self.driven = [
            j
            for j in range(network.depth)
            if self.decays[j] != self.decays[j + 1] or (self.free and self.decays[j] > 0)
        ]

    def start(self, weights: Sequence[Array]) -> Array:
        """Return the variables to integrate along with these first weights, in one vector."""
        self.first = self.imbalances(weights)
        return self._flat([self.first[j] for j in self.driven])

    def rate(self, weights: Sequence[Array], extra: Array) -> Array:
        """Return the time derivative of those variables."""
        pairs, rates = neighbours(weights), []
        for j, delta in zip(self.driven, self._split(extra), strict=True):
            incoming = pairs[j][0]
            decayed = incoming[..., :-1] if self.free else incoming
            after, before = self.decays[j + 1], self.decays[j]
            source = after * incoming @ incoming.mT - before * decayed @ decayed.mT
            rates.append(-4 * (after * delta + source))
        return self._flat(rates)

    @property
    def damping(self) -> Array:
        """Derivative of :meth:`rate` by those variables, the diagonal."""
        rates = [np.full(self.widths[j] ** 2, -4 * self.decays[j + 1]) for j in self.driven]
        return self._flat(rates)

    def imbalances(self, weights: Sequence[Array]) -> list[Array]:
        """Return the Δ_j."""
        return [after.mT @ after - before @ before.mT for before, after in neighbours(weights)]

    def drift(self, weights: Sequence[Array], extra: Array, times: Array) -> Array:
        """Return how far the Δ_j at some times are from their laws, relative to the weights."""
        if not self.widths:
            return np.zeros(len(times))
        predicted = dict(zip(self.driven, self._split(extra), strict=True))
        errors, sizes = [], []
        for j, delta in enumerate(self.imbalances(weights)):
            faded = np.exp(-4 * self.decays[j + 1] * times)[:, None, None] * self.first[j]
            error = delta - predicted.get(j, faded)
            if self.noise[j] > 0:
                error = error * np.eye(self.widths[j])
            errors.append(np.linalg.norm(error, axis=(-2, -1)))
            sizes.append(sum(np.linalg.norm(W, axis=(-2, -1)) ** 2 for W in weights[j : j + 2]))
        largest = np.maximum.accumulate(np.max(sizes, axis=0))
        worst = np.max(errors, axis=0)
        drift = np.divide(worst, largest, out=np.zeros_like(worst), where=largest > 0)
        # of squares that leave the range
        return np.asarray(np.nan_to_num(drift, nan=np.inf))

    def _flat(self, matrices: Sequence[Array]) -> Array:
        return np.concatenate([np.empty(0), *(matrix.ravel() for matrix in matrices)])

    def _split(self, extra: Array) -> list[Array]:
        sizes = [self.widths[j] ** 2 for j in self.driven]
        parts = np.split(extra, np.cumsum(sizes)[:-1], axis=-1) if sizes else []
        shapes = [(*extra.shape[:-1], self.widths[j], self.widths[j]) for j in self.driven]
        return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
