"""`linscape reproduce`: a figure of a paper computed again, its claims checked."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linscape.cli import arguments

if TYPE_CHECKING:
    from linscape.figures import Advance, Reproduction

EXAMPLE = "  linscape reproduce regimes --out figures"


def reproduce(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Figures to compute; none lists their names."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer runs and coarser grids: seconds, not minutes.")
    ] = False,
    out: Annotated[
        str, typer.Option(metavar="FOLDER", help="Where the pictures and numbers go.")
    ] = "figures",
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of all random numbers.")] = 0,
    data: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="Data that a figure can take: see the list of names."),
    ] = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Compute a figure of a paper, write picture and numbers, and check the claims it makes."""
    from linscape.cli.document import as_text
    from linscape.figures.catalogue import CATALOGUE

    chosen = list(CATALOGUE) if every else list(dict.fromkeys(names or ()))
    if not chosen and _asks_for_figures(context):
        raise typer.BadParameter(
            "name a figure, or give --all; linscape reproduce alone lists the names"
        )
    if every and names:
        raise typer.BadParameter("give names or --all, not both")
    if data is not None and not any(name in CATALOGUE and CATALOGUE[name].data for name in chosen):
        raise typer.BadParameter("none of these figures takes --data; the list of names says which")
    if not chosen:
        if as_json:
            typer.echo(as_text({"figures": [_listed(name) for name in CATALOGUE]}))
        else:
            _print_names()
        return
    documents = [
        _reproduced(name, quick, seed, data, out=Path(out), silent=as_json) for name in chosen
    ]
    if as_json:
        typer.echo(as_text({"figures": documents}))


def _asks_for_figures(context: typer.Context) -> bool:
    """Return whether options were given that say how to compute figures."""
    sources = map(context.get_parameter_source, ("quick", "out", "seed", "data"))
    return any(source is not None and source.name == "COMMANDLINE" for source in sources)


def _listed(name: str) -> dict[str, Any]:
    from dataclasses import asdict

    from linscape.figures.catalogue import CATALOGUE

    return {"name": name, **asdict(CATALOGUE[name])}


def _print_names() -> None:
    from linscape.cli.page import print_rows
    from linscape.figures.catalogue import CATALOGUE

    rows = []
    for name, entry in CATALOGUE.items():
        lines = [f"{entry.title} ({entry.source})"]
        rows.append((name, [*lines, f"--data: {entry.data}"] if entry.data else lines))
    print_rows(rows)


def _reproduced(
    name: str, quick: bool, seed: int, data: str | None, *, out: Path, silent: bool
) -> dict[str, Any]:
    """Compute and write one figure, and print its claims unless `silent`."""
    from linscape.figures import reproduce as compute
    from linscape.figures.catalogue import CATALOGUE
    from linscape.figures.saving import save

    folder = Path(data) if data is not None and name in CATALOGUE and CATALOGUE[name].data else None
    with _bar(name) as advance:
        found = compute(name, quick=quick, seed=seed, data=folder, advance=advance)
    files = save(found, out)
    if not silent:
        _print_claims(found)
        typer.echo("Written: " + ", ".join(map(str, files)))
        typer.echo()
    return {**found.to_dict(), "files": [str(file) for file in files]}


@contextmanager
def _bar(name: str) -> Iterator["Advance"]:
    """Give a function of the fraction done; on a terminal it moves a bar on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console, hidden = Console(stderr=True), not sys.stderr.isatty()
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        task = progress.add_task(name, total=1.0)
        yield lambda fraction: progress.update(task, completed=fraction)


def _print_claims(found: "Reproduction") -> None:
    from linscape.cli.page import print_rows

    typer.echo(typer.style(found.title, bold=True) + f" ({found.source})")
    if found.quick:
        typer.echo(_caution(found))
    typer.echo()
    for claim in found.claims:
        lines = [claim.statement]
        if claim.printed is not None:
            lines.append(f"printed {_shown(claim.printed)}, computed {_shown(claim.computed)}")
        elif claim.computed is not None:
            lines.append(f"computed {_shown(claim.computed)}")
        if claim.note:
            lines.append(claim.note)
        lines.append(f"[{claim.source}]")
        print_rows([(claim.verdict, lines)])


def _caution(found: "Reproduction") -> str:
    """Say what the verdicts of a quick run rest on."""
    sizes = [
        f"{name.replace('_', ' ')} {value}"
        for name, value in found.parameters.items()
        if type(value) is int
    ]
    return "Quick: verdicts may rest on fewer runs and coarser grids than the full run's" + (
        f"; here {', '.join(sizes)}" if sizes else ""
    )


def _shown(value: float | str | None) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"


reproduce.__doc__ = f"{reproduce.__doc__}\n\n\b\nExample:\n{EXAMPLE}"
