"""The page and the server that hands it out."""

import socket
from pathlib import Path

from dash import Dash
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from linscape.errors import InvalidOption
from linscape.explorer.bundled import NAMES, bundled
from linscape.explorer.callbacks import Callbacks
from linscape.explorer.controls import SLIDERS
from linscape.explorer.layout import page
from linscape.explorer.security import check_host, secure
from linscape.explorer.settings import RANGES, Scene, Settings
from linscape.explorer.shelf import Shelf
from linscape.explorer.views import bifurcation, descent, energy, phases

_INDEX = """<!DOCTYPE html>
<html lang="en">
<head>{%metas%}<title>{%title%}</title>{%favicon%}{%css%}</head>
<body>{%app_entry%}
<noscript>This page draws its figures with JavaScript, all of it from this machine.</noscript>
<footer>{%config%}{%scripts%}{%renderer%}</footer>
</body>
</html>"""


class _Handler(WSGIRequestHandler):
    """Answers without a line for each request, and without saying which versions run."""

    server_version = "linscape"
    sys_version = ""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: a slider makes hundreds of requests."""


def make_app(host: str = "127.0.0.1", *, uploads: int = 8) -> Dash:
    """Return the page as a Dash app: never in debug mode, nothing from outside.

    Parameters
    ----------
    host : str
        The address it will be asked for at.
    uploads : int
        How many uploaded tables are kept.
    """
    app = Dash(
        "linscape.explorer",
        assets_folder=str(Path(__file__).parent / "assets"),
        title="linscape explorer",
        update_title="",  # the title stays
        index_string=_INDEX,
        serve_locally=True,
        add_log_handler=False,
        enable_mcp=False,
        meta_tags=[
            {"name": "viewport", "content": "width=device-width, initial-scale=1"},
            {"name": "color-scheme", "content": "light dark"},
        ],
    )
    app.layout = page
    Callbacks(Shelf(uploads)).register(app)
    secure(app, host)
    return app


def listen(host: str = "127.0.0.1", port: int = 8050) -> BaseWSGIServer:
    """Return a server that listens; its ``port`` is the one chosen if 0 was asked for.

    Raises
    ------
    InvalidOption
        If the address or the port cannot be had.
    """
    check_host(host)
    try:
        listener = socket.create_server((host, port))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidOption(
            f"cannot listen on {host} port {port}: {reason}; give another --port, 0 for a free one"
        ) from None
    with listener:  # the server works on a copy of it
        return make_server(
            host,
            listener.getsockname()[1],
            make_app(host).server,
            threaded=True,
            request_handler=_Handler,
            fd=listener.fileno(),
        )


def warm_up() -> None:
    """Ask every view once, so that the first visitor does not wait for modules to load."""
    table = bundled(NAMES[0])
    start = {name: RANGES[name].start for name in SLIDERS}
    scene = Scene(Settings.read(NAMES[0], table.targets, **start), table)
    energy.draw(scene)
    phases.draw(scene, "depth")
    bifurcation.draw(scene)
    descent.draw(scene, plain=True)
