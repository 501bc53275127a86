"""What `Moments` hold of very many inputs: E[xxᵀ] as an operator, never formed."""

from typing import Any, NamedTuple

import numpy as np

from linscape.errors import InvalidMoments, NeedsDenseMoments
from linscape.moments.arrays import labels
from linscape.moments.columns import Columns, read_columns
from linscape.moments.standardization import CONSTANT
from linscape.moments.state import affine, identity
from linscape.moments.transform import Affine
from linscape.moments.validation import Vector


class OperatorState(NamedTuple):
    """Everything such moments hold, beside the same things of :class:`State`; one target.

    Parameters
    ----------
    data : Columns
        The rows and their statistics, in original units.
    mean : ndarray, shape (d + 1,)
        Joint mean, in the units of the moments.
    weight : float
        Total weight.
    n : int
        Number of rows.
    targets : (str,) or None
        Name of the output.
    transform : Affine
        The units.
    """

    data: Columns
    mean: Vector
    weight: float
    n: int
    targets: tuple[str, ...] | None
    transform: Affine

    @property
    def inputs(self) -> int:
        """Number d of inputs."""
        return len(self.mean) - 1

    @property
    def columns(self) -> int:
        """Number d + 1 of inputs and outputs together."""
        return len(self.mean)

    @property
    def single(self) -> bool:
        """Whether the target is a vector: always."""
        return True

    @property
    def names(self) -> None:
        """Names of the inputs: none."""
        return

    def covariance_product(self, vector: Vector) -> Vector:
        """Return E[(x − E x)(x − E x)ᵀ]v.

        Raises
        ------
        InvalidMoments
            If v has not one entry per input.
        """
        if vector.shape != (self.inputs,):
            raise InvalidMoments(
                f"expected a vector of {self.inputs} entries, one per input, got shape "
                f"{vector.shape}; pass one vector at a time"
            )
        scale = self.transform.scale_x
        return np.asarray(self.data.covariance(vector / scale) / scale)

    def product(self, vector: Vector) -> Vector:
        """Return E[xxᵀ]v; raises as :meth:`covariance_product`."""
        centred, mean = self.covariance_product(vector), self.mean[:-1]
        return np.asarray(centred + mean * float(mean @ vector))

    @property
    def cross(self) -> Vector:
        """E[xy], shape (d,)."""
        return _read_only(self.covariance_xy + self.mean[:-1] * self.mean[-1])

    @property
    def square_y(self) -> float:
        """E[y²]."""
        return self.variance_y + float(self.mean[-1]) ** 2

    @property
    def squares_x(self) -> Vector:
        """E[x_i²] of each input, shape (d,); raises as :attr:`variances_x`."""
        return _read_only(self.variances_x + self.mean[:-1] ** 2)

    @property
    def covariance_xy(self) -> Vector:
        """E[(x − E x)(y − E y)], shape (d,)."""
        return _read_only(self.data.cross / self.transform.scale_x / self.transform.scale_y)

    @property
    def variance_y(self) -> float:
        """E[(y − E y)²]."""
        return float(self.data.variance_y / self.transform.scale_y**2)

    @property
    def variances_x(self) -> Vector:
        """E[(x_i − E x_i)²] of each input, shape (d,).

        Raises
        ------
        NeedsDenseMoments
            For a LinearOperator.
        """
        if self.data.variances is None:
            raise NeedsDenseMoments(
                "expected X with entries, got a LinearOperator: its columns' variances, which "
                "noise on the inputs and standardized() need, are not known; scale the columns "
                "yourself, or pass a sparse matrix"
            )
        return np.asarray(self.data.variances / self.transform.scale_x**2)

    def centred(self) -> "OperatorState":
        """State of the rows less their mean."""
        return self._moved(np.ones(self.columns))

    def standardized(self) -> "OperatorState":
        """State of the rows less their mean, divided by their standard deviations.

        Raises
        ------
        InvalidMoments
            If a column is constant.
        NeedsDenseMoments
            For a LinearOperator.
        """
        change = self.transform
        deviation = np.sqrt(np.append(self.variances_x, self.variance_y))
        shift = np.append(change.shift_x / change.scale_x, change.shift_y / change.scale_y)
        constant = np.flatnonzero(deviation <= CONSTANT * np.abs(self.mean + shift))
        if len(constant):
            label = labels(self.names, self.targets, self.inputs, self.single)
            named = ", ".join(label(int(column)) for column in constant[:20])
            raise InvalidMoments(
                f"expected columns that vary, got {len(constant)} constant: {named}"
                f"{' and more' if len(constant) > 20 else ''}; drop them"
            )
        return self._moved(deviation)

    def _moved(self, scale: Vector) -> "OperatorState":
        """State in other units, with mean zero."""
        change = affine(self.mean, scale, self.inputs, self.single)
        mean = np.zeros(self.columns)
        return self._replace(mean=mean, transform=self.transform.then(change))

    def refusal(self) -> NeedsDenseMoments:
        """Return the error for whatever needs the matrix."""
        return NeedsDenseMoments(
            f"this needs the {self.inputs} × {self.inputs} matrix E[xxᵀ], and these moments keep "
            "it as an operator; global_minimum, phase and critical_weight_decay work with it, the "
            "rest with fewer columns or with Moments.from_arrays(X.toarray(), y)"
        )


def operator_state(X: Any, y: Any, sample_weight: Any = None) -> OperatorState:
    """Return the state of :meth:`Moments.from_operator`."""
    data, mean, weight, targets = read_columns(X, y, sample_weight)
    rows, inputs = data.rows.shape
    return OperatorState(data, mean, weight, rows, targets, identity(inputs, 1, single=True))


def _read_only(vector: Vector) -> Vector:
    vector.setflags(write=False)
    return vector
