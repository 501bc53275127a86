"""The folds of cross-validation as moments: each row is read once, training sets are sums."""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.moments import Moments
from linscape.moments.accumulation import check_weights

Array = NDArray[np.float64]
Split = tuple[NDArray[np.intp], NDArray[np.intp]]


class Fold(NamedTuple):
    """The moments of the rows to train on, and of those to test on."""

    train: Moments
    test: Moments

    def squared_errors(self, predictors: Array, intercepts: Array) -> Array:
        """Return E(y − p·x − b)² over the rows to test on, for each row p of `predictors`.

        The variance of the error and the square of its mean are taken apart, so that a large mean
        of x or y costs no digits.
        """
        test = self.test
        explained = np.einsum("ki,ki->k", predictors, predictors @ test.covariance_x)
        variance = test.covariance_y - 2 * predictors @ test.covariance_xy + explained
        bias = np.asarray(test.mean_y) - predictors @ np.asarray(test.mean_x) - intercepts
        errors: Array = np.maximum(variance, 0.0) + bias**2
        return errors


def read(
    X: Any, y: Array, sample_weight: ArrayLike | None, splits: Sequence[Split]
) -> tuple[Moments, list[Fold]]:
    """Return the moments of all rows, and of both sides of each split.

    Parameters
    ----------
    X : (n, d) array or CSR matrix
        Inputs.
    y : (n,) array
        Targets.
    sample_weight : (n,) array or None
        Weights.
    splits : sequence of (train, test)
        Row numbers. If the test sets are a partition of the rows and each training set is all the
        rest, each row is read once; otherwise every set is read, and then all rows.
    """
    weight = sample_weight
    if weight is not None:
        weight = check_weights(np.asarray(weight), len(y), "sample_weight")

    def moments(rows: Any) -> Moments:
        part = None if weight is None else weight[rows]
        return Moments.from_arrays(X[rows], y[rows], sample_weight=part)

    tests = [moments(test) for _, test in splits]
    if _is_partition(splits, len(y)):
        total, trains = sum(tests[1:], start=tests[0]), _others(tests)
    else:
        total = Moments.from_arrays(X, y, sample_weight=weight)
        trains = [moments(train) for train, _ in splits]
    return total, [Fold(*pair) for pair in zip(trains, tests, strict=True)]


def _is_partition(splits: Sequence[Split], rows: int) -> bool:
    """Whether the test sets part the rows and each training set is the complement of its own."""
    everything = np.arange(rows)
    sets = [np.concatenate([test for _, test in splits])]
    sets += [np.concatenate(split) for split in splits]
    return len(splits) > 1 and all(np.array_equal(np.sort(each), everything) for each in sets)


def _others(parts: Sequence[Moments]) -> list[Moments]:
    """Return for each part the sum of all others: sums cancel nothing, as total − part might."""
    before = list(itertools.accumulate(parts[:-1]))
    after = list(itertools.accumulate(parts[:0:-1]))[::-1]
    middle = [left + right for left, right in zip(before, after[1:], strict=False)]
    return [after[0], *middle, before[-1]]
