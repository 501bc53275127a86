"""Problems that are hard to certify, and some whose moments only rounding made."""

import itertools

import numpy as np

import linscape as ls
from cases import humps, isotropic, known_minimum, scaled_decays, symmetric


def random_moments(eigenvalues, rng):
    """Moments with these eigenvalues and a signal of random size in every direction."""
    A, p = symmetric(eigenvalues, rng), rng.standard_normal(len(eigenvalues))
    return ls.Moments(A, A @ p, p @ A @ p * (1 + rng.uniform(1e-3, 1)), n=20)


def ill_conditioned(rng):
    return random_moments(np.logspace(0, -14, int(rng.integers(2, 13))), rng)


def clustered(rng):
    centres = rng.choice([1.0, 1e-3, 1e-7], size=int(rng.integers(3, 13)))
    spread = rng.choice([0.0, 1e-15, 1e-8]) * rng.standard_normal(len(centres))
    return random_moments(centres * (1 + spread), rng)


def repeated(rng):
    """A multiple of the identity, exactly, where a Krylov space has dimension one."""
    c = rng.standard_normal(int(rng.integers(1, 13)))
    square = 2.0 ** float(rng.integers(-20, 20))
    return ls.Moments(square * np.eye(len(c)), c, c @ c / square + 1.0, n=20)


def uncentred(rng):
    X = rng.standard_normal((30, int(rng.integers(2, 7)))) + 1e5
    return ls.Moments.from_arrays(X, X[:, 0] - X[:, 1] + rng.standard_normal(30))


def singular(rng):
    """More columns than rows: exact eigenvalues zero, stored ones of either sign."""
    n = int(rng.integers(1, 5))
    X = rng.standard_normal((n, int(rng.integers(n + 1, 13))))
    return ls.Moments.from_arrays(X, X[:, 0] + rng.standard_normal(n))


def badly_scaled(rng):
    X = rng.standard_normal((20, int(rng.integers(2, 9))))
    y = X.sum(axis=1) + rng.standard_normal(20)
    return ls.Moments.from_arrays(X * 10 ** rng.uniform(-6, 6, X.shape[1]), y)


def far_from_one(rng):
    """Units of x and y anywhere between 1e-140 and 1e140."""
    X = rng.standard_normal((20, int(rng.integers(1, 7))))
    x, y = 10.0 ** rng.uniform(-140, 140, 2)
    return ls.Moments.from_arrays(X * x, (X.sum(axis=1) + rng.standard_normal(20)) * y)


KINDS = (ill_conditioned, clustered, repeated, uncentred, singular, badly_scaled)


def network(moments, depth, rng):
    """Unequal decays around those at which the problem learns, noise on the units and inputs."""
    hidden = tuple(int(width) for width in rng.integers(1, 6, depth))
    if depth == 0:
        largest = float(np.max(np.diagonal(moments.A)))
        return ls.Network((), weight_decay=largest * 10 ** rng.uniform(-4, 1))
    noise = rng.choice([0.0, 0.3, 2.0])
    bias = "free" if moments.mean_x is not None and rng.random() < 0.3 else False
    plain = ls.Network(hidden, noise=noise, weight_decay=1.0)
    critical = ls.critical_weight_decay(ls.Problem(moments, plain)).learning
    factors = 10 ** rng.normal(0, 0.5, depth + 1)
    factors *= 10 ** rng.uniform(-4, 1) / np.exp(np.log(factors).mean())
    return ls.Network(
        hidden,
        noise=noise,
        weight_decay=(critical or 1.0) * factors,
        bias=bias,
        input_noise=rng.choice([0.0, 0.0, 0.1]),
    )


def random_problems(count, seed, kinds=KINDS):
    """Problems of every kind and depth 0 to 6 in turn."""
    rng = np.random.default_rng(seed)
    turns = itertools.cycle(itertools.product(range(7), kinds))
    for _, (depth, kind) in zip(range(count), turns, strict=False):
        moments = kind(rng)
        reduction = rng.choice(["mean", "half_sum"] if moments.n else ["mean", "half_mean"])
        yield (
            kind.__name__,
            ls.Problem(moments, network(moments, depth, rng), reduction=str(reduction)),
        )


def edges():
    """Zero, nothing, everything: one problem each, by name."""
    rng = np.random.default_rng(0)
    known = known_minimum(rng, 2).problem
    X, Y = rng.standard_normal((20, 4)) + 3, rng.standard_normal((20, 3))
    rows = ls.Moments.from_arrays(X, X @ [1.0, -2.0, 0.5, 0.0] + Y[:, 0])
    deep = {f"{depth} layers": known_minimum(rng, depth, noise=0.1).problem for depth in (20, 80)}
    several = {
        f"{count} minima at depth {depth}": humps(depth, count, rng=rng)
        for count, depth in ((2, 2), (3, 3), (4, 5))
    }
    return {
        "collapsed": scaled_decays(known, 100.0),
        "collapsed far away": scaled_decays(known, 1e100),
        "hardly any decay": scaled_decays(known, 1e-12),
        "a decay near the smallest float": scaled_decays(known, 1e-300),
        "no decay": scaled_decays(known, 0.0),
        "ridge": ls.Problem(rows, ls.Network((), weight_decay=0.1)),
        "least squares": ls.Problem(rows, ls.Network((), input_noise=0.2)),
        "several outputs": ls.Problem(
            ls.Moments.from_arrays(X, Y), ls.Network((), weight_decay=0.1, bias="free")
        ),
        "free biases": ls.Problem(
            rows, ls.Network((3, 2), noise=0.5, weight_decay=0.1, bias="free", input_noise=0.3)
        ),
        "half of the sum": ls.Problem(
            rows, ls.Network((3,), weight_decay=0.1), reduction="half_sum"
        ),
        "no signal": ls.Problem(
            ls.Moments(np.eye(2), [0.0, 0.0], 1.5), ls.Network((2,), weight_decay=0.1)
        ),
        "no inputs": ls.Problem(
            ls.Moments(np.zeros((2, 2)), [0.0, 0.0], 1.5), ls.Network((2, 2), weight_decay=0.1)
        ),
        "nothing": ls.Problem(ls.Moments([[0.0]], [0.0], 0.0), ls.Network((2,), weight_decay=0.1)),
        "one layer at the transition": isotropic(1, c=[0.5], decay=0.5),
        **deep,
        **several,
    }


def near_transition(depth, seed, distance):
    """A problem whose decays are all 1 + distance times those at which it stops learning."""
    problem = known_minimum(np.random.default_rng(seed), depth).problem
    factor = ls.critical_weight_decay(problem).learning_factor
    return scaled_decays(problem, factor * (1 + distance))
