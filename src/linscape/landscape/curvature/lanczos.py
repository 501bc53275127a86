"""Both ends of the spectrum of a symmetric operator: Lanczos with a thick restart."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_ROUNDS = 5  # products between two looks at the Ritz values
_MEMORY = 2**26  # numbers kept of the basis at most: half a gigabyte
_LARGEST_BASIS = 300
_SMALLEST_BASIS = 30
_CANCELLED = 0.5  # what keeps less than this of its norm is orthogonalised once more
_NOTHING = 1e-15  # relative to ‖Hv‖, a rest that is rounding: the basis is invariant


class Operator(Protocol):
    """A symmetric operator on a subspace of the vectors of some size."""

    @property
    def size(self) -> int:
        """Length of a vector."""

    @property
    def dimension(self) -> int:
        """Dimension of the subspace."""

    def project(self, vector: Array) -> Array:
        """Return the part of a vector in the subspace."""

    def product(self, vector: Array) -> Array:
        """Return the image of a vector of the subspace."""


class Ends(NamedTuple):
    """Unit Ritz vectors, as rows, of the smallest and the largest Ritz value, in this order."""

    vectors: Array
    products: int
    converged: bool


def spectrum_ends(
    operator: Operator, *, tolerance: float, max_products: int, rng: np.random.Generator
) -> Ends:
    """Return approximate eigenvectors of the smallest and the largest eigenvalue.

    Converged means that both residuals ‖Hv − θv‖ are at most `tolerance` times the larger |θ|. The
    random start has a part in every eigenspace: if the basis becomes invariant early, because the
    operator is zero or has few eigenvalues, it holds each of them once and the answer is exact.
    All of the basis is kept orthogonal. When it is full, the Ritz vectors of both ends replace it.
    """
    basis = _Basis(operator)
    vector = rng.standard_normal(operator.size)
    while True:
        vector, norm = basis.extend(vector)
        finished = basis.is_invariant or basis.products >= max_products
        if not (finished or basis.is_full or basis.products % _ROUNDS == 0):
            continue
        values, rotation = np.linalg.eigh(basis.projection)
        residuals = norm * np.abs(rotation[-1, [0, -1]])
        small = residuals.max() <= tolerance * np.abs(values[[0, -1]]).max()
        converged = bool(basis.is_invariant or small)
        if finished or converged:
            return Ends(rotation[:, [0, -1]].T @ basis.vectors, basis.products, converged)
        if basis.is_full:
            basis.restart(values, rotation)


class _Basis:
    """An orthonormal basis and the operator projected on it."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        capacity = max(_SMALLEST_BASIS, min(_LARGEST_BASIS, _MEMORY // operator.size))
        self._capacity = min(capacity, operator.dimension)
        self._vectors = np.empty((self._capacity, operator.size))
        self._projection = np.zeros((self._capacity, self._capacity))
        self._count = self._kept = 0
        self._largest = 0.0
        self._exponent = 0
        self.products = 0
        self.is_invariant = False

    @property
    def is_full(self) -> bool:
        return self._count == self._capacity

    @property
    def vectors(self) -> Array:
        return self._vectors[: self._count]

    @property
    def projection(self) -> Array:
        return self._projection[: self._count, : self._count]

    def extend(self, vector: Array) -> tuple[Array, float]:
        """Take in a vector orthogonal to the basis; return its image outside, and the norm."""
        k = self._count
        vector = self._operator.project(vector)
        self._vectors[k] = vector / np.linalg.norm(vector)
        self._count, self.products = k + 1, self.products + 1
        image = self._operator.product(self._vectors[k])
        if k == 0:  # in units of the first image, no square over- or underflows
            self._exponent = int(np.frexp(np.abs(image).max())[1])
        image = np.ldexp(image, -self._exponent)
        self._largest = max(self._largest, float(np.linalg.norm(image)))
        rest, coefficients = self._orthogonalised(image)
        self._projection[k, : k + 1] = self._projection[: k + 1, k] = coefficients
        norm = float(np.linalg.norm(rest))
        whole = self._count == self._operator.dimension
        self.is_invariant = whole or norm <= _NOTHING * self._largest
        return rest, norm

    def restart(self, values: Array, rotation: Array) -> None:
        """Keep the Ritz vectors of a quarter of the values at each end."""
        quarter = self._capacity // 4
        kept = np.r_[:quarter, self._count - quarter : self._count]
        self._vectors[: len(kept)] = rotation[:, kept].T @ self.vectors
        self._count = self._kept = len(kept)
        self._projection[:] = 0
        self._projection[range(len(kept)), range(len(kept))] = values[kept]

    def _orthogonalised(self, vector: Array) -> tuple[Array, Array]:
        """Return the part of a vector outside the basis, and the coefficients of the rest.

        In exact arithmetic only the last two vectors have a part in the image of the last, or all
        after a restart. Once these are off, one pass over all leaves nothing but rounding.
        """
        coefficients = np.zeros(self._count)
        known = slice(0 if self._count <= self._kept + 1 else self._count - 2, self._count)
        norm = np.inf
        for part in (known, slice(None), slice(None), slice(None)):
            basis, before = self.vectors[part], norm
            shares = basis @ vector
            vector = vector - shares @ basis
            coefficients[part] += shares
            norm = float(np.linalg.norm(vector))
            if part.start is None and norm >= _CANCELLED * before:
                break
        return vector, coefficients
