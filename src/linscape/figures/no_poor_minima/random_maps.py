"""Random square maps of a given stretch."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def random_maps(
    count: int, size: int, log_stretch: float, rng: np.random.Generator, *, sign: int | None = 1
) -> Array:
    """Draw maps (count, size, size) with max |log σ| = `log_stretch`.

    The directions are uniform; the determinant is of the given sign, or of any.
    """
    logs = log_stretch * rng.uniform(-1, 1, (count, size))
    extreme = rng.integers(size, size=count)
    logs[np.arange(count), extreme] = log_stretch * rng.choice([-1, 1], count)
    left, right = _orthogonal(count, size, rng), _orthogonal(count, size, rng)
    if sign is not None:
        turned = np.linalg.det(left) * np.linalg.det(right) * sign
        left[:, :, 0] *= np.sign(turned)[:, None]
    return np.asarray(left * np.exp(logs)[:, None, :] @ right.mT)


def _orthogonal(count: int, size: int, rng: np.random.Generator) -> Array:
    Q, R = np.linalg.qr(rng.standard_normal((count, size, size)))
    # the signs that LAPACK leaves in R would make the distribution non-uniform
    return np.asarray(Q * np.sign(np.diagonal(R, axis1=1, axis2=2))[:, None, :])
