"""The random nets of the experiments on step sizes, and the bound of the theorem for each.

X is 5 × 5 standard normal, Y = diag(1, 2, 3, 4, 5)X + noise of deviation 0.1, and the weights are
normal. Their deviation is not printed; 0.1 is taken, and a range beside it where it matters.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SIGNALS = (1.0, 2.0, 3.0, 4.0, 5.0)
NOISE = 0.1
DEVIATION = 0.1
HIDDEN = {"2 layers": (5,), "3 layers": (5, 5), "3 layers, 5-2-2-5": (2, 2), "4 layers": (5, 5, 5)}


@dataclass(frozen=True, eq=False)
class RandomNets:
    """Data and weights of n nets: X and Y (n, 5, 5), W_1, …, W_N (n, rows, columns)."""

    X: Array
    Y: Array
    weights: list[Array]

    @property
    def residual(self) -> Array:
        """‖Y − W_N ⋯ W_1 X‖_F."""
        fitted = self.X
        for W in self.weights:
            fitted = W @ fitted
        return np.asarray(np.linalg.norm(self.Y - fitted, axis=(1, 2)))

    @property
    def balancedness(self) -> Array:
        """max_j ‖W_{j+1}ᵀW_{j+1} − W_jW_jᵀ‖₂."""
        norms = [_norm(V.mT @ V - W @ W.mT) for W, V in pairwise(self.weights)]
        return np.asarray(np.max(norms, axis=0))

    @property
    def moments(self) -> tuple[Array, Array]:
        """XXᵀ and YXᵀ."""
        return self.X @ self.X.mT, self.Y @ self.X.mT

    def part(self, chosen: NDArray[np.intp] | NDArray[np.bool_]) -> "RandomNets":
        """Return some of the nets."""
        return RandomNets(self.X[chosen], self.Y[chosen], [W[chosen] for W in self.weights])


def random_nets(
    hidden: tuple[int, ...], count: int, rng: np.random.Generator, deviation: float = DEVIATION
) -> RandomNets:
    """Draw nets and their data."""
    X = rng.standard_normal((count, 5, 5))
    Y = np.diag(SIGNALS) @ X + NOISE * rng.standard_normal(X.shape)
    widths = (5, *hidden, 5)
    weights = [
        deviation * rng.standard_normal((count, after, before))
        for before, after in pairwise(widths)
    ]
    return RandomNets(X, Y, weights)


def suggested_bounds(nets: RandomNets, *, printed: bool = False) -> Array:
    """Return η for L = ½‖Y − WX‖² with the suggested δ, 0 where the start is not balanced enough.

    As :func:`linscape.safe_step_size`, for many data sets at once. With `printed` M has the root
    over both terms, M = √(2‖Y − WX‖ + ‖Y‖)/σ_min(X), which is not safe.
    """
    N, residual = len(nets.weights), nets.residual
    singular = np.linalg.svd(nets.X, compute_uv=False)
    size = _norm(nets.Y)
    root = np.sqrt(2 * residual + size) if printed else residual + size
    share = (root / singular[:, -1]) ** (2 / N)  # M^{2/N}
    delta = share / (N * (N + 1) ** 2)
    K = share + (N + 1) ** 2 * delta
    B = 2 * math.e * N * K ** (N - 1) * singular[:, 0] ** 2
    B += math.sqrt(math.e) * N * K ** (N / 2 - 1) * _norm(nets.X @ nets.Y.mT)
    spare = np.maximum(delta - nets.balancedness, 0)  # (1 − α)δ
    return np.asarray(2 * spare / (2 * residual**2 + spare * B))


def _norm(matrices: Array) -> Array:
    return np.asarray(np.linalg.norm(matrices, 2, axis=(-2, -1)))
