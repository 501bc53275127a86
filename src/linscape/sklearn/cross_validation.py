"""The choice of depth, dropout and decay by cross-validation, from one set of moments a fold."""

from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.model_selection import ParameterGrid, check_cv
from sklearn.utils.validation import validate_data

from linscape.landscape import global_minima
from linscape.network import Network
from linscape.sklearn.fitted import FittedNetwork, network_of
from linscape.sklearn.folds import Fold, read

Array = NDArray[np.float64]

_DECAYS = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)


class DeepLinearRegressorCV(FittedNetwork):
    r"""Deep linear network whose depth, dropout and decay are chosen by cross-validation.

    Every combination is fitted as by :class:`linscape.sklearn.DeepLinearRegressor`,

    .. math:: L = \frac{\sum_i w_i E_ε (f(x_i) - y_i)^2}{\sum_i w_i}
              + γ_u ‖U‖^2 + \sum_k γ_k ‖W_k‖_F^2,

    on the rows outside each fold, and judged by the mean squared error of E[f(x)] on the rows
    inside, weighted by w. The best average over the folds wins, the first of equals, and is fitted
    to all rows. The outcome is that of scikit-learn's ``GridSearchCV`` with
    ``scoring="neg_mean_squared_error"``, but the rows are read once: the moments of a fold give its
    errors and, merged with those of the other folds, the training sets; one eigendecomposition a
    fold serves all combinations.

    Parameters
    ----------
    hidden : sequence of sequences of int, default ((), (64,), (64, 64))
        Candidates for the widths of the hidden layers.
    dropout : sequence, default (0.0, 0.1, 0.2, 0.5)
        Candidates for the dropout rate.
    weight_decay : sequence, default ten values from 1e-5 to 0.3
        Candidates for the decay γ. A sensible range depends on the units of x and y.
    cv : int, splitter or iterable of (train, test), default 5
        The folds, as scikit-learn takes them. Where they are a partition of the rows, as KFold's,
        the data are read once; otherwise every training set is read.
    fit_intercept : bool, default True
        Whether there are biases.

    Attributes
    ----------
    best_params_ : dict
        The chosen `hidden`, `dropout` and `weight_decay`.
    best_score_ : float
        Their mean score: minus the mean squared error.
    best_index_ : int
        Their place in `cv_results_`.
    cv_results_ : dict of sequences
        As GridSearchCV's, without times: "params", "param_hidden", "param_dropout",
        "param_weight_decay", "split0_test_score", …, "mean_test_score", "std_test_score",
        "rank_test_score".
    n_splits_ : int
        Number of folds.
    coef_, intercept_, minimum_, moments_, n_features_in_, feature_names_in_
        Of the chosen network, fitted to all rows: as DeepLinearRegressor's.

    Notes
    -----
    An error is a difference of second moments, so it carries their rounding: 1e-16 of the variance
    of y in the fold, not 1e-16 of itself.

    References
    ----------
    Ziyin, Li & Meng (2022), *Exact solutions of a deep linear network*, Theorems 1 and 2.

    Examples
    --------
    y = 2x with E[x²] = 1, and ridge regression: p = 2/(1 + γ), and the error is (2 − p)².

    >>> model = DeepLinearRegressorCV([()], dropout=[0.0], weight_decay=[3.0, 1.0], cv=2)
    >>> _ = model.fit([[-1.0], [1.0], [-1.0], [1.0]], [-2.0, 2.0, -2.0, 2.0])
    >>> model.cv_results_["mean_test_score"]
    array([-2.25, -1.  ])
    >>> model.best_params_, model.coef_
    ({'dropout': 0.0, 'hidden': (), 'weight_decay': 1.0}, array([1.]))
    """

    def __init__(
        self,
        hidden: Sequence[Iterable[int]] = ((), (64,), (64, 64)),
        *,
        dropout: Sequence[float | Iterable[float]] = (0.0, 0.1, 0.2, 0.5),
        weight_decay: Sequence[float | Iterable[float]] = _DECAYS,
        cv: Any = 5,
        fit_intercept: bool = True,
    ) -> None:
        self.hidden = hidden
        self.dropout = dropout
        self.weight_decay = weight_decay
        self.cv = cv
        self.fit_intercept = fit_intercept

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Choose by cross-validation, then fit the choice to all rows.

        Parameters
        ----------
        X : (n, d) array, sparse matrix or frame
            Inputs; a sparse matrix is never made dense.
        y : (n,) array
            Targets.
        sample_weight : (n,) array, optional
            w_i ≥ 0, in fitting and in judging; each fold needs rows of positive weight.

        Returns
        -------
        DeepLinearRegressorCV
            Itself.

        Raises
        ------
        ValueError
            If a parameter or the data are invalid (InvalidNetwork, InvalidData).
        NoExactSolution
            If no theorem covers one of the candidates.
        """
        candidates = self._candidates()
        networks = [network_of(**each, fit_intercept=self.fit_intercept) for each in candidates]
        rows, targets = validate_data(self, X, y, accept_sparse="csr", y_numeric=True)
        splits = list(check_cv(self.cv).split(rows, targets))
        total, folds = read(rows, targets, sample_weight, splits)
        scores = np.array([_scores(fold, networks) for fold in folds])
        self.n_splits_ = len(folds)
        self.cv_results_ = _table(candidates, scores)
        self.best_index_ = int(np.argmin(self.cv_results_["rank_test_score"]))
        self.best_params_ = candidates[self.best_index_]
        self.best_score_ = float(self.cv_results_["mean_test_score"][self.best_index_])
        return self._minimise(total, networks[self.best_index_])

    def _candidates(self) -> list[dict[str, Any]]:
        """Return all combinations, in the order of GridSearchCV."""
        names = ("hidden", "dropout", "weight_decay")
        return list(ParameterGrid({name: getattr(self, name) for name in names}))


def _scores(fold: Fold, networks: Sequence[Network]) -> Array:
    """Return minus the mean squared error of each network."""
    minima = global_minima(fold.train, networks)
    predictors = np.array([minimum.predictor for minimum in minima])
    intercepts = np.array([minimum.intercept for minimum in minima])
    return -fold.squared_errors(predictors, intercepts)


def _table(candidates: Sequence[dict[str, Any]], scores: Array) -> dict[str, Any]:
    """Return the scores (folds, candidates) as GridSearchCV tabulates them."""
    table: dict[str, Any] = {"params": list(candidates)}
    for name in candidates[0]:
        table[f"param_{name}"] = np.empty(len(candidates), dtype=object)
        table[f"param_{name}"][:] = [candidate[name] for candidate in candidates]
    for split, row in enumerate(scores):
        table[f"split{split}_test_score"] = row
    mean = scores.mean(axis=0)
    table["mean_test_score"], table["std_test_score"] = mean, scores.std(axis=0)
    table["rank_test_score"] = rankdata(-mean, method="min").astype(np.int32)
    return table
