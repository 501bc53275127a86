"""What all figures share: colours, the canvas, and the bytes of an image file."""

import io
from typing import TYPE_CHECKING, Any

from linscape.errors import MissingDependency

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe & Ito's colours, which the colour-blind tell apart
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#666666"
SKY, YELLOW = "#56B4E9", "#F0E442"


def rendered(figure: "Figure", suffix: str) -> bytes:
    """Return the bytes of an image file, the same for the same figure.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What to render.
    suffix : ".png", ".svg" or ".pdf"
        The kind of file.
    """
    import matplotlib as mpl

    # no dates and no random names: the same result gives the same file
    dates: dict[str, dict[str, Any]] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    stream = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "linscape"}):
        figure.savefig(stream, format=suffix[1:], dpi=160, metadata=dates.get(suffix))
    return stream.getvalue()


def figure_class() -> "type[Figure]":
    """Return a matplotlib Figure that notebooks show, or say what to install."""
    try:
        from linscape.plots.notebook import NotebookFigure
    except ImportError as error:
        raise MissingDependency(
            "a plot needs matplotlib, which is not installed; "
            'install it with pip install "linscape[plot]"'
        ) from error
    return NotebookFigure
