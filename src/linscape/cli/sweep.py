"""`linscape sweep`: a grid of problems in, a table of exact answers out, through every kill."""

import inspect
import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linscape.cli import arguments
from linscape.errors import NoExactSolution

if TYPE_CHECKING:
    from linscape.cli.page import Row
    from linscape.sweep import Sweep

EXAMPLE = "  linscape sweep examples/sweep.toml --store sweep"


def sweep(
    spec: Annotated[str, typer.Argument(metavar="SPEC.toml", help="What to sweep over.")],
    store: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="Where results are kept; SPEC.store by default."),
    ] = None,
    executor: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="serial, processes or dask; processes if not given, dask with --scheduler.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Processes or local Dask workers; all cores if not."),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="A Dask cluster, such as tcp://host:8786."),
    ] = None,
    chunk: Annotated[
        int, typer.Option(metavar="N", min=1, help="Cells computed and written at a time.")
    ] = 16,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Compute the cells again that failed.")
    ] = False,
    as_json: arguments.AsJson = False,
) -> None:
    """Solve a grid of networks and data sets; run it again to go on where it stopped.

    Exit status 1 if a cell failed, 130 after Ctrl-C.
    """
    from linscape.cli.document import as_text
    from linscape.cli.page import print_rows
    from linscape.sweep import run

    if scheduler is not None and executor not in (None, "dask"):
        raise typer.BadParameter(f"--scheduler needs --executor dask, got {executor!r}")
    folder = Path(store) if store is not None else _beside(Path(spec))
    try:
        found = run(
            spec,
            folder,
            executor=executor or ("processes" if scheduler is None else "dask"),
            workers=workers,
            scheduler=scheduler,
            chunk=chunk,
            retry_failed=retry_failed,
            progress=sys.stderr.isatty(),
        )
    except KeyboardInterrupt:
        again = shlex.join(["linscape", *sys.argv[1:]])
        typer.echo(
            f"linscape: stopped; what was done is in {folder}, go on with: {again}", err=True
        )
        raise typer.Exit(130) from None
    if as_json:
        typer.echo(as_text(found.to_dict()))
    else:
        print_rows(_rows(found))
    if found.counts["failed"]:
        raise typer.Exit(1)


def _beside(spec: Path) -> Path:
    """Return the default store; of a name such as "." too, which the reader will refuse."""
    return spec.parent / f"{spec.stem}.store"


def _rows(found: "Sweep") -> list["Row"]:
    rows = [("Cells", _cells(found)), ("Phases", _phases(found))]
    if "descents" in found.manifest["spec"]:
        rows.append(("Descents", _descents(found)))
    if found.counts["failed"]:
        rows.append(("Failures", _failures(found)))
    return [*rows, ("Written", [str(found.store / "table.parquet")])]


def _cells(found: "Sweep") -> list[str]:
    counts = found.counts
    before = found.table.num_rows - found.computed
    failed = f", {counts['failed']} failed" if counts["failed"] else ""
    return [
        f"{found.table.num_rows}: {counts['done']} done{failed}",
        f"{found.computed} computed now, {before} found in the store",
    ]


def _phases(found: "Sweep") -> list[str]:
    """Return how many problems are in each phase, by data set and depth; descents share theirs."""
    problem = ["data", "depth", "phase", "hidden", "noise", "weight_decay", "bias", "input_noise"]
    rows = found.table.select(problem).to_pylist()
    problems = {repr(row): (row["data"], row["depth"], row["phase"]) for row in rows}
    counts = Counter(problems.values())
    groups = sorted({(data, depth) for data, depth, _ in counts})
    width = max(len(data) for data, _ in groups)
    return [
        f"{data:<{width}}  depth {depth}: "
        + ", ".join(
            f"{count} {phase or 'failed'}"
            for (one, layers, phase), count in counts.items()
            if (one, layers) == (data, depth)
        )
        for data, depth in groups
    ]


def _descents(found: "Sweep") -> list[str]:
    ends = found.table.select(["collapsed", "end_status", "bias"]).to_pylist()
    counts = Counter(_ending(**end) for end in ends)
    return [f"{count} {words}" for words, count in counts.most_common()]


def _ending(collapsed: bool | None, end_status: str | None, bias: str) -> str:
    if collapsed is not None:
        return "collapsed to zero" if collapsed else "ended below zero's loss"
    if end_status == "diverged":
        return "diverged: the step size was too large"
    if end_status is None:
        return "failed"
    if bias == "decayed":
        return "undecided: with decayed biases the loss does not tell"
    if end_status == "running":
        return "undecided: not below zero's loss yet; give more steps"
    return "undecided: at rest, not below zero's loss, nor where zero is proven to win"


def _failures(found: "Sweep") -> list[str]:
    """Return each kind of failure: how often, of which class, of which part, and one message."""
    columns = (found.table[name].to_pylist() for name in ("error", "message"))
    failed = [(error, text) for error, text in zip(*columns, strict=True) if error is not None]
    split = [(error, *text.partition(": ")[::2]) for error, text in failed]
    kinds = Counter((error, part) for error, part, _ in split)
    firsts = {(error, part): reason for error, part, reason in reversed(split)}
    lines = [
        f"{count} × {error} from {part}; the first: {firsts[error, part]}"
        for (error, part), count in kinds.most_common()
    ]
    if all(error == NoExactSolution.__name__ for error, _ in kinds):
        return lines  # no theorem will give them the next time either
    return [*lines, "run it again with --retry-failed to compute these again"]


sweep.__doc__ = f"{inspect.getdoc(sweep)}\n\n\b\nExample:\n{EXAMPLE}"
