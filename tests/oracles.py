"""Slow, obvious references for deep linear networks, written from the definitions alone.

The net: h_0 = ε_0∘x, h_k = ε_k∘(W_k h_{k−1} + β_k), f = U h_D + β_U, with independent noise of
mean 1 and variance σ_k² on every unit and sample. The loss:

    L = factor · E‖f(x) − y‖² + Σ_k γ_k ‖W_k‖_F² (+ γ_k ‖β_k‖² when biases are "decayed"),

E over the noise and the weighted mean over the data. Everywhere below

* ``weights`` is ``[W_1, ..., W_D, U]``, each ``[W β]`` (bias last) unless ``bias`` is False;
* ``noise`` is σ_1²..σ_D² and ``input_noise`` is σ_0²: VARIANCES; one number serves every layer;
* ``weight_decay`` is γ_1..γ_{D+1}; one number serves every layer;
* ``bias`` is False, "decayed" or "free"; ``sample_weight`` are the data weights (equal if None);
* ``**problem`` stands for the keywords of ``read``, which are these and ``factor``.
"""

import itertools
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
from mpmath import mp
from scipy.optimize import minimize

# ---- What all losses share: the arguments and the penalty


def per_layer(value, count):
    """One number, or one for each of ``count`` layers, as a list."""
    return [value] * count if np.ndim(value) == 0 else list(value)


def read(X, y, *, noise=0, input_noise=0, weight_decay=0, bias=False, sample_weight=None, factor=1):
    """The problem as a namespace: X (n, d), Y (n, m), v (the raw data weights) and the keywords."""
    if bias not in (False, "decayed", "free"):
        raise ValueError(f"expected bias False, 'decayed' or 'free', got {bias!r}")
    X = np.asarray(X, dtype=float)
    Y = np.asarray(y, dtype=float).reshape(len(X), -1)
    v = np.asarray(np.ones(len(X)) if sample_weight is None else sample_weight, dtype=float)
    q = SimpleNamespace(X=X, Y=Y, v=v, decay=weight_decay, bias=bias, factor=factor)
    q.variances = lambda depth: [input_noise, *per_layer(noise, depth)]  # σ_0²..σ_D²
    return q


def penalty(weights, problem):
    """Σ_k γ_k ‖·‖² over what decays: everything, but for the last columns when bias is free."""
    decayed = [W[:, :-1] if problem.bias == "free" else W for W in weights]
    decays = per_layer(problem.decay, len(weights))
    return sum(g * (W**2).sum() for g, W in zip(decays, decayed, strict=True))


# ---- 1. The loss with its noise enumerated or drawn


def forward(x, weights, masks, bias):
    """F, one row per row of the masks, for inputs x (broadcast against masks[0])."""
    h = masks[0] * x
    for k, W in enumerate(weights):
        z = h @ W[:, :-1].T + W[:, -1] if bias else h @ W.T
        h = z * masks[k + 1] if k + 1 < len(weights) else z
    return h


def two_points(variance, law):
    """((value, probability), ...) of a two-point law of mean 1 and the given variance."""
    if variance == 0:
        return ((1.0, 1.0),)
    sigma, p = (
        np.sqrt(variance),
        variance / (1 + variance),
    )  # p/(1 − p) is a dropout mask's variance
    dropout, symmetric = ((0, p), (1 / (1 - p), 1 - p)), ((1 - sigma, 0.5), (1 + sigma, 0.5))
    return {"dropout": dropout, "symmetric": symmetric}[law]


def enumerated_loss(X, y, weights, *, law="symmetric", **problem):
    """L exactly, by a sum over every pattern of two-point noise: 2^(noisy units) of them."""
    q = read(X, y, **problem)
    widths = [q.X.shape[1]] + [len(W) for W in weights[:-1]]
    variances = q.variances(len(weights) - 1)
    units = [two_points(s, law) for s, k in zip(variances, widths, strict=True) for _ in range(k)]
    patterns = np.array(list(itertools.product(*units)))  # (pattern, unit, value or probability)
    masks = np.split(patterns[:, :, 0], np.cumsum(widths)[:-1], axis=1)
    chances = patterns[:, :, 1].prod(axis=1)
    expected = 0.0
    for x, target, v in zip(q.X, q.Y, q.v / q.v.sum(), strict=True):
        errors = ((forward(x, weights, masks, q.bias) - target) ** 2).sum(axis=1)
        expected += v * (chances @ errors)
    return float(q.factor * expected + penalty(weights, q))


