"""Steps of descent by a kernel compiled for the shapes at hand, kept between runs."""

import hashlib
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from linscape.atomic import write_atomically
from linscape.dynamics.kernels.block import LANES
from linscape.dynamics.kernels.nets import LARGEST, RUNNING, Nets
from linscape.dynamics.kernels.source import source
from linscape.dynamics.kernels.units import Units
from linscape.errors import UnreadableFile

Array = NDArray[np.float64]

_SIGNATURE = (
    "void(f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1], i1[:,::1], i8[:,::1], "
    "f8[:,::1], f8[:,::1], f8[::1], f8[::1], f8[::1], f8, f8, i8, i8)"
)
# pieces of work a thread: small enough to even out, large enough to cost nothing
_SHARES = 4


def advance(nets: Nets, units: Units, count: int, momentum: float, nesterov: bool) -> None:
    """Take `count` steps with every net that has not stopped. Networks without biases only."""
    running = nets.status == RUNNING
    if running.all():
        _advance(nets, units, count, momentum, nesterov)
    elif running.any():
        members = np.flatnonzero(running)
        part = nets.part(members)
        _advance(part, units, count, momentum, nesterov)
        nets.put(members, part)
    nets.step += count


def _advance(nets: Nets, units: Units, count: int, momentum: float, nesterov: bool) -> None:
    shapes = tuple((layer.shape[1], layer.shape[2]) for layer in nets.layers)
    variant = "none" if not nets.velocity else "nesterov" if nesterov else "heavy ball"
    kernel = compiled(shapes, units.noisy, variant)
    largest = max(float(scale.max()) for scale in units.scale)
    lanes = [
        _interleaved_scalars(values, filler)
        for values, filler in (
            (nets.step_size, 0.0),
            (nets.limit, 0.0),
            (nets.threshold, 0.0),
            (np.maximum(1.0, nets.step_size**2 * largest), 0.0),
            (nets.status, RUNNING + 1),
            (nets.stopped_at, 0),
        )
    ]
    layers = _interleaved(nets.layers)
    velocity = _interleaved(nets.velocity) if nets.velocity else np.empty((len(layers), 0))
    constants = (
        units.A,
        units.C,
        np.array([scale[0, 0] for scale in units.scale]),
        np.array([pull[0, 0] for pull in units.pull]),
        np.array([mask[0, 0] for mask in units.masks]),
    )

    def run(part: slice) -> None:
        blocks = [array[part] for array in (layers, velocity, *lanes)]
        kernel(*blocks, *constants, momentum, LARGEST, nets.step, count)

    _in_threads(run, len(layers))
    n = len(nets.status)
    nets.layers = _separated(layers, shapes, n)
    if nets.velocity:
        nets.velocity = _separated(velocity, shapes, n)
    nets.status, nets.stopped_at = lanes[4].reshape(-1)[:n], lanes[5].reshape(-1)[:n]


def _in_threads(run: Callable[[slice], None], blocks: int) -> None:
    """Share the blocks out between as many threads as numba is allowed to use."""
    threads = min(int(_config().NUMBA_NUM_THREADS), blocks)
    if threads == 1:
        run(slice(None))
        return
    size = -(-blocks // (threads * _SHARES))
    parts = [slice(first, first + size) for first in range(0, blocks, size)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, parts))


def _interleaved(matrices: list[Array]) -> Array:
    """Return all entries of the nets as (blocks, entries × LANES), the lane innermost."""
    n, sizes = len(matrices[0]), [matrix[0].size for matrix in matrices]
    count = -(-n // LANES)
    padded = np.zeros((count * LANES, sum(sizes)))
    for matrix, end, size in zip(matrices, np.cumsum(sizes), sizes, strict=True):
        padded[:n, end - size : end] = matrix.reshape(n, size)
    return padded.reshape(count, LANES, -1).transpose(0, 2, 1).reshape(count, -1)


def _separated(blocks: Array, shapes: tuple[tuple[int, int], ...], n: int) -> list[Array]:
    sizes = [rows * columns for rows, columns in shapes]
    flat = blocks.reshape(len(blocks), -1, LANES).transpose(0, 2, 1).reshape(-1, sum(sizes))[:n]
    parts = np.split(flat, np.cumsum(sizes)[:-1], axis=1)
    return [
        np.ascontiguousarray(part).reshape(n, *shape)
        for part, shape in zip(parts, shapes, strict=True)
    ]


def _interleaved_scalars(values: NDArray[Any], filler: float) -> NDArray[Any]:
    blocks = np.full((-(-len(values) // LANES), LANES), filler, dtype=values.dtype)
    blocks.reshape(-1)[: len(values)] = values
    return blocks


@cache
def compiled(
    shapes: tuple[tuple[int, int], ...], noisy: bool, momentum: str
) -> Callable[..., None]:
    """Return the kernel for these shapes, compiled now or in an earlier run.

    numba keeps machine code beside a source file, so the generated source is written to one, in
    NUMBA_CACHE_DIR or the user's cache folder. What is executed is the text generated here, never
    what the file holds. Where no file can be written, the kernel is compiled in each process.
    """
    import numba

    text = source(shapes, noisy=noisy, momentum=momentum)
    name = f"linscape_descent_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    path = _written(name, text)
    # numba looks the module of a kernel up by name when it loads the machine code again
    sys.modules[name] = module = ModuleType(name)
    exec(compile(text, path or f"<{name}>", "exec"), module.__dict__)
    decorate: Any = numba.njit(
        [_SIGNATURE], cache=path is not None, nogil=True, fastmath={"contract"}, error_model="numpy"
    )
    kernel: Callable[..., None] = decorate(module.__dict__["advance"])
    return kernel


def _written(name: str, text: str) -> str | None:
    """Return the file of this source, written if it is not there yet; None if it cannot be."""
    path = _folder() / f"{name}.py"
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)

            def write(file: BinaryIO) -> None:
                file.write(text.encode())

            write_atomically(path, write)
    except (OSError, UnreadableFile):
        return None
    return str(path) if os.access(path.parent, os.W_OK) else None


def _folder() -> Path:
    from numba.misc import appdirs

    chosen = _config().CACHE_DIR
    if chosen:
        return Path(chosen) / "linscape"
    folders: Any = appdirs
    return Path(folders.user_cache_dir("linscape", appauthor=False))


def _config() -> Any:
    """Return numba's settings, which are attributes made at run time."""
    from numba import config

    return config
