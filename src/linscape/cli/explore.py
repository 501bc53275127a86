"""`linscape explore`: the landscape on a local page, moved by hand."""

import threading
import webbrowser
from typing import Annotated

import typer

EXAMPLE = "  linscape explore\n  linscape explore --port 0 --no-browser"


def explore(
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="Port; 0 picks a free one.")
    ] = 8050,
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Address to listen on. There is no password: others on the network who reach it "
            "can use the page.",
        ),
    ] = "127.0.0.1",
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")
    ] = True,
) -> None:
    """Open a local page on which to move depth, width, dropout and decay and watch the landscape.

    Choose a bundled data set or upload a CSV. Nothing leaves this machine.
    """
    from linscape.errors import MissingDependency

    try:
        from linscape.explorer.app import listen, warm_up
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "linscape":
            raise
        raise MissingDependency(
            f"the explorer needs {error.name}, which is not installed; "
            'install it with pip install "linscape[explore]"'
        ) from None
    server = listen(host, port)
    threading.Thread(target=warm_up, daemon=True).start()
    url = f"http://{host}:{server.port}/"
    typer.echo(f"linscape explorer at {url} (Ctrl+C ends it)")
    if browser:
        webbrowser.open(url)
    server.serve_forever()


explore.__doc__ = f"{explore.__doc__}\n\n\b\nExample:\n{EXAMPLE}"
