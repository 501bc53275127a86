"""What the estimators share: a network from their parameters, and predictions from its minimum."""

import math
from collections.abc import Iterable
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from linscape.landscape import GlobalMinimum, global_minimum
from linscape.moments import Moments
from linscape.network import Bias, Network
from linscape.network import dropout as dropout_variance
from linscape.problem import Problem

Array = NDArray[np.float64]


def network_of(
    hidden: Iterable[int],
    dropout: float | Iterable[float],
    weight_decay: float | Iterable[float],
    fit_intercept: bool,
) -> Network:
    """Return the network that an estimator's parameters describe, or raise InvalidNetwork."""
    if isinstance(dropout, Iterable) and not isinstance(dropout, str):
        noise: float | list[float] = [dropout_variance(rate) for rate in dropout]
    else:
        noise = dropout_variance(dropout)
    bias: Bias = "free" if fit_intercept else False
    return Network(hidden, noise=noise, weight_decay=weight_decay, bias=bias)


class FittedNetwork(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """An estimator that keeps the global minimum it found, and predicts by it."""

    moments_: Moments
    minimum_: GlobalMinimum
    coef_: Array
    intercept_: float | Array

    def predict(self, X: ArrayLike, return_std: bool = False) -> Array | tuple[Array, Array]:
        """Return E[f(x)], and on demand the standard deviation of f(x), over the dropout noise.

        Parameters
        ----------
        X : (n, d) array, sparse matrix or frame
            Rows; a sparse matrix is never made dense.
        return_std : bool, default False
            Also return √Var f(x) = √(τ − 1)·|p·(x − E x)|, without intercept √(τ − 1)·|p·x|, where
            p is `coef_` and τ the inflation. It is what keeping dropout on when predicting spreads,
            and nothing else: neither the noise in y nor the uncertainty of p is in it.

        Returns
        -------
        mean : (n,) or (n, m) ndarray
            In the units of y.
        std : ndarray of the same shape
            Only if `return_std`.

        References
        ----------
        Ziyin, Li & Meng (2022), Theorem 4.
        """
        check_is_fitted(self)
        rows = validate_data(self, X, accept_sparse="csr", reset=False)
        linear: Array = rows @ self.coef_.T
        mean: Array = linear + self.intercept_
        if not return_std:
            return mean
        network = self.minimum_.problem.network
        if network.bias == "free":
            linear = linear - np.asarray(self.moments_.mean_x) @ self.coef_.T
        return mean, math.sqrt(math.expm1(network.log_inflation)) * np.abs(linear)

    def __sklearn_tags__(self) -> Tags:
        """Say that sparse inputs are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _minimise(self, moments: Moments, network: Network) -> Self:
        """Find the global minimum and keep it."""
        minimum = global_minimum(Problem(moments, network))
        self.moments_ = moments
        self.minimum_ = minimum
        self.coef_ = minimum.predictor
        self.intercept_ = minimum.intercept
        return self
