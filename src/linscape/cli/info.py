"""`linscape info`: the versions, extras and threads that a report of a problem needs."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import typer

from linscape.cli import arguments

EXAMPLE = "  linscape info --json"
_CORE = ("numpy", "scipy", "numba", "pyarrow", "typer")
_EXTRAS = {
    "plot": ("matplotlib",),
    "sklearn": ("scikit-learn",),
    "torch": ("torch",),
    "dask": ("dask", "distributed"),
    "certify": ("python-flint",),
    "explore": ("dash",),
}
_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS")


def info(as_json: arguments.AsJson = False) -> None:
    """Print versions, which extras are installed, and the threads: what a bug report needs."""
    from linscape.cli.document import as_text
    from linscape.cli.page import print_rows

    facts = _facts()
    if as_json:
        typer.echo(as_text(facts))
    else:
        print_rows(_rows(facts))


def _facts() -> dict[str, Any]:
    from linscape import __version__

    return {
        "schema": "linscape.info",
        "version": 1,
        "linscape": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "core": {package: _version(package) for package in _CORE},
        "extras": {
            extra: {package: _version(package) for package in packages}
            for extra, packages in _EXTRAS.items()
        },
        "threads": {name: os.environ.get(name) for name in _THREADS},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _rows(facts: dict[str, Any]) -> list[tuple[str, list[str]]]:
    return [
        ("linscape", [facts["linscape"]]),
        ("Python", [f"{facts['python']} on {facts['platform']}"]),
        ("Processors", [str(facts["processors"])]),
        ("Core", [f"{name} {found}" for name, found in facts["core"].items()]),
        ("Extras", [_extra(name, found) for name, found in facts["extras"].items()]),
        ("Threads", [f"{name}: {found or 'not set'}" for name, found in facts["threads"].items()]),
    ]


def _extra(name: str, packages: dict[str, str | None]) -> str:
    if all(packages.values()):
        return f"{name}: " + ", ".join(f"{package} {found}" for package, found in packages.items())
    return f'{name}: not installed; pip install "linscape[{name}]"'


info.__doc__ = f"{info.__doc__}\n\n\b\nExample:\n{EXAMPLE}"
