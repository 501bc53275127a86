"""`linscape explore`: listens where it says, ends when asked, and says what is missing."""

import re
import signal
import subprocess
import sys
import urllib.request

import pytest

from linscape.cli import main


def test_the_command_listens_and_ends():
    command = [sys.executable, "-m", "linscape", "explore", "--port", "0", "--no-browser"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            url = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())[0]
            with urllib.request.urlopen(url) as answer:
                assert b"linscape explorer" in answer.read()
        finally:
            process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
        assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize("arguments", [["--host", "0.0.0.0"], ["--port", "65536"]])
def test_bad_options_are_one_line(capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        main(["explore", "--no-browser", *arguments])
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_without_dash_it_says_what_to_install(capsys, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("linscape.explorer")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "dash", None)
    with pytest.raises(SystemExit) as ended:
        main(["explore", "--no-browser"])
    assert ended.value.code == 2
    assert 'pip install "linscape[explore]"' in capsys.readouterr().err
