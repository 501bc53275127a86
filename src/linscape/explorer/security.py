"""What keeps a local page local: whose requests are answered, and what the page may load."""

import ipaddress
from collections.abc import Sequence

from dash import Dash
from flask import Response, jsonify
from werkzeug.exceptions import RequestEntityTooLarge

from linscape.errors import InvalidOption
from linscape.explorer.upload import LIMIT

LOOPBACK = ("127.0.0.1", "localhost")
_TOO_LARGE = (
    f"Not read: the file is too large, at most {LIMIT * 3 // 4 // 2**20} MB are taken here."
)


def secure(app: Dash, host: str) -> None:
    """Refuse foreign hosts and large bodies, and forbid the page to load anything from elsewhere.

    A request must name the machine as this one does (TRUSTED_HOSTS), which stops pages of others
    that let their own name point here. The content policy allows nothing but this server.
    """
    server = app.server
    server.config["TRUSTED_HOSTS"] = [*LOOPBACK, host]
    server.config["MAX_CONTENT_LENGTH"] = LIMIT
    policy = _policy(app.csp_hashes())

    def with_headers(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        return response

    server.after_request(with_headers)
    server.register_error_handler(RequestEntityTooLarge, _too_large)


def check_host(host: str) -> None:
    """Refuse an address that does not say under which name the page will be asked for.

    Raises
    ------
    InvalidOption
        If it is no IPv4 address, or every address of the machine. (TRUSTED_HOSTS knows no IPv6.)
    """
    try:
        wild = ipaddress.IPv4Address(host).is_unspecified
    except ValueError:
        wild = host != "localhost"
    if wild:
        raise InvalidOption(
            f"--host must be one IPv4 address of this machine or localhost, got {host!r}; the page "
            "answers under the name it is given and no other"
        )


def _policy(scripts: Sequence[str]) -> str:
    return "; ".join(
        [
            "default-src 'none'",
            " ".join(["script-src 'self'", *scripts]),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


def _too_large(_: RequestEntityTooLarge) -> Response:
    """Tell the page in words, where it shows them: an error status would reach its console only."""
    return jsonify(multi=True, response={"upload-note": {"children": _TOO_LARGE}})
