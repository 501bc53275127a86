"""The catalogue, what is written, and `linscape reproduce`, on a figure made here."""

import json
import sys
from types import ModuleType

import numpy as np
import pytest

from linscape.cli import main
from linscape.errors import InvalidOption, UnreadableFile
from linscape.figures import CATALOGUE, Claim, Entry, Reproduction, draw, reproduce
from linscape.figures.saving import save
from linscape.plots.figure import figure_class


def run(*, quick, seed, advance, data=None):
    advance(0.5)
    parameters = {"points": 3 if quick else 5, "data": None if data is None else str(data)}
    x = np.random.default_rng(seed).normal(size=parameters["points"])
    claims = (
        Claim("it is so", "here, (1)", printed=1.0, computed=1.0, holds=True),
        Claim(
            "it is not", "here, (2)", printed=float("inf"), computed=2.0, holds=False, note="why"
        ),
        Claim("who knows", "here, (3)", computed="nothing"),
    )
    return Reproduction("made-here", "A title", "a paper", parameters, seed, {"x": x}, claims)


def draw_it(found):
    figure = figure_class()()
    figure.add_subplot().plot(found.arrays["x"])
    return figure


@pytest.fixture
def made_here(monkeypatch):
    module = ModuleType("linscape.figures.made_here")
    module.run, module.draw = run, draw_it
    monkeypatch.setitem(sys.modules, module.__name__, module)
    entry = Entry("made_here", "A title", "a paper", data="numbers")
    monkeypatch.setitem(CATALOGUE, "made-here", entry)


@pytest.fixture
def command(capsys):
    def run_it(*arguments):
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        return exit_.value.code, *capsys.readouterr()

    return run_it


@pytest.mark.usefixtures("made_here")
class TestMadeHere:
    def test_options_arrive(self, tmp_path):
        heard = []
        found = reproduce("made-here", quick=True, seed=3, data=tmp_path, advance=heard.append)
        assert found.parameters == {"points": 3, "data": str(tmp_path)}
        assert found.seed == 3
        assert heard == [0.5]

    def test_four_files_hold_what_was_computed(self, tmp_path):
        found = reproduce("made-here")
        files = save(found, tmp_path / "new" / "folder")
        assert [file.name for file in files] == [f"made-here.{end}" for end in _ENDS]
        assert files[0].read_bytes().startswith(b"<?xml")
        assert files[1].read_bytes().startswith(b"\x89PNG")
        with np.load(files[2]) as archive:
            assert np.array_equal(archive["x"], found.arrays["x"])
        document = json.loads(files[3].read_text())
        assert document["parameters"] == {"points": 5, "data": None}
        assert [claim["verdict"] for claim in document["claims"]] == ["PASS", "FAIL", "OPEN"]
        assert document["claims"][1]["printed"] == "inf"
        assert document["versions"]["numpy"] == np.__version__

    def test_same_seed_same_numbers_other_seed_others(self, tmp_path):
        first, again, other = (save(reproduce("made-here", seed=s), tmp_path) for s in (0, 0, 1))
        assert first == again == other
        assert not np.array_equal(
            reproduce("made-here", seed=0).arrays["x"], reproduce("made-here", seed=1).arrays["x"]
        )

    def test_a_file_in_the_way_is_an_error_and_stays(self, tmp_path):
        (tmp_path / "file").write_text("mine")
        with pytest.raises(UnreadableFile, match="cannot make the folder"):
            save(reproduce("made-here"), tmp_path / "file" / "below")
        assert (tmp_path / "file").read_text() == "mine"

    def test_command_prints_claims_and_files(self, command, tmp_path):
        status, out, err = command("reproduce", "made-here", "--quick", "--out", tmp_path)
        assert (status, err) == (0, "")
        for part in ("PASS", "FAIL", "OPEN", "printed inf, computed 2", "why", "made-here.svg"):
            assert part in out
        assert len(list(tmp_path.iterdir())) == len(_ENDS)

    def test_a_quick_run_says_so_and_what_it_rests_on(self, command, tmp_path):
        _, out, _ = command("reproduce", "made-here", "--quick", "--out", tmp_path)
        title, caution, space, *_ = out.splitlines()
        assert title == "A title (a paper)"
        assert caution.startswith("Quick: ")
        assert caution.endswith("; here points 3")
        assert space == ""
        assert json.loads((tmp_path / "made-here.json").read_text())["quick"] is True
        _, out, _ = command("reproduce", "made-here", "--out", tmp_path)
        assert "Quick" not in out
        assert json.loads((tmp_path / "made-here.json").read_text())["quick"] is False

    def test_command_as_json(self, command, tmp_path):
        _, out, _ = command("reproduce", "made-here", "--json", "--out", tmp_path)
        (document,) = json.loads(out)["figures"]
        assert document["seed"] == 0
        assert len(document["files"]) == len(_ENDS)

    def test_the_list_names_it(self, command):
        status, out, _ = command("reproduce")
        assert status == 0
        assert "made-here" in out
        assert "--data: numbers" in out


_ENDS = ("svg", "png", "npz", "json")


def test_unknown_name(tmp_path):
    with pytest.raises(InvalidOption, match="no figure is called 'nothing'"):
        reproduce("nothing")
    with pytest.raises(InvalidOption, match="no figure"):
        draw(Reproduction("nothing", "", "", {}, 0, {}))


@pytest.mark.parametrize(
    "arguments",
    [("nothing",), ("regimes", "--all"), ("--all", "--data", "x", "y"), ("--seed", "-1")],
)
def test_bad_options_are_one_line(command, arguments):
    status, out, err = command("reproduce", *arguments)
    assert status == 2
    assert out == ""
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [("--quick", "--out", "figs"), ("--out", "figures"), ("--seed", "0"), ("--data", "folder")],
)
def test_options_without_a_figure_are_not_ignored(command, arguments):
    status, out, err = command("reproduce", *arguments)
    assert (status, out) == (2, "")
    assert "name a figure, or give --all" in err
    assert len(err.splitlines()) == 1


def test_the_list_can_be_json(command):
    status, out, err = command("reproduce", "--json")
    assert (status, err) == (0, "")
    assert [entry["name"] for entry in json.loads(out)["figures"]] == list(CATALOGUE)


def test_every_entry_has_its_functions():
    for name, entry in CATALOGUE.items():
        module = __import__(f"linscape.figures.{entry.module}", fromlist=["run"])
        assert callable(module.run), name
        assert callable(module.draw), name
