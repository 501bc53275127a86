"""How second moments pass through the layers, and the adjoint and tangent of that map.

Everything here is pure linear algebra on lists of matrices. A layer's weights W_k may carry batch
axes in front. Noise enters through masks M_k = 1 + diag(σ_k²), because multiplying the units of a
layer by independent noise of mean 1 and variance σ_k² turns E[hhᵀ] into E[hhᵀ]∘M_k.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def forward(
    hidden: Sequence[Array], masks: Sequence[Array], A: Array, C: Array
) -> tuple[list[Array], list[Array]]:
    """Return S_k = E[h_k h_kᵀ] and C_k = E[h_k yᵀ] for k = 0, …, D."""
    S, C_k = [A], [C]
    for W, M in zip(hidden, masks, strict=True):
        S.append((W @ S[-1] @ W.mT) * M)
        C_k.append(W @ C_k[-1])
    return S, C_k


def loss(weights: Sequence[Array], masks: Sequence[Array], A: Array, C: Array, yy: float) -> Array:
    """Return E‖f − y‖² = tr(U S_D Uᵀ) − 2 tr(U C_D) + yy, with yy = tr E[yyᵀ]."""
    *hidden, U = weights
    S, C_k = forward(hidden, masks, A, C)
    quadratic = np.einsum("...ij,...ij->...", U @ S[-1], U)
    linear = np.einsum("...ij,...ji->...", U, C_k[-1])
    result: Array = quadratic - 2 * linear + yy
    return result


def gradient(weights: Sequence[Array], masks: Sequence[Array], A: Array, C: Array) -> list[Array]:
    """Return the derivative of :func:`loss` by each weight matrix."""
    *hidden, U = weights
    S, C_k = forward(hidden, masks, A, C)
    gradients = [2 * (U @ S[-1] - C_k[-1].mT)]
    Q, B = U.mT @ U, U
    for k in reversed(range(len(hidden))):
        W, Q = hidden[k], Q * masks[k]
        gradients.append(2 * (Q @ W @ S[k] - B.mT @ C_k[k].mT))
        Q, B = W.mT @ Q @ W, B @ W
    return gradients[::-1]


def hessian(
    weights: Sequence[Array], masks: Sequence[Array], A: Array, C: Array
) -> "NoiseFreeHessian | NoisyHessian":
    """Return the derivative of :func:`gradient` at `weights`, a map of directions.

    What does not depend on the direction is computed once. Directions may have batch axes.
    """
    if all((M == 1).all() for M in masks):
        return NoiseFreeHessian(weights, A, C)
    return NoisyHessian(weights, masks, A, C)


class NoiseFreeHessian:
    """Without noise, through matrices as thin as the output.

    With T_k = W_k ⋯ W_1 and B_k = U ⋯ W_{k+1} the gradient by W_k is 2 B_kᵀ E T_{k−1}ᵀ, where
    E = B_0 A − Cᵀ. Hence T_{k−1} is only needed as `right[k − 1]` = T_{k−1} Eᵀ and within
    dE T_{k−1}ᵀ = dB_0 A T_{k−1}ᵀ. A product costs six passes over the weights per output.
    """

    def __init__(self, weights: Sequence[Array], A: Array, C: Array) -> None:
        self.weights = weights
        T = [np.eye(len(A))]
        for W in weights:
            T.append(W @ T[-1])
        E = T.pop() @ A - C.mT
        self.below = T
        self.right = [X @ E.mT for X in T]
        self.metric = [A @ X.mT for X in T]
        B = [np.eye(C.shape[-1])]
        for W in reversed(weights[1:]):
            B.append(B[-1] @ W)
        self.left = B[::-1]

    def __call__(self, directions: Sequence[Array]) -> list[Array]:
        """Return the derivative of the gradient along `directions`."""
        dB, dP = self._backward(directions)
        dR = self._forward(directions)
        products = []
        for k, (B, R) in enumerate(zip(self.left, self.right, strict=True)):
            thin = np.broadcast_arrays(dB[k], B)
            wide = np.broadcast_arrays(R.mT, dR[k].mT + dP @ self.metric[k])
            products.append(2 * np.concatenate(thin, -2).mT @ np.concatenate(wide, -2))
        return products

    def matrix(self, rows: Sequence[int]) -> Array:
        """Return the dense Hessian in the first of the rows of each layer, in C order.

        With k ≥ j and the layers between them Π = W_{k−1} ⋯ W_{j+1}, the block of layers k and j is
        2 B_kᵀB_j ⊗ T_{k−1} A T_{j−1}ᵀ, and for k > j the entry of V_k[a, b] and V_j[c, e] has
        2 (T_{j−1} Eᵀ B_k)[e, a] Π[b, c] as well.
        """
        B = [left[:, :count] for left, count in zip(self.left, rows, strict=True)]
        sizes = [count * W.shape[1] for W, count in zip(self.weights, rows, strict=True)]
        cuts = np.cumsum([0, *sizes])
        H = np.empty((cuts[-1], cuts[-1]))
        for k, above in enumerate(B):
            between = np.eye(self.weights[k].shape[1])
            for j in reversed(range(k + 1)):
                outer, inner = above.T @ B[j], self.below[k] @ self.metric[j]
                if j == k:
                    inner = (inner + inner.T) / 2  # what rounding leaves of the symmetry
                block = 2 * outer[:, None, :, None] * inner[None, :, None, :]
                if j < k:
                    cross = 2 * (self.right[j] @ above).T
                    block += cross[:, None, None, :] * between[:, : rows[j], None]
                    between = between @ self.weights[j]
                block = block.reshape(sizes[k], sizes[j])
                H[cuts[k] : cuts[k + 1], cuts[j] : cuts[j + 1]] = block
                H[cuts[j] : cuts[j + 1], cuts[k] : cuts[k + 1]] = block.T
        return H

    def _forward(self, directions: Sequence[Array]) -> list[Array]:
        """Return the derivatives of T_0 Eᵀ, … with E held fixed."""
        dR = [np.zeros_like(self.right[0])]
        for W, V, R in zip(self.weights[:-1], directions[:-1], self.right[:-1], strict=True):
            dR.append(V @ R + W @ dR[-1])
        return dR

    def _backward(self, directions: Sequence[Array]) -> tuple[list[Array], Array]:
        """Return the derivatives of B_1, … and that of B_0, the whole product."""
        dB = [np.zeros_like(self.left[-1])]
        for W, V, B in zip(self.weights[::-1], directions[::-1], self.left[::-1], strict=True):
            dB.append(dB[-1] @ W + B @ V)
        whole = dB.pop()
        return dB[::-1], whole


class NoisyHessian:
    """With noise, through the second moments S_k and their adjoints Q_k."""

    def __init__(
        self, weights: Sequence[Array], masks: Sequence[Array], A: Array, C: Array
    ) -> None:
        *self.hidden, self.U = weights
        self.masks = masks
        self.S, self.C = forward(self.hidden, masks, A, C)
        self.WS = [W @ S for W, S in zip(self.hidden, self.S[:-1], strict=True)]
        self.Q: list[Array] = []
        self.QW: list[Array] = []
        self.B = [self.U]
        Q = self.U.mT @ self.U
        for W, M in zip(self.hidden[::-1], masks[::-1], strict=True):
            self.Q.insert(0, Q * M)
            self.QW.insert(0, self.Q[0] @ W)
            Q = W.mT @ self.QW[0]
            self.B.insert(0, self.B[0] @ W)

    def __call__(self, directions: Sequence[Array]) -> list[Array]:
        """Return the derivative of the gradient along `directions`."""
        *tangents, dU = directions
        dWS, dS, dC = self._forward(tangents)
        products = [2 * (dU @ self.S[-1] + self.U @ dS - dC[-1].mT)]
        dQ, dB = _symmetric(dU.mT @ self.U), dU
        for k in reversed(range(len(tangents))):
            W, V, B = self.hidden[k], tangents[k], self.B[k + 1]
            dQ = dQ * self.masks[k]
            quadratic = dQ @ self.WS[k] + self.Q[k] @ dWS[k]
            products.append(2 * (quadratic - dB.mT @ self.C[k].mT - B.mT @ dC[k].mT))
            if k:
                dQ = _symmetric(V.mT @ self.QW[k] + W.mT @ (dQ @ W) / 2)
                dB = dB @ W + B @ V
        return products[::-1]

    def _forward(self, tangents: Sequence[Array]) -> tuple[list[Array], Array, list[Array]]:
        """Return the derivatives of W_k S_{k−1} for all k, of S_D, and of all C_k."""
        dWS, dS, dC = [], np.zeros_like(self.S[0]), [np.zeros_like(self.C[0])]
        for k, (W, V, M) in enumerate(zip(self.hidden, tangents, self.masks, strict=True)):
            one, other = V @ self.S[k], W @ dS
            dWS.append(one + other)
            dS = _symmetric((one + other / 2) @ W.mT) * M
            dC.append(V @ self.C[k] + W @ dC[-1])
        return dWS, dS, dC


def _symmetric(X: Array) -> Array:
    """Return X + Xᵀ."""
    result: Array = X + X.mT
    return result
