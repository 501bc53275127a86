"""One BLAS thread: the last bits of a product may depend on how many there are."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from threadpoolctl import threadpool_limits

# numba's too: its threads and those of other workers would fight for the same cores
_VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)


@contextmanager
def one_thread_in_children() -> Iterator[None]:
    """Let processes started meanwhile load their BLAS with one thread: it looks here first."""
    before = {name: os.environ.get(name) for name in _VARIABLES}
    os.environ.update(dict.fromkeys(_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def one_thread() -> AbstractContextManager[Any]:
    """Hold the BLAS of this process, loaded already, at one thread."""
    limited: AbstractContextManager[Any] = threadpool_limits(1)
    return limited


def keep_one_thread() -> None:
    """Hold the BLAS of this process at one thread from now on."""
    threadpool_limits(1)  # takes hold at once, and is let go of by __exit__ only
