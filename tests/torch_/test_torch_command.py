"""`linscape diagnose script.py:build`, and torch as an extra."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from linscape.cli import main

SCRIPT = """
import torch
from torch import nn
from width import WIDTH

def build():
    torch.manual_seed(0)
    x = torch.randn(40, 3)
    model = nn.Sequential(nn.Linear(3, WIDTH, bias=False), nn.Linear(WIDTH, 1, bias=False))
    sgd = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    return model, [(x, x[:, :1])], nn.MSELoss(), sgd

def broken():
    raise RuntimeError("no data\\nhere")

def three():
    return build()[:3]

def normalised():
    model, loader, loss, _ = build()
    model.append(nn.BatchNorm1d(1))
    return model, loader, loss, torch.optim.SGD(model.parameters(), lr=0.1)

number = 3
"""


@pytest.fixture
def script(tmp_path):
    (tmp_path / "width.py").write_text("WIDTH = 4")
    path = tmp_path / "train.py"
    path.write_text(SCRIPT)
    yield path
    sys.modules.pop("width", None)
    sys.modules.pop("train", None)


@pytest.fixture
def command(capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as exit_:
            main(["diagnose", *map(str, arguments)])
        return exit_.value.code, *capsys.readouterr()

    return run


def test_text_and_page(command, script, tmp_path):
    page = tmp_path / "page.html"
    status, out, err = command(f"{script}:build", "--html", page)
    assert (status, err) == (0, "")
    assert "3 → 4 → 1, linear, no biases" in out
    assert "(a) Phase" in page.read_text(encoding="utf-8")


def test_json(command, script):
    status, out, _ = command(f"{script}:build", "--json")
    assert status == 0
    facts = json.loads(out)
    assert facts["phase"]["verdict"] == "learning"
    assert facts["model"]["network"]["weight_decay"] == [0.05, 0.05]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("broken", "RuntimeError: no data; run it by itself"),
        ("three", "must return model, loader, loss, optimizer, got 3 values"),
        ("normalised", "2 (BatchNorm1d): a normalisation layer"),
        ("number", "has no function 'number'"),
        ("missing", "has no function 'missing'"),
        ("not a name", "expected SCRIPT:FUNCTION"),
    ],
)
def test_what_fails_is_one_line(command, script, name, message):
    status, out, err = command(f"{script}:{name}")
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert message in err


@pytest.mark.parametrize("content", ["import nothing_of_this_name", "1/0", "def build(:", "exit()"])
def test_a_script_that_fails_is_one_line(command, tmp_path, content):
    path = tmp_path / "bad.py"
    path.write_text(content)
    status, _, err = command(f"{path}:build")
    assert status == 2
    assert len(err.splitlines()) == 1
    assert "bad.py failed" in err


def test_bad_files(command, script, tmp_path):
    assert "no such file" in command("nothing.py:build")[2]
    assert "ending in .html" in command(f"{script}:build", "--html", "page.pdf")[2]
    (tmp_path / "folder.html").mkdir()
    assert "is a folder" in command(f"{script}:build", "--html", tmp_path / "folder.html")[2]


def test_the_documented_example_runs(capsys):
    page = (Path(__file__).parents[2] / "docs" / "torch.md").read_text(encoding="utf-8")
    code = page.partition("```python\n")[2].partition("```")[0]
    exec(code, {})
    assert "(a) Phase: the global minimum\n  learning" in capsys.readouterr().out


# ---- torch is an extra


def fresh(code):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_nothing_loads_torch_unasked():
    code = "import sys, linscape as ls, linscape.cli; ls.Network; print('torch' in sys.modules)"
    assert fresh(code) == "False"


def test_without_torch_the_error_says_what_to_install():
    code = """
import sys
sys.modules["torch"] = None
from linscape.errors import MissingDependency
try:
    import linscape.torch
except MissingDependency as error:
    print(error)
"""
    assert 'pip install "linscape[torch]"' in fresh(code)
