"""`linscape solve`: a table and a network in, the global minimum and what it means out."""

from typing import Annotated

import typer

from linscape.atomic import write_together
from linscape.cli import arguments

EXAMPLE = (
    "  linscape solve examples/data/diabetes.csv --target progression \\\n"
    "      --hidden 64,64 --dropout 0.2 --weight-decay 1e-3"
)


def solve(
    paths: arguments.Files,
    target: arguments.Target,
    hidden: arguments.Hidden,
    dropout: arguments.Dropout = None,
    noise: arguments.Noise = None,
    input_dropout: arguments.InputDropout = None,
    weight_decay: arguments.WeightDecay = "0",
    sample_weight: arguments.SampleWeight = None,
    drop: arguments.Drop = None,
    one_hot: arguments.OneHot = False,
    raw: arguments.Raw = False,
    as_json: arguments.AsJson = False,
    plot: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Draw the loss over the energy of the layers: .png, .svg or .pdf."
        ),
    ] = None,
    save: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.npz", help="Write the weights, and beside them the result as FILE.json."
        ),
    ] = None,
    certificate: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.json", help="Write a certificate that `linscape verify` proves again."
        ),
    ] = None,
) -> None:
    """Find the exact global minimum of a deep linear network trained on a table."""
    from linscape.cli.document import as_text, document
    from linscape.cli.options import network_of
    from linscape.cli.outputs import Outputs
    from linscape.cli.page import print_page, print_rows
    from linscape.cli.source import read
    from linscape.problem import Problem
    from linscape.report import report

    network = network_of(
        hidden,
        dropout_rates=dropout,
        noise=noise,
        input_dropout=input_dropout,
        weight_decay=weight_decay,
    )
    outputs = Outputs.of(plot, save, certificate)
    source, moments = read(
        paths, target, sample_weight=sample_weight, drop=drop or [], one_hot=one_hot, raw=raw
    )
    outputs.spare(source.files)
    found = report(Problem(moments, network))
    facts = document(source, found)
    contents = outputs.contents(source, found, facts)
    try:
        write_together(contents)
    finally:  # a full disk costs the files, not the answer
        if as_json:
            typer.echo(as_text(facts))
        else:
            print_page(source, found)
    if contents and not as_json:
        print_rows([("Written", [str(path) for path, _ in contents])])


solve.__doc__ = f"{solve.__doc__}\n\n\b\nExample:\n{EXAMPLE}"
