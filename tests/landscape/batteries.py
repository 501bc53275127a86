"""Random problems meant to break the proofs: ill-conditioned, clustered, singular, badly scaled."""

import itertools

import numpy as np

import linscape as ls
from cases import symmetric


def gaussian(rng):
    X = rng.standard_normal((int(rng.integers(8, 40)), int(rng.integers(1, 8))))
    return rows(X, rng)


def ill_conditioned(rng):
    """Condition 1e14."""
    return matrix(np.logspace(0, -14, int(rng.integers(2, 9))), rng)


def clustered(rng):
    """Eigenvalues that agree to 1e-15 and to 1e-8."""
    centres = rng.choice([1.0, 1e-3, 1e-7], size=int(rng.integers(3, 9)))
    return matrix(
        centres * (1 + rng.choice([1e-15, 1e-8]) * rng.standard_normal(len(centres))), rng
    )


def large_means(rng):
    return rows(rng.standard_normal((30, int(rng.integers(2, 7)))) + 1e6, rng)


def singular(rng):
    """Four times as many columns as rows."""
    n = int(rng.integers(1, 3))
    return rows(rng.standard_normal((n, 4 * n)), rng)


def badly_scaled(rng):
    X = rng.standard_normal((20, int(rng.integers(2, 7))))
    return rows(X * 10 ** rng.uniform(-8, 8, X.shape[1]), rng)


def rows(X, rng):
    signal = X @ (rng.standard_normal(X.shape[1]) / np.abs(X).max(axis=0))
    return ls.Moments.from_arrays(X, signal + rng.uniform(0, 1) * rng.standard_normal(len(X)))


def matrix(eigenvalues, rng):
    A, p = symmetric(eigenvalues, rng), rng.standard_normal(len(eigenvalues))
    return ls.Moments(A, A @ p, p @ A @ p * (1 + rng.uniform(1e-3, 1)))


KINDS = (gaussian, ill_conditioned, clustered, large_means, singular, badly_scaled)


def decays(moments, depth, rng):
    """Unequal decays: from 1e-8 to 3 times ‖c‖, or on the scale on which this problem learns."""
    spread = 10 ** rng.uniform(-8, np.log10(3), depth + 1)
    a, Q = np.linalg.eigh(moments.A)
    if rng.random() < 0.5 or a[-1] == 0:
        return np.linalg.norm(moments.C) * spread
    # the largest of the humps that single directions add to the threshold of learning
    a, growth = np.maximum(a, 1e-16 * a[-1]), 1 - 1 / depth
    hump = np.max((Q.T @ moments.C) ** 2 * a**-growth) * max(depth - 1, 1) ** growth / depth**2
    level = hump ** (depth / (depth + 1))
    spread = (spread / np.exp(np.log(spread).mean())) ** 0.3
    return level * 10 ** rng.uniform(-2, 0.3) * spread


def problems(count, seed):
    """Problems of every kind and depth 1 to 6 in turn."""
    rng = np.random.default_rng(seed)
    turns = itertools.cycle(itertools.product((1, 2, 3, 4, 5, 6), KINDS))
    for _, (depth, kind) in zip(range(count), turns, strict=False):
        moments = kind(rng)
        network = ls.Network(
            tuple(rng.integers(1, 6, depth)),
            noise=rng.choice([0.0, 0.3, 2.0]),
            weight_decay=decays(moments, depth, rng),
            input_noise=rng.choice([0.0, 0.0, 0.1]),
            bias="free" if (moments.n or 0) > 1 and rng.random() < 0.3 else False,
        )
        yield kind.__name__, ls.Problem(moments, network)
