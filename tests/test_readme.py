"""The README is true: its transcript, its figures, its code."""

import doctest
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def writer():
    spec = importlib.util.spec_from_file_location("writer", ROOT / "examples/write_readme.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_transcript_and_the_figures_are_what_the_commands_print(writer):
    assert writer.alike(README, writer.filled(README))


def test_a_changed_word_or_number_would_be_noticed(writer):
    assert writer.alike("loss 0.5, width 1.0e-14", "loss 0.5, width 3.1e-15")
    assert not writer.alike("loss 0.5", "loss 0.51")
    assert not writer.alike("loss 0.5", "less 0.5")


def test_the_python_code_runs_as_shown(monkeypatch):
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert blocks
    for block in blocks:
        test = doctest.DocTestParser().get_doctest(block, {}, "README", "README.md", 0)
        runner = doctest.DocTestRunner()
        runner.run(test)
        assert runner.tries > 0
        assert runner.failures == 0


def test_the_two_commands_are_in_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    for command in ("demo", "test"):
        assert f"make {command} " in README
        assert re.search(rf"^{command}:", makefile, re.MULTILINE)


def test_every_local_link_and_picture_exists():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target
