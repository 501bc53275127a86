"""The global minimum of a network whose biases decay, with the weights that attain it."""

import itertools
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.landscape.biases.chain import noise_to_earth
from linscape.landscape.minimum import GlobalMinimum
from linscape.moments.rows import transformed_rows

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class BiasedMinimum(GlobalMinimum):
    """The global minimum of a network whose biases decay with their layers.

    As :class:`linscape.GlobalMinimum`, with two words read anew. "Zero" is the trivial state: all
    weights and hidden biases zero, the output bias β_U = ȳ/(1 + γ_u), ȳ = E[y] (γ_u over the factor
    of the data term); `gain` is its loss minus `loss`, and `is_trivial` says whether it is a global
    minimum. `energy` is γ_u‖U‖², the output bias not counted; the layers are balanced as
    γ_k(‖W_k‖² + ‖β_k‖²) = γ_{k+1}‖W_{k+1}‖².

    Attributes
    ----------
    layers : tuple of ndarray
        Weights [W β] that attain `loss`.
    """

    layers: tuple[Array, ...] = field(kw_only=True)

    def weights(self, rng: np.random.Generator | int | None = None) -> list[Array]:
        """Return weights [W β] that attain the minimum: rank-one layers, units of one size.

        Parameters
        ----------
        rng : numpy.random.Generator or int, optional
            Draws the signs of the units, which the loss does not depend on.

        Examples
        --------
        One weight and its bias share the work of fitting y = 1 to x = 1; γ = 1 leaves a third.

        >>> import linscape as ls
        >>> from linscape.landscape.biases import decayed_bias_minimum
        >>> moments = ls.Moments.from_arrays([[1.0]], [1.0])
        >>> network = ls.Network(hidden=(), weight_decay=1.0, bias="decayed")
        >>> minimum = decayed_bias_minimum(ls.Problem(moments, network))
        >>> minimum.weights()[0].round(12)
        array([[0.33333333, 0.33333333]])
        """
        return with_signs(self.layers, rng)

    def prediction_variance(self, X: ArrayLike) -> Array:
        """Return Var f(x) over the noise alone, in the original units of y squared.

        Σ_k ρ_k (p·x + c_1 + ⋯ + c_k)², where c_k is what β_k adds to the mean output and
        ρ_k = σ_k²/d_k Π_{j>k}(1 + σ_j²/d_j); noise on the inputs adds τσ_0² Σ p_i²x_i².
        """
        network, moments = self.problem.network, self.problem.moments
        x = transformed_rows(moments, X)
        mean = x @ self.predictor.T
        variance = network.inflation * network.input_noise * (x**2 @ (self.predictor**2).T)
        if network.depth:
            levels = np.cumsum(self._offsets())
            for noise, level in zip(noise_to_earth(network), levels, strict=True):
                variance = variance + noise * (mean + level) ** 2
        scaled: Array = variance * np.asarray(moments.transform.scale_y) ** 2
        return scaled

    def _offsets(self) -> Array:
        """Return c_1, …, c_D, what the hidden biases add to the mean output."""
        row, offsets = self.layers[-1][:, :-1], []
        for layer in self.layers[-2::-1]:
            offsets.append(float((row @ layer[:, -1]).item()))
            row = row @ layer[:, :-1]
        return np.array(offsets[::-1])


def with_signs(layers: tuple[Array, ...], rng: np.random.Generator | int | None) -> list[Array]:
    """Return layers [W β] with the signs of their units drawn, or as they are."""
    if rng is None:
        return [layer.copy() for layer in layers]
    draw = np.random.default_rng(rng).choice
    signs = [draw([-1.0, 1.0], size=len(layer)) for layer in layers[:-1]]
    ends = [np.ones(layers[0].shape[1] - 1), *signs, np.ones(len(layers[-1]))]
    return [
        after[:, None] * layer * np.append(before, 1.0)
        for layer, (before, after) in zip(layers, itertools.pairwise(ends), strict=True)
    ]
