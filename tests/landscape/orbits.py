"""All points that a choice of units and signs makes of one: the orbit under signed permutations."""

import itertools

import numpy as np

import linscape as ls


def signed_permutations(size):
    """The 2^n n! matrices with one entry ±1 in each row and column."""
    for order in itertools.permutations(range(size)):
        for signs in itertools.product((1.0, -1.0), repeat=size):
            yield np.array(signs)[:, None] * np.eye(size)[list(order)]


def orbit(weights):
    """The distinct weights that signed permutations of hidden units make of these, flattened."""
    scale = max(np.abs(W).max() for W in weights) or 1.0
    found = {}
    for turns in itertools.product(*(signed_permutations(len(W)) for W in weights[:-1])):
        after = [*turns, np.eye(1)]
        before = [np.eye(weights[0].shape[1]), *turns]
        turned = [R @ W @ Q.T for R, W, Q in zip(after, weights, before, strict=True)]
        flat = np.concatenate([W.ravel() for W in turned])
        found.setdefault(tuple(np.round(flat / scale, 9) + 0.0), flat)
    return np.array(list(found.values()))


def problem_of(X, y, hidden, deviations, decays):
    """The problem of some rows; noise by its standard deviations."""
    noise = [float(sigma) ** 2 for sigma in deviations]
    network = ls.Network(hidden, noise=noise, weight_decay=[float(gamma) for gamma in decays])
    return ls.Problem(ls.Moments.from_arrays(np.array(X, float), np.array(y, float)), network)
