"""Problems for the tests of Gauss quadrature: sparse rows in both forms, and hard spectra."""

import numpy as np
import scipy.sparse as sp

import linscape as ls
from cases import humps, known_minimum, orthogonal, three_minima

NETWORKS = {
    "ridge": ls.Network((), weight_decay=0.01),
    "one layer": ls.Network((3,), weight_decay=0.1, noise=0.5),
    "two layers": ls.Network((3, 2), weight_decay=(0.05, 0.02, 0.1), noise=(0.1, 0.3)),
    "four layers": ls.Network((3,) * 4, weight_decay=0.05, noise=0.2),
    "noise on the inputs": ls.Network((4, 4), weight_decay=0.05, input_noise=0.3),
    "least squares": ls.Network((4,), noise=0.2),
    "collapsed": ls.Network((4, 4), weight_decay=10.0),
}


def rows(count=80, inputs=20, *, seed=0, spread=30.0, mean=1.0):
    """Sparse rows whose columns differ in size by a factor, with a linear signal."""
    rng = np.random.default_rng(seed)
    X = sp.random_array((count, inputs), density=0.3, rng=rng, data_sampler=rng.standard_normal)
    X = X.toarray() * np.geomspace(1, 1 / spread, inputs)
    return X, X @ rng.standard_normal(inputs) + 0.3 * rng.standard_normal(count) + mean


def both(network, *, seed=0, weighted=False, reduction="mean", **options):
    """The same problem with dense moments and with an operator."""
    X, y = rows(seed=seed, **options)
    weight = np.random.default_rng(seed).uniform(0.1, 2, len(y)) if weighted else None
    dense = ls.Moments.from_arrays(X, y, sample_weight=weight)
    free = ls.Moments.from_operator(sp.csr_array(X), y, sample_weight=weight)
    return tuple(ls.Problem(m, network, reduction=reduction) for m in (dense, free))


def with_bias(network, bias):
    return ls.Network(**(network.to_dict() | {"bias": bias}))


def diagonal(condition, network, *, seed=0, inputs=12, residual=0.2, rotate=False):
    """Eigenvalues over a range, y with equal shares in all directions but for a residual."""
    rng = np.random.default_rng(seed)
    a = np.geomspace(1, 1 / condition, inputs)
    c = np.sqrt(a) * rng.standard_normal(inputs)
    Q = orthogonal(inputs, rng) if rotate else np.eye(inputs)
    A = (Q * a) @ Q.T
    yy = float(c @ (c / a)) * (1 + residual)
    return ls.Problem(ls.Moments((A + A.T) / 2, Q @ c, yy), network)


def small(depth, decay):
    return ls.Network((3,) * depth, weight_decay=decay, noise=0.2)


HARD = {
    **{
        f"known, {depth} layers": known_minimum(np.random.default_rng(5), depth, inputs=5).problem
        for depth in range(4)
    },
    "three minima": three_minima(),
    "humps": humps(2, 4, rng=np.random.default_rng(6)),
    "humps, three layers": humps(3, 4, rng=np.random.default_rng(6)),
    "metastable humps": humps(2, 3, ratio=1e5, level=0.9, rng=np.random.default_rng(6)),
    **{
        f"condition {condition:g}, {depth} layers{', rotated' * rotate}": diagonal(
            condition, small(depth, decay), rotate=rotate
        )
        for condition in (1e4, 1e10, 1e14)
        for depth, decay in ((0, 1e-6), (1, 1e-6), (2, 1e-5), (3, 1e-4))
        for rotate in (False, True)
    },
    "condition 1e4, no residual": diagonal(1e4, small(2, 1e-4), residual=1e-9),
}
