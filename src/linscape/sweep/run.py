"""Running a sweep: what the store lacks is computed, chunk by chunk, and kept as it comes."""

import itertools
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from linscape.errors import InvalidOption, LinscapeError, UnreadableFile
from linscape.moments import Moments
from linscape.sweep.cells import Cell, cells, check_cells
from linscape.sweep.compute import compute_chunk, differences, versions
from linscape.sweep.data import DataSet, fingerprint
from linscape.sweep.executors import Job, check_executor, computed, opened
from linscape.sweep.result import Sweep
from linscape.sweep.spec import Spec, read_spec
from linscape.sweep.store import Store
from linscape.sweep.table import labelled, latest
from linscape.sweep.threads import one_thread

Path_ = str | os.PathLike[str]


def run(
    spec: Path_ | Mapping[str, Any] | Spec,
    store: Path_,
    *,
    executor: str | Executor = "serial",
    workers: int | None = None,
    scheduler: str | None = None,
    chunk: int = 16,
    retry_failed: bool = False,
    progress: bool = False,
) -> Sweep:
    r"""Compute every cell of a sweep that its store does not hold yet.

    A cell is one problem: a data set, a network and, if the spec has descents, one run of
    :func:`linscape.descend` on it. Its row has the exact minimum
    (:func:`linscape.global_minimum`), the phase and the critical decays, each resting on the
    theorem that function names, and where the descent ended (numerical).

    Kill it at any moment and call it again: it goes on, and the table is the same to the last bit
    as that of an uninterrupted run, with any executor, on one machine. The randomness of a cell
    comes from the seed of the spec and the content of the cell alone, and BLAS has one thread.
    Cells are known by their content: a changed spec finds those that it shares with the last one.

    Parameters
    ----------
    spec : path-like, dict or Spec
        See :func:`read_spec` and docs/sweep.md.
    store : path-like
        A folder; made if it does not exist.
    executor : str or concurrent.futures.Executor, default "serial"
        "serial": in this thread. "processes": in processes of this machine (a script then needs
        its ``if __name__ == "__main__":``). "dask": on a Dask cluster. Or an executor of your own,
        whose workers hold BLAS at one thread from then on.
    workers : int, optional
        How many processes or local Dask workers; the number of cores by default.
    scheduler : str, optional
        Address of a Dask scheduler, whose workers have linscape installed.
    chunk : int, default 16
        Cells computed and written at a time; a kill loses at most those under way.
    retry_failed : bool, default False
        Compute the cells again that failed before.
    progress : bool, default False
        Show a progress bar on stderr.

    Returns
    -------
    Sweep
        The table of all cells of the spec.

    Raises
    ------
    InvalidOption
        If the spec is wrong, or the store was computed with another seed or other versions.
    UnreadableFile
        If data or store cannot be read or written, or another sweep is running on the store.
    LinscapeError
        If a worker dies; what was done is in the store.

    Examples
    --------
    A = c = 1: one hidden layer learns below γ = 1, two below (1/16)^{1/3} = 0.397.

    >>> import tempfile
    >>> import linscape as ls
    >>> from linscape.sweep import run
    >>> folder = tempfile.mkdtemp()
    >>> ls.Moments([[1.0]], [1.0], 1.0).save(f"{folder}/one.npz")
    >>> spec = {
    ...     "data": {"one": {"moments": f"{folder}/one.npz"}},
    ...     "networks": [{"hidden": [[4], [4, 4]], "weight_decay": [0.3, 0.45]}],
    ... }
    >>> sweep = run(spec, f"{folder}/store")
    >>> sweep.table["phase"].to_pylist()
    ['learning', 'learning', 'learning', 'metastable']
    >>> run(spec, f"{folder}/store").computed
    0
    """
    check_executor(executor, workers, scheduler)
    if isinstance(chunk, bool) or not isinstance(chunk, int) or chunk < 1:
        raise InvalidOption(f"chunk must be a whole number of at least 1, got {chunk!r}")
    chosen = spec if isinstance(spec, Spec) else read_spec(spec)
    document = os.fspath(spec) if isinstance(spec, str | os.PathLike) else ""
    kept = Store(store)
    with _naming(document):
        check_cells(chosen)
    with one_thread():
        with _naming(document):
            moments = {name: _moments(name, data) for name, data in chosen.data}
            prints = {name: fingerprint(one) for name, one in moments.items()}
            planned = cells(chosen, prints)
        with kept.writing():
            _agree(kept, chosen, prints)
            todo = _missing(planned, kept, retry_failed)
            jobs = _jobs(todo, chunk, moments, chosen)
            if todo:
                with (
                    opened(executor, workers=workers, scheduler=scheduler) as (pool, most),
                    _bar(len(planned), len(todo), progress) as advance,
                ):
                    for rows in computed(pool, jobs, most):
                        kept.append(rows)
                        advance(len(rows))
            found = read(store)
            kept.write_table(found.table)
    return Sweep(found.table, found.manifest, found.store, len(todo))


