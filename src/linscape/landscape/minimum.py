"""The global minimum as a result: its value, its predictor, its weights."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.arguments import guarded
from linscape.landscape.certificate import Certificate
from linscape.landscape.realisation import realised
from linscape.moments.rows import row_products, transformed_rows
from linscape.problem import Problem

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class GlobalMinimum:
    """The global minimum of a problem's loss.

    Attributes
    ----------
    loss : float
        min L, in the units of the problem's reduction.
    lower, upper : float
        Proven: lower ≤ min L ≤ upper, for the stored moments.
    gain : float
        Loss at zero minus `loss`, not computed as that difference, so it keeps its digits.
        (With biases free of decay, "zero" is the constant prediction E[y].)
    gain_lower, gain_upper : float
        Proven: gain_lower ≤ gain ≤ gain_upper.
    is_trivial : bool or None
        Whether zero is a global minimum; None where 64-bit floats cannot decide.
    energy : float
        K = γ‖W‖², the same for every layer.
    predictor : ndarray
        p with E[f(x) | x] = p·x + intercept: (d,), or (m, d) for a matrix of targets; in the units
        of the problem's moments.
    intercept : float or ndarray
        E[y] − p·E[x] for biases free of decay, else 0.
    certificate : Certificate
        What is proven, and the parts of the interval.
    problem : Problem
        What was solved.
    """

    loss: float
    lower: float
    upper: float
    gain: float
    gain_lower: float
    gain_upper: float
    is_trivial: bool | None
    energy: float
    predictor: Array
    intercept: float | Array
    certificate: Certificate
    problem: Problem = field(repr=False)

    @property
    def source(self) -> str:
        """Return the theorem that the result rests on."""
        return self.certificate.theorem

    @guarded
    def predict(self, X: ArrayLike) -> Array:
        """Return E[f(x)] for rows of data in their original units, whatever the moments' units.

        Parameters
        ----------
        X : (n, d) array, sparse matrix or frame
            Frames are read by the column names that the moments carry.

        Returns
        -------
        (n,) or (n, m) ndarray
            In the original units of y.

        Examples
        --------
        >>> import linscape as ls
        >>> moments = ls.Moments.from_arrays([[0.0], [2.0]], [1.0, 5.0]).standardized()
        >>> minimum = ls.global_minimum(ls.Problem(moments, ls.Network(hidden=())))
        >>> minimum.predict([[3.0]])
        array([7.])
        """
        moments = self.problem.moments
        products = row_products(moments, X, self.predictor)
        return moments.transform.original_y(products + self.intercept)

    @guarded
    def prediction_variance(self, X: ArrayLike) -> Array:
        """Return Var f(x) over the noise alone, in the original units of y squared.

        (τ − 1)(p·x)² where the inputs carry no noise; with biases free of decay x is taken from
        its mean, because the hidden biases cancel what the noise would do to it. Several outputs
        behind one noisy layer: σ² Σ_j u_ij² (w_j·x)² for the network of :meth:`weights`.

        References
        ----------
        Ziyin, Li & Meng (2022), Theorem 4.
        """
        network, moments = self.problem.network, self.problem.moments
        x = transformed_rows(moments, X)
        scale = np.asarray(moments.transform.scale_y)
        if moments.outputs > 1 and network.depth == 1 and any(network.noise):
            several: Array = self._behind_one_layer(x) * scale**2
            return several
        mean = x @ self.predictor.T
        own = network.input_noise * (x**2 @ (self.predictor**2).T)
        if network.bias == "free":
            mean = mean - np.asarray(moments.mean_x) @ self.predictor.T
        inflation = network.inflation
        excess = math.expm1(network.log_inflation)
        variance: Array = (excess * mean**2 + inflation * own) * scale**2
        return variance

    def _behind_one_layer(self, x: Array) -> Array:
        """Return the variance of every output of one hidden layer, unit by unit."""
        network, inputs = self.problem.network, self.problem.moments.inputs
        first, last = self.weights()
        hidden = x @ first[:, :inputs].T
        if network.bias == "free":
            hidden = hidden + first[:, inputs]
        noise = network.input_noise * x**2
        own = noise @ (first[:, :inputs] ** 2).T
        columns = last[:, : first.shape[0]] ** 2
        variance: Array = noise @ (self.predictor**2).T + network.noise[0] * (
            (hidden**2 + own) @ columns.T
        )
        return variance

    def weights(self, rng: np.random.Generator | int | None = None) -> list[Array]:
        """Return weights that realise the minimum: rank-one layers of equal energy.

        With several outputs they are layers of equal energy too, one hidden unit for each mode;
        without decay they are balanced, and of least norm.

        Parameters
        ----------
        rng : numpy.random.Generator or int, optional
            Draws what the loss does not depend on: the signs of the units, all plus by default, or
            with several outputs the orthonormal frames of the hidden layers.

        Returns
        -------
        list of ndarray
            W_1, …, W_D, U as :meth:`linscape.Problem.loss` takes them.

        Raises
        ------
        OutOfRange
            If a weight does not fit a 64-bit float.

        Examples
        --------
        >>> import linscape as ls
        >>> network = ls.Network(hidden=(2,), weight_decay=0.5)
        >>> problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), network)
        >>> minimum = ls.global_minimum(problem)
        >>> round(problem.loss(minimum.weights()), 12)
        0.75
        """
        return realised(self.problem, self.predictor, rng)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as numbers, lists and words, ready for JSON."""
        return {
            "loss": self.loss,
            "lower": self.lower,
            "upper": self.upper,
            "gain": self.gain,
            "gain_lower": self.gain_lower,
            "gain_upper": self.gain_upper,
            "is_trivial": self.is_trivial,
            "energy": self.energy,
            "predictor": self.predictor.tolist(),
            "intercept": np.asarray(self.intercept).tolist(),
            "certificate": self.certificate.to_dict(),
        }

    def __repr__(self) -> str:
        """Return the result in a few readable lines."""
        kind = {True: "zero", False: "nontrivial", None: "undecided whether zero"}
        return (
            f"GlobalMinimum: {kind[self.is_trivial]}, loss {self.loss:.10g} "
            f"in [{self.lower:.17g}, {self.upper:.17g}]\n"
            f"  gain over zero {self.gain:.10g}, energy of each layer {self.energy:.6g}\n"
            f"  by {self.source}"
        )