def sampled_loss(X, y, weights, *, samples=10_000, rng, law="gaussian", **problem):
    """L by Monte Carlo with "gaussian" or "dropout" masks: (mean, its standard error)."""
    q = read(X, y, **problem)
    widths = [q.X.shape[1]] + [len(W) for W in weights[:-1]]
    draw = {
        "gaussian": lambda s, k: 1 + np.sqrt(s) * rng.standard_normal((samples, k)),
        "dropout": lambda s, k: (1 + s) * (rng.random((samples, k)) < 1 / (1 + s)),
    }[law]
    draws = np.zeros(samples)
    for x, target, v in zip(q.X, q.Y, q.v / q.v.sum(), strict=True):
        masks = [draw(s, k) for s, k in zip(q.variances(len(weights) - 1), widths, strict=True)]
        draws += v * ((forward(x, weights, masks, q.bias) - target) ** 2).sum(axis=1)
    mean = q.factor * draws.mean() + penalty(weights, q)
    return float(mean), float(q.factor * draws.std(ddof=1) / np.sqrt(samples))


# ---- 2. The loss with its noise averaged, by E[h | x] and E[h hᵀ | x] of every row


def noised(M, variance):
    """E[(ε∘z)(ε∘z)ᵀ] from M = E[z zᵀ]: the diagonal grows by 1 + σ², the rest stays."""
    return M * (1 + variance * np.eye(M.shape[-1]))


def with_one(m, M):
    """The moments of (h, 1) from those of h, for every row."""
    m1 = np.concatenate([m, np.ones((len(m), 1))], axis=1)
    M1 = np.concatenate([M, m[:, :, None]], axis=2)
    return m1, np.concatenate([M1, m1[:, None, :]], axis=1)


def averaged_loss_and_gradient(X, y, **problem):
    """The function ``weights → (L, [∂L/∂W_1, ..., ∂L/∂U])``."""
    q = read(X, y, **problem)
    v = q.factor * q.v / q.v.sum()

    def loss_and_gradient(weights):
        after = [*q.variances(len(weights) - 1)[1:], 0.0]  # the noise after each layer
        m, M = q.X, noised(q.X[:, :, None] * q.X[:, None, :], q.variances(len(weights) - 1)[0])
        tape = []  # the moments that enter each layer
        for W, variance in zip(weights, after, strict=True):
            m, M = with_one(m, M) if q.bias else (m, M)
            tape.append((m, M))
            m, M = m @ W.T, noised(W @ M @ W.T, variance)
        squares = np.trace(M, axis1=1, axis2=2) + (q.Y * (q.Y - 2 * m)).sum(axis=1)
        loss = float(v @ squares + penalty(weights, q))

        # Backwards: (gm, GM) is the derivative of L in the (m, M) that leave layer k.
        gm, GM = -2 * v[:, None] * q.Y, v[:, None, None] * np.eye(q.Y.shape[1])
        gradient = [
            2 * g * W for g, W in zip(per_layer(q.decay, len(weights)), weights, strict=True)
        ]
        for k in reversed(range(len(weights))):
            W, (m, M), GM = weights[k], tape[k], noised(GM, after[k])
            if q.bias == "free":
                gradient[k][:, -1] = 0
            gradient[k] += 2 * (GM @ W @ M).sum(axis=0) + gm.T @ m
            gm, GM = gm @ W, W.T @ GM @ W
            if q.bias:
                gm, GM = gm[:, :-1] + 2 * GM[:, :-1, -1], GM[:, :-1, :-1]
        return loss, gradient

    return loss_and_gradient


