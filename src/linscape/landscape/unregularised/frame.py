"""Weights in units in which x is white and no layer is larger than one."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.landscape.unregularised.whitening import whitened
from linscape.problem import Problem
from linscape.spectrum import linear_moments, spectra

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Frame:
    """The factorisation ‖T − Ŵ_N⋯Ŵ_1‖² that the weights of an undecayed net stand for.

    With x = A^{½}z, E[zzᵀ] = I, the data term is c‖T − W_N⋯W_2(W_1A^{½})‖² + const, where
    T = E[yxᵀ]A^{−½} is (m, ρ), ρ the rank of A. Each factor is divided by a scale s_h no smaller
    than its spectral norm, and T by the product of the scales.

    Attributes
    ----------
    layers : tuple of ndarray
        Ŵ_1 (d_1, ρ), …, Ŵ_N (m, d_{N−1}), of spectral norm one at most.
    target : (m, ρ) ndarray
        T/Πs.
    scales : (N,) ndarray
        s_1, …, s_N.
    unwhiten : (d, ρ) ndarray
        A^{−½}: the direction V̂_1 of the first factor is s_1·V̂_1·unwhitenᵀ as a weight.
    """

    layers: tuple[Array, ...]
    target: Array
    scales: Array
    unwhiten: Array

    def lower(self, h: int) -> Array:
        """Return Ŵ_h⋯Ŵ_1, the identity at h = 0."""
        return self._lower[h]

    def upper(self, h: int) -> Array:
        """Return Ŵ_N⋯Ŵ_{h+1}, the identity at h = N."""
        return self._upper[h]

    def between(self, i: int, j: int) -> Array:
        """Return Ŵ_{i−1}⋯Ŵ_{j+1}, what stands between layers i > j; the identity at i = j + 1."""
        product = np.eye(len(self.layers[j - 1]))
        for layer in self.layers[j : i - 1]:
            product = layer @ product
        return product

    @cached_property
    def _lower(self) -> list[Array]:
        products = [np.eye(self.target.shape[1])]
        for layer in self.layers:
            products.append(layer @ products[-1])
        return products

    @cached_property
    def _upper(self) -> list[Array]:
        products = [np.eye(len(self.target))]
        for layer in reversed(self.layers):
            products.append(products[-1] @ layer)
        return products[::-1]

    @property
    def product(self) -> Array:
        """P = Ŵ_N⋯Ŵ_1, multiplied from its narrower end."""
        outputs, inputs = self.target.shape
        return self._upper[0] if outputs <= inputs else self._lower[-1]

    @cached_property
    def residual(self) -> Array:
        """E = T − P."""
        residual: Array = self.target - self.product
        return residual

    @cached_property
    def size(self) -> float:
        """‖T‖ + ‖P‖, what the residual is small or large against."""
        return float(np.linalg.norm(self.target) + np.linalg.norm(self.product))

    @property
    def rounding(self) -> float:
        """What rounding can leave in a product of factors of norm one."""
        widths = [self.target.shape[1], *(len(layer) for layer in self.layers)]
        return float(len(self.layers) * max(widths) * UNIT_ROUNDOFF)

    def gradient_norm(self) -> float:
        """Return (Σ_h ‖B_{N:h+1}ᵀ E B_{h−1:1}ᵀ‖²)^{½}/(‖T‖ + ‖P‖), which no unit changes."""
        if self.size == 0:
            return 0.0
        residual, square = self.residual, 0.0
        for h in range(1, len(self.layers) + 1):
            part = self.upper(h).T @ residual @ self.lower(h - 1).T
            square += float(np.linalg.norm(part)) ** 2
        return math.sqrt(square) / self.size

    def weight_direction(self, layer: int, direction: Array) -> Array:
        """Return a direction of factor `layer` (from 1) as a direction of its weight matrix."""
        scaled = self.scales[layer - 1] * direction
        result: Array = scaled @ self.unwhiten.T if layer == 1 else scaled
        return result


def frame(problem: Problem, layers: Sequence[Array], tolerance: float) -> Frame:
    """Return the frame of weight matrices without their biases."""
    measures = spectra(problem)
    root = np.sqrt(measures[0].values)
    unit = measures[0].input_exponent
    basis = measures[0].basis
    whitening = whitened(measures)
    target = np.ldexp(whitening.matrix, whitening.exponent)
    factors = [np.ldexp(layers[0] @ (basis * root), unit), *layers[1:]]
    norms = np.array([np.linalg.norm(factor, 2) if factor.size else 0.0 for factor in factors])
    scales = layer_scales(norms, float(np.linalg.norm(target)), tolerance)
    return Frame(
        layers=tuple(factor / scale for factor, scale in zip(factors, scales, strict=True)),
        target=target / math.prod(scales),
        scales=scales,
        unwhiten=np.ldexp(basis / root, -unit),
    )


def layer_scales(norms: Array, target: float, tolerance: float) -> Array:
    """Return the norms of the layers, and for those close to zero the size at which they matter.

    Close to zero is a norm below `tolerance` times the level to which the smallest layers would
    have to be lifted for the product of all norms to reach `target`. Such layers share one scale,
    with which the product does reach it.
    """
    if target == 0 or (np.all(norms > 0) and math.prod(norms) >= target):
        return np.where(norms > 0, norms, 1.0)
    small = norms <= tolerance * _level(np.sort(norms), target)
    if not np.any(small):
        return norms
    return np.where(small, (target / math.prod(norms[~small])) ** (1 / np.sum(small)), norms)


def _level(ascending: Array, target: float) -> float:
    """Return the μ with Π max(n_h, μ) = target, for norms of smaller product."""
    level = math.inf
    for count in range(max(1, int(np.sum(ascending == 0))), len(ascending) + 1):
        above = ascending[count:]
        level = (target / math.prod(above)) ** (1 / count)
        if not len(above) or level <= above[0]:
            break
    return level


def linear_layers(problem: Problem, weights: Sequence[Array]) -> list[Array]:
    """Return the weight matrices without their biases."""
    if problem.network.bias is False:
        return list(weights)
    return [weight[:, :-1] for weight in weights]


def mean_residual(problem: Problem, weights: Sequence[Array]) -> tuple[Array, float]:
    """Return E[f − y] of a network with free biases, relative to what it is the difference of."""
    moments = problem.moments
    means = hidden_means(problem, weights)
    target = np.reshape(np.asarray(moments.mean_y), -1)
    residual = means[-1] - target
    spread = math.sqrt(float(np.trace(linear_moments(problem)[2])))
    size = float(np.linalg.norm(means[-1]) + np.linalg.norm(target)) + spread
    return residual, float(np.linalg.norm(residual)) / size if size else 0.0


def hidden_means(problem: Problem, weights: Sequence[Array]) -> list[Array]:
    """Return E[h_0], …, E[h_N] = E[f] of a network with biases."""
    means = [np.asarray(problem.moments.mean_x, dtype=np.float64)]
    for weight in weights:
        means.append(weight[:, :-1] @ means[-1] + weight[:, -1])
    return means


def pivots(layers: int) -> list[tuple[int, int]]:
    """Return all pairs of layers (i, j), i > j, from 1."""
    return [(i, j) for j, i in itertools.combinations(range(1, layers + 1), 2)]
