"""How cost grows with rows, inputs, depth and the number of problems: slopes on log–log axes.

The picture is docs/growth.svg. The slope is fitted to the largest three sizes, where constant
costs count least. One BLAS thread.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

import linscape as ls
from linscape.plots.figure import BLUE, rendered

PICTURE = Path(__file__).parent.parent / "docs" / "growth.svg"
Curve = tuple[str, list[int], list[float], float]


def run() -> dict[str, float]:
    with threadpool_limits(1):
        curves = [
            curve("rows n, 100 inputs: moments", [2**k for k in range(12, 19)], of_rows),
            curve("inputs d, 20,000 rows: moments", [32, 64, 128, 256, 512], of_inputs),
            curve("inputs d: global minimum", [32, 64, 128, 256, 512], of_spectrum),
            curve("hidden layers D, 50 inputs: global minimum", [1, 2, 4, 8, 16, 32], of_depth),
            curve("problems in a phase diagram, 10 inputs", [4**k for k in range(3, 9)], of_cells),
        ]
    for name, _, _, slope in curves:
        print(f"  {name}: slope {slope:.2f}")
    PICTURE.write_bytes(rendered(drawn(curves), ".svg"))
    return {f"{name}, {sizes[-1]}": seconds[-1] for name, sizes, seconds, _ in curves}


def curve(name: str, sizes: Sequence[int], prepare: Callable[[int], Callable[[], object]]) -> Curve:
    """Return the median times at all sizes, and the slope at the largest."""
    seconds = []
    for size in sizes:
        job = prepare(size)
        job()
        taken = []
        for _ in range(5):
            start = time.perf_counter()
            job()
            taken.append(time.perf_counter() - start)
        seconds.append(statistics.median(taken))
    slope = float(np.polyfit(np.log(sizes[-3:]), np.log(seconds[-3:]), 1)[0])
    return name, list(sizes), seconds, slope


def rows(count: int, inputs: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((count, inputs))
    return X, X @ rng.standard_normal(inputs) + rng.standard_normal(count)


def of_rows(count: int) -> Callable[[], object]:
    X, y = rows(count, 100)
    return lambda: ls.Moments.from_arrays(X, y)


def of_inputs(inputs: int) -> Callable[[], object]:
    X, y = rows(20_000, inputs)
    return lambda: ls.Moments.from_arrays(X, y)


def of_spectrum(inputs: int) -> Callable[[], object]:
    moments = ls.Moments.from_arrays(*rows(2 * inputs, inputs))
    network = ls.Network((64, 64), noise=ls.dropout(0.2), weight_decay=1e-3)
    return lambda: ls.global_minimum(ls.Problem(moments, network))


def of_depth(depth: int) -> Callable[[], object]:
    moments = ls.Moments.from_arrays(*rows(500, 50))
    network = ls.Network((64,) * depth, noise=ls.dropout(0.01), weight_decay=1e-3)
    return lambda: ls.global_minimum(ls.Problem(moments, network))


def of_cells(cells: int) -> Callable[[], object]:
    moments = ls.Moments.from_arrays(*rows(200, 10))
    side = round(cells**0.5)
    decays, noises = np.geomspace(1e-4, 1.0, side), np.geomspace(1e-2, 1.0, side)
    return lambda: ls.phase_diagram(moments, depth=2, weight_decay=decays, noise=noises)


def drawn(curves: Sequence[Curve]) -> Figure:
    figure = Figure(figsize=(12, 6), layout="constrained")
    for axes, (name, sizes, seconds, slope) in zip(
        figure.subplots(2, 3).flat, curves, strict=False
    ):
        axes.loglog(sizes, seconds, "o", color=BLUE)
        line = seconds[-1] * (np.array(sizes[-3:]) / sizes[-1]) ** slope
        axes.loglog(sizes[-3:], line, color=BLUE)
        axes.set_title(f"{name}\nslope {slope:.2f}", fontsize=9)
        axes.set_ylabel("seconds")
    for axes in figure.axes[len(curves) :]:
        axes.set_axis_off()
    return figure
