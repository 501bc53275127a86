"""One worker and two on the same file, and what the fitted model says of a hundred.

A Dask LocalCluster of processes with one thread each; a 1 GB Arrow file of 250 columns in 60
parts. The model: rows × (p²/F + 8p/B) of work, F flops and B bytes a second, divided by the
workers; a constant time a task on the scheduler; and at each level of the tree of additions 8
results of 8p² bytes that travel and are added. What it says of 100 workers is an extrapolation.
"""

import logging
import math
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from distributed import Client, LocalCluster
from scipy.optimize import nnls
from threadpoolctl import threadpool_limits

import linscape as ls
from linscape.moments import distribution, parts
from linscape.moments.centred import Centred, merged

COLUMNS, ROWS, BATCH = 250, 500_000, 2**13
# from where reading is what costs to where the product is
WIDTHS = (8, 32, 128, 512, 2048)


def run(rounds: int = 3) -> dict[str, float]:
    folder = Path(tempfile.mkdtemp(prefix="linscape-"))
    try:
        path = write(folder, COLUMNS, ROWS)
        seconds = scaling(path, rounds)
        flops, bandwidth = fitted(folder)
    finally:
        shutil.rmtree(folder)
    task, pull = overheads()
    add = addition(501)
    print(f"  fitted: F = {flops / 1e9:.1f} Gflop/s, B = {bandwidth / 1e9:.1f} GB/s a worker")
    print(f"  a task {task * 1e3:.1f} ms; a result of 2 MB {pull * 1e3:.1f} ms to travel, ", end="")
    print(f"{add * 1e3:.1f} ms to add")
    extrapolated(flops, bandwidth, task, pull + add)
    return seconds


def write(folder: Path, columns: int, rows: int) -> Path:
    path = folder / f"{columns}.arrow"
    data = np.random.default_rng(0).standard_normal((columns, BATCH))
    batch = pa.record_batch([*data], [f"x{i}" for i in range(columns)])
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        for _ in range(rows // BATCH):
            writer.write_batch(batch)
    return path


def scaling(path: Path, rounds: int) -> dict[str, float]:
    """Return seconds here, on one worker and on two, measured in turn."""
    usual, parts.PART = parts.PART, 2**24  # parts enough for two workers
    names = {0: "linscape: this process", 1: "linscape: 1 worker", 2: "linscape: 2 workers"}
    seconds: dict[int, list[float]] = {count: [] for count in names}
    clusters = {count: cluster_of(count) for count in (1, 2)}
    clients = {count: Client(cluster) for count, cluster in clusters.items()}
    with threadpool_limits(1):
        for turn in range(rounds + 1):
            for count in names:
                start = time.perf_counter()
                ls.read_moments(path, target="x0", client=clients.get(count))
                if turn:
                    seconds[count].append(time.perf_counter() - start)
    for client in (*clients.values(), *clusters.values()):
        client.close()
    parts.PART = usual
    best = {name: min(seconds[count]) for count, name in names.items()}
    one, two = best["linscape: 1 worker"], best["linscape: 2 workers"]
    print(f"  1 → 2 workers: {one / two:.2f} times as fast")
    return best


def cluster_of(workers: int) -> LocalCluster:
    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        dashboard_address=":0",
        silence_logs=logging.CRITICAL,
    )


def fitted(folder: Path) -> tuple[float, float]:
    """Fit F and B to reading files of several widths in this process."""
    sizes = [(width, BATCH * max(2**25 // BATCH // width, 2)) for width in WIDTHS]
    rows, observed = [], []
    with threadpool_limits(1):
        for width, count in sizes:
            path = write(folder, width, count)
            ls.read_moments(path, target="x0")
            start = time.perf_counter()
            ls.read_moments(path, target="x0")
            observed.append((time.perf_counter() - start) / count)
            rows.append([width**2, 8 * width])
    design, target = np.array(rows, dtype=float), np.array(observed)
    (flop, byte), _ = nnls(design / target[:, None], np.ones(len(target)))
    for (width, _), seen, row in zip(sizes, observed, design, strict=True):
        model = float(row @ [flop, byte])
        print(f"  {width:>4} columns: {seen * 1e6:8.3f} µs a row, model {model * 1e6:8.3f}")
    return 1 / max(flop, 1e-15), 1 / max(byte, 1e-15)


def overheads() -> tuple[float, float]:
    """Return seconds for an empty task, and for 2 MB to travel from one worker to the other."""
    with cluster_of(2) as cluster, Client(cluster) as client:
        start = time.perf_counter()
        client.gather(client.map(abs, range(500), pure=False))
        task = (time.perf_counter() - start) / 500
        one, two = client.scheduler_info()["workers"]
        arrays = [client.submit(np.ones, (501, 501), workers=one, pure=False) for _ in range(50)]
        client.gather(client.map(len, arrays, workers=one))
        start = time.perf_counter()
        client.gather(client.map(np.shape, arrays, workers=two))
        pull = max((time.perf_counter() - start) / 50 - task, 0.0)
    return task, pull


def addition(columns: int) -> float:
    """Return seconds to add the sums of two parts."""
    one = Centred(1.0, np.zeros(columns), np.eye(columns))
    start = time.perf_counter()
    for _ in range(20):
        merged(one, one)
    return (time.perf_counter() - start) / 20


def extrapolated(flops: float, bandwidth: float, task: float, step: float) -> None:
    """Print what the model says of 10¹⁰ rows of 500 inputs, 40 TB."""
    p, rows, part = 501, 1e10, 2**28
    tasks = rows * p * 8 / part
    work = rows * (p**2 / flops + 8 * p / bandwidth)
    levels = math.ceil(math.log(tasks, distribution.FAN_IN))
    for workers in (1, 10, 100, 1000):
        scheduled = tasks * (1 + 1 / distribution.FAN_IN) * task
        tree = levels * distribution.FAN_IN * step
        tree += tasks / distribution.FAN_IN * distribution.FAN_IN * step / workers
        total = max(work / workers, scheduled) + tree
        print(
            f"  extrapolation, {workers} workers, 10¹⁰ × 500: {total / 60:.0f} min "
            f"(work {work / workers / 60:.0f}, scheduling {scheduled / 60:.1f}, tree "
            f"{tree / 60:.1f})"
        )
