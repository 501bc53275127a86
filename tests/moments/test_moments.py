"""The value `Moments`: construction from matrices, units, combination, files, repr."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linscape.errors import InvalidMoments, OutOfRange, UnreadableFile
from linscape.moments import Affine, Moments
from linscape.moments.storage import SCHEMA


def data(n=30, d=3, m=None, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) + 5
    return X, rng.standard_normal(n if m is None else (n, m)) + X[:, :1].reshape(
        (n,) if m is None else (n, 1)
    )


def raw_of(X, y):
    n = len(X)
    return X.T @ X / n, X.T @ y / n, y.T @ y / n, X.mean(0), y.mean(0), n


def test_given_matrices_come_back_exactly():
    X, y = data()
    A, C, yy, mean_x, mean_y, n = raw_of(X, y)
    m = Moments(A, C, yy, mean_x, mean_y, n, names=["a", "b", "c"], targets=["t"])
    assert np.array_equal(m.A, A)
    assert np.array_equal(m.C, C)
    assert m.yy == yy
    assert (m.n, m.weight, m.inputs, m.outputs) == (30, 30.0, 3, 1)
    assert (m.names, m.targets) == (("a", "b", "c"), ("t",))
    np.testing.assert_allclose(m.covariance_x, np.cov(X.T, bias=True), rtol=1e-12)


@pytest.mark.parametrize("m", [None, 1, 2])
def test_shapes_follow_y(m):
    X, y = data(m=m)
    for moments in (Moments.from_arrays(X, y), Moments(*raw_of(X, y))):
        assert moments.C.shape == moments.covariance_xy.shape == (3, *y.shape[1:])
        assert np.shape(moments.yy) == np.shape(moments.covariance_y) == y.shape[1:] * 2
        assert np.shape(moments.mean_y) == y.shape[1:]
        assert isinstance(moments.yy, float) == (m is None)
        assert moments.outputs == (m or 1)


def test_immutable():
    X, y = data()
    m = Moments.from_arrays(X, y)
    for array in (m.A, m.C, m.mean_x, m.covariance_x, m.covariance_xy, m.transform.shift_x):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    with pytest.raises(AttributeError, match="immutable"):
        m.A = 3


def test_the_given_arrays_are_copied():
    A = np.eye(2)
    m = Moments(A, [0.0, 0.0], 1.0)
    A[0, 0] = 7
    assert m.A[0, 0] == 1


good = {"A": np.eye(2), "C": np.zeros(2), "yy": 1.0}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"A": np.ones((2, 3))}, r"A of shape \(d, d\)"),
        ({"A": np.ones(2)}, r"A of shape \(d, d\)"),
        ({"A": np.empty((0, 0))}, r"A of shape \(d, d\)"),
        ({"C": np.zeros(3)}, r"C of shape \(2,\)"),
        ({"C": np.zeros((2, 1, 1))}, r"C of shape \(2,\)"),
        ({"C": np.zeros((2, 0))}, r"C of shape \(2,\)"),
        ({"yy": np.ones((1, 1))}, r"yy of shape \(\)"),
        ({"C": np.zeros((2, 3)), "yy": np.eye(2)}, r"yy of shape \(3, 3\)"),
        ({"A": [[1, np.nan], [0, 1]]}, r"finite numbers in A, got nan at \[0, 1\]"),
        ({"C": [np.inf, 0]}, "finite numbers in C"),
        ({"yy": np.nan}, "finite numbers in yy"),
        ({"A": [[1j, 0], [0, 1]]}, "real numbers in A, got dtype complex"),
        ({"A": [[1, "a"], [0, 1]]}, "real numbers in A"),
        ({"A": [[1, 0.1], [0.2, 1]]}, r"symmetric, got A\[0, 1\] = 0.1"),
        ({"A": [[1, 1e-11], [0, 1]]}, "symmetric"),
        ({"A": [[-1, 0], [0, 1]]}, r"no negative diagonal entry, got -1.0 for x\[0\]"),
        ({"yy": -1.0}, r"negative diagonal entry, got -1.0 for y\[0\]"),
        ({"A": [[1, 1.1], [1.1, 1]]}, "smallest eigenvalue -0.1"),
        ({"A": [[0, 1e-9], [1e-9, 1]]}, r"entry for \(x\[0\], x\[1\]\)"),
        ({"A": [[1, 1e300], [1e300, 1]]}, r"\(x\[0\], x\[1\]\) that is larger"),
        ({"C": [2.0, 0]}, "smallest eigenvalue -1"),
        ({"C": [0.8, 0.8]}, "smallest eigenvalue -0.131"),
        ({"n": 0}, "n a positive integer, got 0"),
        ({"n": 2.5}, "n a positive integer"),
        ({"n": True}, "n a positive integer"),
        ({"mean_x": [0, 0]}, "both means or none, got no mean_y"),
        ({"mean_y": 0.0}, "both means or none, got no mean_x"),
        ({"mean_x": [0.0], "mean_y": 0.0}, r"mean_x of shape \(2,\)"),
        ({"mean_x": [0, 0], "mean_y": [0]}, r"mean_y of shape \(\)"),
        ({"mean_x": [0, np.nan], "mean_y": 0}, "finite numbers in mean_x"),
        ({"mean_x": [0, 1.1], "mean_y": 0}, "A - mean meanᵀ positive semidefinite"),
        ({"mean_x": [0.8, 0.8], "mean_y": 0}, "A - mean meanᵀ positive semidefinite"),
        ({"mean_x": [0, 1e300], "mean_y": 0}, "A - mean meanᵀ"),
        ({"names": ["a"]}, "names to be 2 different strings"),
        ({"names": ["a", "a"]}, "names to be 2 different strings"),
        ({"names": "ab"}, "names to be 2 different strings"),
        ({"names": [1, 2]}, "names to be 2 different strings"),
        ({"targets": ["a", "b"]}, "targets to be 1 different strings"),
    ],
)
def test_impossible_matrices(change, message):
    with pytest.raises(InvalidMoments, match=message) as caught:
        Moments(**(good | change))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("scale", [1e-150, 1e-75, 1.0, 1e75, 1e150])
def test_scale_of_matrices_does_not_matter(scale):
    scales = np.array([scale, 1.0])
    A = np.outer(scales, scales) * [[1, 1], [1, 1]]
    assert np.array_equal(Moments(A, scales, 1.0).A, A)
    with pytest.raises(InvalidMoments, match="smallest eigenvalue"):
        Moments(A, scales * [1, -1], 1.0)


@pytest.mark.parametrize("size", [1e-300, 1e300, 5e-324])
def test_entries_near_the_ends_of_the_range(size):
    m = Moments([[size]], [0.0], size)
    assert m.A[0, 0] == size
    with pytest.raises(InvalidMoments, match=r"smallest eigenvalue|larger than"):
        Moments([[size, -size, -size], [-size, size, -size], [-size, -size, size]], [0] * 3, 1.0)


def test_rounding_is_forgiven_and_symmetrised():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4, 30)) * np.logspace(-8, 8, 30)
    y = rng.standard_normal(4)
    A = (X.T[:, ::-1] @ X[::-1]) / 4
    A[3, 5] *= 1 + 1e-15
    m = Moments(A, X.T @ y / 4, y @ y / 4, X.mean(0), y.mean(), 4)
    assert np.array_equal(m.A, m.A.T)
    assert m.A[0, 0] == A[0, 0]


def test_constant_column_of_matrices_is_constant():
    X, y = data()
    X[:, 1] = 1 / 3
    m = Moments(*raw_of(X, y))
    assert np.array_equal(m.covariance_x[1], np.zeros(3))
    with pytest.raises(InvalidMoments, match="constant column 1 of X"):
        m.standardized()


def test_unknown_means():
    m, m2 = Moments(**good, n=3), Moments(**good, n=1)
    assert m.mean_x is None
    assert m.mean_y is None
    for use in (m.centered, m.standardized, lambda: m.covariance_x, lambda: m - m2):
        with pytest.raises(InvalidMoments, match="expected moments with means, got none"):
            use()
    both = m + Moments(3 * np.eye(2), [1.0, 1.0], 3.0, n=1)
    assert np.array_equal(both.A, 1.5 * np.eye(2))
    assert both.n == 4
    assert both.weight == 4
    with_means = Moments(**good, mean_x=[0, 0], mean_y=0, n=3)
    with pytest.raises(InvalidMoments, match="means known False and True"):
        m + with_means
    with pytest.raises(InvalidMoments, match="known number of rows, got n=None"):
        m + Moments(**good)


def test_merge_of_matrices_is_that_of_rows():
    X, y = data(40)
    parts = [Moments(*raw_of(X[p], y[p])) for p in (slice(0, 7), slice(7, 40))]
    both, whole = sum(parts), Moments.from_arrays(X, y)
    np.testing.assert_allclose(both.A, whole.A, rtol=1e-13)
    np.testing.assert_allclose(both.covariance_x, whole.covariance_x, rtol=1e-11, atol=1e-13)
    mixed = parts[0] + Moments.from_arrays(X[7:], y[7:])
    np.testing.assert_allclose(mixed.A, whole.A, rtol=1e-13)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (Moments.from_arrays(data(d=2)[0], data()[1]), "inputs 3 and 2"),
        (Moments.from_arrays(*data(m=2)), "outputs 1 and 2"),
        (Moments.from_arrays(*data(m=1)), r"C with shape \(3,\) and \(3, 1\)"),
        (Moments(*raw_of(*data()), names=["a", "b", "c"]), "names None and"),
        (Moments(*raw_of(*data()), targets=["a"]), "targets None and"),
        (Moments.from_arrays(*data()).centered(), "same units"),
        (Moments(*raw_of(*data())[:5]), "n=None"),
    ],
)
def test_incompatible(other, message):
    m = Moments.from_arrays(*data())
    for combine in (lambda: m + other, lambda: m - other):
        with pytest.raises(InvalidMoments, match=message):
            combine()


def test_other_operands():
    m = Moments.from_arrays(*data())
    for combine in (lambda: m + 1, lambda: 1 + m, lambda: m - 0):
        with pytest.raises(TypeError):
            combine()


def test_subtracting_too_much():
    X, y = data()
    m, part = Moments.from_arrays(X, y), Moments.from_arrays(X[:5], y[:5])
    for whole, less in ((m, m), (part, m)):
        with pytest.raises(InvalidMoments, match="expected to subtract fewer rows"):
            whole - less
    heavy = Moments.from_arrays(X[:5], y[:5], sample_weight=np.full(5, 100.0))
    with pytest.raises(InvalidMoments, match="weight 500 was to be taken from 30"):
        m - heavy
    with pytest.raises(InvalidMoments, match="negative variance"):
        m - Moments.from_arrays(100 * X[:5], y[:5])
    with pytest.raises(InvalidMoments, match="negative variance"):
        m - Moments.from_arrays(X[:5] + 1000, y[:5])


def test_subtracting_down_to_one_row():
    X, y = data()
    last = Moments.from_arrays(X, y) - Moments.from_arrays(X[:-1], y[:-1])
    assert last.n == 1
    # one row is what 30 leave when 29 go: their rounding is 30 times as large in it
    np.testing.assert_allclose(last.mean_x, X[-1], rtol=1e-13)
    np.testing.assert_allclose(last.covariance_x, 0, atol=1e-11)


def test_constants_survive_subtraction():
    X, y = data()
    X[:, 1] = 1 / 3
    rest = Moments.from_arrays(X, y) - Moments.from_arrays(X[:9], y[:9])
    assert np.array_equal(rest.covariance_x[1], np.zeros(3))
    assert rest.mean_x[1] == 1 / 3


@pytest.mark.parametrize("m", [None, 2])
def test_centering(m):
    X, y = data(m=m)
    moments = Moments.from_arrays(X, y, sample_weight=np.arange(1, 31))
    centred = moments.centered()
    assert np.array_equal(centred.A, moments.covariance_x)
    assert np.array_equal(centred.C, moments.covariance_xy)
    assert not np.any(centred.mean_x)
    assert not np.any(centred.mean_y)
    assert (centred.n, centred.weight) == (30, moments.weight)
    assert np.array_equal(centred.transform.shift_x, moments.mean_x)
    assert np.array_equal(centred.transform.shift_y, moments.mean_y)
    assert centred.centered().transform.equals(centred.transform)


@pytest.mark.parametrize("m", [None, 2])
def test_standardizing(m):
    X, y = data(m=m)
    moments = Moments.from_arrays(X * [1e100, 1, 1e-100], y)
    standard = moments.standardized()
    assert np.array_equal(np.diag(standard.A), np.ones(3))
    assert np.array_equal(np.diag(np.atleast_2d(standard.yy)), np.ones(m or 1))
    assert np.array_equal(standard.A, standard.A.T)
    np.testing.assert_allclose(standard.A, np.corrcoef(X.T), rtol=1e-13)
    change = standard.transform
    again = Moments.from_arrays(
        change.transformed_x(X * [1e100, 1, 1e-100]), (y - change.shift_y) / change.scale_y
    )
    np.testing.assert_allclose(again.C, standard.C, rtol=1e-12)
    np.testing.assert_allclose(change.original_y((y - change.shift_y) / change.scale_y), y)
    twice = moments.centered().standardized()
    assert twice.transform.equals(change)
    assert np.array_equal(twice.A, standard.A)


def test_constant_columns_are_all_named():
    X, _ = data()
    X[:, 1] = 0.1
    X[:, 2] = 1e6 * (1 + np.finfo(float).eps * (np.arange(30) % 2))
    m = Moments.from_arrays(X, np.full(30, 2.0))
    for moments in (m, m.centered()):
        with pytest.raises(InvalidMoments, match="constant column 1 of X, column 2 of X, y;"):
            moments.standardized()


def test_means_of_raw_moments_out_of_range():
    with pytest.raises(OutOfRange, match="column 0 of X"):
        Moments.from_arrays([[1e154], [1e154]], [1.0, 2.0])


@pytest.mark.parametrize(
    "moments",
    [
        Moments.from_arrays(*data()),
        Moments.from_arrays(*data(m=2), sample_weight=np.linspace(0, 1, 30)).standardized(),
        Moments(*raw_of(*data()), names=["é,\0", "\ud800", "c"], targets=["y y"]),
        Moments(**good),
        Moments.from_arrays(*data()).centered(),
    ],
)
def test_saving_keeps_every_bit(moments, tmp_path):
    path = tmp_path / "moments.file"
    moments.save(path)
    back = Moments.load(path)
    for name in ("A", "C", "yy", "mean_x", "mean_y"):
        one, two = getattr(moments, name), getattr(back, name)
        assert type(one) is type(two)
        assert one is None or np.asarray(one).tobytes() == np.asarray(two).tobytes()
    if moments.mean_x is not None:
        assert moments.covariance_x.tobytes() == back.covariance_x.tobytes()
    for name in ("n", "weight", "names", "targets", "inputs", "outputs"):
        assert getattr(moments, name) == getattr(back, name)
    assert back.transform.equals(moments.transform)
    assert repr(back) == repr(moments)
    with pytest.raises(ValueError, match="read-only"):
        back.A[...] = 0


def test_unreadable_moments(tmp_path):
    path = tmp_path / "m.npz"
    with pytest.raises(UnreadableFile, match="No such file"):
        Moments.load(path)
    with pytest.raises(UnreadableFile, match="Is a directory"):
        Moments.load(tmp_path)
    for content in (b"", b"PK\x03\x04nonsense", b"text", b"\x80\x04pickle."):
        path.write_bytes(content)
        with pytest.raises(UnreadableFile) as caught:
            Moments.load(path)
        assert "\n" not in str(caught.value)
    np.savez(path, X=np.eye(2))
    with pytest.raises(UnreadableFile, match="damaged or foreign"):
        Moments.load(path)
    np.savez(path, header=np.array([{}], dtype=object))
    with pytest.raises(UnreadableFile, match="damaged or foreign"):
        Moments.load(path)
    with path.open("wb") as file:
        np.save(file, np.eye(2))
    with pytest.raises(UnreadableFile, match="damaged or foreign"):
        Moments.load(path)
    with pytest.raises(UnreadableFile, match="cannot write"):
        Moments(**good).save(tmp_path / "no" / "m.npz")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 255), st.booleans())
def test_damage_is_noticed_or_harmless(tmp_path_factory, where, value, cut):
    path = tmp_path_factory.mktemp("damage") / "m.npz"
    moments = Moments.from_arrays(*data())
    moments.save(path)
    content = bytearray(path.read_bytes())
    where %= len(content)
    content[where] = value
    path.write_bytes(content[:where] if cut else content)
    try:
        back = Moments.load(path)
    except UnreadableFile:
        return
    assert back.A.tobytes() == moments.A.tobytes()


def rewritten(path, **changes):
    import json

    with np.load(path) as archive:
        arrays = dict(archive)
    header = json.loads(arrays["header"].tobytes())
    for name, value in changes.items():
        (header if name in header else arrays)[name] = value
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": SCHEMA + 1}, "newer schema 2; install a newer linscape"),
        ({"format": "other"}, "format 'other'"),
        ({"inputs": 9}, "9 inputs of 4 columns"),
        ({"names": ["a"]}, "1 names for 3 columns"),
        ({"mean": np.full(4, np.nan)}, "array 'mean'"),
        ({"covariance": np.eye(3)}, "array 'covariance'"),
        ({"extra": np.eye(3)}, "extra"),
    ],
)
def test_foreign_contents(change, message, tmp_path):
    path = tmp_path / "m.npz"
    Moments.from_arrays(*data()).save(path)
    rewritten(path, **change)
    with pytest.raises(UnreadableFile, match=message):
        Moments.load(path)


def test_repr():
    m = Moments.from_arrays(*data(m=2))
    assert repr(m) == "Moments(30 rows, 3 inputs, 2 outputs)"
    assert repr(m.centered()) == "Moments(30 rows, 3 inputs, 2 outputs, centred)"
    assert repr(m.standardized()) == "Moments(30 rows, 3 inputs, 2 outputs, standardised)"
    one = Moments([[2.0]], [1.0], 1.0, [0.5], 0.5, 1)
    assert repr(one) == "Moments(1 row, 1 input, 1 output)"


def test_affine_of_itself():
    unit = Affine(np.zeros(2), np.ones(2), 0.0, 1.0)
    change = Affine(np.ones(2), np.full(2, 3.0), np.array([1.0]), np.array([2.0]))
    assert unit.is_identity
    assert not change.is_identity
    assert not unit.equals(change)
    assert change.then(change).scale_y == 4
