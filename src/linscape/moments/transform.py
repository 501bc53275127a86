"""The affine change of units that centring and standardising make."""

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class Affine:
    """The change of units ``(x - shift_x) / scale_x`` and ``(y - shift_y) / scale_y``.

    Parameters
    ----------
    shift_x, scale_x : ndarray, shape (d,)
        Shift and scale of the inputs, in original units.
    shift_y, scale_y : float or ndarray, shape (m,)
        Shift and scale of the outputs, in original units; floats for a single target.

    Examples
    --------
    >>> change = Affine(np.array([1.0]), np.array([2.0]), 10.0, 5.0)
    >>> float(change.transformed_x([5.0])[0]), float(change.original_y(2.0))
    (2.0, 20.0)
    """

    shift_x: NDArray[np.float64]
    scale_x: NDArray[np.float64]
    shift_y: float | NDArray[np.float64]
    scale_y: float | NDArray[np.float64]

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        for part in (self.shift_x, self.scale_x, self.shift_y, self.scale_y):
            if isinstance(part, np.ndarray):
                part.setflags(write=False)

    @property
    def is_identity(self) -> bool:
        """Whether the units are the original ones.

        Examples
        --------
        >>> Affine(np.zeros(2), np.ones(2), 0.0, 1.0).is_identity
        True
        """
        shifted = np.any(self.shift_x) or np.any(self.shift_y)
        scaled = np.any(self.scale_x != 1.0) or np.any(np.asarray(self.scale_y) != 1.0)
        return not (shifted or scaled)

    def transformed_x(self, x: ArrayLike) -> NDArray[np.float64]:
        """Express inputs in transformed units.

        Parameters
        ----------
        x : array_like, shape (..., d)
            Inputs in original units.

        Returns
        -------
        ndarray, shape (..., d)
            ``(x - shift_x) / scale_x``.

        Examples
        --------
        >>> Affine(np.array([1.0]), np.array([2.0]), 0.0, 1.0).transformed_x([[3.0], [5.0]])
        array([[1.],
               [2.]])
        """
        difference = np.asarray(x, dtype=np.float64) - self.shift_x
        return np.asarray(difference / self.scale_x, dtype=np.float64)

    def original_y(self, y: ArrayLike) -> NDArray[np.float64]:
        """Express outputs in original units.

        Parameters
        ----------
        y : array_like
            Outputs in transformed units, shape (...) for a single target, else (..., m).

        Returns
        -------
        ndarray, shape of `y`
            ``shift_y + scale_y * y``.

        Examples
        --------
        >>> Affine(np.zeros(1), np.ones(1), 10.0, 5.0).original_y([0.0, 1.0])
        array([10., 15.])
        """
        return np.asarray(self.shift_y + self.scale_y * np.asarray(y, dtype=np.float64))

    def then(self, after: "Affine") -> "Affine":
        """Both changes of units in one: this one first, `after` on its result.

        Parameters
        ----------
        after : Affine
            A change of units of the same shapes, in the units this one leads to.

        Returns
        -------
        Affine
            From this one's original units to the ones `after` leads to.

        Examples
        --------
        >>> half = Affine(np.array([1.0]), np.array([2.0]), 0.0, 1.0)
        >>> twice = half.then(half)
        >>> twice.shift_x, twice.scale_x
        (array([3.]), array([4.]))
        """
        return Affine(
            self.shift_x + self.scale_x * after.shift_x,
            self.scale_x * after.scale_x,
            self.shift_y + self.scale_y * after.shift_y,
            self.scale_y * after.scale_y,
        )

    def equals(self, other: "Affine") -> bool:
        """Whether both are the same change of units, bit for bit.

        Parameters
        ----------
        other : Affine
            The one to compare with.

        Returns
        -------
        bool
            True if all four parts have equal shapes and entries.

        Examples
        --------
        >>> Affine(np.zeros(1), np.ones(1), 0.0, 1.0).equals(
        ...     Affine(np.zeros(1), np.ones(1), 0.0, 2.0)
        ... )
        False
        """
        pairs = zip(astuple(self), astuple(other), strict=True)
        return all(np.array_equal(mine, theirs) for mine, theirs in pairs)
