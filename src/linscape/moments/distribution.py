"""Something computed for every part and combined: here in turn, or on a Dask cluster in a tree."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from linscape.errors import ClusterFailure, InvalidOption, MissingDependency
from linscape.moments.parts import Part

T = TypeVar("T")
Combine = Callable[[Sequence[T]], T]

# How many results are added at a node of the tree.
FAN_IN = 8
# How often a task that failed is tried again.
RETRIES = 2
# Seconds after which a scheduler counts as unreachable.
TIMEOUT = 10


@dataclass(frozen=True)
class Reader:
    """Where parts are read, and whether a bar shows how far it got.

    Parameters
    ----------
    client : dask.distributed.Client or None
        The cluster; None for this process.
    progress : bool
        Whether to show a bar.
    """

    client: Any = None
    progress: bool = False

    def __post_init__(self) -> None:
        """Refuse what is no client."""
        if self.client is not None and not isinstance(self.client, dask_distributed().Client):
            raise InvalidOption(
                f"client must be a distributed.Client, got {self.client!r:.80}; make one with "
                "distributed.Client('tcp://host:8786')"
            )

    def combined(
        self, read: Callable[..., T], parts: Sequence[Part], combine: Combine[T], *options: Any
    ) -> T:
        """Return what `combine` makes of ``read(part, *options)`` over all parts.

        Raises
        ------
        UnreadableFile
            If workers die again and again, or the cluster is lost.
        """
        if self.client is None:
            return _in_turn((read(part, *options) for part in self._shown(parts)), combine)
        with _cluster(parts), self.client.as_current():
            tasks = self.client.map(
                _called, parts, read=read, options=options, retries=RETRIES, pure=False
            )
            for _ in zip(self._shown(parts), _finished(tasks), strict=True):
                pass
            return _tree(self.client, tasks, combine)

    def _shown(self, parts: Sequence[Part]) -> Iterator[Part]:
        """Yield parts, a bar growing with the bytes of those done."""
        if not self.progress:
            yield from parts
            return
        from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

        bar = Progress(BarColumn(), DownloadColumn(), TimeRemainingColumn(), transient=True)
        with bar:
            shown = bar.add_task("rows", total=sum(part.size for part in parts))
            for part in parts:
                yield part
                bar.advance(shown, part.size)


def connected(address: str) -> Any:
    """Return a Dask client of the scheduler at an address; close it after use.

    Raises
    ------
    MissingDependency
        If Dask is not installed.
    ClusterFailure
        If the address is none, or no scheduler answers there within 10 s.
    """
    distributed = dask_distributed()
    try:  # a client that is made for no address is never closed
        distributed.comm.parse_address(address, strict=True)
        distributed.comm.get_address_host(address)
    except (ValueError, TypeError):
        raise ClusterFailure(
            f"expected a Dask scheduler at an address such as tcp://host:8786, got {address!r}; "
            "give the address that `dask scheduler` prints"
        ) from None
    try:
        return distributed.Client(address, timeout=TIMEOUT, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise ClusterFailure(
            f"expected a Dask scheduler at {address!r}, got no answer ({type(error).__name__}); "
            "start one with `dask scheduler` and give the address it prints, tcp://host:8786"
        ) from None


def dask_distributed() -> Any:
    """Return the module, or say what to install."""
    try:
        import distributed
    except ImportError:
        raise MissingDependency(
            "reading on a cluster needs Dask, which is not installed; "
            'install it with pip install "linscape[dask]"'
        ) from None
    return distributed


def _in_turn(results: Iterable[T], combine: Combine[T]) -> T:
    """Combine results as they come, holding two at a time."""
    total: list[T] = []
    for result in results:
        total = [combine([*total, result])]
    return total[0] if total else combine([])


def _called(part: Part, *, read: Callable[..., T], options: tuple[Any, ...]) -> T:
    """Read a part; arguments that all parts share come by name."""
    return read(part, *options)


def _tree(client: Any, tasks: list[Any], combine: Combine[T]) -> T:
    """Combine the results of tasks on the workers, some at a time."""
    while len(tasks) > 1:
        groups = [tasks[start : start + FAN_IN] for start in range(0, len(tasks), FAN_IN)]
        tasks = [client.submit(combine, group, retries=RETRIES, pure=False) for group in groups]
    total: T = tasks[0].result() if tasks else combine([])
    return total


def _finished(tasks: Sequence[Any]) -> Iterator[Any]:
    """Yield tasks as they finish; the error of the first that failed is raised."""
    for task in dask_distributed().as_completed(tasks):
        if task.status != "finished":
            task.result()
        yield task


@contextmanager
def _cluster(parts: Sequence[Part]) -> Iterator[None]:
    """Turn the loss of workers into an error that names the files."""
    distributed = dask_distributed()
    try:
        yield
    except (distributed.KilledWorker, CancelledError, distributed.comm.CommClosedError) as error:
        raise ClusterFailure(
            f"cannot read {parts[0].file} on the cluster: workers or scheduler were lost "
            f"({type(error).__name__}); give them more memory, or smaller files"
        ) from None
