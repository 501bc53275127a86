"""Where cells are computed: here, in processes of this machine, or on a Dask cluster."""

import importlib
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from linscape.errors import ClusterFailure, InvalidOption, LinscapeError, MissingDependency
from linscape.moments.distribution import connected
from linscape.sweep.threads import keep_one_thread, one_thread_in_children

NAMES = ("serial", "processes", "dask")
T = TypeVar("T")
Job = tuple[Any, ...]  # a function and its arguments


class Serial(Executor):
    """Computes in this thread what is submitted, at once."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Return a future that is done."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def on_one_thread(fn: Callable[..., T], *args: Any) -> T:
    """Call a function in a worker, with BLAS on one thread there from now on."""
    keep_one_thread()
    return fn(*args)


def check_executor(executor: str | Executor, workers: int | None, scheduler: str | None) -> None:
    """Refuse an executor that is none, and options that it does not take.

    Raises
    ------
    InvalidOption
        If the name is not known, `workers` is below one, or an option fits another executor.
    """
    if executor not in NAMES and not isinstance(executor, Executor):
        raise InvalidOption(
            f"executor must be one of {', '.join(map(repr, NAMES))} or a "
            f"concurrent.futures.Executor, got {executor!r}"
        )
    whole = isinstance(workers, int) and not isinstance(workers, bool) and workers >= 1
    if workers is not None and (not whole or executor not in ("processes", "dask")):
        raise InvalidOption(
            "workers must be a whole number of at least 1, and needs executor='processes' or "
            f"'dask'; got {workers!r} with {executor!r}"
        )
    if scheduler is not None and (executor != "dask" or workers is not None):
        raise InvalidOption(
            "scheduler is the address of a cluster with workers of its own: it needs "
            f"executor='dask' and no workers; got {executor!r} and workers={workers!r}"
        )


@contextmanager
def opened(
    executor: str | Executor, *, workers: int | None, scheduler: str | None
) -> Iterator[tuple[Executor, int]]:
    """Give an executor, and how many of its jobs to keep waiting or running at once."""
    if isinstance(executor, Executor):
        yield executor, 4 * _cores()
    elif executor == "serial":
        yield Serial(), 1
    elif executor == "processes":
        with _processes(workers or _cores()) as pool:
            yield pool, 2 * (workers or _cores())
    else:
        with _dask(workers or _cores(), scheduler) as found:
            yield found


def computed(pool: Executor, jobs: Iterator[Job], most: int) -> Iterator[Any]:
    """Yield what each job returns as it is done, with `most` of them under way.

    Raises
    ------
    LinscapeError
        If a job fails or a worker dies.
    """
    running: set[Future[Any]] = set()
    call = (lambda fn, *rest: fn(*rest)) if isinstance(pool, Serial) else on_one_thread
    try:
        for job in jobs:
            running.add(pool.submit(call, *job))
            if len(running) >= most:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from map(_returned, done)
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from map(_returned, done)
    except BrokenExecutor as error:  # takes no more jobs
        raise _stopped(error) from error


def _returned(future: Future[Any]) -> Any:
    try:
        return future.result()
    except LinscapeError:
        raise
    except Exception as error:
        raise _stopped(error) from error


def _stopped(error: BaseException) -> ClusterFailure:
    return ClusterFailure(
        f"a worker stopped ({type(error).__name__}: {error}); what was done is in the store, run "
        "the same again to go on"
    )


class _Processes(ProcessPoolExecutor):
    """A pool whose workers never see Ctrl-C, not even while they start; this process does."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Return a future; this is where workers are started, and inherit what is blocked."""
        with _blocked():
            return super().submit(fn, *args, **kwargs)


@contextmanager
def _processes(workers: int) -> Iterator[Executor]:
    """Give a pool whose workers end as soon as this process lets go of them, or dies."""
    context = multiprocessing.get_context("spawn")  # a forked BLAS or numba would hang
    held, holder = context.Pipe(duplex=False)
    with one_thread_in_children():
        pool = _Processes(workers, mp_context=context, initializer=_start_worker, initargs=(held,))
        try:
            yield pool
            pool.shutdown(wait=True)
        finally:
            holder.close()
            pool.shutdown(wait=True, cancel_futures=True)
            held.close()


def _start_worker(held: Connection) -> None:
    """Leave Ctrl-C to the parent, and end with it: also where it is killed and says nothing."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(held,), daemon=True).start()
    keep_one_thread()


def _end_with(held: Connection) -> None:
    held.poll(None)  # nothing is ever sent: this returns when the other end is closed
    os._exit(0)


@contextmanager
def _dask(workers: int, scheduler: str | None) -> Iterator[tuple[Executor, int]]:
    """Give the executor of a Dask cluster: one of this machine, or that of an address."""
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError:
        raise MissingDependency(
            "executor='dask' needs distributed: pip install 'linscape[dask]'"
        ) from None
    if scheduler is None:
        with ExitStack() as opened_here:
            with _interrupts_later():
                local = distributed.LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    dashboard_address="127.0.0.1:0",  # any port: the usual one may be taken
                    silence_logs=logging.CRITICAL,  # what goes wrong there is raised here
                )
                opened_here.enter_context(local)
                client = opened_here.enter_context(distributed.Client(local))
            yield client.get_executor(pure=False), 2 * workers
        return
    with connected(scheduler) as client:
        yield client.get_executor(pure=False), 2 * max(1, sum(client.nthreads().values()))


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Hold Ctrl-C back until the end, and for good from the processes that are started here."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is ever interrupted
        return
    held: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    try:
        with _blocked():
            yield
    finally:
        signal.signal(signal.SIGINT, before if before is not None else signal.SIG_DFL)
    if held:
        raise KeyboardInterrupt


@contextmanager
def _blocked() -> Iterator[None]:
    """Block Ctrl-C in this thread; threads and processes it starts inherit that."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker  # not on every system

    resource_tracker.ensure_running()  # starting it would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
