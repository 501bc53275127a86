"""The command `linscape`: one file a command, each reads, asks the library once, and prints.

Nothing heavy is imported before a command runs, so that help and version answer at once.
"""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn, TextIO, cast

import typer

from linscape import __version__
from linscape.cli.critical_points import critical_points
from linscape.cli.descend import descend
from linscape.cli.diagnose import diagnose
from linscape.cli.explore import explore
from linscape.cli.info import info
from linscape.cli.moments import moments
from linscape.cli.phase import phase
from linscape.cli.reproduce import reproduce
from linscape.cli.solve import EXAMPLE, solve
from linscape.cli.sweep import sweep
from linscape.cli.verify import verify
from linscape.errors import LinscapeError

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command()(solve)
app.command()(phase)
app.command("critical-points")(critical_points)
app.command()(descend)
app.command()(diagnose)
app.command()(moments)
app.command()(explore)
app.command()(sweep)
app.command()(verify)
app.command()(reproduce)
app.command()(info)

# the class of every mistake in the options, wherever this version of typer keeps it
_UsageError = cast(type[Exception], typer.BadParameter.__base__)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"linscape {__version__}")
        raise typer.Exit


def _print_citation(asked: bool) -> None:
    if asked:
        from linscape.citation import bibtex

        typer.echo(bibtex())
        raise typer.Exit


@app.callback(
    invoke_without_command=True,
    epilog=f"\b\nExample:\n{EXAMPLE}",
)
def root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
    cite: Annotated[
        bool,
        typer.Option(
            "--cite",
            callback=_print_citation,
            is_eager=True,
            help="Print BibTeX of linscape and of the papers it computes, and exit.",
        ),
    ] = False,
) -> None:
    """Compute the exact loss landscape of deep linear networks: global minimum, phases, plot."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0, or 2 with one line on stderr.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows `linscape`; the arguments of the process by default.
    """
    for stream in (sys.stdout, sys.stderr):
        _never_fail_on_letters(stream)
    try:
        status = app(arguments, prog_name="linscape", standalone_mode=False)
        sys.stdout.flush()
    except _UsageError as error:
        status = _failed(_what_is_wrong(cast(typer.BadParameter, error)))
    except LinscapeError as error:
        status = _failed(str(error))
    except MemoryError:
        status = _failed("not enough memory; give narrower layers or fewer columns")
    except typer.Abort:
        status = 1
    except BrokenPipeError:  # the reader has seen enough: `linscape … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except OSError as error:  # a name that no file can have, a disk that is full
        status = _failed(f"{error.strerror or error}: {str(error.filename or 'stdout')[:200]}")
    sys.exit(status or 0)


def _what_is_wrong(error: typer.BadParameter) -> str:
    command = "linscape" if error.ctx is None else error.ctx.command_path
    return f"{error.format_message().rstrip('.')}; see {command} --help"


def _failed(message: str) -> int:
    line = " ".join(message.split())
    typer.echo(f"linscape: {line}", err=True)
    return 2


def _never_fail_on_letters(stream: TextIO) -> None:
    """Print "?" where the terminal's encoding has no γ, instead of failing."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")
