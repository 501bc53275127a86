"""Buffers multiplied in a thread while the next is filled: same sums, and its errors arrive."""

import numpy as np
import pytest

from linscape.errors import InvalidData
from linscape.moments import Moments, accumulation

ROWS, COLUMNS = 1000, 3


@pytest.fixture(autouse=True)
def small_buffers(monkeypatch):
    monkeypatch.setattr(accumulation, "BUFFER", 20 * (COLUMNS + 1))


def data(seed=0):
    generator = np.random.default_rng(seed)
    return generator.normal(3.0, 1.0, (ROWS, COLUMNS)), generator.normal(size=ROWS)


def test_sums_are_those_of_all_rows_at_once():
    X, y = data()
    found = Moments.from_arrays(X, y)
    np.testing.assert_allclose(found.A, X.T @ X / ROWS, rtol=1e-12)
    np.testing.assert_allclose(found.C.ravel(), X.T @ y / ROWS, rtol=1e-12)


def test_two_runs_give_the_same_bits():
    X, y = data()
    first, again = Moments.from_arrays(X, y), Moments.from_arrays(X, y)
    assert np.array_equal(first.A, again.A)


@pytest.mark.parametrize("row", [0, 25, 500, ROWS - 1])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_bad_entry_anywhere_is_told(row, value):
    X, y = data()
    X[row, 1] = value
    with pytest.raises(InvalidData, match=r"column 1|x1|\[:, 1\]"):
        Moments.from_arrays(X, y)


def test_a_column_that_grows_is_rescaled_in_the_thread():
    X, y = data()
    X[500:, 2] *= 1e150
    found = Moments.from_arrays(X, y)
    expected = np.sum((X[:, 2] / 1e150) ** 2) / ROWS
    assert found.A[2, 2] / 1e150 / 1e150 == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("nothing", [3, 5, 12, 20, 21, 400])
def test_first_rows_without_weight_have_no_part_in_the_centre(nothing, monkeypatch):
    monkeypatch.setattr(accumulation, "OPENING", 5)
    X, y = data()
    X += 1e6
    weight = np.ones(ROWS)
    weight[:nothing] = 0.0
    X[:nothing] = -1e9
    found = Moments.from_arrays(X, y, sample_weight=weight)
    rest = X[nothing:] - X[nothing:].mean(axis=0)
    # a centre at -1e9 would leave six digits
    np.testing.assert_allclose(found.covariance_x, rest.T @ rest / len(rest), rtol=0, atol=1e-13)
    assert found.weight == ROWS - nothing


def test_a_drift_from_the_first_rows_loses_no_more_digits_than_stated(monkeypatch):
    monkeypatch.setattr(accumulation, "OPENING", 5)
    X, y = data()
    X += np.arange(ROWS)[:, None]
    found = Moments.from_arrays(X, y)
    rest = X - X.mean(axis=0)
    # the ratio of weights, 1000 / 5, of roundings
    allowed = ROWS / 5 * np.finfo(float).eps * found.covariance_x.max()
    np.testing.assert_allclose(found.covariance_x, rest.T @ rest / ROWS, rtol=0, atol=allowed)
