"""What a `Moments` holds: joint second moments with their mean, weight, names and units."""

from typing import NamedTuple

import numpy as np

from linscape.errors import InvalidMoments
from linscape.moments.centred import Centred
from linscape.moments.transform import Affine
from linscape.moments.validation import Matrix, Vector


class State(NamedTuple):
    """Everything a `Moments` holds.

    Parameters
    ----------
    raw, covariance : ndarray, shape (p, p), or None
        Joint second moments about zero, if they were given as such; about the mean, if known.
    mean : ndarray, shape (p,), or None
        Joint mean.
    weight : float or None
        Total weight.
    n : int or None
        Number of rows.
    inputs : int
        How many of the p columns are inputs.
    single : bool
        Whether the target is a vector rather than a matrix.
    names, targets : tuple of str, or None
        Names of inputs and outputs.
    transform : Affine
        The units.
    """

    raw: Matrix | None
    covariance: Matrix | None
    mean: Vector | None
    weight: float | None
    n: int | None
    inputs: int
    single: bool
    names: tuple[str, ...] | None
    targets: tuple[str, ...] | None
    transform: Affine

    @property
    def columns(self) -> int:
        """Number p of inputs and outputs together."""
        return self.inputs + int(np.size(self.transform.shift_y))

    @property
    def centred(self) -> Centred:
        """Weight (zero if unknown), mean and covariance.

        Raises
        ------
        InvalidMoments
            If the means are unknown.
        """
        if self.mean is None or self.covariance is None:
            raise InvalidMoments(
                "expected moments with means, got none; "
                "pass mean_x and mean_y to Moments, or use Moments.from_arrays"
            )
        return Centred(self.weight or 0.0, self.mean, self.covariance)

    def with_rows(self, centred: Centred, rows: int | None) -> "State":
        """Return the state of other rows of the same columns."""
        weight, mean, covariance = centred
        return self._replace(raw=None, covariance=covariance, mean=mean, weight=weight, n=rows)


def affine(shift: Vector, scale: Vector, inputs: int, single: bool) -> Affine:
    """Change of units of joint columns, split into inputs and outputs."""
    return Affine(
        shift[:inputs].copy(),
        scale[:inputs].copy(),
        float(shift[-1]) if single else shift[inputs:].copy(),
        float(scale[-1]) if single else scale[inputs:].copy(),
    )


def identity(inputs: int, outputs: int, single: bool) -> Affine:
    """Units as they are."""
    return affine(np.zeros(inputs + outputs), np.ones(inputs + outputs), inputs, single)
