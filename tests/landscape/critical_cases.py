"""Critical points of undecayed networks, built from their parameterisation, and exact Hessians."""

from fractions import Fraction

import numpy as np


def modes_of(A, C):
    """λ descending, U and the regression R = CᵀA⁺, by definition."""
    R = C.T @ np.linalg.pinv(A, rcond=1e-10, hermitian=True)
    values, U = np.linalg.eigh(R @ C)
    return values[::-1], U[:, ::-1], R


def critical_weights(A, C, hidden, modes, zeros, rng, *, spread=2.0):
    """Weights of modes S: W_N = [U_S, U_QZ_N]D⁻¹, W_h = D_h diag(I, Z_h)D⁻¹, W_1 = D_1[U_SᵀR; Z_1].

    The Z of the layers in `zeros` (from 1) vanish, the others are random; with two zeros, or a
    hidden width of r, or r all there is, the point is critical.
    """
    _, U, R = modes_of(A, C)
    m, d = R.shape
    r, N = len(modes), len(hidden) + 1
    rest = [q for q in range(m) if q not in modes]
    sizes = [d, *(width - r for width in hidden), m - r]
    Z = {
        h: rng.standard_normal((sizes[h], sizes[h - 1])) * (h not in zeros) for h in range(1, N + 1)
    }
    D = [conditioned(width, spread, rng) for width in hidden]
    layers = [D[0] @ np.vstack([U[:, modes].T @ R, Z[1]])]
    for h in range(2, N):
        block = np.zeros((hidden[h - 1], hidden[h - 2]))
        block[:r, :r] = np.eye(r)
        block[r:, r:] = Z[h]
        layers.append(D[h - 1] @ block @ np.linalg.inv(D[h - 2]))
    layers.append(np.hstack([U[:, modes], U[:, rest] @ Z[N]]) @ np.linalg.inv(D[-1]))
    return layers


def conditioned(size, spread, rng):
    """A random matrix with singular values between 1/spread and spread."""
    left, _ = np.linalg.qr(rng.standard_normal((size, size)))
    right, _ = np.linalg.qr(rng.standard_normal((size, size)))
    return left * spread ** rng.uniform(-1, 1, size) @ right


def expected_kind(values, hidden, inputs, modes, zeros):
    """The kind by theory, for distinct values and two or more random zeros."""
    limit = min(inputs, *hidden, int(np.sum(values > 1e-12 * values[0])))
    r = len(modes)
    if sorted(modes) != list(range(r)):
        return "strict saddle"
    if r == limit:
        return "global minimum"
    return "non-strict saddle" if len(zeros) >= 3 else "strict saddle"


# ---- Exact Hessians, by finite algebra of the loss polynomial in rational numbers


def exact(matrix):
    return [[Fraction(entry) for entry in row] for row in matrix]


def times(A, B):
    columns = list(zip(*B, strict=True))
    return [
        [sum(a * b for a, b in zip(row, column, strict=True)) for column in columns] for row in A
    ]


def chain(layers):
    product = layers[0]
    for layer in layers[1:]:
        product = times(layer, product)
    return product


def exact_loss(X, Y, layers):
    """‖Y − W_N⋯W_1X‖², rational."""
    fitted = times(chain(layers), X)
    return sum(
        (y - f) ** 2
        for row, other in zip(Y, fitted, strict=True)
        for y, f in zip(row, other, strict=True)
    )


def exact_hessian(X, Y, layers):
    """Second derivatives of the loss, which is of degree two in each single entry.

    With L(s, t) along two entries of different layers, or of one, the derivatives come from values
    at 0, ±1: L is a polynomial of degree two in s and in t separately.
    """
    places = [
        (h, i, j)
        for h, layer in enumerate(layers)
        for i, row in enumerate(layer)
        for j, _ in enumerate(row)
    ]

    def value(*steps):
        moved = [[list(row) for row in layer] for layer in layers]
        for (h, i, j), step in steps:
            moved[h][i][j] += step
        return exact_loss(X, Y, moved)

    at = value()
    size = len(places)
    gradient = [(value((p, 1)) - value((p, -1))) / 2 for p in places]
    hessian = [[Fraction(0)] * size for _ in places]
    for a, p in enumerate(places):
        hessian[a][a] = value((p, 1)) + value((p, -1)) - 2 * at
        for b, q in enumerate(places[:a]):
            # the mixed coefficient of s t in a polynomial with terms up to s²t²
            corners = sum(s * t * value((p, s), (q, t)) for s in (1, -1) for t in (1, -1))
            hessian[a][b] = hessian[b][a] = corners / 4
    return gradient, hessian


def exact_inertia(hessian):
    """(n₋, n₀, n₊) by congruence, without a square root."""
    H = [list(row) for row in hessian]
    negative = zero = positive = 0
    while H:
        size = len(H)
        pivot = next((k for k in range(size) if H[k][k] != 0), None)
        if pivot is None:
            place = next(((a, b) for a in range(size) for b in range(a) if H[a][b] != 0), None)
            if place is None:
                zero += size
                break
            a, b = place  # adding row and column b to a makes a diagonal entry 2H[a][b]
            for k in range(size):
                H[a][k] += H[b][k]
            for k in range(size):
                H[k][a] += H[k][b]
            pivot = a
        d = H[pivot][pivot]
        negative, positive = negative + (d < 0), positive + (d > 0)
        row = H[pivot]
        H = [
            [H[i][j] - H[i][pivot] * row[j] / d for j in range(size) if j != pivot]
            for i in range(size)
            if i != pivot
        ]
    return negative, zero, positive
