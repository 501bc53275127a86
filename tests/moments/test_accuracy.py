"""Moments of arrays against exact rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from linscape.errors import OutOfRange
from linscape.moments import Moments
from linscape.moments.accumulation import Accumulation


def exact(X, Y, weight=None):
    """Raw moments, mean and covariance of the rows (X, Y), rounded once."""
    rows = [[Fraction(float(v)) for v in (*x, *y)] for x, y in zip(X, Y, strict=True)]
    w = [Fraction(1)] * len(rows) if weight is None else [Fraction(float(v)) for v in weight]
    total, columns = sum(w), range(len(rows[0]))
    mean = [sum(a * r[i] for a, r in zip(w, rows, strict=True)) / total for i in columns]

    def second(centre):
        return np.array(
            [
                [
                    float(
                        sum(
                            a * (r[i] - centre[i]) * (r[j] - centre[j])
                            for a, r in zip(w, rows, strict=True)
                        )
                        / total
                    )
                    for j in columns
                ]
                for i in columns
            ]
        )

    return second([0] * len(mean)), np.array([float(m) for m in mean]), second(mean)


def joint(m, kind):
    """Joint matrix of one kind of second moments."""
    x, xy, y = {
        "raw": (m.A, m.C, m.yy),
        "centred": (m.covariance_x, m.covariance_xy, m.covariance_y),
    }[kind]
    xy = np.asarray(xy).reshape(m.inputs, m.outputs)
    return np.block([[x, xy], [xy.T, np.asarray(y).reshape(m.outputs, m.outputs)]])


def assert_matches(m, X, Y, weight=None, tolerance=1e-12):
    """Compare entry by entry, relative to the geometric mean of the diagonal entries."""
    raw, mean, centred = exact(X, Y, weight)
    for kind, expected in (("raw", raw), ("centred", centred)):
        scale = np.sqrt(np.diag(expected))
        error = np.abs(joint(m, kind) - expected) / scale[:, None] / scale
        assert error.max() <= tolerance, kind
    got = np.append(m.mean_x, m.mean_y)
    np.testing.assert_allclose(got, mean, rtol=1e-13, atol=1e-15 * np.sqrt(np.diag(raw)).max())


def rows(n, d, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), rng.standard_normal(n)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["C", "F", "sparse", "strided"])
def test_exact_on_small_data(kind, weighted):
    X, y = rows(40, 3)
    X[:, 1] += 1e6
    X[::3, 2] = 0.0
    weight = np.random.default_rng(1).random(40) if weighted else None
    given = {
        "C": np.ascontiguousarray,
        "F": np.asfortranarray,
        "sparse": scipy.sparse.csr_array,
        "strided": lambda Z: np.repeat(Z, 2, axis=1)[:, ::2],
    }[kind](X)
    m = Moments.from_arrays(given, y, sample_weight=weight)
    assert_matches(m, X, y[:, None], weight, tolerance=2e-14)
    assert m.n == 40
    assert m.weight == pytest.approx(40 if weight is None else weight.sum(), rel=1e-15)


@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.csc_matrix])
@pytest.mark.parametrize("weighted", [False, True])
def test_large_mean_keeps_fourteen_digits(make, weighted):
    X, y = rows(300, 2)
    X, y = X + 1e6, y - 1e6
    weight = np.random.default_rng(2).random(300) if weighted else None
    m = Moments.from_arrays(make(X), y, sample_weight=weight)
    assert_matches(m, X, y[:, None], weight, tolerance=1e-14)


@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.csr_matrix])
@pytest.mark.parametrize("value", [0.1, 1e6 / 3, -7.7e80, 0.0])
def test_constant_column_has_covariance_zero(make, value):
    X, y = rows(50, 2)
    X[:, 1] = value
    m = Moments.from_arrays(make(X), y, sample_weight=np.linspace(0.1, 1, 50))
    assert np.array_equal(m.covariance_x[1], [0, 0])
    assert m.covariance_xy[1] == 0
    assert m.mean_x[1] == value


def test_constant_column_stays_constant_over_many_blocks(monkeypatch):
    monkeypatch.setattr("linscape.moments.accumulation.BUFFER", 40)
    X, y = rows(1000, 2)
    X[:, 0] = 1 / 3
    m = Moments.from_arrays(X, y)
    assert m.covariance_x[0, 0] == 0
    assert m.mean_x[0] == 1 / 3
    assert_matches(Moments.from_arrays(X[:, 1:], y), X[:, 1:], y[:, None])


@pytest.mark.parametrize("kind", ["dense", "sparse"])
@pytest.mark.parametrize(("big", "small"), [(1e150, 1e-150), (1e-150, 1e150), (1e150, 1e150)])
def test_extreme_scales(kind, big, small):
    X, y = rows(60, 3)
    X, y = X * [big, small, 1.0], y * small
    m = Moments.from_arrays(scipy.sparse.csr_array(X) if kind == "sparse" else X, y)
    assert_matches(m, X, y[:, None])


def test_scale_that_changes_between_blocks(monkeypatch):
    monkeypatch.setattr("linscape.moments.accumulation.BUFFER", 40)
    X, y = rows(200, 2)
    X[:50, 0], X[50:, 0] = 0.0, X[50:, 0] * 1e-150
    X[:100, 1] *= 1e-150
    X[100:, 1] *= 1e140
    m = Moments.from_arrays(X, y)
    assert_matches(m, X, y[:, None])


@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.csr_array])
@pytest.mark.parametrize("value", [1e200, 1e-200, 1e-160, 1.7e308])
def test_squares_beyond_a_float(make, value):
    X, y = rows(20, 2)
    X[:, 1] = np.clip(X[:, 1], -1, 1) * value
    with pytest.raises(OutOfRange, match="column 1 of X"):
        Moments.from_arrays(make(X), y)
    with pytest.raises(OutOfRange, match="second moments of y"):
        Moments.from_arrays(y[:, None], X[:, 1])


def test_large_value_in_a_late_block(monkeypatch):
    monkeypatch.setattr("linscape.moments.accumulation.BUFFER", 40)
    X, y = rows(100, 2)
    X[80, 1] = -1e300
    with pytest.raises(OutOfRange, match="column 1 of X"):
        Moments.from_arrays(X, y)


def test_drifting_column_keeps_its_digits(monkeypatch):
    monkeypatch.setattr("linscape.moments.accumulation.BUFFER", 60)
    X, y = rows(400, 1)
    X = X + np.arange(400.0)[:, None] * 10
    assert_matches(Moments.from_arrays(X, y), X, y[:, None], tolerance=1e-13)


@pytest.mark.parametrize("dtype", ["f2", "f4", "i1", "u8", "i4", "?", "f8", ">f8", "g"])
def test_dtypes(dtype):
    X = (np.arange(24).reshape(8, 3) // 2 % 9 // 2).astype(dtype)
    y = np.arange(8).astype(dtype)
    m = Moments.from_arrays(X, y)
    assert_matches(m, X, y[:, None])
    assert m.A.dtype == np.float64


@pytest.mark.parametrize("dtype", ["f4", "i4", "?"])
@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil"])
def test_sparse_forms(form, dtype):
    dense = (np.arange(24).reshape(8, 3) % 5).astype(dtype)
    y = np.arange(16.0).reshape(8, 2)
    X = scipy.sparse.coo_array(dense).asformat(form)
    before = X.toarray()
    assert_matches(Moments.from_arrays(X, y), dense, y)
    assert np.array_equal(X.toarray(), before)


def test_sparse_duplicates_and_empty_columns():
    X = scipy.sparse.coo_array(([1.0, 2.0, 3.0], ([0, 0, 1], [0, 0, 2])), shape=(3, 4))
    y = np.array([1.0, 2.0, 4.0])
    m = Moments.from_arrays(X, y)
    assert np.array_equal(m.A * 3, np.diag([9.0, 0, 9, 0]))
    assert np.array_equal(m.covariance_x[1], np.zeros(4))


def test_sparse_is_never_dense(monkeypatch):
    X = scipy.sparse.random_array((10**6, 5), density=1e-5, random_state=0, format="csr")
    sizes = []
    toarray = scipy.sparse.csr_array.toarray
    monkeypatch.setattr(
        scipy.sparse.csr_array, "toarray", lambda self: sizes.append(self.shape) or toarray(self)
    )
    monkeypatch.setattr(scipy.sparse.csc_array, "toarray", lambda _: pytest.fail("dense"))
    assert Moments.from_arrays(X, np.ones(10**6)).n == 10**6
    assert sizes == [(5, 5)]


numbers = st.floats(-1e3, 1e3).map(lambda v: round(v, 3))
matrices = arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(1, 4)), elements=numbers)


def close(one, two, tolerance=1e-10):
    for kind in ("raw", "centred"):
        left, right = joint(one, kind), joint(two, kind)
        # relative to the entries that are summed: a small result of cancelling rows has no more
        scale = max(np.abs(joint(one, "raw")).max(), 1e-3)
        np.testing.assert_allclose(left, right, rtol=0, atol=tolerance * scale)
    assert one.n == two.n
    assert one.weight == pytest.approx(two.weight, rel=1e-13)


@settings(max_examples=60, deadline=None)
@given(matrices, st.integers(0, 2**31), st.data())
def test_splitting_permuting_and_grouping(Z, seed, data):
    y = Z.sum(axis=1)
    whole = Moments.from_arrays(Z, y)
    order = np.random.default_rng(seed).permutation(len(Z))
    close(whole, Moments.from_arrays(Z[order], y[order]))
    cuts = sorted(data.draw(st.lists(st.integers(1, max(len(Z) - 1, 1)), max_size=3)))
    parts = [p for p in np.split(np.arange(len(Z)), cuts) if len(p)]
    pieces = [Moments.from_arrays(Z[p], y[p]) for p in parts]
    close(whole, sum(pieces))
    right = pieces[-1]
    for piece in reversed(pieces[:-1]):
        right = piece + right
    close(whole, right)
    if len(pieces) > 1:
        close(sum(pieces[1:]), whole - pieces[0])


@settings(max_examples=40, deadline=None)
@given(matrices, st.data())
def test_weights_are_repetitions(Z, data):
    counts = np.array(data.draw(st.lists(st.integers(0, 4), min_size=len(Z), max_size=len(Z))))
    counts[-1] += 1
    y = Z[:, 0] - 1
    weighted = Moments.from_arrays(Z, y, sample_weight=counts)
    repeated = Moments.from_arrays(np.repeat(Z, counts, axis=0), np.repeat(y, counts))
    sparse = Moments.from_arrays(scipy.sparse.csr_array(Z), y, sample_weight=counts)
    assert weighted.n == len(Z)
    assert weighted.weight == repeated.n
    for m in (weighted, sparse):
        scale = max(np.abs(joint(m, "raw")).max(), 1e-3)
        for kind in ("raw", "centred"):
            np.testing.assert_allclose(
                joint(m, kind), joint(repeated, kind), rtol=0, atol=1e-12 * scale
            )


@settings(max_examples=40, deadline=None)
@given(matrices, st.integers(-40, 40), numbers)
def test_scale_and_shift(Z, exponent, shift):
    y = Z[:, -1] * 2 + 1
    m = Moments.from_arrays(Z, y)
    scaled = Moments.from_arrays(np.ldexp(Z, exponent), y)
    np.testing.assert_array_equal(scaled.covariance_x, np.ldexp(m.covariance_x, 2 * exponent))
    np.testing.assert_array_equal(scaled.C, np.ldexp(m.C, exponent))
    shifted = Moments.from_arrays(Z + shift, y)
    atol = 1e-12 * max(np.abs(Z).max(), abs(shift), 1) ** 2
    np.testing.assert_allclose(shifted.covariance_x, m.covariance_x, rtol=0, atol=atol)


def test_zero_weight_rows_count_for_nothing(monkeypatch):
    monkeypatch.setattr("linscape.moments.accumulation.BUFFER", 40)
    X, y = rows(100, 2)
    weight = np.r_[np.zeros(60), np.ones(40)]
    X[:60] += 1e9
    close_to = Moments.from_arrays(X[60:], y[60:])
    m = Moments.from_arrays(X, y, sample_weight=weight)
    np.testing.assert_allclose(m.covariance_x, close_to.covariance_x, rtol=1e-13, atol=1e-14)


def test_more_columns_than_rows():
    X, y = rows(5, 9)
    m = Moments.from_arrays(X, y)
    assert_matches(m, X, y[:, None])
    assert np.linalg.matrix_rank(m.A) == 5


@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.csr_array])
def test_one_row(make):
    m = Moments.from_arrays(make(np.array([[3.0, 4.0]])), [2.0])
    assert np.array_equal(m.A, [[9, 12], [12, 16]])
    assert np.array_equal(m.covariance_x, np.zeros((2, 2)))


def test_blocks_of_any_size_give_the_same(monkeypatch):
    X, y = rows(101, 3)
    whole = Moments.from_arrays(X, y)
    sums = Accumulation(3, 1, str)
    for start in range(0, 101, 7):
        sums.add(X[start : start + 7], y[start : start + 7, None], None)
    np.testing.assert_allclose(
        sums.result().covariance[:3, :3], whole.covariance_x, rtol=1e-13, atol=1e-15
    )
