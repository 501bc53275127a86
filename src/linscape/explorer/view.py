"""A view: what it is, the empty figure it fills, and what it shows of a scene."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from linscape.explorer.drawing import Updates


@dataclass(frozen=True)
class Drawn:
    """What a view shows at the moment.

    Attributes
    ----------
    updates : dict
        Parts of the figure, by their path in it.
    summary : str
        What is to be seen, in words.
    code : str
        Python that gives the numbers shown.
    """

    updates: Updates
    summary: str
    code: str


@dataclass(frozen=True)
class View:
    """A card of the page.

    Attributes
    ----------
    name : str
        For the ids of its parts.
    title, lead : str
        Heading, and how to read the figure in one line.
    theory : str
        The statement it rests on.
    paper, link : str
        Where that is proven.
    page : str
        The page of the documentation that says more.
    figure : function of no arguments
        Makes the figure without its points.
    """

    name: str
    title: str
    lead: str
    theory: str
    paper: str
    link: str
    page: str
    figure: Callable[[], dict[str, Any]]