def mp_loss(X, y, weights, *, digits=60, **problem):
    """L in mpmath, by the same moments one row at a time; every float is taken as exact."""
    q = read(X, y, **problem)
    with mp.workdps(digits + 15):
        exact = np.vectorize(mp.convert, otypes=[object])
        q.decay = exact(per_layer(q.decay, len(weights))).tolist()
        weights, total = [exact(W) for W in weights], mp.mpf(0)
        for x, target, v in zip(exact(q.X), exact(q.Y), exact(q.v), strict=True):
            m, M = x, np.outer(x, x)
            for W, variance in zip(weights, q.variances(len(weights) - 1), strict=True):
                M = M + np.diag(mp.convert(variance) * M.diagonal())
                if q.bias:
                    m = np.append(m, mp.mpf(1))
                    M = np.vstack([np.column_stack([M, m[:-1]]), m])
                m, M = W @ m, W @ M @ W.T
            total += v * (np.trace(M) - 2 * (target @ m) + target @ target)
        return mp.convert(q.factor) * total / sum(exact(q.v)) + penalty(weights, q)


# ---- 3. Derivatives by differences


def flatten(arrays):
    """A list of arrays as one vector."""
    return np.concatenate([np.ravel(a) for a in arrays])


def unflatten(vector, shapes):
    """The list of arrays of these shapes that ``flatten`` made the vector of."""
    cuts = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    parts = np.split(np.asarray(vector), cuts)
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def central_difference(f, w, step, levels):
    """[∂f/∂w_i] of f(vector) by central differences, extrapolated from step, step/2, ..."""

    def slopes(h):
        return np.array([(f(w + h * e) - f(w - h * e)) / (2 * h) for e in np.eye(len(w))])

    column = [slopes(step / 2**i) for i in range(levels)]
    for order in range(1, levels):
        column = [b + (b - a) / (4**order - 1) for a, b in itertools.pairwise(column)]
    return column[0]


def finite_difference_gradient(f, weights, step=0.125, *, levels=2):
    """∂f, a list of arrays; exact at any step for L, which is quadratic in each single weight."""
    shapes = [np.shape(W) for W in weights]
    slopes = central_difference(lambda w: f(unflatten(w, shapes)), flatten(weights), step, levels)
    return unflatten(slopes, shapes)


def finite_difference_hessian(f, weights, step=0.25, *, levels=1):
    """∂²f over the flattened weights (C order, layer after layer); exact at any step for L too."""
    shapes = [np.shape(W) for W in weights]

    def gradient(w):
        return central_difference(lambda w: f(unflatten(w, shapes)), w, step, levels)

    hessian = central_difference(gradient, flatten(weights), step, levels)
    return (hessian + hessian.T) / 2


# ---- 4. The minimum over all weights, by brute force; and ridge, the net without hidden layers


def minimum_by_multistart(loss_and_gradient, shapes, rng, *, starts=24, scales=(0.1, 0.5, 1, 2)):
    """(best loss, loss at the end of each start, best weights); start i has scales[i % len]."""

    def objective(vector):
        loss, gradient = loss_and_gradient(unflatten(vector, shapes))
        return loss, flatten(gradient)

    size = sum(int(np.prod(shape)) for shape in shapes)
    options = {"ftol": 0, "gtol": 1e-12, "maxiter": 20_000, "maxfun": 200_000, "maxcor": 30}
    losses, vectors = [], []
    for i in range(starts):
        vector, loss = scales[i % len(scales)] * rng.standard_normal(size), np.inf
        for _ in range(20):  # a fresh quasi-Newton memory, until it gains nothing
            end = minimize(objective, vector, jac=True, method="L-BFGS-B", options=options)
            vector, loss, gained = end.x, float(end.fun), loss - end.fun
            if gained <= 1e-15 * loss:
                break
        losses.append(loss)
        vectors.append(vector)
    best = int(np.argmin(losses))
    return losses[best], np.array(losses), unflatten(vectors[best], shapes)


def dense_ridge(A, c, yy, decay, *, factor=1.0):
    """min_p factor·(tr pᵀAp − 2 tr pᵀc + yy) + decay·‖p‖², as (loss, p); p has the shape of c."""
    A, c = np.asarray(A, dtype=float), np.asarray(c, dtype=float)
    p = np.linalg.lstsq(factor * A + decay * np.eye(len(A)), factor * c, rcond=None)[0]
    loss = factor * (np.sum(p * (A @ p)) - 2 * np.sum(p * c) + yy) + decay * np.sum(p**2)
    return float(loss), p


