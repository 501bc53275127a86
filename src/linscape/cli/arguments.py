"""The arguments and options that commands share."""

from typing import Annotated

import typer

Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILES",
        help=".csv, .parquet, .feather, .arrow or .npz files, or quoted globs; read as one table.",
    ),
]
Target = Annotated[
    list[str],
    typer.Option(
        metavar="NAME",
        help="The column to predict, all others are inputs; may be repeated for several.",
    ),
]
Hidden = Annotated[
    str,
    typer.Option(metavar="WIDTHS", help="Hidden widths such as 64,64; 'none' is a linear model."),
]
Dropout = Annotated[
    str | None,
    typer.Option(metavar="RATES", help="Dropout rate of all hidden layers, or one for each."),
]
Noise = Annotated[
    str | None,
    typer.Option(metavar="VARIANCES", help="Instead of --dropout: variances of mean-one noise."),
]
InputDropout = Annotated[
    str | None, typer.Option(metavar="RATE", help="Dropout rate of the inputs.")
]
WeightDecay = Annotated[
    str,
    typer.Option(
        metavar="DECAYS",
        help="γ of all layers, or one for each: γ‖W‖² is added to the loss, no ½ (PyTorch's "
        "weight_decay is 2γ for MSELoss with one output).",
    ),
]
SampleWeight = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Column of sample weights.")
]
Drop = Annotated[
    list[str] | None, typer.Option(metavar="COLUMN", help="Leave a column out; may be repeated.")
]
OneHot = Annotated[bool, typer.Option("--one-hot", help="Turn text columns into 0/1 columns.")]
Raw = Annotated[
    bool,
    typer.Option(
        "--raw", help="Keep the units: neither centre the columns nor scale them to variance 1."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")]
