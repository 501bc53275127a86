"""Moments whose E[xxᵀ] is an operator: equal to the dense ones wherever both exist."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import linscape as ls
from linscape.errors import InvalidData, InvalidMoments, NeedsDenseMoments, OutOfRange
from linscape.moments import columns
from linscape.moments.rows import row_products, transformed_rows


def sparse_data(seed=0, rows=60, inputs=7, scale=1.0, mean=3.0):
    """Sparse columns, one of them without zeros and with a large mean."""
    rng = np.random.default_rng(seed)
    X = sp.random_array((rows, inputs), density=0.4, rng=rng).toarray()
    X[:, 2] = 1e4 + rng.standard_normal(rows)
    y = X @ rng.standard_normal(inputs) + rng.standard_normal(rows) + mean
    return scale * X, y, rng.uniform(0.1, 2, rows)


FORMS = {
    "csr": sp.csr_array,
    "csc": sp.csc_matrix,
    "coo": sp.coo_array,
    "array": np.asarray,
    "operator": aslinearoperator,
}


def products(moments):
    """E[xxᵀ] and the covariance, column by column."""
    unit = np.eye(moments.inputs)
    return (
        np.array([moments.apply(e) for e in unit]),
        np.array([moments.apply_covariance(e) for e in unit]),
    )


def assert_same(moments, dense, rtol=1e-10):
    raw, covariance = products(moments)
    size = np.sqrt(np.outer(dense.A.diagonal(), dense.A.diagonal()))
    spread = np.sqrt(np.outer(dense.covariance_x.diagonal(), dense.covariance_x.diagonal()))
    np.testing.assert_allclose(raw / size, dense.A / size, atol=rtol)
    np.testing.assert_allclose(covariance / spread, dense.covariance_x / spread, atol=rtol)
    for name in ("C", "yy", "mean_x", "mean_y", "covariance_xy", "covariance_y", "weight"):
        np.testing.assert_allclose(
            getattr(moments, name), getattr(dense, name), rtol=rtol, atol=rtol * size.max() ** 0.5
        )
    for name in ("n", "inputs", "outputs", "names", "targets"):
        assert getattr(moments, name) == getattr(dense, name)


@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_sparse_rows_give_the_dense_moments(form, weighted, scale):
    X, y, weight = sparse_data(scale=scale)
    weight = weight if weighted else None
    moments = ls.Moments.from_operator(FORMS[form](X), y, sample_weight=weight)
    dense = ls.Moments.from_arrays(X, y, sample_weight=weight)
    assert_same(moments, dense)
    assert_same(moments.centered(), dense.centered())
    assert_same(moments.standardized(), dense.standardized())
    assert_same(moments.standardized().centered(), dense.standardized())
    np.testing.assert_allclose(moments.second_moments_x, dense.A.diagonal(), rtol=1e-10)


@pytest.mark.parametrize("form", ["array", "operator"])
def test_arrays_and_operators_give_the_dense_moments(form):
    X, y, weight = sparse_data()
    X[:, 2] -= 1e4  # their products cancel where a mean is large: that is documented
    dense = ls.Moments.from_arrays(X, y, sample_weight=weight)
    moments = ls.Moments.from_operator(FORMS[form](X), y, sample_weight=weight)
    assert_same(moments, dense)
    assert_same(moments.centered(), dense.centered())


def test_the_units_travel_along():
    X, y, _ = sparse_data()
    moments = ls.Moments.from_operator(sp.csr_array(X), y)
    dense = ls.Moments.from_arrays(X, y)
    changed, expected = moments.standardized(), dense.standardized()
    for part in ("shift_x", "scale_x", "shift_y", "scale_y"):
        np.testing.assert_allclose(
            getattr(changed.transform, part), getattr(expected.transform, part), rtol=1e-10
        )
    p = np.linspace(-1, 1, 7)
    expected_rows = transformed_rows(expected, X[:5]) @ p
    np.testing.assert_allclose(
        row_products(changed, sp.csr_array(X[:5]), p), expected_rows, rtol=1e-10, atol=1e-10
    )
    np.testing.assert_allclose(row_products(changed, X[:5], p), expected_rows, rtol=1e-10)


def test_sparse_rows_to_predict_from_are_checked():
    X, y, _ = sparse_data()
    moments = ls.Moments.from_operator(sp.csr_array(X), y)
    with pytest.raises(InvalidData, match=r"shape \(n, 7\)"):
        row_products(moments, sp.csr_array(np.ones((2, 3))), np.ones(7))
    with pytest.raises(InvalidData, match="finite"):
        row_products(moments, sp.csr_array(np.full((1, 7), np.inf)), np.ones(7))


def test_zero_weights_leave_rows_out():
    X, y, weight = sparse_data()
    weight[10:] = 0
    moments = ls.Moments.from_operator(sp.csr_array(X), y, sample_weight=weight)
    short = ls.Moments.from_arrays(X[:10], y[:10], sample_weight=weight[:10])
    raw, covariance = products(moments)
    spread = np.sqrt(np.outer(short.covariance_x.diagonal(), short.covariance_x.diagonal()))
    np.testing.assert_allclose(covariance / spread, short.covariance_x / spread, atol=1e-10)
    np.testing.assert_allclose(raw.diagonal(), short.A.diagonal(), rtol=1e-10)
    assert moments.n == 60


def test_dense_moments_have_the_same_products():
    X, y, _ = sparse_data()
    dense = ls.Moments.from_arrays(X, y)
    v = np.arange(7.0)
    np.testing.assert_array_equal(dense.apply(v), dense.A @ v)
    np.testing.assert_array_equal(dense.apply_covariance(v), dense.covariance_x @ v)
    np.testing.assert_array_equal(dense.second_moments_x, np.diagonal(dense.A))
    assert not dense.is_operator


def test_wide_sparse_data_are_kept_as_an_operator(monkeypatch):
    X, y, _ = sparse_data()
    assert not ls.Moments.from_arrays(sp.csr_array(X), y).is_operator
    monkeypatch.setattr(columns, "DENSE_BYTES", 8 * 6**2)
    moments = ls.Moments.from_arrays(sp.csr_array(X), y)
    assert moments.is_operator
    assert "kept as an operator" in repr(moments)
    assert "centred" in repr(moments.centered())
    assert not ls.Moments.from_arrays(X, y).is_operator
    both = ls.Moments.from_arrays(sp.csr_array(X), np.column_stack([y, y]))
    assert not both.is_operator


def test_the_matrix_is_formed_up_to_two_gibibytes():
    narrow, wide = (sp.csr_array((2, columns)) for columns in (16384, 16385))
    assert not columns.too_wide(narrow)
    assert columns.too_wide(wide)


def test_the_data_are_not_changed():
    X, y, _ = sparse_data()
    given = sp.csc_array(X)
    before = given.data.copy()
    ls.Moments.from_operator(given, y).apply(np.ones(7))
    assert (given.data == before).all()


def test_what_needs_the_matrix_says_so():
    X, y, _ = sparse_data()
    moments, dense = ls.Moments.from_operator(sp.csr_array(X), y), ls.Moments.from_arrays(X, y)
    asked = {
        "A": lambda: moments.A,
        "covariance_x": lambda: moments.covariance_x,
        "add": lambda: moments + dense,
        "add to dense": lambda: dense + moments,
        "sum": lambda: sum([moments, moments]),
        "subtract": lambda: moments - dense,
        "subtract from dense": lambda: dense - moments,
        "save": lambda: moments.save("nowhere.npz"),
    }
    for name, ask in asked.items():
        with pytest.raises(NeedsDenseMoments, match="7 × 7"):
            pytest.fail(f"{name} gave {ask()}")
    problem = ls.Problem(moments, ls.Network((2,), weight_decay=0.1))
    weights = [np.ones(shape) for shape in problem.shapes]
    for ask in (problem.loss, problem.gradient, problem.hessian):
        with pytest.raises(NeedsDenseMoments, match="keep it as an operator"):
            ask(weights)
    for name in ("solutions", "search_minimum", "critical_points", "critical_depth"):
        with pytest.raises(NeedsDenseMoments):
            getattr(ls, name)(problem)
    with pytest.raises(NeedsDenseMoments):
        ls.phase_diagram(moments, depth=[1, 2], weight_decay=[0.1])
    unknown = ls.Moments.from_operator(aslinearoperator(X), y)
    for ask in (unknown.standardized, lambda: unknown.second_moments_x):
        with pytest.raises(NeedsDenseMoments, match="LinearOperator"):
            ask()


def test_moments_stay_immutable():
    X, y, _ = sparse_data()
    moments = ls.Moments.from_operator(sp.csr_array(X), y)
    with pytest.raises(AttributeError, match="immutable"):
        moments.C = np.zeros(7)
    with pytest.raises(ValueError, match="read-only"):
        moments.mean_x[0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        moments.C[0] = 1.0


def one_sided(shape):
    return LinearOperator(shape, matvec=lambda v: np.zeros(shape[0]), dtype=np.float64)


BAD = {
    "two targets": (lambda X, y: (X, np.column_stack([y, y])), InvalidData, "one target"),
    "lengths": (lambda X, y: (X, y[1:]), InvalidData, "60 in X and 59"),
    "no rows": (lambda X, y: (X[:0], y[:0]), InvalidData, "at least one row"),
    "NaN": (lambda X, y: (np.nan * X, y), InvalidData, "NaN"),
    "NaN in y": (lambda X, y: (X, np.nan * y), InvalidData, "NaN"),
    "infinite": (lambda X, y: (X + np.inf, y), InvalidData, "infinite"),
    "complex": (lambda X, y: (X * 1j, y), InvalidData, "complex"),
    "one axis": (lambda X, y: (X[:, 0], y), InvalidData, "shape"),
    "text": (lambda X, y: (X.astype(str), y), InvalidData, "real numbers"),
    "tiny": (lambda X, y: (1e-170 * (X + 1), y), OutOfRange, "squares"),
    "huge": (lambda X, y: (1e160 * (X + 1), y), OutOfRange, "squares"),
    "one-sided": (lambda X, y: (one_sided(X.shape), y), InvalidData, "rmatvec"),
    "NaN operator": (lambda X, y: (aslinearoperator(np.nan * X), y), InvalidData, "finite"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_data_are_refused(name):
    X, y, _ = sparse_data()
    change, error, message = BAD[name]
    with pytest.raises(error, match=message):
        ls.Moments.from_operator(*change(X, y))
    if name in ("NaN", "infinite", "complex", "lengths", "huge", "tiny"):
        X, y = change(X, y)
        with pytest.raises(error, match=message):
            ls.Moments.from_operator(sp.csr_array(X), y)


def test_bad_weights_are_refused():
    X, y, weight = sparse_data()
    for wrong, message in ((-weight, ">= 0"), (weight[1:], "60 sample"), (0 * weight, "zero")):
        with pytest.raises(InvalidData, match=message):
            ls.Moments.from_operator(sp.csr_array(X), y, sample_weight=wrong)


def test_constant_columns_cannot_be_standardised():
    X, y, _ = sparse_data()
    X[:, 4] = 0
    X[:, 5] = 0.1
    moments = ls.Moments.from_operator(sp.csr_array(X), y)
    with pytest.raises(InvalidMoments, match="column 4 of X, column 5 of X"):
        moments.standardized()
    with pytest.raises(InvalidMoments, match="y"):
        ls.Moments.from_operator(sp.csr_array(X[:, :4]), np.full(60, 0.1)).standardized()


def test_a_vector_of_the_wrong_length_is_refused():
    X, y, _ = sparse_data()
    moments = ls.Moments.from_operator(sp.csr_array(X), y)
    for wrong in (np.ones(6), np.ones((7, 1)), np.ones(())):
        with pytest.raises(InvalidMoments, match="7 entries"):
            moments.apply(wrong)
