"""The files written: whole and right, or the old ones untouched."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import linscape as ls

DIABETES = Path(__file__).parents[2] / "examples" / "data" / "diabetes.csv"
JOB = ("--hidden", "6,5", "--dropout", "0.2", "--weight-decay", "1e-2")


def process(*arguments, **options):
    command = [sys.executable, "-m", "linscape", "solve", str(DIABETES), "--target", "progression"]
    return subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, timeout=60, **options
    )


def test_saved_weights_realise_the_loss(diabetes, tmp_path):
    run = diabetes(*JOB, "--save", tmp_path / "w.npz", "--json")
    with np.load(tmp_path / "w.npz", allow_pickle=False) as saved:
        arrays = dict(saved)
    moments = ls.read_moments(DIABETES, target="progression").standardized()
    problem = ls.Problem(moments, ls.Network((6, 5), noise=0.25, weight_decay=1e-2))
    facts = json.loads(run.out)
    loss = problem.loss([arrays["W_1"], arrays["W_2"], arrays["U"]])
    assert loss == pytest.approx(facts["minimum"]["loss"], rel=1e-12)
    assert json.loads((tmp_path / "w.json").read_text()) == facts
    table = np.loadtxt(DIABETES, delimiter=",", skiprows=1)
    x = (table[:, :-1] - arrays["shift_x"]) / arrays["scale_x"]
    y = arrays["shift_y"] + arrays["scale_y"] * (x @ arrays["predictor"] + arrays["intercept"])
    expected = ls.global_minimum(problem).predict(table[:, :-1])
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w.json", "w.npz"]


@pytest.mark.parametrize(
    ("suffix", "magic"),
    [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF"), (".PNG", b"")],
)
def test_plots(diabetes, tmp_path, suffix, magic):
    path = tmp_path / f"p{suffix}"
    assert diabetes(*JOB, "--plot", path).status == 0
    content = path.read_bytes()
    assert content.startswith(magic)
    assert len(content) > 8000


def test_unwritable(diabetes, tmp_path):
    (tmp_path / "file").write_text("old")
    (tmp_path / "w.npz").write_text("old")
    (tmp_path / "w.json").write_text("old")
    (tmp_path / "d.npz").mkdir()
    for options in (
        ("--save", tmp_path / "file" / "w.npz"),
        ("--save", tmp_path / "none" / "w.npz"),
        ("--save", tmp_path / "d.npz"),
        ("--plot", tmp_path / "none" / "p.png"),
        ("--save", tmp_path / "w.npz", "--plot", tmp_path / "none" / "p.png"),
    ):
        run = diabetes(*JOB, *options)
        assert run.status == 2
        assert run.err.count("\n") == 1
        assert run.err.count("cannot write") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"file", "w.npz", "w.json", "d.npz"}
    assert (tmp_path / "w.npz").read_text() == (tmp_path / "w.json").read_text() == "old"


def test_full_disk_leaves_old_files_and_still_answers(tmp_path):
    for name in ("w.npz", "w.json"):
        (tmp_path / name).write_text("old")

    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))

    run = process(*JOB, "--save", tmp_path / "w.npz", preexec_fn=small_files)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert "w." in run.stderr
    assert "Global minimum" in run.stdout
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "w.npz": "old",
        "w.json": "old",
    }


def test_the_data_are_not_written_over(linscape, tmp_path):
    data = tmp_path / "d.npz"
    rng = np.random.default_rng(0)
    np.savez(data, X=rng.standard_normal((9, 2)), y=rng.standard_normal(9))
    before = data.read_bytes()
    options = ("--target", "y", "--hidden", "2", "--weight-decay", "0.01")
    run = linscape("solve", data, *options, "--save", data)
    assert run.status == 2
    assert "is the data" in run.err
    assert data.read_bytes() == before
    assert linscape("solve", data, *options).status == 0


def test_without_matplotlib(diabetes, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "linscape.plots.notebook", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    run = diabetes(*JOB, "--plot", tmp_path / "p.png")
    assert run.status == 2
    assert 'pip install "linscape[plot]"' in run.err
    assert run.err.count("\n") == 1


def test_broken_pipe():
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "linscape", "solve", str(DIABETES), "--target", "progression"]
    run = subprocess.run(
        [*command, *JOB], stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60
    )
    os.close(writing)
    assert run.stderr == ""
    assert run.returncode == 1


def test_terminal_without_greek():
    run = process(*JOB, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert run.returncode == 0
    assert "Global minimum" in run.stdout
