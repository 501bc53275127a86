"""Arrays, sparse matrices and frames that fit, and those that do not."""

import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse

from linscape.errors import InvalidData, OutOfRange
from linscape.moments import Moments

rng = np.random.default_rng(0)
X = rng.standard_normal((20, 3))
y = rng.standard_normal(20)
Y = rng.standard_normal((20, 2))
columns = {"a": X[:, 0], "b": X[:, 1], "c": X[:, 2]}
frames = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.table}


def same(one, two):
    np.testing.assert_allclose(one.A, two.A, rtol=1e-14)
    np.testing.assert_allclose(one.C, two.C, rtol=1e-14)
    np.testing.assert_allclose(one.covariance_x, two.covariance_x, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(one.yy, two.yy, rtol=1e-14)
    assert (one.n, one.weight) == (two.n, two.weight)


@pytest.mark.parametrize("frame", frames.values(), ids=frames)
@pytest.mark.parametrize("weight", [None, np.arange(20)])
def test_frames(frame, weight):
    m = Moments.from_arrays(frame(columns), y, sample_weight=weight)
    same(m, Moments.from_arrays(X, y, sample_weight=weight))
    assert m.names == ("a", "b", "c")
    assert m.targets is None


def test_frames_of_many_blocks(monkeypatch):
    monkeypatch.setattr("linscape.moments.tables.BLOCK", 25)
    halves = pa.concat_tables([pa.table(columns).slice(0, 11), pa.table(columns).slice(11)])
    same(Moments.from_arrays(halves, y), Moments.from_arrays(X, y))


@pytest.mark.parametrize("series", [pd.Series, pl.Series])
def test_series_as_output(series):
    given = series(y, name="price") if series is pd.Series else series("price", y)
    m = Moments.from_arrays(X, given, sample_weight=series(np.ones(20)))
    same(m, Moments.from_arrays(X, y))
    assert m.targets == ("price",)
    assert m.C.shape == (3,)
    assert Moments.from_arrays(X, series(y)).targets is None


@pytest.mark.parametrize("frame", frames.values(), ids=frames)
def test_frame_as_output(frame):
    m = Moments.from_arrays(X, frame({"u": Y[:, 0], "v": Y[:, 1]}))
    same(m, Moments.from_arrays(X, Y))
    assert m.targets == ("u", "v")
    assert Moments.from_arrays(X, frame({"u": y})).C.shape == (3, 1)


def test_pandas_index_is_no_column():
    table = pd.DataFrame(columns).sample(frac=1, random_state=0)
    assert Moments.from_arrays(table, y).names == ("a", "b", "c")
    assert Moments.from_arrays(table.rename(columns={"a": 7}), y).names == ("7", "b", "c")


def test_numbers_of_all_kinds_in_frames():
    table = pa.table(
        {
            "bool": pa.array([True, False, True]),
            "int": pa.array([1, 2, 2**60]),
            "uint8": pa.array([1, 2, 3], pa.uint8()),
            "half": pa.array(np.array([1, 2, 3], np.float16)),
            "decimal": pa.array([1, 2, 3]).cast(pa.decimal128(22, 3)),
            "nullable": pa.array([1, 2, 3]),
        }
    )
    expected = [[1, 1, 1, 1, 1, 1], [0, 2, 2, 2, 2, 2], [1, 2**60, 3, 3, 3, 3]]
    m = Moments.from_arrays(table, [1, 2, 4])
    same(m, Moments.from_arrays(expected, [1, 2, 4]))
    same(Moments.from_arrays(table.to_pandas().astype({"decimal": float}), [1, 2, 4]), m)
    same(Moments.from_arrays(pl.DataFrame(table), [1, 2, 4]), m)


def with_entry(value):
    changed = X.copy()
    changed[7, 1] = value
    return changed


bad = np.full(20, np.nan)
CASES = {
    "NaN": (with_entry(np.nan), y, "NaN in column 1 of X"),
    "infinite": (with_entry(np.inf), y, "infinite entries in column 1 of X"),
    "NaN y": (X, bad, "NaN in y"),
    "NaN Y": (X, Y * [1, np.nan], "NaN in column 1 of y"),
    "inf y": (X, y * np.r_[-np.inf, np.ones(19)], "infinite entries in y"),
    "sparse NaN": (scipy.sparse.csr_array(with_entry(np.nan)), y, "NaN in column 1 of X"),
    "sparse inf": (scipy.sparse.csc_array(with_entry(np.inf)), y, "infinite entries in column 1"),
    "sparse, y": (scipy.sparse.csc_array(X), bad, "NaN in y"),
    "frame NaN": (pl.DataFrame(with_entry(np.nan)), y, "NaN in column 'column_1'"),
    "pandas NaN": (pd.DataFrame(with_entry(np.nan)), y, "missing .* in '1' of X"),
    "null": (pl.DataFrame({"a": [1, None], "b": [None, 2.0]}), [1, 2], "in 'a', 'b' of X"),
    "inf frame": (pd.DataFrame(with_entry(np.inf)), y, "infinite entries in column '1'"),
    "text": (pd.DataFrame({"a": ["u"], "b": [1], "c": ["v"]}), [1], r"'a' \(text\), 'c' \(text\)"),
    "date": (pl.DataFrame({"a": [1]}).cast(pl.Date), [1], r"'a' \(date32\[day\]\)"),
    "categories": (pd.DataFrame({"a": pd.Categorical(["u"])}), [1], r"'a' \(text\)"),
    "mixed": (pd.DataFrame({"a": [1, "x"]}), [1, 2], "numeric columns with different names"),
    "same name": (pd.DataFrame(X, columns=["a", "a", "b"]), y, "different names"),
    "same name, arrow": (pa.table([[1.0]] * 2, ["a", "a"]), [1], "got 'a' more than once"),
    "no columns": (pd.DataFrame(index=range(20)), y, "at least one column"),
    "series": (pd.Series(y), y, "to_frame|one row per sample"),
    "1-D": (y, y, r"X of shape \(n, d\) with d >= 1, got shape \(20,\)"),
    "3-D": (X[None], y, r"got shape \(1, 20, 3\)"),
    "0-D": (3.0, 2.0, r"y of shape \(n,\) or \(n, m\), got shape \(\)"),
    "0 columns": (X[:, :0], y, r"got shape \(20, 0\)"),
    "0 columns of y": (X, Y[:, :0], r"y of shape"),
    "3-D y": (X, Y[None], r"y of shape"),
    "no rows": (X[:0], y[:0], r"at least one row, got X of shape \(0, 3\)"),
    "no rows, frame": (pl.DataFrame({"a": []}, schema={"a": pl.Float64}), [], "one row"),
    "lengths": (X, y[:-1], "got 20 in X and 19 in y"),
    "lengths, frame": (pd.DataFrame(X), y[:-1], "got 20 in X and 19 in y"),
    "complex": (X * 1j, y, "real numbers in X, got dtype complex"),
    "complex y": (X, y * 1j, "real numbers in y, got dtype complex"),
    "complex sparse": (scipy.sparse.csr_array(X * 1j), y, "in X, got dtype complex"),
    "object": (X.astype(object), y, "real numbers in X, got dtype object"),
    "strings": (X.astype(str), y, "real numbers in X, got dtype <U"),
    "dates": (X.astype("M8[D]"), y, "real numbers in X, got dtype datetime64"),
    "ragged": ([[1, 2], [3]], [1, 2], "rows of equal length in X"),
    "masked": (np.ma.masked_less(X, 0), y, "masked array for X"),
    "sparse y": (X, scipy.sparse.csr_array(Y), "dense y, got a sparse matrix"),
    "text y": (X, pd.Series(["u"] * 20, name="t"), r"numeric columns in y, got 't' \(text\)"),
    "null y": (X, pd.Series([None] + [1.0] * 19), "missing"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_data(case):
    inputs, outputs, message = CASES[case]
    with pytest.raises(InvalidData, match=message) as caught:
        Moments.from_arrays(inputs, outputs)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("inputs", [X, scipy.sparse.csr_array(X), pd.DataFrame(X)])
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (-np.ones(20), "got -1.0 in sample_weight, row 0"),
        (np.r_[np.ones(19), np.nan], "got nan in sample_weight, row 19"),
        (np.r_[np.ones(19), np.inf], "got inf"),
        (np.zeros(20), "only zero weights"),
        (np.ones(19), r"20 sample weights, one per row, got shape \(19,\)"),
        (np.ones((20, 1)), r"got shape \(20, 1\)"),
        (np.ones(20) * 1j, "real numbers in sample_weight"),
        (["a"] * 20, "real numbers in sample_weight"),
    ],
)
def test_bad_weights(inputs, weight, message):
    with pytest.raises(InvalidData, match=message):
        Moments.from_arrays(inputs, y, sample_weight=weight)


def test_weights_of_any_size():
    for factor in (1e-99, 1e99):
        m = Moments.from_arrays(X, y, sample_weight=np.full(20, factor))
        np.testing.assert_allclose(m.covariance_x, np.cov(X.T, bias=True), rtol=1e-12)
    with pytest.raises(OutOfRange, match="multiply all weights"):
        Moments.from_arrays(X, y, sample_weight=np.full(20, 1e-200))


def test_many_bad_columns_are_counted():
    with pytest.raises(InvalidData, match="column 19 of X and more; "):
        Moments.from_arrays(np.full((3, 50), np.nan), [1, 2, 3])


def test_data_are_not_changed():
    before = X.copy(), y.copy()
    Moments.from_arrays(X, y, sample_weight=np.arange(20.0))
    Moments.from_arrays(scipy.sparse.csc_array(X), y, sample_weight=np.arange(20.0))
    assert np.array_equal(X, before[0])
    assert np.array_equal(y, before[1])


def test_import_is_light():
    code = (
        "import sys, linscape.moments as m; m.Moments.from_arrays([[1.0]], [1.0]);"
        "heavy = {'pyarrow', 'pandas', 'polars', 'scipy'} & set(sys.modules); assert not heavy"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
