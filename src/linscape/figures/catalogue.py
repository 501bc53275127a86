"""The figures that can be reproduced, by name; none is imported before it is asked for."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from linscape.errors import InvalidOption
from linscape.figures.reproduction import Advance, Reproduction

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Entry:
    """A figure of the catalogue.

    Attributes
    ----------
    module : str
        Below ``linscape.figures``; it has the functions `run` and `draw`.
    title : str
        What is shown, in a line.
    source : str
        The paper and its figure, example or section.
    data : str
        What a folder of data given to it holds; empty if it takes none.
    """

    module: str
    title: str
    source: str
    data: str = ""


CATALOGUE: dict[str, Entry] = {}


def reproduce(
    name: str,
    *,
    quick: bool = False,
    seed: int = 0,
    data: Path | None = None,
    advance: Advance | None = None,
) -> Reproduction:
    """Compute the numbers of a figure and check its source's claims.

    Parameters
    ----------
    name : str
        A key of `CATALOGUE`.
    quick : bool, default False
        Fewer runs and coarser grids, for a look in seconds; the claims are then checked on those.
    seed : int, default 0
        From which all random numbers come.
    data : Path, optional
        A folder of data, for the figures whose entry says that they take one.
    advance : callable, optional
        Told the fraction done, from 0 to 1.

    Returns
    -------
    Reproduction

    Raises
    ------
    InvalidOption
        If the catalogue has no such name, or the figure takes no data.
    MissingDependency
        If the figure needs an extra that is not installed.
    """
    run = cast(Callable[..., Reproduction], _part(name, "run"))
    options: dict[str, Any] = {"quick": quick, "seed": seed, "advance": advance or _ignore}
    if data is not None:
        if not CATALOGUE[name].data:
            raise InvalidOption(f"the figure {name!r} takes no data; leave data out")
        options["data"] = data
    return run(**options)


def draw(found: Reproduction) -> "Figure":
    """Draw a reproduction as its source does, and what was computed beside it.

    Parameters
    ----------
    found : Reproduction
        Of :func:`reproduce`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    MissingDependency
        If matplotlib is not installed.
    """
    return cast("Callable[[Reproduction], Figure]", _part(found.name, "draw"))(found)


def _part(name: str, part: str) -> object:
    if name not in CATALOGUE:
        raise InvalidOption(
            f"no figure is called {name!r}; the names are {', '.join(sorted(CATALOGUE))}"
        )
    return getattr(importlib.import_module(f"linscape.figures.{CATALOGUE[name].module}"), part)


def _ignore(_: float) -> None:
    pass
