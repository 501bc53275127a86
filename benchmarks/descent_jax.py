"""The steps of the descent benchmark in JAX: one compiled loop over batched products."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import linscape as ls

jax.config.update("jax_enable_x64", True)


@jax.jit
def _loop(start: Any, A: Any, C: Any, eta: float, decay: float, steps: int) -> Any:
    def step(_: int, weights: Any) -> Any:
        W1, W2, W3 = weights
        P2 = W2 @ W1
        R = 2 * (W3 @ P2 @ A - C)
        T = W3.mT @ R
        gradients = W2.mT @ T, T @ W1.mT, R @ P2.mT
        return tuple(W - eta * (G + 2 * decay * W) for W, G in zip(weights, gradients, strict=True))

    return jax.lax.fori_loop(0, steps, step, start)


def descend(
    problem: ls.Problem, start: list[np.ndarray], steps: int, eta: float, decay: float
) -> list[np.ndarray]:
    A, C = jnp.asarray(np.array(problem.moments.A)), jnp.asarray(np.array(problem.moments.C).T)
    ended = _loop(tuple(map(jnp.asarray, start)), A, C, eta, decay, steps)
    return [np.asarray(W) for W in ended]
