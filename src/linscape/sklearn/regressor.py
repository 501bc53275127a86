"""One deep linear network as a scikit-learn estimator."""

from collections.abc import Iterable
from typing import Any, Self

from numpy.typing import ArrayLike
from sklearn.utils import column_or_1d
from sklearn.utils.validation import validate_data

from linscape.moments import Moments
from linscape.sklearn.fitted import FittedNetwork, network_of


class DeepLinearRegressor(FittedNetwork):
    r"""Deep linear network with dropout and weight decay, at its global minimum.

    .. math:: L = \frac{\sum_i w_i E_ε (f(x_i) - y_i)^2}{\sum_i w_i}
              + γ_u ‖U‖^2 + \sum_k γ_k ‖W_k‖_F^2

    is minimised over all weights W_1, …, W_D, U and biases β of f(x) = U h_D + β_U with h_0 = x
    and h_k = ε_k∘(W_k h_{k−1} + β_k): the objective of :class:`linscape.Problem`, a mean over rows,
    without ½. The dropout ε is averaged exactly; the biases do not decay. With ``hidden=()`` it is
    scikit-learn's ``Ridge(alpha=weight_decay * n)``.

    The minimum is certified and is computed from the second moments of (x, y): there are no
    iterations, no seeds, no learning rate. It may be zero: past the critical decay of
    :func:`linscape.critical_weight_decay` the network predicts E[y] everywhere.

    Parameters
    ----------
    hidden : sequence of int, default (64,)
        Widths of the hidden layers, from input to output; `()` is a linear model. They matter only
        through τ = Π_k (1 + σ_k²/d_k), so without dropout only their number does.
    dropout : float or sequence of float, default 0.0
        Rate p in [0, 1) on each hidden layer, σ² = p/(1 − p): one for all, or one for each.
    weight_decay : float or sequence of float, default 1e-3
        γ ≥ 0 of each layer in the loss above (PyTorch's λ is 2γ for its mean squared error): one
        for all, or D + 1 values from input to output. All positive or, for the least squares of
        minimum norm, all zero.
    fit_intercept : bool, default True
        Whether there are biases.

    Attributes
    ----------
    coef_ : ndarray
        p in E[f(x)] = p·x + intercept: (d,), or (m, d) for several outputs.
    intercept_ : float or (m,) ndarray
        E[y] − p·E[x], or 0.
    minimum_ : GlobalMinimum
        Loss with its proven interval, energy, weights, theorem.
    moments_ : Moments
        The second moments of all rows fitted.
    n_features_in_ : int
        Number d of inputs.
    feature_names_in_ : (d,) ndarray
        Their names, if X came with names.

    Notes
    -----
    `fit` raises NoExactSolution where no theorem covers the problem, as
    :func:`linscape.global_minimum` says: some decays zero and others not, or several outputs whose
    minimum is not certified (mostly with noise).

    References
    ----------
    Ziyin, Li & Meng (2022), *Exact solutions of a deep linear network*, Theorems 1, 2 and 4.

    Examples
    --------
    One input with E[x²] = E[xy] = E[y²] = 1, γ = ½ and τ = 1 + 1/1: the loss is
    1 − 2p + 2p² + 2·½·|p|, least at p = ¼.

    >>> model = DeepLinearRegressor((1,), dropout=0.5, weight_decay=0.5)
    >>> mean, std = model.fit([[-1.0], [1.0]], [-1.0, 1.0]).predict([[1.0]], return_std=True)
    >>> round(float(model.coef_[0]), 12), round(float(mean[0]), 12), round(float(std[0]), 12)
    (0.25, 0.25, 0.25)
    """

    def __init__(
        self,
        hidden: Iterable[int] = (64,),
        *,
        dropout: float | Iterable[float] = 0.0,
        weight_decay: float | Iterable[float] = 1e-3,
        fit_intercept: bool = True,
    ) -> None:
        self.hidden = hidden
        self.dropout = dropout
        self.weight_decay = weight_decay
        self.fit_intercept = fit_intercept

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Go once through the rows and find the global minimum.

        Parameters
        ----------
        X : (n, d) array, sparse matrix or frame
            Inputs; a sparse matrix is never made dense.
        y : (n,) array, or (n, m) with ``hidden=()``
            Targets.
        sample_weight : (n,) array, optional
            w_i ≥ 0; a whole number is as good as that many rows.

        Returns
        -------
        DeepLinearRegressor
            Itself.

        Raises
        ------
        ValueError
            If a parameter or the data are invalid (InvalidNetwork, InvalidData).
        NoExactSolution
            If no theorem covers the problem.
        """
        return self._fit(X, y, sample_weight, more=False)

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Add rows to those fitted so far, and find the global minimum for all of them.

        The order and the sizes of the pieces do not matter: the moments merge, and the minimum is
        that of `fit` on all rows. Each call costs one eigendecomposition, O(d³). Parameters as in
        :meth:`fit`.
        """
        return self._fit(X, y, sample_weight, more=hasattr(self, "moments_"))

    def _fit(self, X: Any, y: Any, sample_weight: Any, *, more: bool) -> Self:
        network = network_of(self.hidden, self.dropout, self.weight_decay, self.fit_intercept)
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=("csr", "csc"),
            multi_output=True,
            y_numeric=True,
            reset=not more,
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        moments = Moments.from_arrays(X, y, sample_weight=sample_weight)
        return self._minimise(self.moments_ + moments if more else moments, network)