def read(store: Path_) -> Sweep:
    """Return what a store holds, also while a sweep is running on it or after it was killed.

    Parameters
    ----------
    store : path-like
        The folder.

    Raises
    ------
    UnreadableFile
        If it is no store, or a file in it is damaged.
    """
    kept = Store(store)
    manifest = kept.manifest()
    if manifest is None:
        raise UnreadableFile(f"{store} is no store of a sweep: it has no manifest.json")
    try:
        planned = cells(read_spec(manifest["spec"]), manifest["data"])
    except (InvalidOption, KeyError, TypeError, AttributeError) as error:
        raise UnreadableFile(f"the manifest of {store} is damaged ({error})") from None
    return Sweep(labelled(planned, kept.results()), manifest, Path(store))


def _moments(name: str, data: DataSet) -> Moments:
    with _naming(f"data.{name}"):
        return data.moments()


@contextmanager
def _naming(place: str) -> Iterator[None]:
    """Let errors begin with the place that they are of, if it has a name."""
    try:
        yield
    except LinscapeError as error:
        if not place:
            raise
        raise type(error)(f"{place}: {error}") from error


def _agree(store: Store, spec: Spec, prints: Mapping[str, str]) -> None:
    """Write the manifest of a spec, unless the store holds results of another kind."""
    before = store.manifest() or {}
    if before.get("spec", {}).get("seed", spec.seed) != spec.seed:
        raise InvalidOption(
            f"the store {store.path} was computed with seed {before['spec']['seed']}, the spec has "
            f"seed {spec.seed}; give another store"
        )
    if before.get("versions", versions()) != versions():
        raise InvalidOption(
            f"the store {store.path} was computed with "
            f"{differences(before['versions'], versions())}, and the last bits may differ; "
            "give another store, or the same versions"
        )
    machines = before.get("machines", [])
    manifest = {
        "spec": spec.to_dict(),
        "data": dict(prints),
        "versions": versions(),
        "machines": machines if _machine() in machines else [*machines, _machine()],
    }
    if before != {**before, **manifest}:
        store.write_manifest(manifest)


def _machine() -> dict[str, Any]:
    return {
        "name": platform.node(),
        "system": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
    }


def _missing(planned: Sequence[Cell], store: Store, retry_failed: bool) -> list[Cell]:
    found = store.results()
    failed = found["error"].is_valid().to_pylist()
    held = {key for key, row in latest(found).items() if not (retry_failed and failed[row])}
    return [cell for cell in planned if cell.key not in held]


def _jobs(
    todo: Sequence[Cell], chunk: int, moments: Mapping[str, Moments], spec: Spec
) -> Iterator[Job]:
    """Yield calls of `compute_chunk`, each for cells of one data set."""
    for name, group in itertools.groupby(todo, key=lambda cell: cell.data):
        while part := list(itertools.islice(group, chunk)):
            yield compute_chunk, part, moments[name], spec.reduction, spec.seed, versions()


@contextmanager
def _bar(total: int, todo: int, progress: bool) -> Iterator[Any]:
    """Give a function of the number of cells done; it moves a bar on stderr."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not progress) as bar:
        task = bar.add_task("sweep", total=total, completed=total - todo)
        yield lambda count: bar.advance(task, count)
