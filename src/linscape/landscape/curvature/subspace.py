"""Where the Hessian differs from the decay: a small subspace, if hidden units carry no noise."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from linscape import propagation
from linscape.errors import OutOfRange
from linscape.landscape.curvature.layer import LayerDirections, Pair
from linscape.problem import Problem
from linscape.scaling import Scale

Array = NDArray[np.float64]


class AllDirections:
    """All directions, for networks with noise on hidden units."""

    def __init__(self, problem: Problem, weights: Sequence[Array]) -> None:
        self._operator = problem.hessian_operator(weights)
        self.sizes = tuple(rows * columns for rows, columns in problem.shapes)
        self.size = self.dimension = sum(self.sizes)
        self.complements = (0,) * len(self.sizes)
        self.embed = problem.unflatten

    def product(self, vector: Array) -> Array:
        """Return the Hessian's image of directions (…, size)."""
        columns = vector.reshape(-1, self.size).T
        image: Array = self._operator.matmat(columns).T
        return image.reshape(vector.shape)

    def project(self, vector: Array) -> Array:
        """Return the vector: all of it stands for directions."""
        return vector


class SeenDirections:
    """The Hessian of a network without hidden noise, on a subspace that it maps into itself.

    The second derivative of the data term knows of a direction V_k only B_k V_k and V_k T_{k−1}Eᵀ,
    where B_k and T_{k−1} are the products of the layers above and below and E = E[(f − y)xᵀ]. With
    m outputs these are m rows and m columns; the directions they span, V_k = Q a + b Pᵀ with
    Qᵀb = 0, have the orthonormal coordinates (a, b). On their complement the Hessian is the decay,
    2γ_k, which is never beyond the extreme eigenvalues inside: where layer k has a complement,
    some V_k = b Pᵀ has B_k V_k = 0 and hence vᵀHv = 2γ_k.

    A vector holds the a and b of all layers, `size` numbers; those with Qᵀb = 0 form a space of
    the `dimension`. Any other part of b is ignored.
    """

    def __init__(self, problem: Problem, weights: Sequence[Array]) -> None:
        matrices, scale = list(weights), Scale(problem.moments, problem.network)
        exponents = scale.exponents(matrices)
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = scale.layers(matrices, exponents)
            hessian = propagation.NoiseFreeHessian(scaled, *scale.data[1:3])
            parts = zip(scaled, hessian.left, hessian.right, hessian.metric, strict=True)
            self._layers = [
                LayerDirections.of(*part, rows=len(W), bias=scale.bias)
                for part, W in zip(parts, matrices, strict=True)
            ]
        self._problem = problem
        self._scale, self._exponents = scale, exponents
        self.sizes = tuple(layer.size for layer in self._layers)
        self.size = sum(self.sizes)
        self.dimension = self.size - sum(layer.idle for layer in self._layers)
        self.complements = tuple(layer.complement for layer in self._layers)

    def product(self, vector: Array) -> Array:
        """Return the Hessian's image of coordinates (…, size)."""
        pairs = self._split(vector)
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = [self._shift(k, pair) for k, pair in enumerate(pairs)]
            raw = self._data_product(scaled)
            images = [self._shift(k, pair, back=True) for k, pair in enumerate(raw)]
            image = self._join(self._with_decay(images, pairs))
        if not np.isfinite(image).all():
            raise OutOfRange(
                "the Hessian at these weights is too large for a 64-bit float; rescale data or "
                "weights"
            )
        return image

    def project(self, vector: Array) -> Array:
        """Return the vector with Qᵀb = 0."""
        return self._join(self._split(vector))

    def embed(self, vector: Array) -> list[Array]:
        """Return the directions that coordinates (…, size) stand for."""
        pairs = self._split(vector)
        return [layer.embed(pair) for layer, pair in zip(self._layers, pairs, strict=True)]

    def _data_product(self, pairs: list[Pair]) -> list[Pair]:
        batch = pairs[0][0].shape[:-2]
        dR = [np.zeros((*batch, *self._layers[0].R.shape))]
        for layer, pair in zip(self._layers[:-1], pairs, strict=False):
            dR.append(layer.forward(pair, dR[-1]))
        dB = [np.zeros((*batch, *self._layers[-1].B.shape))]
        for layer, pair in zip(self._layers[::-1], pairs[::-1], strict=True):
            dB.append(layer.backward(pair, dB[-1]))
        whole = dB.pop()
        return [
            layer.image(above, below, whole)
            for layer, above, below in zip(self._layers, reversed(dB), dR, strict=True)
        ]

    def _shift(self, k: int, pair: Pair, *, back: bool = False) -> Pair:
        """Return the coordinates of scaled layers, or of a derivative by the unscaled ones."""
        data = 2 * self._scale.output_exponent if back else 0
        before, after = self._exponents[k] + data, self._exponents[k + 1]

        def shifted(matrix: Array) -> Array:
            exponents = np.full(matrix.shape[-1], before - after)
            if self._scale.bias:
                exponents[-1:] = data - after
            result: Array = np.ldexp(matrix, exponents)
            return result

        return shifted(pair[0]), shifted(pair[1])

    def _with_decay(self, images: list[Pair], pairs: list[Pair]) -> list[Pair]:
        network, factor = self._problem.network, self._problem.data_factor
        total = []
        for decay, image, pair in zip(network.weight_decay, images, pairs, strict=True):
            decayed = [2 * decay * part for part in pair]
            if network.bias == "free":
                for part in decayed:
                    part[..., -1:] = 0
            a, b = (factor * new + old for new, old in zip(image, decayed, strict=True))
            total.append((a, b))
        return total

    def _split(self, vector: Array) -> list[Pair]:
        """Return all (a, b) of a vector, with Qᵀb = 0."""
        cuts = np.cumsum(self.sizes)[:-1]
        parts = zip(self._layers, np.split(vector, cuts, axis=-1), strict=True)
        pairs = [(layer, *layer.split(part)) for layer, part in parts]
        return [(a, layer.project(b)) for layer, a, b in pairs]

    def _join(self, pairs: list[Pair]) -> Array:
        batch = pairs[0][0].shape[:-2]
        return np.concatenate(
            [part.reshape(*batch, -1) for pair in pairs for part in pair], axis=-1
        )


def seen_directions(problem: Problem, weights: Sequence[Array]) -> AllDirections | SeenDirections:
    """Return the directions on which the Hessian is more than the decay."""
    kind = AllDirections if any(problem.network.noise) else SeenDirections
    return kind(problem, weights)