# ---- 5. One output, no bias: the minimum in high precision


def mp_moments(X, y, sample_weight=None, *, input_noise=0, digits=60):
    """(E[x xᵀ] + σ_0² its diagonal, E[x yᵀ], E‖y‖²) in mp: exact sums of floats, rounded once."""
    q = read(X, y, sample_weight=sample_weight)
    X, Y, v = (np.vectorize(Fraction, otypes=[object])(a) for a in (q.X, q.Y, q.v))
    A, C, yy = ((v * a.T) @ b / v.sum() for a, b in ((X, X), (X, Y), (Y, Y)))
    A = A + np.diag(Fraction(float(input_noise)) * A.diagonal())
    with mp.workdps(digits + 15):
        return mp.matrix(A.tolist()), mp.matrix(C.tolist()), mp.convert(np.trace(yy))


def all_roots(S, lo, hi, slope, curvature, tiny):
    """Every root in [lo, hi] of S, where S(u) is (value, derivative) and the bounds hold of both.

    An interval is dropped when the bounds forbid a root in it, searched when they prove S is
    monotone on it, and halved otherwise: no root can slip through. What is still undecided at a
    width of ``tiny`` is a tangential root (or two that close), reported once.
    """
    roots, touching, todo = [], [], [(lo, hi)]
    while todo:
        a, b = todo.pop()
        middle, r = (a + b) / 2, (b - a) / 2
        s, ds = S(middle)
        if abs(s) > min(slope * r, abs(ds) * r + curvature * r * r / 2):
            continue
        if abs(ds) > curvature * r:
            sa, sb = S(a)[0], S(b)[0]
            if sa == 0 or sa * sb < 0:
                roots.append(a if sa == 0 else root_between(S, a, b, sa))
        elif r > tiny:
            todo += [(a, middle), (middle, b)]
        elif all(abs(middle - other) > 1000 * tiny for other in touching):
            touching.append(middle)
    return sorted(roots + touching)


def root_between(S, a, b, sa):
    """The one root in [a, b] of a monotone S: Newton steps, or halving when they leave [a, b]."""
    x = (a + b) / 2
    for _ in range(1000):
        s, ds = S(x)
        a, b = (x, b) if s * sa > 0 else (a, x)
        last, x = x, x - s / ds
        if not a <= x <= b:
            x = (a + b) / 2
        if abs(x - last) <= 16 * mp.eps * (1 + abs(x)):
            break
    return x


