"""A figure that notebooks show; matplotlib's own does so only after pyplot has set them up."""

import io

from matplotlib.figure import Figure


class NotebookFigure(Figure):
    """matplotlib's Figure, with the picture that notebooks ask for."""

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        self.savefig(stream, format="png", dpi=160)
        return stream.getvalue()
