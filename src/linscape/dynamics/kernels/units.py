"""One problem in fixed units, all powers of two, in which steps of descent need no rescaling."""

import numpy as np
from numpy.typing import NDArray

from linscape.errors import OutOfRange
from linscape.problem import Problem
from linscape.scaling import Scale, largest_exponent

Array = NDArray[np.float64]

# a product of layers may leave the range on the way by this power of two, and still come back
_LARGEST_DETOUR = 400


class Units:
    """The loss as a function of V_k = F_k∘W_k, F a matrix of powers of two, in units of 4^t.

    With x = 2^s x', y = 2^t y' of size one, a step W ← W − η ∂L/∂W becomes V ← V − η K∘∂L'/∂V with
    L = 4^t L' and K = 4^t F∘F. In L' the data term is written with `A` and `C`, which hold
    E[x'x'ᵀ] and E[x'y'ᵀ] times twice the problem's data factor, and the decay of an entry v is
    ½ pull·v². Where there are biases, the layers below the output hand on the constant 1 in one
    more row, whose K is zero.

    Attributes
    ----------
    A, C, masks
        What :func:`linscape.propagation.gradient` needs; its factor 2 is in A and C already.
    noisy : bool
        Whether a hidden layer has noise.
    scale, pull : list of ndarray
        K and twice the decays, in the shapes of the layers, or (1, 1) if all entries are equal.
    """

    def __init__(self, problem: Problem) -> None:
        data = Scale(problem.moments, problem.network)
        self._data = data
        self._shapes = problem.shapes
        layers = len(problem.shapes)
        s, t = data.input_exponent, data.output_exponent
        self._exponents = [
            np.asarray(s + (k * (t - s)) // layers, dtype=np.int64) for k in range(layers + 1)
        ]
        self._power = 2 * t
        self.A = 2 * problem.data_factor * data.data.A
        self.C = 2 * problem.data_factor * data.data.C
        self.masks = data.data.masks
        self.noisy = any(problem.network.noise)
        self._factors = data.layers(
            [np.ones(shape) for shape in problem.shapes], self._exponents, constant=0.0
        )
        self.scale = [_plain(np.ldexp(factor**2, self._power)) for factor in self._factors]
        self.pull = self._pulls(problem)
        self._at_zero = problem.data_factor * data.data.yy

    def _pulls(self, problem: Problem) -> list[Array]:
        pulls = []
        decays = problem.network.weight_decay
        for decay, factor in zip(decays, self._factors, strict=True):
            squares = np.ldexp(factor**2, self._power)
            pull = np.divide(2 * decay, squares, out=np.zeros_like(squares), where=squares > 0)
            if problem.network.bias == "free":
                pull[..., -1] = 0
            pulls.append(_plain(pull))
        return pulls

    def scaled(self, weights: list[Array]) -> list[Array]:
        """Return V for weights W.

        Raises
        ------
        OutOfRange
            If layers differ so much in size that products of them under- or overflow on the way.
        """
        layers = self._data.layers(weights, self._exponents)
        sizes = np.stack([largest_exponent(layer) for layer in layers])
        up, down = (np.maximum(sign * sizes, 0).sum(axis=0) for sign in (1, -1))
        if np.any(np.minimum(up, down) > _LARGEST_DETOUR):
            raise OutOfRange(
                "the layers of these weights differ so much in size that their products leave the "
                "range of a 64-bit float on the way; multiply one layer and divide another"
            )
        return layers

    def unscaled(self, layers: list[Array]) -> list[Array]:
        """Return W for V; exact."""
        return [
            layer[..., : shape[0], :] / factor[: shape[0], :]
            for layer, factor, shape in zip(layers, self._factors, self._shapes, strict=True)
        ]

    def excess(self, loss: Array) -> Array:
        """Return 2 (L' − L'(0)), what the kernels compare, for a loss L."""
        return 2 * (np.ldexp(loss, -self._power) - self._at_zero)


def _plain(matrix: Array) -> Array:
    """Return the matrix, or its first entry if all are equal."""
    return matrix[:1, :1] if np.all(matrix == matrix[0, 0]) else matrix
