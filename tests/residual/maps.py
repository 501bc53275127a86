"""Square maps made from their polar parts, and slow oracles that know no theory."""

import functools

import numpy as np
from mpmath import mp
from scipy.optimize import minimize


def rotation(size, rng):
    """A random rotation, det = 1."""
    Q = np.linalg.qr(rng.standard_normal((size, size)))[0]
    Q[0] *= np.linalg.det(Q)
    return Q


def turn(angle):
    """A rotation of the plane."""
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def blocks(*parts):
    """A block-diagonal matrix."""
    size = sum(len(part) for part in parts)
    matrix, start = np.zeros((size, size)), 0
    for part in parts:
        matrix[start : start + len(part), start : start + len(part)] = part
        start += len(part)
    return matrix


def random_map(size, log_stretch, rng, sign=1):
    """A map of det of this sign whose largest |log σ| is as given."""
    logs = rng.uniform(-1, 1, size)
    logs[rng.integers(size)] = rng.choice([-1, 1])
    scales = np.exp(log_stretch * logs)
    scales[0] *= sign
    return rotation(size, rng) @ np.diag(scales) @ rotation(size, rng)


def normal_map(moduli, angles, rng):
    """A normal map that scales and turns planes, in a random basis."""
    parts = [modulus * turn(angle) for modulus, angle in zip(moduli, angles, strict=True)]
    Q = rotation(2 * len(parts), rng)
    return Q @ blocks(*parts) @ Q.T


def product(factors):
    """(I + A_l) ⋯ (I + A_1), one after the other."""
    size = len(factors[0])
    return functools.reduce(lambda after, A: (np.eye(size) + A) @ after, factors, np.eye(size))


def mp_product_error(factors, R):
    """The largest entry of the product less R at 50 digits, relative to the largest of R."""
    with mp.workdps(50):
        eye, target = mp.eye(len(R)), mp.matrix(R.tolist())
        result = eye
        for A in factors:
            result = (eye + mp.matrix(A.tolist())) * result
        return float(mp.mnorm(result - target, "f") / mp.mnorm(target, "f"))


def spectral_norms(factors):
    return np.array([np.linalg.norm(A, 2) for A in factors])


def least_norm_found(R, layers, rng, starts, near=()):
    """The smallest max ‖A_i‖ that a search finds, the last layer being whatever is left."""
    size = len(R)

    def norms(vector):
        free = vector.reshape(layers - 1, size, size)
        try:
            last = np.linalg.solve(product(free).T, R.T).T - np.eye(size)
        except np.linalg.LinAlgError:
            return np.full(layers, 1e6)
        return spectral_norms([*free, last])

    def smoothed(vector, power):
        values = norms(vector)
        return values.max() * np.sum((values / values.max()) ** power) ** (1 / power)

    best = np.inf
    vectors = [np.ravel(start[: layers - 1]) for start in near]
    vectors += [0.5 * rng.standard_normal((layers - 1) * size * size) for _ in range(starts)]
    for vector in vectors:
        for power in (6, 30, 120):
            vector = minimize(smoothed, vector, args=(power,), method="BFGS").x
            best = min(best, norms(vector).max())
    return best
