"""One BLAS thread: the last bits of a product may depend on how many there are."""

import importlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from linscape.errors import MissingDependency

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


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold the BLAS of this process, loaded already, at one thread.

    Raises
    ------
    MissingDependency
        If threadpoolctl is not installed and the environment does not ask for one thread.
    """
    with _limited():
        yield


def keep_one_thread() -> None:
    """Hold the BLAS of this process at one thread from now on; as `one_thread` does it."""
    _limited()  # takes hold at once, and is let go of by __exit__ only


def _limited() -> AbstractContextManager[Any]:
    try:
        limits: Any = importlib.import_module("threadpoolctl").threadpool_limits
    except ImportError:
        # the variables that OpenBLAS, MKL and BLIS read when they are loaded
        if any(os.environ.get(name) == "1" for name in _VARIABLES[:2]):
            return nullcontext()
        raise MissingDependency(
            "a sweep needs BLAS on one thread, so that its results do not depend on the number of "
            "cores; pip install threadpoolctl, or set OMP_NUM_THREADS=1 before Python starts"
        ) from None
    limited: AbstractContextManager[Any] = limits(1)
    return limited
