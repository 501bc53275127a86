"""Lanczos with full reorthogonalisation, from a given vector, with its rounding measured.

After k steps on a symmetric A started at c the orthonormal rows v_1, …, v_k of the basis span
c, Ac, …, A^{k−1}c, and VᵀAV = T is tridiagonal. T is all that Gauss quadrature needs of A.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF

Array = NDArray[np.float64]

_FIRST = 16  # rows of the basis to begin with; the array doubles when it is full
_SAFETY = 4.0  # between the rounding measured in the basis and what is assumed of all of A


class Lanczos:
    """The process, as far as it has gone.

    Parameters
    ----------
    apply : callable
        Maps v to Av, A symmetric and positive semidefinite up to rounding.
    start : (d,) ndarray
        c ≠ 0.

    Attributes
    ----------
    steps : int
        k, the number of products with A so far.
    norm_exponent : int
        e with ‖c‖ = `norm` · 2^e and ½ ≤ norm < 1.
    is_invariant : bool
        Whether the basis has become invariant up to rounding: T then holds all of A that c sees.

    Examples
    --------
    An eigenvector ends it at the first step:

    >>> process = Lanczos(lambda v: 2.0 * v, np.array([3.0, 4.0]))
    >>> process.extend(5)
    >>> process.steps, process.diagonal, process.is_invariant
    (1, array([2.]), True)
    """

    def __init__(self, apply: Callable[[Array], Array], start: Array) -> None:
        self._apply = apply
        self.norm, self.norm_exponent = math.frexp(_norm(start))
        self._vectors = np.empty((min(_FIRST, len(start)), len(start)))
        self._vectors[0] = start / _norm(start)
        self._diagonal: list[float] = []
        self._beside: list[float] = []
        self._removed = 0.0
        self.is_invariant = False

    @property
    def steps(self) -> int:
        """Number k of products so far."""
        return len(self._diagonal)

    @property
    def size(self) -> int:
        """Dimension d of the space."""
        return int(self._vectors.shape[1])

    @property
    def basis(self) -> Array:
        """The orthonormal vectors v_1, …, v_k, one a row: (k, d)."""
        return self._vectors[: self.steps]

    @property
    def diagonal(self) -> Array:
        """Diagonal of T, (k,)."""
        return np.array(self._diagonal)

    @property
    def beside(self) -> Array:
        """Entries of T beside its diagonal, and last the one that would come next: (k,)."""
        return np.array(self._beside)

    @property
    def scale(self) -> float:
        """Frobenius norm of T, the unit in which rounding counts."""
        return float(_norm(np.concatenate([self._diagonal, math.sqrt(2) * self.beside])))

    @property
    def rounding(self) -> float:
        """Estimate of ‖E‖₂, where T is exact for A + E.

        Four times the norm of what should vanish in VᵀAV and does not, from the third step on; at
        least some units in the last place of A; and the rest at which the process was stopped.
        """
        floor = UNIT_ROUNDOFF * (16 + math.sqrt(self.size)) * self.scale
        rest = self._beside[-1] if self.is_invariant else 0.0
        return _SAFETY * self._removed + floor + rest

    def extend(self, steps: int) -> None:
        """Go on until there are `steps` steps, or the basis is invariant."""
        while self.steps < steps and not self.is_invariant:
            self._step()

    def _step(self) -> None:
        k = self.steps
        known = self._vectors[: k + 1]
        vector = np.array(self._apply(known[k]), dtype=np.float64)
        components = known @ vector
        vector -= components @ known
        vector -= (known @ vector) @ known
        self._measure(components)
        self._diagonal.append(float(components[-1]))
        self._beside.append(float(_norm(vector)))
        if k + 1 == self.size:
            self._beside[-1] = 0.0
        # what is left is rounding, and so is its direction
        self.is_invariant = self._beside[-1] <= self.rounding
        if not self.is_invariant:
            self._append(vector / self._beside[-1])

    def _measure(self, components: Array) -> None:
        """Add what a symmetric A would not have: components on all vectors but the last two."""
        odd = components[:-1].copy()
        if len(odd):
            odd[-1] -= self._beside[-1]
            self._removed = math.hypot(self._removed, float(_norm(odd)))

    def _append(self, vector: Array) -> None:
        count = self.steps
        if count == len(self._vectors):
            larger = np.empty((min(2 * count, self.size), self.size))
            larger[:count] = self._vectors
            self._vectors = larger
        self._vectors[count] = vector


def _norm(vector: Array) -> float:
    """Return the Euclidean norm where its square might over- or underflow."""
    top = int(np.frexp(np.max(np.abs(vector), initial=0.0))[1])
    return math.ldexp(float(np.linalg.norm(np.ldexp(vector, -top))), top)
