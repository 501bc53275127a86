"""Second moments given as matrices: whether any data can have them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.errors import InvalidMoments

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

ASYMMETRY = 1e-12
ROUNDING = 64 * np.finfo(np.float64).eps


def joint_matrix(A: ArrayLike, C: ArrayLike, yy: ArrayLike) -> tuple[Matrix, int, bool]:
    """Put [[A, C], [Cᵀ, yy]] together.

    Returns
    -------
    joint : ndarray, shape (d + m, d + m)
        Exactly symmetric, finite.
    inputs : int
        The number d of inputs.
    single : bool
        Whether C is a vector and yy a number.

    Raises
    ------
    InvalidMoments
        If a shape is wrong, an entry is not finite, or A or yy is not symmetric.
    """
    square, cross, outputs = real_array(A, "A"), real_array(C, "C"), real_array(yy, "yy")
    if square.ndim != 2 or square.shape[0] != square.shape[1] or not square.size:
        raise InvalidMoments(
            f"expected A of shape (d, d), got shape {square.shape}; pass A = E[x xᵀ]"
        )
    inputs, single = len(square), cross.ndim == 1
    targets = 1 if single else cross.shape[-1] if cross.ndim == 2 else 0
    if cross.shape not in {(inputs,), (inputs, targets)} or not targets:
        raise InvalidMoments(
            f"expected C of shape ({inputs},) or ({inputs}, m), got shape {cross.shape}; "
            "pass C = E[x yᵀ] for the same inputs as A"
        )
    expected = () if single else (targets, targets)
    if outputs.shape != expected:
        raise InvalidMoments(
            f"expected yy of shape {expected}, got shape {outputs.shape}; "
            f"with C of shape {cross.shape} pass yy = {'E[y²]' if single else 'E[y yᵀ]'}"
        )
    cross = cross.reshape(inputs, targets)
    outputs = outputs.reshape(targets, targets)
    joint = np.block(
        [[symmetrised(square, "A"), cross], [cross.T, symmetrised(outputs, "yy")]],
    )
    return joint, inputs, single


def joint_mean(
    mean_x: ArrayLike | None, mean_y: ArrayLike | None, joint: Matrix, inputs: int, single: bool
) -> Vector | None:
    """Put the means together, or None if neither is given.

    Raises
    ------
    InvalidMoments
        If only one is given, or a shape is wrong, or an entry is not finite.
    """
    if mean_x is None and mean_y is None:
        return None
    if mean_x is None or mean_y is None:
        missing = "mean_x" if mean_x is None else "mean_y"
        raise InvalidMoments(f"expected both means or none, got no {missing}; pass it too")
    targets = len(joint) - inputs
    parts = []
    for name, given, shape in (
        ("mean_x", mean_x, (inputs,)),
        ("mean_y", mean_y, () if single else (targets,)),
    ):
        mean = real_array(given, name)
        if mean.shape != shape:
            raise InvalidMoments(
                f"expected {name} of shape {shape}, got shape {mean.shape}; "
                "pass one mean per column of A or yy"
            )
        parts.append(mean.reshape(-1))
    return np.concatenate(parts)


def centred_matrix(joint: Matrix, mean: Vector, inputs: int) -> Matrix:
    """Return joint - mean meanᵀ, its variances below rounding taken as zero.

    Raises
    ------
    InvalidMoments
        If it is not positive semidefinite up to the rounding of `joint`.
    """
    with np.errstate(all="ignore"):
        covariance = joint - mean[:, None] * mean
    diagonal = joint.diagonal()
    check_positive(covariance, diagonal, inputs, "A - mean meanᵀ")
    rounding = ROUNDING * len(joint) * diagonal
    return without(covariance, covariance.diagonal() <= rounding)


def without(covariance: Matrix, constant: NDArray[np.bool_]) -> Matrix:
    """Set rows and columns of constant columns to zero, in place."""
    covariance[constant, :] = 0.0
    covariance[:, constant] = 0.0
    return covariance


def row_count(n: int | None) -> int | None:
    """Check a number of rows.

    Raises
    ------
    InvalidMoments
        If it is not a positive integer.
    """
    if n is None:
        return None
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise InvalidMoments(f"expected n a positive integer, got {n!r}; pass the number of rows")
    return int(n)


def name_tuple(names: Sequence[str] | None, count: int, what: str) -> tuple[str, ...] | None:
    """Check names of columns.

    Raises
    ------
    InvalidMoments
        If they are not `count` different strings.
    """
    if names is None:
        return None
    given = tuple(names) if hasattr(names, "__iter__") and np.ndim(names) else ()
    strings = not isinstance(names, str) and all(isinstance(name, str) for name in given)
    if not strings or len(set(given)) != count or len(given) != count:
        raise InvalidMoments(
            f"expected {what} to be {count} different strings, got {names!r}; pass one per column"
        )
    return given


def real_array(given: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return the given numbers as float64, all finite.

    Raises
    ------
    InvalidMoments
        If they are not real numbers, or not all finite.
    """
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise InvalidMoments(
            f"expected {name} of equal rows, got {str(error).splitlines()[0]}; pass an array"
        ) from error
    if array.dtype.kind not in "biuf":
        raise InvalidMoments(
            f"expected real numbers in {name}, got dtype {array.dtype}; convert to float64"
        )
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise InvalidMoments(
            f"expected finite numbers in {name}, got {float(array[where])} at {list(where)}; "
            "recompute the moments from rows without missing or infinite entries"
        )
    return array


