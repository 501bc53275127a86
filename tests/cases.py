"""Problems built backwards from their answers, and the answers of stored moments at 60 digits.

With one output and positive decays a predictor p is stationary exactly when (τA + λ)p = c, where
λ = K/‖p‖² and K^{D+1} = P‖p‖²: choose A, p and K, and c and P follow.
"""

import math
from typing import NamedTuple

import numpy as np
from mpmath import mp

import linscape as ls
from oracles import mp_minimum


def orthogonal(size, rng):
    """A random rotation (or reflection)."""
    return np.linalg.qr(rng.standard_normal((size, size)))[0]


def symmetric(eigenvalues, rng):
    """A symmetric matrix with these eigenvalues, up to rounding."""
    Q = orthogonal(len(eigenvalues), rng)
    A = (Q * eigenvalues) @ Q.T
    return (A + A.T) / 2


def split(log_product, layers, rng, spread=1.0):
    """Unequal positive decays with this log product."""
    u = spread * rng.standard_normal(layers)
    return np.exp(u - u.mean() + log_product / layers)


class Known(NamedTuple):
    """A problem whose global minimum is known by construction."""

    problem: ls.Problem
    loss: float
    gain: float
    energy: float
    predictor: np.ndarray


def known_minimum(rng, depth, *, inputs=3, noise=0.4, reach=0.5, input_noise=0.0):
    """A problem whose nontrivial global minimum is a random p; reach < 1 is how near to losing.

    The eigenvalues lie within a factor 1.5, so that F has at most one nontrivial minimum; p is it
    because λ = reach·τ·a_min/(D − 1) makes its gain τ pᵀAp − (D − 1)K positive.
    """
    hidden = tuple(int(k) for k in rng.integers(1, 5, depth))
    variances = tuple(noise * rng.uniform(0.5, 1.5, depth))
    tau = math.prod(1 + s / k for s, k in zip(variances, hidden, strict=True))
    eigenvalues = rng.uniform(1, 1.5, inputs)
    A, p = symmetric(eigenvalues, rng), rng.standard_normal(inputs)
    square = p @ p
    K = reach * tau * eigenvalues.min() / max(depth - 1, 1) * square
    c = tau * (A @ p) + K / square * p
    decays = split((depth + 1) * math.log(K) - math.log(square), depth + 1, rng)
    # noise on the inputs multiplies the diagonal: take it off what is stored
    stored = A - np.diag(np.diagonal(A)) * (input_noise / (1 + input_noise))
    yy = c @ np.linalg.solve(stored, c) + 1
    network = ls.Network(hidden, noise=variances, weight_decay=decays, input_noise=input_noise)
    gain = tau * (p @ A @ p) - (depth - 1) * K
    problem = ls.Problem(ls.Moments(stored, c, yy), network)
    return Known(problem, yy - gain, gain, K, p)


def isotropic(depth, *, square=1.0, c=(1.0,), decay=0.1, noise=0.0, width=2, **network):
    """A = s²I, here with s² = ``square``: everything has a closed form."""
    c = np.asarray(c, dtype=float)
    moments = ls.Moments(square * np.eye(len(c)), c, c @ c / square + 1.0)
    network = ls.Network((width,) * depth, noise=noise, weight_decay=decay, **network)
    return ls.Problem(moments, network)


def isotropic_thresholds(depth, norm, tau, square):
    """(P*, P_e) of A = s²I in closed form, as mp numbers."""
    D, norm, ts = mp.mpf(depth), mp.convert(norm), mp.convert(tau) * mp.convert(square)
    if depth == 1:
        return norm**2, norm**2
    learning = norm ** (2 * D) * (D - 1) ** (D - 1) / (D ** (2 * D) * ts ** (D - 1))
    ratio = (D - 1) / ((D + 1) * ts)
    return learning, norm ** (2 * D) * ratio ** (D - 1) * ((D + 1) / (2 * D)) ** (2 * D)


def humps(depth, count, *, ratio=400.0, level=0.8, noise=0.5, width=2, rng=None):
    """A problem with ``count`` nontrivial minima, D ≥ 2.

    Each direction adds one hump x^{1−1/D}/(1 + x)², x = a e^y, to the function whose level sets are
    the critical points; c_i² = a_i^{1−1/D} makes them equally high, a_i far apart keeps them apart;
    ``level`` is the level as a fraction of the height of one hump.
    """
    growth = 1 - 1 / depth
    a = ratio ** np.arange(float(count))
    c = a ** (growth / 2)
    top = growth / (2 - growth)
    log_level = math.log(level * top**growth / (1 + top) ** 2)
    log_inflation = depth * math.log1p(noise / width)
    log_product = depth * log_level - (depth - 1) * log_inflation
    decay = math.exp(log_product / (depth + 1))
    Q = np.eye(count) if rng is None else orthogonal(count, rng)
    A = (Q * a) @ Q.T
    moments = ls.Moments((A + A.T) / 2, Q @ c, float(c**2 @ (1 / a)) + 0.5)
    return ls.Problem(moments, ls.Network((width,) * depth, noise=noise, weight_decay=decay))


def three_minima():
    """The published example with three minima, zero among them."""
    moments = ls.Moments(np.diag([400.0, 1.0]), [4.472, 1.0], 2.0)
    return ls.Problem(moments, ls.Network((2, 2), noise=0.5, weight_decay=0.3275))


def scaled_decays(problem, factor):
    """The same problem with every decay multiplied."""
    arguments = problem.network.to_dict()
    arguments["weight_decay"] = [factor * decay for decay in arguments["weight_decay"]]
    return ls.Problem(problem.moments, ls.Network(**arguments), reduction=problem.reduction)


