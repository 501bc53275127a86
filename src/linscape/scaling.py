"""The data and the layers in units, all powers of two, in which nothing over- or underflows."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.moments import Moments
from linscape.network import Network

Array = NDArray[np.float64]
Exponents = NDArray[np.int64]


class ScaledData(NamedTuple):
    """What :mod:`linscape.propagation` needs to know of the data and the noise."""

    masks: list[Array]
    A: Array
    C: Array
    yy: float


class Scale:
    """Units x = 2^s x', y = 2^t y', h_k = 2^{E_k} h_k', f = 2^t f' of one problem.

    The scaled layers 2^{E_{k−1} − E_k} W_k then have entries of like size. Powers of two cost no
    rounding, and the map from weights to scaled weights is linear and diagonal.
    """

    def __init__(self, moments: Moments, network: Network) -> None:
        A = np.array(moments.A)
        diagonal = np.diagonal(A)
        A = A + np.diag(network.input_noise * diagonal)
        C = moments.C.reshape(moments.inputs, moments.outputs)
        yy = float(np.trace(np.reshape(moments.yy, (moments.outputs,) * 2)))
        self.input_exponent = s = int(largest_exponent(A)) // 2
        self.output_exponent = t = math.frexp(yy)[1] // 2
        A, C = np.ldexp(A, -2 * s), np.ldexp(C, -s - t)
        self.bias = network.bias is not False
        if self.bias:
            x = np.ldexp(np.asarray(moments.mean_x), -s)
            y = np.ldexp(np.reshape(np.asarray(moments.mean_y), (1, -1)), -t)
            A = np.block([[A, x[:, None]], [x[None, :], np.ones((1, 1))]])
            C = np.vstack([C, y])
        noise = zip(network.noise, network.hidden, strict=True)
        masks = [self._mask(variance, width) for variance, width in noise]
        self.data = ScaledData(masks, A, C, math.ldexp(yy, -2 * t))

    def _mask(self, variance: float, width: int) -> Array:
        diagonal = np.full(width + self.bias, variance)
        if self.bias:
            diagonal[-1] = 0.0  # the constant 1 beside the hidden units carries no noise
        mask: Array = 1 + np.diag(diagonal)
        return mask

    def exponents(self, weights: list[Array]) -> list[Exponents]:
        """Return E_0, …, E_{D+1}, which leave every scaled layer the same size.

        That size is one where the output is as large as y; what it is larger or smaller is spread
        over the layers, so that no square of a single layer leaves the range.
        """
        excess = self.unit_exponents(weights)[-1] - self.output_exponent
        exponents = self.unit_exponents(weights, excess // len(weights))
        exponents[-1] = np.full_like(exponents[-1], self.output_exponent)
        return exponents

    def unit_exponents(self, weights: list[Array], share: Exponents | int = 0) -> list[Exponents]:
        """Return E_0, …, E_{D+1} that leave every scaled layer of size 2^share."""
        batch = weights[0].shape[:-2]
        exponents = [np.full(batch, self.input_exponent, dtype=np.int64)]
        for matrix in weights:
            linear = matrix[..., :-1] if self.bias else matrix
            exponent = exponents[-1] + largest_exponent(linear) - share
            if self.bias:
                exponent = np.maximum(exponent, largest_exponent(matrix[..., -1:]))
            exponents.append(exponent)
        return exponents

    def layers(
        self, weights: list[Array], exponents: list[Exponents], constant: float = 1.0
    ) -> list[Array]:
        """Return the scaled layers; with biases, hidden ones also hand on the constant."""
        layers = []
        for k, matrix in enumerate(weights):
            scaled = self._shift(matrix, exponents[k], exponents[k + 1])
            if self.bias and k < len(weights) - 1:
                row = np.zeros((*matrix.shape[:-2], 1, matrix.shape[-1]))
                row[..., -1] = constant
                scaled = np.concatenate([scaled, row], axis=-2)
            layers.append(scaled)
        return layers

    def data_term(self, scaled: Array) -> Array:
        """Return E‖f − y‖² from its value in scaled units."""
        result: Array = np.ldexp(scaled, 2 * self.output_exponent)
        return result

    def pull_back(self, gradients: list[Array], exponents: list[Exponents]) -> list[Array]:
        """Return derivatives by the layers from scaled derivatives by the scaled layers."""
        result = []
        for k, gradient in enumerate(gradients):
            own = gradient[..., :-1, :] if self.bias and k < len(gradients) - 1 else gradient
            data = 2 * self.output_exponent
            result.append(self._shift(own, exponents[k] + data, exponents[k + 1], data))
        return result

    def _shift(
        self, matrix: Array, before: Exponents, after: Exponents, constant: int = 0
    ) -> Array:
        """Multiply by 2^{before − after}, and the column of biases by 2^{constant − after}."""
        scaled: Array = np.ldexp(matrix, (before - after)[..., None, None])
        if self.bias:
            scaled[..., -1] = np.ldexp(matrix[..., -1], (constant - after)[..., None])
        return scaled


def largest_exponent(matrix: Array) -> Exponents:
    """Return the binary exponent of the largest entry of each matrix, 0 if all are zero."""
    largest = np.abs(matrix).max(axis=(-2, -1))
    return np.asarray(np.frexp(largest)[1], dtype=np.int64)
