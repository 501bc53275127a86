"""Gradient descent of 10,000 nets of three 5×5 layers, against the same steps written elsewhere.

Everyone takes the same steps from the same weights, in float64; the peers check nothing on the way.
Slow peers take fewer of the 5,000 steps, as the table says, and their times are scaled up. Losses
are compared after the fewest steps. JAX takes part where it is installed. Compilation is left out,
and reported. The line of each width compares with numpy's matrix products, on fewer nets.
"""

import importlib.util
import time
from collections.abc import Callable

import numba
import numpy as np
import torch

import linscape as ls
from linscape.dynamics.descent import descend

Start = list[np.ndarray]
Steps = Callable[[ls.Problem, Start, int], Start]

NETS, WIDTH, STEPS, FEWEST = 10_000, 5, 5000, 100
LANES = 16
ETA, DECAY = 0.01, 0.01


def run(rounds: int = 3) -> dict[str, float]:
    problem, start = _problem(WIDTH, NETS)
    first = time.perf_counter()
    early = descend(problem, start, step_size=ETA, steps=STEPS, every=[FEWEST])["loss"][1]
    first = time.perf_counter() - first
    contenders: dict[str, tuple[Steps, int]] = {
        "linscape: descend, 10,000 nets": (_descend, STEPS),
        "numba: 16 nets interleaved, fixed size": (_by_lanes, STEPS),
        "numba: one net an iteration": (_net_by_net, 500),
        "numpy: batched matmul": (_by_numpy, FEWEST),
        f"torch: bmm, {torch.get_num_threads()} threads": (_by_torch, FEWEST),
    }
    if importlib.util.find_spec("jax") is not None:
        contenders["JAX: one compiled loop of batched products"] = (_by_jax, FEWEST)
    for name, (steps, _) in contenders.items():
        if steps is not _descend:
            loss = problem.loss(steps(problem, start, FEWEST))
            print(f"  {name}: losses differ by {np.max(np.abs(loss / early - 1)):.0e} at most")
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, (steps, count) in contenders.items():
            times[name].append(_seconds(steps, problem, start, count) * STEPS / count)
    best = {name: min(values) for name, values in times.items()}
    longer = first - min(times["linscape: descend, 10,000 nets"])
    print(f"  first call took {longer:.1f} s longer, to compile or to load")
    for width in (2, 3, 8, 12, 16, 20, 40):
        print(f"  width {width:>2}: {_against_numpy(width):5.2f} times as fast as numpy")
    return {f"{name} ({contenders[name][1]} steps)": seconds for name, seconds in best.items()}


def _seconds(steps: Steps, problem: ls.Problem, start: Start, count: int) -> float:
    begin = time.perf_counter()
    steps(problem, start, count)
    return time.perf_counter() - begin


def _problem(width: int, nets: int) -> tuple[ls.Problem, Start]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, width))
    y = 0.5 * X @ rng.standard_normal((width, width)) + rng.standard_normal((200, width))
    network = ls.Network((width, width), weight_decay=DECAY)
    problem = ls.Problem(ls.Moments.from_arrays(X, y), network)
    return problem, ls.random_weights(problem, scheme="xavier", rng=1, batch=nets)