def stationary_energies(pairs, P, s, depth, digits):
    """All K > 0 with Σ t_i(K) = 1, for the (τ a_i, c_i²) given: see ``mp_minimum``."""
    total = mp.fsum(c2 for _, c2 in pairs)
    if depth == 0:  # ridge: K = γ‖p‖²
        return [P * mp.fsum(c2 / (a + P / s) ** 2 for a, c2 in pairs)]
    if depth == 1:  # Σ t_i falls, and lies between its values with all a_i least, or all largest
        reach = mp.sqrt(P * total) - P / s
        if reach <= 0:
            return []
        low, high = reach / max(pairs)[0], reach / min(pairs)[0]
    else:  # t_i ≤ s² c_i² K^{D−1}/P, and t_i ≤ s c_i²/(4 τ a_i K) because (x + y)² ≥ 4xy
        low = mp.root(P / (s * s * total), depth - 1)
        high = s * mp.fsum(c2 / a for a, c2 in pairs) / 4

    def S(u):
        value = slope = mp.mpf(0)
        KD, lam = mp.exp(depth * u), P / s
        for a, c2 in pairs:
            x = a * KD
            t = c2 / (x + lam) ** 2
            value, slope = value + t, slope + t * (depth - 1 - 2 * depth * x / (x + lam))
        return mp.log(P * value) + (depth - 1) * u, slope / value

    lo, hi, tiny = mp.log(low) - 0.01, mp.log(high) + 0.01, mp.mpf(10) ** (-digits // 3)
    roots = all_roots(S, lo, hi, depth + 1, depth**2, tiny) if lo < hi else []
    return [mp.exp(u) for u in roots]


def mp_minimum(
    A,
    c,
    yy,
    *,
    depth,
    weight_decay,
    noise=0,
    hidden=1,
    log_inflation=None,
    factor=1,
    rank_tolerance=None,
    digits=60,
):
    """The global minimum of L for one output without bias, all decays positive.

    min L = min_p factor·(τ pᵀAp − 2 pᵀc + yy) + N (P ‖p‖²)^{1/N}, N = D + 1, P = Π γ_k,
    τ = Π (1 + σ_k²/d_k) = exp(log_inflation), A with the input noise in it. Why: for every set of
    noisy layers, the paths through its units split p into Π d_k parts, whose energies in A sum to
    at least pᵀAp / Π d_k (Cauchy); ‖p‖ ≤ Π ‖W_k‖_F, so the penalty is at least the right-hand
    term (AM-GM); and constant rank-one layers attain all of these at once.

    With K = (P ‖p‖²)^{1/N}, the energy γ_k‖W_k‖² of every layer, p ≠ 0 is stationary when
    (τA + λ) p = c, λ = P K^{−D}/factor: one equation in u = log K, Σ t_i = 1, with
    t_i = P c_i² K^{D−1} / (τ a_i K^D + P/factor)². The slope of each log t_i is D−1−2Dq, 0<q<1,
    and its curvature −2D²q(1−q), so S = log Σ t_i has |S'| ≤ D + 1 and |S''| ≤ D².

    Eigenvalues up to ``rank_tolerance``·a_max (d·2^−52) are zero, and c there is dropped.
    Returns a dict: loss, energy (K; 0 when p = 0 is best), predictor (p, mp column), rank,
    stationary (all K > 0, ascending) and stationary_losses (theirs).
    """
    with mp.workdps(digits + 15):
        c = [mp.convert(x) for x in np.ravel(list(c))]
        d, N, s = len(c), depth + 1, mp.convert(factor)
        decays = [mp.convert(g) for g in per_layer(weight_decay, N)]
        if min(decays) <= 0:
            raise ValueError("expected positive decays")
        P = mp.fprod(decays)
        layers = zip(per_layer(noise, depth), per_layer(hidden, depth), strict=True)
        tau = mp.fprod(1 + mp.convert(variance) / int(width) for variance, width in layers)
        if log_inflation is not None:
            tau = mp.exp(mp.convert(log_inflation))

        A = mp.matrix(A if isinstance(A, list) else A.tolist())
        values, Q = mp.eigsy((A + A.T) / 2)
        tolerance = mp.convert(d * 2.0**-52 if rank_tolerance is None else rank_tolerance)
        kept = [i for i in range(d) if values[i] > tolerance * max(0, *values)]
        a = [tau * values[i] for i in kept]
        b = [mp.fsum(Q[j, i] * c[j] for j in range(d)) for i in kept]

        def point(p):
            """(L, K, p) of a predictor in the eigenbasis."""
            fit = mp.fsum(x * (ai * x - 2 * bi) for ai, bi, x in zip(a, b, p, strict=True))
            K = mp.root(P * mp.fsum(x * x for x in p), N)
            return s * (fit + mp.convert(yy)) + N * K, K, p

        pairs = [(ai, bi**2) for ai, bi in zip(a, b, strict=True) if bi != 0]
        energies = stationary_energies(pairs, P, s, depth, digits) if pairs else []
        lams = [P / (s * K**depth) for K in energies]
        found = [point([bi / (ai + lam) for ai, bi in zip(a, b, strict=True)]) for lam in lams]
        loss, K, p = min([point([mp.mpf(0) for _ in kept]), *found], key=lambda at: at[0])
        p = [mp.fsum(Q[j, i] * x for i, x in zip(kept, p, strict=True)) for j in range(d)]
        best = {"loss": loss, "energy": K, "predictor": mp.matrix(p), "rank": len(kept)}
        losses, energies, _ = zip(*found, strict=True) if found else ((), (), ())
        return best | {"stationary": list(energies), "stationary_losses": list(losses)}
