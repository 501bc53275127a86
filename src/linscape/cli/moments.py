"""`linscape moments`: files in, their second moments out, read here or on a cluster."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linscape.cli import arguments

if TYPE_CHECKING:
    from linscape.moments import Moments

EXAMPLE = (
    "  linscape moments 'houses/*.parquet' --target price --save houses.npz \\\n"
    "      --scheduler tcp://10.0.0.1:8786"
)


def moments(
    paths: arguments.Files,
    target: arguments.Target,
    save: Annotated[
        str | None,
        typer.Option(metavar="FILE.npz", help="Write the moments, for Moments.load."),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Read on the Dask cluster of this scheduler, whose workers see the same paths.",
        ),
    ] = None,
    sample_weight: arguments.SampleWeight = None,
    drop: arguments.Drop = None,
    one_hot: arguments.OneHot = False,
    as_json: arguments.AsJson = False,
) -> None:
    """Read files of any size once, in bounded memory, and keep their second moments."""
    from linscape.cli.document import as_text
    from linscape.cli.page import print_rows
    from linscape.moments import read_moments
    from linscape.moments.distribution import connected
    from linscape.moments.files import found_files

    files = found_files(paths)
    _check_output(save, files)
    with nullcontext() if scheduler is None else connected(scheduler) as client:
        found = read_moments(
            files,
            target=target[0] if len(target) == 1 else target,
            sample_weight=sample_weight,
            drop=drop or [],
            one_hot=one_hot,
            client=client,
            progress=sys.stdout.isatty() and not as_json,
        )
    if save is not None:
        found.save(save)
    facts = _document(files, target, found, save)
    if as_json:
        typer.echo(as_text(facts))
    else:
        print_rows(_rows(facts))


def _check_output(save: str | None, files: list[Path]) -> None:
    """Refuse, before any work, names that cannot be written and the data themselves."""
    from linscape.errors import UnreadableFile

    if save is None:
        return
    path = Path(save)
    if path.suffix.lower() != ".npz":
        raise UnreadableFile(f"--save needs a name ending in .npz, got {save!r}")
    if path.is_dir() or not path.parent.is_dir():
        raise UnreadableFile(f"cannot write {save}: give a file name in a folder that exists")
    if path.exists() and any(path.samefile(file) for file in files):
        raise UnreadableFile(f"{save} is the data itself; give --save another name")


def _document(
    files: list[Path], targets: list[str], found: "Moments", save: str | None
) -> dict[str, Any]:
    from linscape import __version__

    return {
        "schema": "linscape.moments",
        "version": 1,
        "linscape": __version__,
        "files": [str(file) for file in files],
        "rows": found.n,
        "weight": found.weight,
        "inputs": found.inputs,
        "names": found.names,
        "targets": targets,
        "mean_y": _plain(found.mean_y),
        "covariance_y": None if found.mean_y is None else _plain(found.covariance_y),
        "saved": save,
    }


def _plain(value: Any) -> Any:
    """Return numbers as JSON has them."""
    return value.tolist() if hasattr(value, "tolist") else value


def _rows(facts: dict[str, Any]) -> list[tuple[str, list[str]]]:
    first, *others = facts["files"]
    known = f"{facts['rows']}, of total weight {facts['weight']:g}" if facts["rows"] else "unknown"
    return [
        ("Data", [f"{first} and {len(others)} more" if others else first]),
        ("Rows", [known]),
        ("Columns", [f"{facts['inputs']} inputs; targets: {', '.join(facts['targets'])}"]),
        ("Written", [facts["saved"] or "nothing; add --save FILE.npz"]),
    ]


moments.__doc__ = f"{moments.__doc__}\n\n\b\nExample:\n{EXAMPLE}"