def _against_numpy(width: int) -> float:
    """Return numpy's time for a step over ours, on a job that is worth compiling up to 16."""
    problem, start = _problem(width, 10_000 // width)
    count = 2000 if width <= 16 else 200
    _descend(problem, start, count)
    ours, numpys = [], []
    for _ in range(2):
        ours.append(_seconds(_descend, problem, start, count) / count)
        numpys.append(_seconds(_by_numpy, problem, start, 20) / 20)
    return min(numpys) / min(ours)


def _descend(problem: ls.Problem, start: Start, steps: int) -> Start:
    return descend(problem, start, step_size=ETA, steps=steps, every=[]).weights


def _by_numpy(problem: ls.Problem, start: Start, steps: int) -> Start:
    A, C = np.array(problem.moments.A), np.array(problem.moments.C).T
    W1, W2, W3 = start
    for _ in range(steps):
        P2 = W2 @ W1
        R = 2 * (W3 @ P2 @ A - C)
        T = W3.mT @ R
        G1, G2, G3 = W2.mT @ T, T @ W1.mT, R @ P2.mT
        W1 = W1 - ETA * (G1 + 2 * DECAY * W1)
        W2 = W2 - ETA * (G2 + 2 * DECAY * W2)
        W3 = W3 - ETA * (G3 + 2 * DECAY * W3)
    return [W1, W2, W3]


def _by_torch(problem: ls.Problem, start: Start, steps: int) -> Start:
    A, C = torch.tensor(np.array(problem.moments.A)), torch.tensor(np.array(problem.moments.C)).T
    W1, W2, W3 = (torch.tensor(W) for W in start)
    with torch.no_grad():
        for _ in range(steps):
            P2 = torch.bmm(W2, W1)
            R = 2 * (torch.bmm(W3, P2) @ A - C)
            T = torch.bmm(W3.mT, R)
            G1, G2, G3 = torch.bmm(W2.mT, T), torch.bmm(T, W1.mT), torch.bmm(R, P2.mT)
            W1 = W1 - ETA * (G1 + 2 * DECAY * W1)
            W2 = W2 - ETA * (G2 + 2 * DECAY * W2)
            W3 = W3 - ETA * (G3 + 2 * DECAY * W3)
    return [W1.numpy(), W2.numpy(), W3.numpy()]


def _by_jax(problem: ls.Problem, start: Start, steps: int) -> Start:
    from benchmarks.descent_jax import descend

    return descend(problem, start, steps, ETA, DECAY)


@numba.njit(cache=True, fastmath={"contract"})
def _multiply(out, a, b):
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            total = 0.0
            for k in range(a.shape[1]):
                total += a[i, k] * b[k, j]
            out[i, j] = total


@numba.njit(parallel=True, cache=True, fastmath={"contract"})
def _each_net(W1, W2, W3, A, C, steps):
    n = W1.shape[1]
    for net in numba.prange(len(W1)):
        w1, w2, w3 = W1[net], W2[net], W3[net]
        p2, p3, r, t = np.empty((n, n)), np.empty((n, n)), np.empty((n, n)), np.empty((n, n))
        g1, g2, g3 = np.empty((n, n)), np.empty((n, n)), np.empty((n, n))
        for _ in range(steps):
            _multiply(p2, w2, w1)
            _multiply(p3, w3, p2)
            _multiply(r, p3, A)
            for i in range(n):
                for j in range(n):
                    r[i, j] = 2 * (r[i, j] - C[i, j])
            _multiply(t, w3.T, r)
            _multiply(g1, w2.T, t)
            _multiply(g2, t, w1.T)
            _multiply(g3, r, p2.T)
            for i in range(n):
                for j in range(n):
                    w1[i, j] -= ETA * (g1[i, j] + 2 * DECAY * w1[i, j])
                    w2[i, j] -= ETA * (g2[i, j] + 2 * DECAY * w2[i, j])
                    w3[i, j] -= ETA * (g3[i, j] + 2 * DECAY * w3[i, j])


def _net_by_net(problem: ls.Problem, start: Start, steps: int) -> Start:
    weights = [W.copy() for W in start]
    C = np.ascontiguousarray(np.array(problem.moments.C).T)
    _each_net(*weights, np.array(problem.moments.A), C, steps)
    return weights


# the size is a constant of the module, so numba unrolls and vectorises these loops


@numba.njit(cache=True, inline="always")
def _product(out, a, b):
    for i in range(WIDTH):
        for j in range(WIDTH):
            for s in range(LANES):
                out[i, j, s] = (
                    a[i, 0, s] * b[0, j, s]
                    + a[i, 1, s] * b[1, j, s]
                    + a[i, 2, s] * b[2, j, s]
                    + a[i, 3, s] * b[3, j, s]
                    + a[i, 4, s] * b[4, j, s]
                )


@numba.njit(cache=True, inline="always")
def _left_transposed(out, a, b):
    for i in range(WIDTH):
        for j in range(WIDTH):
            for s in range(LANES):
                out[i, j, s] = (
                    a[0, i, s] * b[0, j, s]
                    + a[1, i, s] * b[1, j, s]
                    + a[2, i, s] * b[2, j, s]
                    + a[3, i, s] * b[3, j, s]
                    + a[4, i, s] * b[4, j, s]
                )


@numba.njit(cache=True, inline="always")
def _right_transposed(out, a, b):
    for i in range(WIDTH):
        for j in range(WIDTH):
            for s in range(LANES):
                out[i, j, s] = (
                    a[i, 0, s] * b[j, 0, s]
                    + a[i, 1, s] * b[j, 1, s]
                    + a[i, 2, s] * b[j, 2, s]
                    + a[i, 3, s] * b[j, 3, s]
                    + a[i, 4, s] * b[j, 4, s]
                )


@numba.njit(parallel=True, cache=True, fastmath={"contract"})
def _each_block(W, A, C, steps):
    for block in numba.prange(len(W)):
        w = W[block].copy()
        p = np.empty((2, WIDTH, WIDTH, LANES))
        r, t = np.empty((WIDTH, WIDTH, LANES)), np.empty((WIDTH, WIDTH, LANES))
        g = np.empty((3, WIDTH, WIDTH, LANES))
        for _ in range(steps):
            _product(p[0], w[1], w[0])
            _product(p[1], w[2], p[0])
            _product(r, p[1], A)
            for i in range(WIDTH):
                for j in range(WIDTH):
                    for s in range(LANES):
                        r[i, j, s] = 2 * (r[i, j, s] - C[i, j])
            _left_transposed(t, w[2], r)
            _left_transposed(g[0], w[1], t)
            _right_transposed(g[1], t, w[0])
            _right_transposed(g[2], r, p[0])
            for k in range(3):
                for i in range(WIDTH):
                    for j in range(WIDTH):
                        for s in range(LANES):
                            pull = g[k, i, j, s] + 2 * DECAY * w[k, i, j, s]
                            w[k, i, j, s] -= ETA * pull
        W[block] = w


def _by_lanes(problem: ls.Problem, start: Start, steps: int) -> Start:
    blocks = np.stack(start, axis=1).reshape(-1, LANES, 3, WIDTH, WIDTH)
    blocks = np.ascontiguousarray(np.moveaxis(blocks, 1, -1))
    A = np.repeat(np.array(problem.moments.A)[:, :, None], LANES, axis=2)
    _each_block(blocks, A, np.ascontiguousarray(np.array(problem.moments.C).T), steps)
    nets = np.moveaxis(blocks, -1, 1).reshape(-1, 3, WIDTH, WIDTH)
    return [nets[:, k] for k in range(3)]
