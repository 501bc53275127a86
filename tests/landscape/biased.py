"""Problems with decayed biases, one of them built backwards from a critical point."""

import math
from typing import NamedTuple

import numpy as np

import linscape as ls
from cases import orthogonal, split
from oracles import averaged_loss_and_gradient, minimum_by_multistart


def rows(seed=0, *, inputs=2, mean_x=1.0, mean_y=1.0, count=10, noise=0.3):
    """Rows whose inputs have means of this size, and whose target has exactly this mean."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((count, inputs)) + mean_x * rng.standard_normal(inputs)
    y = X @ rng.standard_normal(inputs) + noise * rng.standard_normal(count)
    return X, y + (mean_y - y.mean())


def problem(X, y, hidden, *, reduction="mean", bias="decayed", **network):
    network = ls.Network(hidden, bias=bias, **network)
    return ls.Problem(ls.Moments.from_arrays(X, y), network, reduction=reduction)


def changed(p, **arguments):
    """The same problem with some arguments of its network changed."""
    network = ls.Network(**p.network.to_dict() | arguments)
    return ls.Problem(p.moments, network, reduction=p.reduction)


def descended(p, X, y, *, seed=0, starts=8, scales=(0.3, 1, 2)):
    """Least loss over several descents in the full weight space, on the oracle's own loss."""
    network = p.network
    function = averaged_loss_and_gradient(
        X,
        y,
        noise=network.noise,
        input_noise=network.input_noise,
        weight_decay=network.weight_decay,
        bias=network.bias,
        factor=p.data_factor,
    )
    rng = np.random.default_rng(seed)
    return minimum_by_multistart(function, p.shapes, rng, starts=starts, scales=scales)


class Known(NamedTuple):
    """A problem with a critical point known by construction."""

    problem: ls.Problem
    ridges: np.ndarray
    predictor: np.ndarray
    offsets: np.ndarray
    loss: float
    gain: float


def known_point(rng, depth, *, inputs=2, noise=0.5, mean_x=1.0, current=0.3, ridge=0.3):
    """Choose data, ridge parameters z_k and the current θ_1; decays and E[y] follow.

    A critical point has θ_{k+1} = θ_k + ρ_k s_k, s_k = s_{k−1} + θ_k/z_k, e_{k+1} = e_k + θ_k²/z_k,
    γ_k z_{k+1} = z_k e_{k+1}, z_{D+1} = γ_u, and θ_D + (κ + ρ_D) s_D = κȳ at the top.
    """
    hidden = tuple(int(k) for k in rng.integers(1, 4, depth))
    variances = noise * rng.uniform(0, 1, depth)
    ratios = variances / np.array(hidden)
    rho = [ratios[k] * np.prod(1 + ratios[k + 1 :]) for k in range(depth)]
    tau = np.prod(1 + ratios)
    a, Q = rng.uniform(0.5, 2, inputs), orthogonal(inputs, rng)
    c, mu = Q @ rng.standard_normal(inputs), Q @ (mean_x * rng.standard_normal(inputs))
    A = (Q * a) @ Q.T
    z = ridge * np.exp(rng.uniform(-0.5, 0.5, depth + 1))  # z_1, …, z_D and γ_u
    theta, energies, offsets = current * rng.standard_normal(), [], []
    p = np.linalg.solve(tau * A + z[0] * np.eye(inputs), c + theta * mu)
    level, energy = p @ mu, z[0] * (p @ p)
    for k in range(depth):
        theta += rho[k - 1] * level if k else 0.0
        level, energy = level + theta / z[k], energy + theta**2 / z[k]
        offsets.append(theta / z[k])
        energies.append(energy)
    pull = z[-1] / (1 + z[-1])
    mean_y = (theta + (pull + rho[-1]) * level) / pull
    decays = [z[k] * energies[k] / z[k + 1] for k in range(depth)] + [z[-1]]
    variance = c @ np.linalg.solve(A, c) + 0.5
    moments = ls.Moments(
        A + np.outer(mu, mu), c + mean_y * mu, variance + mean_y**2, mean_x=mu, mean_y=mean_y
    )
    network = ls.Network(hidden, noise=variances, weight_decay=decays, bias="decayed")
    gain = p @ c + pull * mean_y * level - math.fsum(energies)
    loss = variance + pull * mean_y**2 - gain
    return Known(ls.Problem(moments, network), z[:-1], p, np.array(offsets), loss, gain)


def weights_of(known):
    """Weights of the known point: rank one, units of one size, ‖U‖²⋯‖W_{k+1}‖² = γ_k/z_k."""
    network, moments = known.problem.network, known.problem.moments
    V = np.array(network.weight_decay[:-1]) / known.ridges
    r = [np.full(width, 1 / math.sqrt(width)) for width in network.hidden]
    weights = []
    for k, unit in enumerate(r):
        before = known.predictor if k == 0 else math.sqrt(V[k - 1]) * r[k - 1]
        row = np.append(before, known.offsets[k]) / math.sqrt(V[k])
        weights.append(np.outer(unit, row))
    level = known.predictor @ moments.mean_x + known.offsets.sum()
    bias = (moments.mean_y - level) / (1 + network.weight_decay[-1])
    return [*weights, np.append(math.sqrt(V[-1]) * r[-1], bias)[None]]


def unequal(layers, seed=0, size=0.05):
    """Unequal decays with this geometric mean."""
    return split(layers * math.log(size), layers, np.random.default_rng(seed), 0.7)
