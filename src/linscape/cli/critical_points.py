"""`linscape critical-points`: every critical point of a network, by class."""

import itertools
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linscape.atomic import write_together
from linscape.cli import arguments

if TYPE_CHECKING:
    from linscape.cli.source import Source
    from linscape.landscape.unregularised.classes import ModeClass
    from linscape.landscape.unregularised.values import CriticalValues
    from linscape.network import Network

EXAMPLE = (
    "  linscape critical-points examples/data/diabetes.csv --target progression \\\n"
    "      --target bp --target s5 --hidden 4,4 --plot ladder.svg"
)
_HEADINGS = ("loss", "rank", "modes", "inertia", "kinds")
_SHORT = {
    "global minimum": "global minimum",
    "strict saddle": "strict",
    "non-strict saddle": "non-strict",
}


def critical_points(
    paths: arguments.Files,
    target: arguments.Target,
    hidden: arguments.Hidden,
    dropout: arguments.Dropout = None,
    noise: arguments.Noise = None,
    weight_decay: arguments.WeightDecay = "0",
    limit: Annotated[
        int, typer.Option(metavar="N", min=1, help="List the N lowest classes only.")
    ] = 32,
    sample_weight: arguments.SampleWeight = None,
    drop: arguments.Drop = None,
    one_hot: arguments.OneHot = False,
    raw: arguments.Raw = False,
    as_json: arguments.AsJson = False,
    plot: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Draw the ladder of values: .png, .svg or .pdf."),
    ] = None,
) -> None:
    """List every critical point: by modes without decay, by live units with it."""
    from linscape import plots
    from linscape.cli.document import as_text
    from linscape.cli.options import network_of
    from linscape.cli.outputs import Outputs
    from linscape.cli.source import read
    from linscape.cli.subnetworks import no_ladder, subnetworks
    from linscape.landscape.unregularised.classes import mode_classes
    from linscape.landscape.unregularised.values import critical_values
    from linscape.problem import Problem

    network = network_of(
        hidden, dropout_rates=dropout, noise=noise, input_dropout=None, weight_decay=weight_decay
    )
    outputs = Outputs.of(plot)
    source, moments = read(
        paths, target, sample_weight=sample_weight, drop=drop or [], one_hot=one_hot, raw=raw
    )
    outputs.spare(source.files)
    problem = Problem(moments, network)
    if any(network.weight_decay):
        if outputs.plot:
            raise no_ladder()
        subnetworks(problem, source, limit=limit, as_json=as_json)
        return
    values = critical_values(problem)
    classes = list(itertools.islice(mode_classes(problem), limit))
    if outputs.plot:
        suffix = outputs.plot.suffix.lower()
        picture = plots.ladder(values, unit=_unit(source), title=_chain(source, network))
        write_together([(outputs.plot, plots.rendered(picture, suffix))])
    if as_json:
        typer.echo(as_text(_facts(source, target, network, values, classes)))
    else:
        _print(source, network, values, classes)


def _facts(
    source: "Source",
    targets: list[str],
    network: "Network",
    values: "CriticalValues",
    classes: list["ModeClass"],
) -> dict[str, Any]:
    from linscape import __version__

    return {
        "schema": "linscape.critical-points",
        "version": 1,
        "linscape": __version__,
        "data": {
            "files": [str(file) for file in source.files],
            "rows": source.rows,
            "inputs": source.inputs,
            "targets": targets,
            "standardized": not source.raw,
        },
        "network": network.to_dict(),
        "critical_values": {
            key: value for key, value in values.to_dict(limit=0).items() if key != "values"
        },
        "critical_points": [found.to_dict() for found in classes],
    }


def _print(
    source: "Source", network: "Network", values: "CriticalValues", classes: list["ModeClass"]
) -> None:
    from linscape.cli.page import data_lines, print_rows

    most = f"at most {values.rank_limit} learnt at once"
    rows = [
        ("Data", data_lines(source)),
        ("Network", [f"{_chain(source, network)}, linear, no decay, no noise, no biases"]),
        ("Modes", [f"{len(values.mode_values)} that explain anything, {most}", _shares(values)]),
        ("Critical values", [_number(values), f"losses: {_unit(source)}"]),
    ]
    alike = [", ".join(map(str, group)) for group in values.groups if len(group) > 1]
    if alike:
        rows.append(("Equal modes", ["; ".join(alike) + ": any of a group stand for the others"]))
    print_rows(rows)
    for line in _table(classes):
        typer.echo(line)
    if len(classes) < values.distinct:
        typer.echo(f"… and {values.distinct - len(classes)} higher ones: --limit lists more")
    typer.echo(
        "\nInertia: negative, zero and positive eigenvalues at the points where most are zero."
    )


def _shares(values: "CriticalValues") -> str:
    listed = ", ".join(f"{value:.4g}" for value in values.mode_values[:8])
    more = ", …" if len(values.mode_values) > 8 else ""
    return f"mode 0, 1, … lower the loss by {listed}{more}" if listed else "x and y do not covary"


def _number(values: "CriticalValues") -> str:
    best, worst = values.descent[-1].loss, values.descent[0].loss
    passed = " → ".join(f"{value.loss:.4g}" for value in values.descent)
    return f"{values.distinct}, from {best:.6g} to {worst:.6g}; descent may pass {passed}"


def _targets(source: "Source") -> int:
    return source.target.count(", ") + 1


def _table(classes: list["ModeClass"]) -> list[str]:
    from linscape.plots.ladder import runs

    rows = [_HEADINGS]
    for found in classes:
        inertia = "undecided" if found.inertia is None else str(found.inertia)
        kinds = ", ".join(_SHORT[kind] for kind in found.kinds)
        rows.append((f"{found.loss:.6g}", str(found.rank), runs(found.modes), inertia, kinds))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _chain(source: "Source", network: "Network") -> str:
    return " → ".join(map(str, (source.inputs, *network.hidden, _targets(source))))


def _unit(source: "Source") -> str:
    count = _targets(source)
    return source.unit if count == 1 else f"summed over {count} targets"


critical_points.__doc__ = f"{critical_points.__doc__}\n\n\b\nExample:\n{EXAMPLE}"
