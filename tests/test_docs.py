"""The documentation is true: its code runs, its commands exist, its links lead somewhere."""

import ast
import doctest
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import linscape
from linscape.cli import app

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
TEXT = {
    path.relative_to(DOCS).as_posix(): path.read_text()
    for path in sorted(DOCS.rglob("*.md"))
    if "_build" not in path.parts
}
README = {"README.md": (ROOT / "README.md").read_text()}
FENCE = re.compile(r"^```(\S*)[^\n]*\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)
# these pages speak of a model, its loader, loss and optimiser that the reader has
YOURS = """
import torch
x = torch.tensor([[-1.0], [1.0]])
model = torch.nn.Sequential(*[torch.nn.Linear(1, 1, bias=False) for _ in range(3)])
loader, loss = [(x, x)], torch.nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.2)
"""
READERS_MODEL = ("initialise.md", "howto/initialise.md")


def blocks(text: str, *languages: str) -> list[str]:
    return [code for language, code in FENCE.findall(text) if language in languages]


def commands(text: str) -> list[list[str]]:
    """Return the arguments of each `linscape …` in a block of shell or an indented one."""
    text = text.replace("\\\n", "")
    indented = re.findall(r"^ {4}((?:\$ )?linscape .*)", text, re.MULTILINE)
    code = "\n".join([*blocks(text, "sh", "console", "text"), *indented])
    lines = re.findall(r"^(?:\$ )?linscape ([a-z-].*)", code, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


CODE = {page: blocks(text, "python") for page, text in TEXT.items() if blocks(text, "python")}
COMMANDS = [(page, line) for page, text in {**TEXT, **README}.items() for line in commands(text)]
COMMAND = typer.main.get_command(app)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Change to a copy of a page's folder: examples are found from there and from the checkout."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")

    def enter(page: str) -> None:
        folder = (tmp_path / "docs" / page).parent
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "examples").symlink_to(tmp_path / "examples")
        monkeypatch.chdir(folder)

    return enter


def run(code: str, names: dict[str, object], page: str) -> None:
    if ">>>" not in code:
        exec(compile(ast.parse(code), page, "exec"), names)
        return
    test = doctest.DocTestParser().get_doctest(code, names, page, page, 0)
    outcome = doctest.DocTestRunner().run(test, clear_globs=False)
    names.update(test.globs)
    assert outcome.attempted > 0
    assert outcome.failed == 0


@pytest.mark.parametrize("page", CODE)
def test_the_python_of_a_page_runs_from_top_to_bottom(page, checkout, capsys):
    checkout(page)
    names: dict[str, object] = {"__name__": "page"}
    if page in READERS_MODEL:
        exec(YOURS, names)
    for code in CODE[page]:
        run(code, names, page)


def test_code_that_is_wrong_is_noticed():
    with pytest.raises(AssertionError):
        run(">>> 1 + 1\n3\n", {}, "page")
    with pytest.raises(NameError):
        run("nothing_of_this_name", {}, "page")


def parse(line: list[str]) -> None:
    """Let the command line read its options, without doing anything."""
    name, *rest = line
    if name.startswith("-"):
        with pytest.raises(typer.Exit):
            COMMAND.make_context("linscape", [name, *rest])
    else:
        COMMAND.commands[name].make_context(name, rest)


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=lambda part: str(part)[:60])
def test_a_command_has_the_options_it_is_shown_with(page, line, capsys):
    parse(line)


@pytest.mark.parametrize(
    "line",
    [["solve", "a.csv"], ["solve", "a.csv", "--traget", "y", "--hidden", "2"], ["sovle", "a.csv"]],
)
def test_a_command_that_is_wrong_is_noticed(line):
    with pytest.raises((KeyError, typer.BadParameter.__base__)):
        parse(line)


RUN = ("solve", "phase", "critical-points", "moments", "verify", "info", "--cite")


def test_the_commands_whose_files_are_here_run(checkout):
    """In the order of the pages: what one command writes, the next can read."""
    checkout("page.md")
    done = []
    for page, line in COMMANDS:
        files = [part for part in line[1:2] if not part.startswith("-")]
        if line[0] in RUN and all(Path(name).exists() for name in files):
            result = CliRunner().invoke(app, line)
            assert result.exit_code == 0, (page, line, result.output)
            done.append(line[0])
    assert {"solve", "phase", "verify", "--cite"} <= set(done)


def test_every_public_name_is_in_one_page_of_the_reference():
    pages = "\n".join(text for page, text in TEXT.items() if page.startswith("reference/"))
    listed = re.findall(r"^\.\. auto(?:function|class):: (\w+)$", pages, re.MULTILINE)
    names = {*linscape.__all__, *linscape.sklearn.__all__} - {"__version__", "bounds", "errors"}
    assert Counter(listed) == Counter(names)
    modules = re.findall(r"^\.\. automodule:: linscape\.(\S+)$", pages, re.MULTILINE)
    assert sorted(modules) == ["errors", "landscape.bounds", "plots", "sweep", "torch"]


@pytest.mark.parametrize("page", [*TEXT, *README])
def test_every_relative_link_and_picture_exists(page):
    text = FENCE.sub("", {**TEXT, **README}[page])
    folder = (DOCS / page).parent if page in TEXT else ROOT
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not re.match(r"[a-z]+:", target):
            assert (folder / target).exists(), f"{page} links to {target}, which does not exist"


def fetched(page: str) -> list[str]:
    """Return what a browser gets from elsewhere for a page: scripts, styles, pictures, frames."""
    tags = re.findall(r"<(?:script|link|img|iframe|source|object)\b[^>]*>", page)
    from_tags = re.findall(r"(?:src|href|data)\s*=\s*[\"']((?:https?:)?//[^\"']+)", "".join(tags))
    return from_tags + re.findall(r"(?:url\(|@import\s)[\"'\s]*((?:https?:)?//[^\"')]+)", page)


def test_no_page_fetches_anything(tmp_path):
    """Built with the documentation's own settings and theme, without what takes long."""
    pytest.importorskip("sphinx", reason='no sphinx: pip install "linscape[docs]"')
    source = tmp_path / "source"
    source.mkdir()
    shutil.copy(DOCS / "conf.py", source)
    if (DOCS / "_static").exists():
        shutil.copytree(DOCS / "_static", source / "_static")
    (source / "index.md").write_text("# Page\n\n```{math}\na = b\n```\n\n{math}`c`\n")
    build = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", "source", "site"]
    subprocess.run(build, cwd=tmp_path, check=True)
    site = tmp_path / "site"
    written = {
        path: path.read_text() for path in site.rglob("*") if path.suffix in (".html", ".css")
    }
    assert len(written) > 3
    assert {path.name: fetched(text) for path, text in written.items() if fetched(text)} == {}
    assert "<math" in (site / "index.html").read_text()
    assert [page for page, text in TEXT.items() if fetched(text)] == []
    assert [page for page, text in TEXT.items() if re.search(r"!\[[^]]*\]\(https?:", text)] == []


def test_what_is_fetched_is_noticed():
    assert fetched('<script async src="https://a.org/x.js"></script>') == ["https://a.org/x.js"]
    assert fetched("<img src='//a.org/x.png'>") == ["//a.org/x.png"]
    assert fetched('@import "https://a.org/x.css"; .b { background: url(img.png) }') != []
    assert fetched('<a href="https://a.org">a link</a>') == []
