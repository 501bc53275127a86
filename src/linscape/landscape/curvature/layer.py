"""The directions of one layer that the data term of a network without noise can see."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Pair = tuple[Array, Array]


@dataclass(frozen=True)
class LayerDirections:
    """Directions V = Q a + b Pᵀ with Qᵀb = 0, of a layer W with B above it and R = TEᵀ below.

    Attributes
    ----------
    W, B, R, metric : ndarray
        The scaled layer, with the row that hands on the constant if there is one, and what
        :class:`linscape.propagation.NoiseFreeHessian` keeps beside it.
    Q, P : ndarray
        Orthonormal columns that span the rows of B, and the columns of R. If Q is square, a alone
        gives every direction and P is empty. With biases, which may be free of decay, P has their
        column by itself.
    BQ, PR : ndarray
        The products B Q and Pᵀ R.
    """

    W: Array
    B: Array
    R: Array
    metric: Array
    Q: Array
    P: Array
    BQ: Array
    PR: Array

    @classmethod
    def of(
        cls, W: Array, B: Array, R: Array, metric: Array, *, rows: int, bias: bool
    ) -> "LayerDirections":
        """Span what can be seen of a layer with this number of rows."""
        Q = np.linalg.qr(B[:, :rows].T)[0]
        P = _columns(R, bias=bias) if Q.shape[1] < rows else np.empty((len(R), 0))
        return cls(W, B, R, metric, Q, P, B[:, :rows] @ Q, P.T @ R)

    @property
    def shapes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Shapes of a and b."""
        (rows, kept), (columns, seen) = self.Q.shape, self.P.shape
        return (kept, columns), (rows, seen)

    @property
    def idle(self) -> int:
        """Number of conditions Qᵀb = 0."""
        return int(self.Q.shape[1] * self.P.shape[1])

    @property
    def complement(self) -> int:
        """Dimension of the directions that the data term cannot see."""
        (rows, kept), (columns, seen) = self.Q.shape, self.P.shape
        return int((rows - kept) * (columns - seen))

    def project(self, b: Array) -> Array:
        """Return the part of b with Qᵀb = 0."""
        result: Array = b - self.Q @ (self.Q.T @ b)
        return result

    def embed(self, pair: Pair) -> Array:
        """Return V."""
        a, b = pair
        result: Array = self.Q @ a + b @ self.P.T
        return result

    def forward(self, pair: Pair, dR: Array) -> Array:
        """Return V R + W dR, the derivative of R one layer up."""
        a, b = pair
        own = self.Q @ (a @ self.R) + b @ self.PR
        result = self.W @ dR
        result[..., : own.shape[-2], :] += own
        return result

    def backward(self, pair: Pair, dB: Array) -> Array:
        """Return B V + dB W, the derivative of B one layer down."""
        result: Array = self.BQ @ pair[0] + dB @ self.W
        return result

    def image(self, dB: Array, dR: Array, whole: Array) -> Pair:
        """Return the (a, b) of 2 [dBᵀRᵀ + Bᵀ(dRᵀ + whole·metric)]."""
        own = dB[..., : len(self.Q)].mT
        a = (self.Q.T @ own) @ self.R.T + self.BQ.T @ (dR.mT + whole @ self.metric)
        return 2 * a, 2 * self.project(own @ self.PR.T)

    def split(self, vector: Array) -> Pair:
        """Return (a, b) from their entries (…, size)."""
        one, other = self.shapes
        cut = math.prod(one)
        batch = vector.shape[:-1]
        return vector[..., :cut].reshape(*batch, *one), vector[..., cut:].reshape(*batch, *other)

    @property
    def size(self) -> int:
        """Number of entries of a and b."""
        return sum(math.prod(shape) for shape in self.shapes)


def _columns(R: Array, *, bias: bool) -> Array:
    """Return an orthonormal basis of the columns of R; a row of biases stays by itself."""
    P = np.linalg.qr(R[: len(R) - bias])[0]
    if not bias:
        return P
    zeros = np.zeros((len(P), 1)), np.zeros((1, P.shape[1]))
    return np.block([[P, zeros[0]], [zeros[1], np.ones((1, 1))]])
