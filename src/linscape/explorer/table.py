"""A table of which only joint second moments are kept, so that any column may become the target."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linscape.errors import InvalidOption
from linscape.moments import Moments

Array = NDArray[np.float64]
Code = Callable[[list[str]], str]


@dataclass(frozen=True, eq=False)
class Table:
    """Columns, their joint covariance, and the code that reads them.

    Attributes
    ----------
    title : str
        What the page calls it.
    columns : tuple of str
        Names, in the order of `covariance`.
    covariance : (k, k) ndarray
        Centred second moments of all columns.
    rows : int or None
        Number of rows; None for moments that were made up.
    targets : tuple of str
        The columns to predict unless others are chosen.
    standardized : bool
        Whether columns are divided by their standard deviations.
    code : function of a list of str
        Returns Python that makes :meth:`moments` for these targets.
    """

    title: str
    columns: tuple[str, ...]
    covariance: Array
    rows: int | None
    targets: tuple[str, ...]
    standardized: bool
    code: Code

    @classmethod
    def of(cls, moments: Moments, *, title: str, standardized: bool, code: Code) -> "Table":
        """Return the table of moments with names and targets."""
        d = moments.inputs
        cross = np.reshape(moments.covariance_xy, (d, -1))
        joint = np.block([[moments.covariance_x, cross], [cross.T, moments.covariance_y]])
        targets = tuple(moments.targets or ())
        columns = (*(moments.names or ()), *targets)
        return cls(title, columns, joint, moments.n, targets, standardized, code)

    def moments(self, targets: Sequence[str]) -> Moments:
        """Return the moments with these columns as targets and all others as inputs.

        Raises
        ------
        InvalidOption
            If no target is named, a name is not known, or no input is left.
        """
        y = [self.columns.index(name) for name in targets if name in self.columns]
        x = [k for k in range(len(self.columns)) if k not in y]
        if not y or len(y) < len(targets) or not x:
            raise InvalidOption(
                f"choose between 1 and {len(self.columns) - 1} of the columns of {self.title} as "
                f"targets, got {len(y)}; the others are the inputs"
            )
        single = len(y) == 1
        S = self.covariance
        moments = Moments(
            S[np.ix_(x, x)],
            S[x, y[0]] if single else S[np.ix_(x, y)],
            S[y[0], y[0]] if single else S[np.ix_(y, y)],
            mean_x=np.zeros(len(x)),
            mean_y=0.0 if single else np.zeros(len(y)),
            n=self.rows,
            names=[self.columns[k] for k in x],
            targets=[self.columns[k] for k in y],
        )
        return moments.standardized() if self.standardized else moments
