"""`linscape diagnose`: a PyTorch training script in, what will become of the model out."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from linscape.cli import arguments
from linscape.errors import InvalidData, LinscapeError, UnreadableFile

EXAMPLE = "  linscape diagnose train.py:build --html diagnosis.html"
_PARTS = ("model", "loader", "loss", "optimizer")


def diagnose(
    script: Annotated[
        str,
        typer.Argument(
            metavar="SCRIPT:FUNCTION",
            help="A function without arguments that returns model, loader, loss, optimizer.",
        ),
    ],
    as_json: arguments.AsJson = False,
    html: Annotated[
        str | None, typer.Option("--html", metavar="FILE", help="Write it as a page too.")
    ] = None,
) -> None:
    """Say whether a PyTorch model will collapse under weight decay, why, and what to change."""
    path, name = _split(script)
    page = None if html is None else _page(html, path)
    model, loader, loss, optimizer = _built(path, name)

    from linscape.cli.document import as_text
    from linscape.torch import diagnose as ask

    found = ask(model, loader, loss=loss, optimizer=optimizer)
    if page is not None:
        _write(page, found.to_html())
    typer.echo(as_text(found.to_dict()) if as_json else str(found))


def _split(script: str) -> tuple[Path, str]:
    path, separator, name = script.rpartition(":")
    if not separator or not path or not name.isidentifier():
        raise typer.BadParameter(f"expected SCRIPT:FUNCTION such as train.py:build, got {script!r}")
    return Path(path), name


def _page(name: str, script: Path) -> Path:
    """Check where the page goes before any work is done."""
    page = Path(name)
    if page.suffix.lower() not in (".html", ".htm"):
        raise UnreadableFile(f"--html needs a name ending in .html, got {name!r}")
    if page.is_dir():
        raise UnreadableFile(f"cannot write {page}: it is a folder; give another name")
    return page


def _built(path: Path, name: str) -> tuple[Any, Any, Any, Any]:
    """Run the script as its user would run it, and call the function."""
    build = _function(path, name)
    try:
        built = build()
    except LinscapeError:
        raise
    except Exception as error:
        raise InvalidData(f"{path}:{name} failed: {_line(error)}; run it by itself") from error
    if not isinstance(built, tuple | list) or len(built) != len(_PARTS):
        got = type(built).__name__
        if isinstance(built, tuple | list):
            got = f"{len(built)} values"
        raise InvalidData(f"{path}:{name} must return {', '.join(_PARTS)}, got {got}")
    model, loader, loss, optimizer = built
    return model, loader, loss, optimizer


def _function(path: Path, name: str) -> Callable[[], Any]:
    if not path.is_file():
        raise UnreadableFile(f"cannot read {path}: no such file; give a Python script")
    specification = importlib.util.spec_from_file_location(path.stem, path)
    if specification is None or specification.loader is None:
        raise UnreadableFile(f"cannot read {path}: expected a Python script ending in .py")
    module = importlib.util.module_from_spec(specification)
    sys.path.insert(0, str(path.resolve().parent))  # as `python script.py` does
    sys.modules[path.stem], before = module, sys.modules.get(path.stem)
    try:
        specification.loader.exec_module(module)
    except LinscapeError:
        raise
    except (Exception, SystemExit) as error:
        raise InvalidData(f"{path} failed: {_line(error)}; run it by itself") from error
    finally:
        sys.path.pop(0)
        if before is not None:
            sys.modules[path.stem] = before
    function = getattr(module, name, None)
    if not callable(function):
        raise InvalidData(f"{path} has no function {name!r}; name one that returns the model")
    found: Callable[[], Any] = function
    return found


def _line(error: BaseException) -> str:
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _write(page: Path, text: str) -> None:
    from linscape.atomic import write_atomically

    def write(file: BinaryIO) -> None:
        file.write(text.encode())

    write_atomically(page, write)


diagnose.__doc__ = f"{diagnose.__doc__}\n\n\b\nExample:\n{EXAMPLE}"
