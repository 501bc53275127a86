"""Phase diagrams: every problem of one spectrum at once, against a loop of scipy's brentq.

The loop does what a careful user would write: it scans F′ on a grid of energies fine enough for
all roots of these data, refines every change of sign with brentq, and keeps the least loss. It
certifies nothing. It is run on a sample and scaled up.
"""

import time

import numpy as np
from scipy.optimize import brentq

import linscape as ls

SAMPLE = 200


def run(inputs: int = 500, points: int = 224) -> dict[str, float]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4 * inputs, inputs)) * np.geomspace(1, 0.01, inputs)
    y = X @ rng.standard_normal(inputs) + rng.standard_normal(len(X))
    moments = ls.Moments.from_arrays(X, y)
    decays, noises = np.geomspace(1e-4, 3.0, points), np.linspace(0.0, 2.0, points)
    start = time.perf_counter()
    diagram = ls.phase_diagram(moments, depth=[2, 3], weight_decay=decays, noise=noises)
    ours = time.perf_counter() - start
    worst = float(np.max(diagram.gap)) / float(moments.yy)
    print(f"  {diagram.loss.size} problems, largest certified gap {worst:.1e} of E[y²]")
    start = time.perf_counter()
    values, basis = np.linalg.eigh(np.array(moments.A))
    coefficients = (basis.T @ moments.C) ** 2
    error = 0.0
    for index in rng.choice(diagram.loss.size, SAMPLE, replace=False):
        k = np.unravel_index(index, diagram.loss.shape)
        depth, noise = int(diagram.axes["depth"][k[0]]), diagram.axes["noise"][k[2]]
        product = diagram.axes["weight_decay"][k[1]] ** (depth + 1)
        inflation = (1 + noise / 64) ** depth
        gain = _largest_gain(values, coefficients, depth, inflation, product, float(moments.yy))
        error = max(error, abs(float(diagram.gain[k]) - gain))
    loop = (time.perf_counter() - start) / SAMPLE * diagram.loss.size
    print(f"  largest difference from brentq: {error / float(moments.yy):.1e} of E[y²]")
    return {
        f"linscape: {diagram.loss.size} problems, certified": ours,
        "scipy: a loop of brentq over all roots": loop,
    }


def _largest_gain(
    a: np.ndarray, c2: np.ndarray, depth: int, inflation: float, product: float, yy: float
) -> float:
    def slope(log_energy: np.ndarray | float) -> np.ndarray | float:
        power = np.exp(depth * np.asarray(log_energy))[..., None]
        sums = np.sum(c2 / (product + inflation * a * power) ** 2, axis=-1)
        return product * power[..., 0] / np.exp(log_energy) * sums - 1

    def gain(log_energy: float) -> float:
        ridge = product * np.exp(-depth * log_energy)
        return float(np.sum(c2 / (inflation * a + ridge))) - depth * np.exp(log_energy)

    grid = np.linspace(np.log(1e-9 * yy), np.log(yy), 400)
    signs = np.sign(slope(grid))
    changes = np.flatnonzero(signs[:-1] * signs[1:] < 0)
    roots = [brentq(slope, grid[k], grid[k + 1], xtol=1e-12) for k in changes]
    return max([0.0, *(gain(root) for root in roots)])