def data_problem(X, y, network, **options):
    """A problem from rows."""
    return ls.Problem(ls.Moments.from_arrays(X, y), network, **options)


def stored(problem):
    """(A, c, yy) exactly as stored, input noise added without rounding, as mp numbers."""
    moments, network = problem.moments, problem.network
    if network.bias == "free":
        A, c, yy = moments.covariance_x, moments.covariance_xy, moments.covariance_y
    else:
        A, c, yy = moments.A, moments.C, moments.yy
    with mp.workdps(80):
        A = mp.matrix(A.tolist())
        for i in range(moments.inputs):
            A[i, i] += mp.mpf(network.input_noise) * mp.mpf(float(moments.A[i, i]))
        return A, [mp.mpf(float(x)) for x in np.ravel(c)], mp.mpf(float(yy))


def truth(problem, *, rank_tolerance=0, **options):
    """The global minimum for the stored moments at 60 digits: see ``oracles.mp_minimum``."""
    network = problem.network
    return mp_minimum(
        *stored(problem),
        depth=network.depth,
        weight_decay=list(network.weight_decay),
        noise=list(network.noise),
        hidden=list(network.hidden),
        factor=problem.data_factor,
        rank_tolerance=rank_tolerance,
        **options,
    )


def true_thresholds(problem):
    """(P*, P_e) for the stored moments at 40 digits, by a grid and Newton's method.

    P* = τ^{1−D} [max_y e^{(1−1/D)y} Σ c_i²/(1 + a_i e^y) / D]^D, P_e the same with the square and
    without the D; all in units of a data factor 1.
    """
    network = problem.network
    D = network.depth
    with mp.workdps(55):
        A, c, _ = stored(problem)
        a, Q = mp.eigsy(A)
        b = [mp.fsum(Q[j, i] * c[j] for j in range(len(c))) ** 2 for i in range(len(c))]
        pairs = zip(network.noise, network.hidden, strict=True)
        tau = mp.fprod(1 + mp.mpf(s) / k for s, k in pairs)
        if D == 1:
            return mp.fsum(b), mp.fsum(b)
        growth = mp.mpf(D - 1) / D
        found = []
        for power, share in ((1, D), (2, 1)):

            def height(y, power=power):
                z = mp.exp(y)
                terms = (x / (1 + v * z) ** power for v, x in zip(a, b, strict=True))
                return growth * y + mp.log(mp.fsum(terms))

            grid = np.linspace(-float(mp.log(a[len(a) - 1])) - 8, -float(mp.log(a[0])) + 8, 4001)
            values = np.array([float(v) for v in a])[:, None] * np.exp(grid)
            sums = (np.array([[float(x)] for x in b]) / (1 + values) ** power).sum(axis=0)
            start = grid[np.argmax(float(growth) * grid + np.log(sums))]
            peak = mp.findroot(lambda y: mp.diff(height, y), mp.mpf(start), tol=1e-30)
            found.append(tau ** (1 - D) * (mp.exp(height(peak)) / share) ** D)
        return tuple(found)


def one_layer_gain(problem):
    """The largest gain for one hidden layer that learns, at 60 digits, by bisecting for K."""
    (gamma_w, gamma_u), (width,), (variance,) = (
        problem.network.weight_decay,
        problem.network.hidden,
        problem.network.noise,
    )
    with mp.workdps(80):
        A, c, _ = stored(problem)
        a, Q = mp.eigsy(A)
        b = [mp.fsum(Q[j, i] * c[j] for j in range(len(c))) ** 2 for i in range(len(c))]
        a = [v * (1 + mp.mpf(variance) / width) for v in a]
        P = mp.mpf(gamma_w) * mp.mpf(gamma_u)

        def excess(K):
            return P * mp.fsum(x / (v * K + P) ** 2 for v, x in zip(a, b, strict=True)) - 1

        reach = mp.sqrt(P * mp.fsum(b)) - P
        K = mp.findroot(excess, (reach / max(a), reach / min(a)), solver="anderson", tol=1e-120)
        return mp.fsum(x * K / (v * K + P) for v, x in zip(a, b, strict=True)) - K


NOISES = {
    "silent": {},
    "hidden": {"noise": (0.4, 1.1)},
    "input": {"noise": (0.0, 0.3), "input_noise": 0.6},
}


def tiny_net(
    outputs=1,
    noise="hidden",
    bias=False,
    *,
    hidden=(2, 1),
    decayed=True,
    weighted=False,
    reduction="mean",
    seed=0,
):
    """A problem, random weights, its rows, and the same problem as the oracles' keywords."""
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((4, 2)) + 0.5, rng.standard_normal((4, outputs)) - 0.3
    v = rng.uniform(0.5, 2, 4) if weighted else None
    decays = tuple(rng.uniform(0.1, 1, len(hidden) + 1)) if decayed else 0.0
    spread = {k: x if k == "input_noise" else x[: len(hidden)] for k, x in NOISES[noise].items()}
    network = ls.Network(hidden, weight_decay=decays, bias=bias, **spread)
    moments = ls.Moments.from_arrays(X, y[:, 0] if outputs == 1 else y, sample_weight=v)
    problem = ls.Problem(moments, network, reduction=reduction)
    rows = (4.0 if v is None else v.sum()) if reduction.endswith("sum") else 1.0
    oracle = {"weight_decay": decays, "bias": bias, "sample_weight": v, **spread}
    oracle["factor"] = rows * (0.5 if reduction.startswith("half") else 1)
    weights = [rng.standard_normal(shape) for shape in problem.shapes]
    return problem, weights, (X, y), oracle