def unit_exponents(diagonal: Vector) -> NDArray[np.int32]:
    """Half the binary exponents of a diagonal: 2**-e scales it into [1/2, 2)."""
    return np.asarray(np.frexp(diagonal)[1] // 2, dtype=np.int32)


def unit_scaled(matrix: Matrix, exponents: NDArray[np.int32]) -> Matrix:
    """Scale rows and columns by 2**-e, exactly, without intermediate overflow."""
    with np.errstate(all="ignore"):
        return np.asarray(np.ldexp(matrix, -(exponents[:, None] + exponents)))


def symmetrised(matrix: Matrix, name: str) -> Matrix:
    """Return (M + Mᵀ) / 2, after checking that M is symmetric up to rounding.

    Raises
    ------
    InvalidMoments
        If an entry and its mirror image differ by more than 1e-12 of the diagonal's scale.
    """
    scaled = unit_scaled(matrix, unit_exponents(matrix.diagonal()))
    with np.errstate(all="ignore"):
        asymmetric = (matrix != matrix.T) & ~(np.abs(scaled - scaled.T) <= ASYMMETRY)
    if asymmetric.any():
        i, j = (int(index) for index in np.argwhere(asymmetric)[0])
        raise InvalidMoments(
            f"expected {name} symmetric, got {name}[{i}, {j}] = {float(matrix[i, j])!r} and "
            f"{name}[{j}, {i}] = {float(matrix[j, i])!r}; pass ({name} + {name}.T) / 2 "
            "if the difference is rounding"
        )
    # Equal entries stay as they are: halving would cost subnormal ones a bit.
    return np.where(matrix == matrix.T, matrix, 0.5 * matrix + 0.5 * matrix.T)


def check_positive(matrix: Matrix, reference: Vector, inputs: int, what: str) -> None:
    """Check that a joint matrix is positive semidefinite up to rounding of `reference`.

    Parameters
    ----------
    matrix : ndarray, shape (p, p)
        A symmetric matrix.
    reference : ndarray, shape (p,)
        The diagonal of the matrix whose rounding is to be forgiven.
    inputs : int
        How many of the p columns are inputs.
    what : str
        What the matrix is, for the message.

    Raises
    ------
    InvalidMoments
        If a diagonal entry, a pair of columns, or an eigenvalue shows that no data can have
        these moments.
    """
    negative = np.flatnonzero(reference < 0)
    if len(negative):
        raise InvalidMoments(
            f"expected {what} with no negative diagonal entry, got "
            f"{float(reference[negative[0]])!r} for {column_name(negative[0], inputs)}; "
            "recompute the moments"
        )
    scaled = unit_scaled(matrix, unit_exponents(reference))
    _check_pairs(scaled, reference, inputs, what)
    tolerance = ROUNDING * len(scaled)
    try:
        np.linalg.cholesky(scaled + tolerance * np.eye(len(scaled)))
    except np.linalg.LinAlgError:
        smallest = float(np.linalg.eigvalsh(scaled)[0])
        raise InvalidMoments(
            f"expected {what} positive semidefinite, got smallest eigenvalue {smallest:.3g} "
            "after scaling the diagonal to about 1; recompute all moments from the same rows, "
            "in float64"
        ) from None


def _check_pairs(scaled: Matrix, reference: Vector, inputs: int, what: str) -> None:
    """Check each 2 × 2 minor roughly, so that what follows cannot overflow."""
    impossible = ~(np.abs(scaled) <= 4.0)
    empty = reference == 0
    impossible |= (scaled != 0) & (empty[:, None] | empty)
    if impossible.any():
        i, j = (column_name(index, inputs) for index in np.argwhere(impossible)[0])
        raise InvalidMoments(
            f"expected {what} positive semidefinite, got an entry for ({i}, {j}) that is larger "
            "than the diagonal allows; recompute all moments from the same rows"
        )


def column_name(column: int | np.intp, inputs: int) -> str:
    """Name a column of the joint matrix that has no name of its own."""
    return f"x[{column}]" if column < inputs else f"y[{column - inputs}]"
