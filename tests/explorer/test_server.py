"""The server answers its own page and nobody else, and says nothing of this machine."""

import http.client
import json
import re
import socket
import threading
from pathlib import Path

import pytest

import linscape
from linscape.errors import InvalidOption
from linscape.explorer.app import listen, make_app
from linscape.explorer.callbacks import Callbacks
from linscape.explorer.controls import SLIDERS
from linscape.explorer.layout import VIEWS
from linscape.explorer.settings import RANGES
from linscape.explorer.shelf import Shelf
from linscape.explorer.upload import LIMIT

HERE = {"Host": "127.0.0.1:8050"}


@pytest.fixture(scope="module")
def client():
    return make_app().server.test_client()


def move(client, **changes):
    """Send what the page sends when a slider moves, and return the status and the answer."""
    values = {
        "dataset": "textbook",
        "targets": ["y"],
        "depth": 2,
        "width": 8,
        "dropout": 0.2,
        "decay": -1,
        "gain": 0,
    } | changes
    parts = ("graph.figure", "summary.children", "code.children", "card.className")
    outputs = [f"energy-{part}" for part in parts]
    outputs += ["verdict.children", "target-names.children"]
    outputs += [
        f"{name}-reading.children" for name in ("depth", "width", "dropout", "decay", "gain")
    ]
    outputs.append("moved.data")
    body = {
        "output": f"..{'...'.join(outputs)}..",
        "outputs": [
            dict(zip(("id", "property"), output.split("."), strict=True)) for output in outputs
        ],
        "inputs": [{"id": k, "property": "value", "value": v} for k, v in values.items()],
        "changedPropIds": ["depth.value"],
        "state": [{"id": "page", "property": "data", "value": "p"}],
    }
    answer = client.post("/_dash-update-component", json=body, headers=HERE)
    return answer.status_code, json.loads(answer.data)["response"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8050", 200),
        ("localhost:9", 200),
        ("[::1]:8050", 400),
        ("evil.example", 400),
        ("127.0.0.1.evil.example", 400),
        ("localhost.evil.example:8050", 400),
        ("10.0.0.1", 400),
        ("", 400),
    ],
)
@pytest.mark.parametrize("path", ["/", "/_dash-layout", "/assets/explorer.css", "/nowhere"])
def test_foreign_hosts_are_refused_everywhere(client, host, status, path):
    with client.get(path, headers={"Host": host}) as answer:
        assert answer.status_code == status
        assert status == 200 or b"linscape" not in answer.data


def test_the_address_it_listens_on_is_a_host_of_its_own():
    client = make_app("192.0.2.7").server.test_client()
    assert client.get("/", headers={"Host": "192.0.2.7:8050"}).status_code == 200
    assert client.get("/", headers={"Host": "192.0.2.8:8050"}).status_code == 400


def test_a_body_too_large_is_refused(client):
    body = b"x" * (LIMIT + 1)
    sent = client.post(
        "/_dash-update-component", data=body, headers=HERE, content_type="application/json"
    )
    said = json.loads(sent.data)["response"]["upload-note"]["children"]
    assert "at most 12 MB" in said


def test_no_debug_mode_and_no_tools_for_others(client):
    app = make_app()
    assert not app.server.debug
    config = re.search(
        rb'id="_dash-config"[^>]*>(.*?)</script>', client.get("/", headers=HERE).data
    )
    assert json.loads(config[1])["ui"] is False
    assert client.get("/_mcp", headers=HERE).get_json(silent=True) is None


def test_the_page_may_load_nothing_from_elsewhere(client):
    answer = client.get("/", headers=HERE)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "http" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for address in re.findall(rb'(?:src|href)="([^"]+)"', answer.data):
        assert address.startswith(b"/")
        assert not address.startswith(b"//")


def test_every_view_links_to_its_theory():
    root = Path(linscape.__file__).parents[2]
    for view in VIEWS:
        assert view.link.startswith("https://arxiv.org/abs/")
        assert view.paper
        assert view.theory
        assert (root / view.page).exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"dataset": "upload:0000"},
        {"dataset": None},
        {"dataset": "../../etc/passwd"},
        {"targets": []},
        {"targets": None},
        {"targets": [{"a": 1}]},
        {"depth": 10**9},
        {"depth": "x"},
        {"width": None},
        {"dropout": 1.0},
        {"decay": "nan"},
        {"gain": 1e9},
    ],
)
def test_bad_state_is_a_message(client, changes):
    status, answer = move(client, **changes)
    assert status == 200
    said = answer["energy-summary"]["children"]
    assert answer["energy-card"]["className"] == "card card--off"
    assert said
    assert answer["verdict"]["children"]
    for secret in ("Traceback", "/work", "/usr", "/tmp", ".py"):
        assert secret not in json.dumps(answer)


def test_that_no_target_is_chosen_is_said_once():
    callbacks = Callbacks(Shelf())
    sliders = [RANGES[name].start for name in SLIDERS]
    *parts, moved = callbacks.move("textbook", [], *sliders, "p")
    looked, run = callbacks.look(1, "depth", moved), callbacks.run(1, "plain", moved)
    said = str([*parts, *looked, *run])
    assert said.count("choose between 1 and 1 of the columns") == 1
    assert said.count("Nothing to draw; the line above the figures says why.") == len(VIEWS)


def test_a_move_is_answered(client):
    status, answer = move(client)
    assert status == 200
    assert answer["energy-card"]["className"] == "card"
    assert answer["moved"]["data"]["depth"] == 2
    assert "ls.energy_curve(problem, energies)" in answer["energy-code"]["children"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"output": "no.such"}', b'{"output": "..a.b.."}']
)
def test_garbage_to_the_callbacks_leaks_nothing(body):
    app = make_app()
    app.server.config["PROPAGATE_EXCEPTIONS"] = False
    app.logger.disabled = app.server.logger.disabled = True
    client = app.server.test_client()
    for path in ("/_dash-update-component", "/assets/../app.py", "/_dash-component-suites/x/../y"):
        answer = client.post(path, data=body, headers=HERE, content_type="application/json")
        assert answer.status_code >= 400
        for secret in (b"Traceback", b"/work", b"site-packages", b".py"):
            assert secret not in answer.data


def test_a_free_port_is_found_and_answers_without_versions():
    server = listen(port=0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        assert server.port > 0
        assert server.server_address[0] == "127.0.0.1"
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("GET", "/", headers={"Host": "evil.example"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 400
        assert answer.headers["Server"].strip() == "linscape"
        connection.close()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_port_in_use_is_said():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(InvalidOption, match=f"port {port}.*--port, 0 for a free one"):
            listen(port=port)


@pytest.mark.parametrize("host", ["0.0.0.0", "::1", "", "evil.example"])
def test_an_address_without_a_name_is_refused(host):
    with pytest.raises(InvalidOption, match="one IPv4 address"):
        listen(host, 0)
