"""Sums over rows about a centre, block by block, without overflow, underflow or cancellation."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from linscape.errors import InvalidData, OutOfRange
from linscape.moments.centred import Centred, refuse_range
from linscape.moments.validation import Matrix, Vector, without

# Entries in the buffer: 16 MB, so that a Gram product is long beside what follows it.
BUFFER = 2**21
# Rows whose mean is the centre: a part of the first buffer, since nothing else runs meanwhile.
OPENING, OPENING_SHARE = 256, 8
# Sums of squares within these bounds neither overflow nor lose digits to underflow.
SMALL, LARGE = 2.0**-600, 2.0**600
# The square of anything above is no 64-bit float.
LARGEST_ENTRY = 2.0**511


class Accumulation:
    """The sums Σw, Σw·z and Σw·z zᵀ of rows z = ((x, y) - centre) / 2**exponents.

    The centre is the mean of the first eighth of a buffer of rows (at least 256 rows, if there
    are), reached from the first row, so that a constant column is subtracted exactly. The
    exponents are zero for every column whose squares are safe; another column is scaled by the
    power of two that makes them so.

    Where a column drifts far from its centre, the relative rounding of its variance grows, at
    worst by the ratio of the total weight to the weight of these rows.

    While one buffer is multiplied in a thread, the next is filled; the sums are added in the same
    order as without it.

    Parameters
    ----------
    inputs, outputs : int
        The numbers d and m of columns.
    label : callable
        Gives the name of joint column j, for error messages.
    order : {"C", "F"}
        Memory order of the blocks to come; either works, the right one is faster.
    rows : int, optional
        Number of rows to come, if known.

    Attributes
    ----------
    weight : float
        Total weight so far.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        label: Callable[[int], str],
        *,
        order: str = "C",
        rows: int | None = None,
    ) -> None:
        columns = inputs + outputs
        capacity = max(BUFFER // columns, columns, 1)
        capacity = capacity if rows is None else max(min(capacity, rows), 1)
        self._inputs = inputs
        self._label = label
        # The last column holds √w: one Gram product then gives all the sums.
        self._rows = np.empty((capacity, columns + 1), order="F" if order == "F" else "C")
        self._spare: Matrix | None = None
        self._worker: ThreadPoolExecutor | None = None
        self._running: Future[None] | None = None
        self._filled = 0
        self._opening = min(max(OPENING, capacity // OPENING_SHARE), capacity)
        self._weighted = False
        self._centre: Vector | None = None
        self._exponents = np.zeros(columns + 1, dtype=np.int32)
        self._gram = np.zeros((columns + 1, columns + 1))
        self._block_gram = np.empty_like(self._gram)
        self.weight = 0.0

    def add(self, X: NDArray[np.generic], Y: NDArray[np.generic], weight: Vector | None) -> None:
        """Add rows.

        Parameters
        ----------
        X : ndarray, shape (r, d)
            Inputs, of any real dtype.
        Y : ndarray, shape (r, m)
            Outputs.
        weight : ndarray, shape (r,), or None
            Sample weights, checked; None for ones.

        Raises
        ------
        InvalidData
            If an entry is NaN or infinite.
        OutOfRange
            If the square of an entry is not a 64-bit float.
        """
        start, inputs = 0, self._inputs
        while start < len(X):
            limit = self._opening if self._centre is None else len(self._rows)
            count = min(len(X) - start, limit - self._filled)
            block = slice(start, start + count)
            rows = self._rows[self._filled : self._filled + count]
            centre = np.zeros(rows.shape[1] - 1) if self._centre is None else self._centre
            with np.errstate(all="ignore"):
                np.subtract(X[block], centre[:inputs], out=rows[:, :inputs])
                np.subtract(Y[block], centre[inputs:], out=rows[:, inputs:-1])
                rows[:, -1] = 1.0 if weight is None else np.sqrt(weight[block])
            self.weight += count if weight is None else float(weight[block].sum())
            self._weighted |= weight is not None
            self._filled += count
            start += count
            if self._centre is None and self._filled == self._opening:
                self._open()
            if self._filled == len(self._rows):
                self._hand_over()

    def result(self) -> Centred:
        """Total weight, mean and covariance of all rows added.

        Raises
        ------
        InvalidData
            If there are no rows, or none of positive weight.
        """
        self._wait()
        if self._centre is None:
            self._open()
        self._multiply(self._rows[: self._filled])
        self._filled = 0
        if self._centre is None:
            raise InvalidData(
                "expected rows of positive weight, got "
                + ("only zero weights" if self._weighted else "no rows")
                + "; check the data source"
            )
        return centred_sums(self.weight, self._centre, self._exponents, self._gram)

    def _open(self) -> None:
        """Centre the first rows by their mean, and all to come; drop rows without any weight."""
        rows = self._rows[: self._filled]
        if not rows[:, -1].any():
            self._filled = 0
            return
        with np.errstate(all="ignore"):
            self._centre = self._mean(rows)
            rows[:, :-1] -= self._centre

    def _hand_over(self) -> None:
        """Let the full buffer be multiplied while the next one is filled."""
        full, self._filled = self._rows, 0
        self._wait()
        self._rows = np.empty_like(full) if self._spare is None else self._spare
        self._spare = full
        self._worker = self._worker or ThreadPoolExecutor(max_workers=1)
        self._running = self._worker.submit(self._multiply, full)

    def _wait(self) -> None:
        """Wait for the buffer that is being multiplied, and raise what it raised."""
        if self._running is not None:
            running, self._running = self._running, None
            running.result()

    def _multiply(self, rows: Matrix) -> None:
        """Add rows of the buffer to the sums."""
        if not rows[:, -1].any():
            return
        with np.errstate(all="ignore"):
            if self._weighted:
                rows[:, :-1] *= rows[:, -1:]
            if self._exponents.any():
                np.ldexp(rows, -self._exponents, out=rows)
            np.matmul(rows.T, rows, out=self._block_gram)
            unsafe = self._unsafe_columns()
            if len(unsafe) and self._rescale(rows, unsafe):
                np.matmul(rows.T, rows, out=self._block_gram)
            self._gram += self._block_gram

    def _mean(self, rows: Matrix) -> Vector:
        """Return the weighted mean of the rows, exact for constant columns."""
        values, roots = rows[:, :-1], rows[:, -1]
        first = values[np.argmax(roots > 0)]
        weights = roots**2
        centre = np.asarray(first + weights @ (values - first) / weights.sum())
        odd = np.flatnonzero(~(np.abs(centre) <= LARGEST_ENTRY))
        if len(odd):
            refuse_unsafe(values[:, odd], odd, self._label)
        return centre

    def _unsafe_columns(self) -> NDArray[np.intp]:
        """Return the columns whose squares in this block overflow, underflow or are NaN."""
        square, before = self._block_gram.diagonal()[:-1], self._gram.diagonal()[:-1]
        return np.flatnonzero(~(square <= LARGE) | (np.maximum(square, before) < SMALL))

    def _rescale(self, rows: Matrix, columns: NDArray[np.intp]) -> bool:
        """Scale columns, and the sums so far, to entries of at most 1; False if all are zero."""
        largest = np.abs(rows[:, columns]).max(axis=0)
        odd = ~(largest <= np.ldexp(2 * LARGEST_ENTRY, -self._exponents[columns]))
        if odd.any():
            refuse_unsafe(rows[:, columns[odd]], columns[odd], self._label)
        change = np.zeros_like(self._exponents)
        change[columns] = np.frexp(largest)[1]
        self._exponents += change
        np.ldexp(rows, -change, out=rows)
        self._gram = np.ldexp(self._gram, -(change[:, None] + change))
        return bool(change.any())


def centred_sums(
    weight: float, centre: Vector, exponents: NDArray[np.int32], gram: Matrix
) -> Centred:
    """Turn sums about a centre into weight, mean and covariance.

    Parameters
    ----------
    weight : float
        Σw.
    centre : ndarray, shape (p,)
        What was subtracted from each row.
    exponents : ndarray of int, shape (p + 1,)
        The columns were then divided by 2**exponents; the last one is 0.
    gram : ndarray, shape (p + 1, p + 1)
        Sums of products of these columns, the last column being ones.
    """
    total = gram[-1, -1]
    offset = gram[:-1, -1] / total
    covariance = gram[:-1, :-1] / total
    covariance -= offset[:, None] * offset
    with np.errstate(all="ignore"):
        if exponents.any():
            scale = exponents[:-1]
            covariance = np.ldexp(covariance, scale[:, None] + scale)
            offset = np.ldexp(offset, scale)
    return Centred(weight, centre + offset, without(covariance, covariance.diagonal() < 0))


def refuse_unsafe(values: Matrix, columns: NDArray[np.intp], label: Callable[[int], str]) -> None:
    """Raise the error for columns with NaN, infinite or too large entries."""
    for reason, found in (("NaN", np.isnan(values)), ("infinite entries", np.isinf(values))):
        bad = columns[found.any(axis=0)]
        if len(bad):
            named = ", ".join(label(int(column)) for column in bad[:20])
            raise InvalidData(
                f"expected finite numbers, got {reason} in {named}"
                f"{' and more' if len(bad) > 20 else ''}; fill in or drop these rows or columns"
            )
    refuse_range(columns, label)


def check_weights(
    weight: NDArray[np.generic], rows: int, where: str, *, numbered: bool = True
) -> Vector:
    """Return sample weights as float64, one per row.

    The message names the row of a wrong one, unless these are some rows of more (not `numbered`).

    Raises
    ------
    InvalidData
        If they are not one finite, non-negative number per row.
    OutOfRange
        If a positive weight is not between 1e-100 and 1e100.
    """
    if weight.shape != (rows,):
        raise InvalidData(
            f"expected {rows} sample weights, one per row, got shape {weight.shape} in {where}; "
            "pass a vector with an entry for each row"
        )
    values = weight.astype(np.float64)
    wrong = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
    if len(wrong):
        row = f", row {int(wrong[0])}" if numbered else ""
        raise InvalidData(
            f"expected finite sample weights >= 0, got {float(values[wrong[0]])} in {where}{row}; "
            "drop the row or give it weight 0"
        )
    if ((values > 1e100) | ((values < 1e-100) & (values > 0))).any():
        raise OutOfRange(
            f"expected positive sample weights between 1e-100 and 1e100, got others in {where}; "
            "multiply all weights by a constant"
        )
    return values
