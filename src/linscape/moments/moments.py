"""The second moments of data, as an immutable value."""

import os
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.arguments import guarded
from linscape.errors import InvalidMoments
from linscape.moments.arrays import Gathered, gather, labels
from linscape.moments.centred import check_range
from linscape.moments.chunks import gather_chunks
from linscape.moments.columns import too_wide
from linscape.moments.combination import added, subtracted
from linscape.moments.description import Description
from linscape.moments.operator import OperatorState, operator_state
from linscape.moments.standardization import centred_state, standardized_state
from linscape.moments.state import State, identity
from linscape.moments.storage import load_state, save_state
from linscape.moments.validation import (
    Matrix,
    Vector,
    centred_matrix,
    check_positive,
    joint_matrix,
    joint_mean,
    name_tuple,
    real_array,
    row_count,
)


class Moments(Description):
    """Second moments A = E[xxᵀ], C = E[xyᵀ] and yy = E[yyᵀ] of inputs x and outputs y.

    E is the average over rows, weighted by the sample weights if there are any; no factor 1/2.
    The object is immutable and its arrays are read-only. Moments of disjoint rows add up with
    ``+``, and ``-`` takes rows away again, as in cross-validation.

    Parameters
    ----------
    A : array_like, shape (d, d)
        E[xxᵀ], about zero (not centred); symmetric.
    C : array_like, shape (d,) or (d, m)
        E[xy] for a single output, or E[xyᵀ].
    yy : float or array_like, shape (m, m)
        E[y²] for a single output, or E[yyᵀ].
    mean_x : array_like, shape (d,), optional
        E[x]. Without the means these moments cannot be centred or standardised. A variance
        below the rounding of A is taken as zero.
    mean_y : float or array_like, shape (m,), optional
        E[y]; both means or none.
    n : int, optional
        Number of rows; without it these moments cannot be added to others.
    names : sequence of str, optional
        Names of the d inputs.
    targets : sequence of str, optional
        Names of the m outputs.

    Raises
    ------
    InvalidMoments
        If shapes do not fit, an entry is not finite, or no data can have these moments: the
        joint matrix [[A, C], [Cᵀ, yy]] must be positive semidefinite up to rounding.

    Examples
    --------
    >>> moments = Moments([[2.0]], [1.0], 1.0)
    >>> moments
    Moments(unknown number of rows, 1 input, 1 output, means unknown)
    """

    def __init__(
        self,
        A: ArrayLike,
        C: ArrayLike,
        yy: ArrayLike,
        mean_x: ArrayLike | None = None,
        mean_y: ArrayLike | None = None,
        n: int | None = None,
        *,
        names: Sequence[str] | None = None,
        targets: Sequence[str] | None = None,
    ) -> None:
        raw, inputs, single = joint_matrix(A, C, yy)
        rows = row_count(n)
        mean = joint_mean(mean_x, mean_y, raw, inputs, single)
        check_positive(raw, raw.diagonal(), inputs, "[[A, C], [Cᵀ, yy]]")
        covariance = None if mean is None else centred_matrix(raw, mean, inputs)
        outputs = len(raw) - inputs
        self.__dict__["_state"] = _read_only(
            State(
                raw,
                covariance,
                mean,
                None if rows is None else float(rows),
                rows,
                inputs,
                single,
                name_tuple(names, inputs, "names"),
                name_tuple(targets, outputs, "targets"),
                identity(inputs, outputs, single),
            )
        )

    @classmethod
    def from_arrays(cls, X: Any, y: Any, *, sample_weight: Any = None) -> Self:
        """Moments of rows in memory, in one pass.

        Parameters
        ----------
        X : array_like, scipy sparse matrix, or pandas / polars / Arrow frame, shape (n, d)
            Inputs. A sparse matrix is never made dense, and with more than 16384 columns and one
            target E[xxᵀ] (2 GiB there) is kept as an operator, as :meth:`from_operator` does; the
            repr says so. A frame gives ``names``.
        y : array_like, series or frame, shape (n,) or (n, m)
            Outputs; a series or frame gives ``targets``.
        sample_weight : array_like, shape (n,), optional
            Non-negative weights, not all zero.

        Returns
        -------
        Moments
            With known means.

        Raises
        ------
        InvalidData
            If shapes do not fit, there are no rows, or an entry is not a finite number.
        OutOfRange
            If a second moment is not a 64-bit float of full precision.

        Examples
        --------
        >>> moments = Moments.from_arrays([[1.0], [3.0]], [1.0, 2.0])
        >>> moments.A, moments.C, moments.yy
        (array([[5.]]), array([3.5]), 2.5)
        >>> moments.covariance_x
        array([[1.]])
        """
        if too_wide(X) and np.ndim(y) == 1:
            return cls.from_operator(X, y, sample_weight=sample_weight)
        return cls._from_rows(gather(X, y, sample_weight))

    @classmethod
    def from_operator(cls, X: Any, y: Any, *, sample_weight: Any = None) -> Self:
        """Moments of rows with very many columns: E[xxᵀ] is an operator and never formed.

        `global_minimum`, `phase` and `critical_weight_decay` need no more than its products with
        vectors, two passes over X each; what needs the matrix raises `NeedsDenseMoments`. Centring
        is implicit: zeros stay unstored.

        Parameters
        ----------
        X : scipy sparse matrix, scipy LinearOperator or array_like, shape (n, d)
            Inputs. A sparse matrix is copied; a LinearOperator (which must know its transpose) or
            a float64 array is referred to, so leave it as it is. Their products should not cancel:
            centre columns first whose mean is far larger than their spread (in a sparse matrix
            those without implicit zeros are centred for you).
        y : array_like or series, shape (n,)
            The output.
        sample_weight : array_like, shape (n,), optional
            Non-negative weights, not all zero.

        Returns
        -------
        Moments
            With known means.

        Raises
        ------
        InvalidData
            If shapes do not fit, there are no rows, an entry is not a finite number, there are
            several targets, or a LinearOperator has no transpose.
        OutOfRange
            If a second moment is not a 64-bit float of full precision.

        Examples
        --------
        >>> moments = Moments.from_operator([[1.0], [3.0]], [1.0, 2.0])
        >>> moments.C, moments.yy, moments.apply([2.0])
        (array([3.5]), 2.5, array([10.]))
        """
        return cls._from_state(operator_state(X, y, sample_weight))

    @classmethod
    def from_dask(cls, X: Any, y: Any, *, sample_weight: Any = None) -> Self:
        """Moments of rows in a Dask array or data frame: a task per chunk, sums added in a tree.

        The scheduler is the one Dask uses at the time: of the active `distributed.Client`, else
        threads of this process. Chunks are read where they are; only sums of (d + m)² numbers
        travel. A lost worker's tasks are done again.

        Parameters
        ----------
        X : dask array or data frame, shape (n, d)
            Inputs; chunks of rows may have unknown lengths, and hold arrays, scipy sparse matrices
            or frames. A frame gives ``names``.
        y : dask array, series or data frame, shape (n,) or (n, m)
            Outputs, in the same chunks of rows.
        sample_weight : dask array or series, shape (n,), optional
            Non-negative weights, not all zero, in the same chunks.

        Returns
        -------
        Moments
            Those of `from_arrays` on the same rows, up to rounding.

        Raises
        ------
        InvalidData, OutOfRange
            As for `from_arrays`; if an argument is no Dask collection; if chunks do not fit.
        MissingDependency
            If Dask is not installed.

        Examples
        --------
        >>> import dask.array as da
        >>> X, y = da.asarray([[1.0], [3.0]]), da.asarray([1.0, 2.0])
        >>> moments = Moments.from_dask(X.rechunk(1), y.rechunk(1))
        >>> moments.A, moments.C, moments.yy
        (array([[5.]]), array([3.5]), 2.5)
        """
        return cls._from_rows(gather_chunks(X, y, sample_weight))

    @classmethod
    def _from_rows(cls, rows: Gathered) -> Self:
        """Moments of rows that have been gone through."""
        weight, mean, covariance = rows.centred
        outputs = len(mean) - rows.inputs
        return cls._from_state(
            State(
                None,
                covariance,
                mean,
                weight,
                rows.rows,
                rows.inputs,
                rows.single,
                rows.names,
                rows.targets,
                identity(rows.inputs, outputs, rows.single),
            )
        )

    @classmethod
    def _from_state(cls, state: State | OperatorState) -> Self:
        """Moments that hold a state, whose range alone is checked."""
        if isinstance(state, OperatorState):
            state.mean.setflags(write=False)
        elif state.covariance is not None and state.mean is not None:
            label = labels(state.names, state.targets, state.inputs, state.single)
            check_range(state.centred, label)
        moments = cls.__new__(cls)
        moments.__dict__["_state"] = _read_only(state) if isinstance(state, State) else state
        return moments

    @cached_property
    def _raw(self) -> Matrix:
        """Joint second moments about zero."""
        state = self._dense
        if state.raw is not None:
            return state.raw
        _, mean, covariance = state.centred
        raw = covariance + mean[:, None] * mean
        raw.setflags(write=False)
        return raw

    def _cross(self, joint: Matrix) -> NDArray[np.float64]:
        """Block of inputs against outputs, in the shape of C."""
        d = self.inputs
        return joint[:d, d] if self._state.single else joint[:d, d:]

    def _outputs(self, joint: Matrix) -> float | NDArray[np.float64]:
        """Block of outputs, in the shape of yy."""
        d = self.inputs
        return float(joint[d, d]) if self._state.single else joint[d:, d:]

    @cached_property
    def A(self) -> NDArray[np.float64]:
        """E[xxᵀ], ndarray of shape (d, d); `NeedsDenseMoments` if it is an operator."""
        return self._raw[: self.inputs, : self.inputs]

    @cached_property
    def C(self) -> NDArray[np.float64]:
        """E[xy], ndarray of shape (d,), or E[xyᵀ], of shape (d, m)."""
        if isinstance(self._state, OperatorState):
            return self._state.cross
        return self._cross(self._raw)

    @cached_property
    def yy(self) -> float | NDArray[np.float64]:
        """E[y²], a float, or E[yyᵀ], ndarray of shape (m, m)."""
        if isinstance(self._state, OperatorState):
            return self._state.square_y
        return self._outputs(self._raw)

    @property
    def covariance_x(self) -> NDArray[np.float64]:
        """E[(x - E x)(x - E x)ᵀ], ndarray of shape (d, d); `InvalidMoments` without means."""
        return self._dense.centred.covariance[: self.inputs, : self.inputs]

    @property
    def covariance_xy(self) -> NDArray[np.float64]:
        """E[(x - E x)(y - E y)ᵀ], in the shape of C; `InvalidMoments` without means."""
        if isinstance(self._state, OperatorState):
            return self._state.covariance_xy
        return self._cross(self._state.centred.covariance)

    @property
    def covariance_y(self) -> float | NDArray[np.float64]:
        """E[(y - E y)(y - E y)ᵀ], in the shape of yy; `InvalidMoments` without means."""
        if isinstance(self._state, OperatorState):
            return self._state.variance_y
        return self._outputs(self._state.centred.covariance)

    @property
    def second_moments_x(self) -> NDArray[np.float64]:
        """E[x_i²] of each input, ndarray of shape (d,): the diagonal of A."""
        if isinstance(self._state, OperatorState):
            return self._state.squares_x
        return np.asarray(self.A.diagonal())

    def apply(self, vector: ArrayLike) -> NDArray[np.float64]:
        """Return E[xxᵀ]v, for v of shape (d,)."""
        v = self._vector(vector)
        if isinstance(self._state, OperatorState):
            return self._state.product(v)
        return np.asarray(self.A @ v)

    def apply_covariance(self, vector: ArrayLike) -> NDArray[np.float64]:
        """Return E[(x - E x)(x - E x)ᵀ]v, for v of shape (d,)."""
        v = self._vector(vector)
        if isinstance(self._state, OperatorState):
            return self._state.covariance_product(v)
        return np.asarray(self.covariance_x @ v)

    def _vector(self, given: ArrayLike) -> Vector:
        """Return a vector of one entry per input, checked."""
        vector = real_array(given, "the vector")
        if vector.shape != (self.inputs,):
            raise InvalidMoments(
                f"expected a vector of {self.inputs} entries, one per input, got shape "
                f"{vector.shape}; pass one vector at a time"
            )
        return vector

    def __add__(self, other: object) -> "Moments":
        """Moments of the rows of both.

        Raises
        ------
        InvalidMoments
            If the two differ in shape, names, targets or units, or a weight or mean is unknown.
        """
        if not isinstance(other, Moments):
            return NotImplemented
        return self._from_state(added(self._dense, other._dense))

    def __radd__(self, other: object) -> "Moments":
        """Let ``sum([...])`` start from 0."""
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def __sub__(self, other: object) -> "Moments":
        """Moments of the rows of this one that are not in `other`, a part of them.

        Raises
        ------
        InvalidMoments
            If the two cannot be added, or `other` holds more than this one.
        """
        if not isinstance(other, Moments):
            return NotImplemented
        return self._from_state(subtracted(self._dense, other._dense))

    @guarded
    def centered(self) -> "Moments":
        """Moments of x - E x and y - E y.

        Returns
        -------
        Moments
            With means zero, ``A = covariance_x`` and so on; `transform` tells the shift.

        Raises
        ------
        InvalidMoments
            If the means are unknown.

        Examples
        --------
        >>> Moments.from_arrays([[1.0], [3.0]], [1.0, 2.0]).centered().A
        array([[1.]])
        """
        if isinstance(self._state, OperatorState):
            return self._from_state(self._state.centred())
        return self._from_state(centred_state(self._state))

    @guarded
    def standardized(self) -> "Moments":
        """Moments of x and y, each column less its mean and divided by its standard deviation.

        The standard deviation is that of the rows at hand (divided by Σw, not by Σw - 1).

        Returns
        -------
        Moments
            With means zero and unit diagonal; `transform` tells shift and scale.

        Raises
        ------
        InvalidMoments
            If the means are unknown, or a column is constant: its standard deviation is at most
            8 ulps of its mean. The message names all of them.

        Examples
        --------
        >>> Moments.from_arrays([[1.0], [3.0]], [1.0, 2.0]).standardized().C
        array([1.])
        """
        if isinstance(self._state, OperatorState):
            return self._from_state(self._state.standardized())
        return self._from_state(standardized_state(self._state))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write these moments to an .npz file, bit for bit.

        Parameters
        ----------
        path : path-like
            The file to create or replace, taken as it is; a failure leaves an old one alone.

        Raises
        ------
        UnreadableFile
            If the file cannot be written.
        """
        save_state(path, self._dense)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read moments that `save` wrote.

        Parameters
        ----------
        path : path-like
            The file.

        Returns
        -------
        Moments
            Equal bit for bit to those saved.

        Raises
        ------
        UnreadableFile
            If the file is missing, damaged, foreign, or written by a newer linscape.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> path = Path(tempfile.mkdtemp()) / "moments.npz"
        >>> Moments([[2.0]], [1.0], 1.0).save(path)
        >>> Moments.load(path).A
        array([[2.]])
        """
        return cls._from_state(load_state(path))


def _read_only(state: State) -> State:
    """Make the arrays of a state read-only."""
    for array in (state.raw, state.covariance, state.mean):
        if array is not None:
            array.setflags(write=False)
    return state
