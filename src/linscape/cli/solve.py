"""`linscape solve`: a table and a network in, the global minimum and what it means out."""

from typing import Annotated

import typer

EXAMPLE = (
    "  linscape solve examples/data/diabetes.csv --target progression \\\n"
    "      --hidden 64,64 --dropout 0.2 --weight-decay 1e-3"
)


def solve(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="FILES",
            help=".csv, .parquet, .feather, .arrow or .npz files, or quoted globs; read as one "
            "table.",
        ),
    ],
    target: Annotated[
        list[str],
        typer.Option(metavar="NAME", help="The column to predict; all others are inputs."),
    ],
    hidden: Annotated[
        str,
        typer.Option(
            metavar="WIDTHS", help="Hidden widths such as 64,64; 'none' is a linear model."
        ),
    ],
    dropout: Annotated[
        str | None,
        typer.Option(metavar="RATES", help="Dropout rate of all hidden layers, or one for each."),
    ] = None,
    noise: Annotated[
        str | None,
        typer.Option(
            metavar="VARIANCES", help="Instead of --dropout: variances of mean-one noise."
        ),
    ] = None,
    input_dropout: Annotated[
        str | None, typer.Option(metavar="RATE", help="Dropout rate of the inputs.")
    ] = None,
    weight_decay: Annotated[
        str,
        typer.Option(
            metavar="DECAYS",
            help="γ of all layers, or one for each: γ‖W‖² is added to the loss, no ½ (PyTorch's "
            "weight_decay is 2γ for MSELoss with one output).",
        ),
    ] = "0",
    sample_weight: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of sample weights.")
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Leave a column out; may be repeated."),
    ] = None,
    one_hot: Annotated[
        bool, typer.Option("--one-hot", help="Turn text columns into 0/1 columns.")
    ] = False,
    raw: Annotated[
        bool,
        typer.Option(
            "--raw", help="Keep the units: neither centre the columns nor scale them to variance 1."
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")
    ] = False,
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
) -> None:
    """Find the exact global minimum of a deep linear network trained on a table."""
    from linscape.cli.document import as_text, document
    from linscape.cli.options import network_of
    from linscape.cli.outputs import Outputs
    from linscape.cli.page import print_page
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
    outputs = Outputs.of(plot, save)
    source, moments = read(
        paths, target, sample_weight=sample_weight, drop=drop or [], one_hot=one_hot, raw=raw
    )
    outputs.spare(source.files)
    found = report(Problem(moments, network))
    facts = document(source, found)
    contents = outputs.contents(source, found, facts)
    try:
        outputs.write(contents)
    finally:  # a full disk costs the files, not the answer
        if as_json:
            typer.echo(as_text(facts))
        else:
            print_page(source, found)


solve.__doc__ = f"{solve.__doc__}\n\n\b\nExample:\n{EXAMPLE}"
