"""New rows of inputs, in the columns and units of given moments."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from linscape.errors import InvalidData
from linscape.moments.arrays import is_sparse
from linscape.moments.moments import Moments


def transformed_rows(moments: Moments, X: Any) -> NDArray[np.float64]:
    """Return rows given in original units in the units of `moments`: (n, d).

    Parameters
    ----------
    moments : Moments
        Gives the column names, the number of inputs and the change of units.
    X : (n, d) array, sparse matrix or frame
        A frame is read by the names of the moments' inputs, in whatever order its columns are.

    Raises
    ------
    InvalidData
        If columns are missing, the number of columns differs, or an entry is not a finite number.

    Examples
    --------
    >>> moments = Moments.from_arrays([[0.0], [2.0]], [1.0, 5.0]).standardized()
    >>> transformed_rows(moments, [[3.0]])
    array([[2.]])
    """
    if hasattr(X, "toarray"):
        X = X.toarray()
    if hasattr(X, "columns") and moments.names is not None:
        missing = [name for name in moments.names if name not in list(X.columns)]
        if missing:
            raise InvalidData(
                f"the frame to predict from lacks {missing}; give the columns of the fit"
            )
        X = X[list(moments.names)]
    try:
        rows = np.asarray(X, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidData(f"rows to predict from must be numbers: {error}") from error
    if rows.ndim != 2 or rows.shape[1] != moments.inputs:
        raise InvalidData(
            f"rows to predict from must have shape (n, {moments.inputs}), got {rows.shape}"
        )
    if not np.isfinite(rows).all():
        raise InvalidData("rows to predict from have entries that are NaN or infinite")
    return moments.transform.transformed_x(rows)


def row_products(moments: Moments, X: Any, predictor: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return p·z for the rows z of X in the units of `moments`; sparse rows stay sparse.

    Parameters
    ----------
    moments, X
        As :func:`transformed_rows` takes them; X in original units.
    predictor : (d,) or (m, d) ndarray
        p, in the units of `moments`.

    Returns
    -------
    (n,) or (n, m) ndarray

    Raises
    ------
    InvalidData
        As :func:`transformed_rows` does.

    Examples
    --------
    >>> moments = Moments.from_arrays([[0.0], [2.0]], [1.0, 5.0]).standardized()
    >>> row_products(moments, [[3.0]], np.array([10.0]))
    array([20.])
    """
    if not is_sparse(X):
        return np.asarray(transformed_rows(moments, X) @ predictor.T)
    if len(X.shape) != 2 or X.shape[1] != moments.inputs:
        raise InvalidData(
            f"rows to predict from must have shape (n, {moments.inputs}), got {X.shape}"
        )
    if X.dtype.kind not in "biuf" or not np.isfinite(X.data).all():
        raise InvalidData("rows to predict from must be finite real numbers, got others")
    change = moments.transform
    per_unit = (predictor / change.scale_x).T
    return np.asarray(X @ per_unit - change.shift_x @ per_unit)
