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


def hessian_product(
    weights: Sequence[Array],
    directions: Sequence[Array],
    masks: Sequence[Array],
    A: Array,
    C: Array,
) -> list[Array]:
    """Return the derivative of :func:`gradient` along `directions`, which may have batch axes."""
    *hidden, U = weights
    *tangents, dU = directions
    S, C_k = forward(hidden, masks, A, C)
    dS, dC = _forward_tangent(hidden, tangents, masks, S, C_k)
    products = [2 * (dU @ S[-1] + U @ dS[-1] - dC[-1].mT)]
    Q, dQ, B, dB = U.mT @ U, _symmetric(dU.mT @ U), U, dU
    for k in reversed(range(len(hidden))):
        W, V = hidden[k], tangents[k]
        Q, dQ = Q * masks[k], dQ * masks[k]
        quadratic = (dQ @ W + Q @ V) @ S[k] + Q @ W @ dS[k]
        products.append(2 * (quadratic - dB.mT @ C_k[k].mT - B.mT @ dC[k].mT))
        dQ = _symmetric(V.mT @ Q @ W) + W.mT @ dQ @ W
        dB = dB @ W + B @ V
        Q, B = W.mT @ Q @ W, B @ W
    return products[::-1]


def _forward_tangent(
    hidden: Sequence[Array],
    tangents: Sequence[Array],
    masks: Sequence[Array],
    S: Sequence[Array],
    C_k: Sequence[Array],
) -> tuple[list[Array], list[Array]]:
    dS, dC = [np.zeros_like(S[0])], [np.zeros_like(C_k[0])]
    for k, (W, V, M) in enumerate(zip(hidden, tangents, masks, strict=True)):
        dS.append((_symmetric(V @ S[k] @ W.mT) + W @ dS[-1] @ W.mT) * M)
        dC.append(V @ C_k[k] + W @ dC[-1])
    return dS, dC


def _symmetric(X: Array) -> Array:
    """Return X + Xᵀ."""
    result: Array = X + X.mT
    return result
