"""The critical points under weight decay, as a table: sub-networks with units switched off."""

from typing import TYPE_CHECKING, Any

import typer

from linscape.errors import NoExactSolution
from linscape.landscape import SubnetworkClass, decayed_critical_points
from linscape.problem import Problem

if TYPE_CHECKING:
    from linscape.cli.source import Source

_HEADINGS = ("live units", "kind", "index", "zero modes", "points", "energy", "loss")


def subnetworks(problem: Problem, source: "Source", *, limit: int, as_json: bool) -> None:
    """Print the classes of critical points, as a table or as JSON."""
    from linscape import __version__
    from linscape.cli.document import as_text

    classes = sorted(decayed_critical_points(problem), key=lambda found: found.loss)
    if as_json:
        facts: dict[str, Any] = {
            "schema": "linscape.critical-points",
            "version": 1,
            "linscape": __version__,
            "data": {"files": [str(file) for file in source.files], "target": source.target},
            "network": problem.network.to_dict(),
            "critical_points": [found.to_dict() for found in classes],
        }
        typer.echo(as_text(facts))
        return
    _print(problem, source, classes[:limit], len(classes))


def no_ladder() -> NoExactSolution:
    """Return why --plot draws nothing here."""
    return NoExactSolution(
        "--plot draws the ladder of critical values of a network without decay and noise; leave it "
        "out, or draw the energy curve with linscape solve --plot"
    )


def _print(problem: Problem, source: "Source", classes: list[SubnetworkClass], count: int) -> None:
    from linscape.cli.page import data_lines, print_rows

    chain = " → ".join(map(str, (source.inputs, *problem.network.hidden, 1)))
    proven = "every critical point is zero or a solution of a sub-network: docs/atlas.md"
    print_rows([("Data", data_lines(source)), ("Network", [chain]), ("Theorem", [proven])])
    rows = [_HEADINGS, *map(_row, classes)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True))
        typer.echo(line.rstrip())
    if len(classes) < count:
        typer.echo(f"… and {count - len(classes)} more: --limit lists them")


def _row(found: SubnetworkClass) -> tuple[str, ...]:
    return (
        ", ".join(map(str, found.active)),
        found.kind,
        "–" if found.index is None else str(found.index),
        "–" if found.nullity is None else str(found.nullity),
        _count(found.multiplicity),
        f"{found.energy:.6g}",
        f"{found.loss:.6g}",
    )


def _count(number: int) -> str:
    """Return a count, or its power of ten where it has more than nine digits."""
    if number < 10**9:
        return str(number)
    return f"~10^{len(str(number)) - 1}"
