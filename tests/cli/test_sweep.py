"""`linscape sweep`: the page, the document, the statuses, and Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet
import pytest

import linscape as ls

ROOT = Path(__file__).parents[2]
SPEC = """\
[data.one]
moments = "one.npz"

[[networks]]
hidden = [[4], [4, 4]]
weight_decay = [0.3, 0.45]
"""


@pytest.fixture
def folder(tmp_path):
    ls.Moments([[1.0]], [1.0], 1.0).save(tmp_path / "one.npz")
    (tmp_path / "grid.toml").write_text(SPEC)
    return tmp_path


@pytest.fixture
def sweep(linscape, folder):
    def run(*arguments, more=""):
        (folder / "grid.toml").write_text(SPEC + more)
        return linscape("sweep", folder / "grid.toml", "--executor", "serial", *arguments)

    return run


def test_the_page(sweep, folder):
    done = sweep()
    assert (done.status, done.err) == (0, "")
    assert "4: 4 done" in done.out
    assert "4 computed now" in done.out
    assert "depth 1: 2 learning" in done.out
    assert "depth 2: 1 learning, 1 metastable" in done.out
    assert str(folder / "grid.store" / "table.parquet") in done.out


def test_the_ends_of_descents_are_told_apart(sweep):
    more = "\n[descents]\ngain = [0, 3]\nsteps = [1, 4000]\nstep_size = ['auto', 50]\n"
    lines = sweep(more=more).out.partition("Descents")[2].partition("Written")[0]
    told = " ".join(lines.split())
    # started at zero: at rest there, for one hidden layer on a saddle; 50 is beyond every 2/λ
    for words in (
        "diverged: the step size",
        "yet; give more steps",
        "undecided: at rest",
        "collapsed to zero",
        "ended below zero's loss",
    ):
        assert words in told


def test_the_table_is_where_the_page_says(sweep, folder):
    done = sweep("--store", folder / "kept")
    assert done.status == 0
    table = pyarrow.parquet.read_table(folder / "kept" / "table.parquet")
    assert table["phase"].to_pylist() == ["learning"] * 3 + ["metastable"]


def test_a_second_run_finds_everything_in_the_store(sweep):
    sweep()
    assert "0 computed now, 4 found in the store" in sweep().out


def test_the_document_is_strict_json(sweep):
    more = "\n[[networks]]\nhidden = [[]]\nweight_decay = 0.1\n"
    facts = json.loads(sweep("--json", more=more).out, parse_constant=pytest.fail)
    assert (facts["schema"], facts["version"], facts["done"]) == ("linscape.sweep", 1, 5)
    assert facts["cells"][-1]["critical_learning"] == "inf"
    assert facts["cells"][0]["loss"] == pytest.approx(1 - 0.7**2, rel=1e-10)
    assert facts["manifest"]["spec"]["networks"][0]["hidden"] == [[4], [4, 4]]


def test_descents_are_counted_and_problems_are_counted_once(sweep):
    done = sweep(more="\n[descents]\ngain = 0.01\nseeds = 3\nsteps = 10\n")
    assert "12: 12 done" in done.out
    assert "depth 1: 2 learning" in done.out
    assert "6 collapsed to zero" in done.out  # those of two hidden layers: inside the trap


def test_failures_are_counted_by_kind_with_status_1(sweep):
    done = sweep(more="\n[[networks]]\nhidden = [[2], [3]]\nweight_decay = [[0.1, 0.0]]\n")
    assert done.status == 1
    assert "4 done, 2 failed" in done.out
    assert "2 × NoExactSolution from global_minimum; the first: weight_decay[1]" in " ".join(
        done.out.split()
    )
    assert "--retry-failed" not in done.out  # no theorem will be there the next time
    again = sweep(
        "--retry-failed", more="\n[[networks]]\nhidden = [[2], [3]]\nweight_decay = [[0.1, 0.0]]\n"
    )
    assert "2 computed now, 4 found in the store" in again.out


def test_other_failures_may_be_tried_again(sweep, monkeypatch):
    def failing(problem):
        raise MemoryError("no room")

    monkeypatch.setattr("linscape.sweep.compute.phase", failing)
    done = sweep(more="\n[[networks]]\nhidden = [[2]]\nweight_decay = [[0.1, 0.0]]\n")
    assert done.status == 1
    assert "4 × MemoryError from phase; the first: no room" in done.out
    assert "1 × NoExactSolution" in done.out
    assert "--retry-failed" in done.out


@pytest.mark.parametrize(
    ("more", "parts"),
    [
        ("\n[descents]\ngains = 1\n", ["grid.toml, line 9: descents.gains: unknown key"]),
        ("\nweight = 1\n", ["line 8: networks[0].weight: unknown key"]),
        ("\n[[networks]]\nhidden = [[4]]\nweight_decay = 0.3\n", ["networks[1]", "networks[0]"]),
        ("\nx = = 1\n", ["to be TOML", "line 8"]),
        (
            "\n[[networks]]\nhidden = [[4]]\nweight_decay = [[1, 2, 3]]\n",
            ["grid.toml: networks[1], hidden = [4]: weight_decay needs"],
        ),
        (
            '\n[data.x]\nfiles = "no.csv"\ntarget = "y"\n',
            ["grid.toml: data.x: expected a file at", "no.csv"],
        ),
        ('\n[data.x]\nmoments = "no.npz"\n', ["grid.toml: data.x: cannot read moments from"]),
        (
            '\n[data.x]\nmoments = "grid.toml"\n',
            ["data.x: expected ", "file of Moments.save; for data files use 'files' and 'target'"],
        ),
    ],
)
def test_a_bad_spec_is_one_line(sweep, more, parts):
    done = sweep(more=more)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    for part in parts:
        assert part in done.err


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--executor", "cluster"], "executor must be one of"),
        (["--workers", "2"], "workers"),
        (["--scheduler", "tcp://a:1"], "--scheduler needs --executor dask, got 'serial'"),
        (
            ["--executor", "processes", "--scheduler", "tcp://a:1"],
            "--scheduler needs --executor dask, got 'processes'",
        ),
        (["--executor", "dask", "--scheduler", "foo"], "tcp://host:8786, got 'foo'"),
        (["--workers", "0"], "--workers"),
        (["--chunk", "0"], "--chunk"),
        (["--store", __file__], "cannot"),
    ],
)
def test_bad_options_are_one_line(sweep, arguments, part):
    done = sweep(*arguments)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert part in done.err


def test_a_scheduler_alone_is_a_dask_cluster(folder, linscape):
    done = linscape("sweep", folder / "grid.toml", "--scheduler", "foo")
    assert (done.status, done.out) == (2, "")
    assert "an address such as tcp://host:8786, got 'foo'" in done.err


def test_saved_moments_may_stand_under_files(folder, linscape):
    """Standardised they are ±1 on both axes, as A = c = E[y²] = 1 is."""
    ls.Moments.from_arrays([[0.0], [4.0]], [1.0, 3.0]).save(folder / "rows.npz")
    text = SPEC.replace('moments = "one.npz"', 'files = "rows.npz"\ntarget = "y"')
    (folder / "grid.toml").write_text(text)
    done = linscape("sweep", folder / "grid.toml", "--executor", "serial")
    assert (done.status, done.err) == (0, "")
    assert "depth 2: 1 learning, 1 metastable" in done.out


def test_ctrl_c_says_how_to_go_on(folder, linscape):
    """The signal comes when the second chunk is written; by then the first is kept."""
    program = (
        "import os, signal\n"
        "from linscape.cli import main\n"
        "fsync, calls = os.fsync, iter(range(1, 10**6))\n"
        "def interrupted(descriptor):\n"
        "    if next(calls) == 5:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "    fsync(descriptor)\n"
        "os.fsync = interrupted\n"
        "main()\n"
    )
    options = ["sweep", "grid.toml", "--executor", "serial", "--chunk", "1"]
    stopped = subprocess.run(
        [sys.executable, "-c", program, *options],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert (stopped.returncode, stopped.stdout) == (128 + signal.SIGINT, "")
    assert stopped.stderr == (
        "linscape: stopped; what was done is in grid.store, go on with: "
        "linscape sweep grid.toml --executor serial --chunk 1\n"
    )
    done = linscape("sweep", folder / "grid.toml", "--executor", "serial")
    assert "3 computed now, 1 found in the store" in done.out


def test_help_has_an_example(linscape):
    assert "linscape sweep examples/sweep.toml" in linscape("sweep", "--help").out


def test_the_transcript_in_the_docs(linscape, tmp_path):
    docs = (ROOT / "docs" / "sweep.md").read_text()
    comment, example = (ROOT / "examples" / "sweep.toml").read_text().split("\n", 1)
    assert comment.startswith("#")
    assert example in docs
    store = tmp_path / "sweep"
    done = linscape("sweep", ROOT / "examples" / "sweep.toml", "--store", store)
    page = done.out.strip().replace(str(store), "sweep")
    lines = [f"    {line}" if line else "" for line in page.splitlines()]
    assert "\n".join(lines) in docs


def test_ctrl_c_reaches_no_worker(folder):
    """As a terminal sends it: to all processes, here while the worker starts."""
    program = (
        "import os, signal\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "from linscape.cli import main\n"
        "submit = ProcessPoolExecutor.submit\n"
        "def interrupted(*arguments):\n"
        "    try:\n"
        "        return submit(*arguments)\n"
        "    finally:\n"
        "        os.killpg(os.getpid(), signal.SIGINT)\n"
        "ProcessPoolExecutor.submit = interrupted\n"
        "main()\n"
    )
    check_stopped_quietly(program, ["--workers", "1"], folder)


@pytest.mark.parametrize("when", ["before", "after"])
def test_ctrl_c_reaches_no_worker_of_a_local_dask_cluster(folder, when):
    """Sent to all processes, before the workers of a cluster start and after."""
    program = (
        "import os, signal, distributed\n"
        "from linscape.cli import main\n"
        "class Interrupted(distributed.LocalCluster):\n"
        "    def __init__(self, **options):\n"
        "        {before}\n"
        "        super().__init__(**options)\n"
        "        {after}\n"
        "distributed.LocalCluster = Interrupted\n"
        "if __name__ == '__main__':\n"
        "    main()\n"
    )
    send = {"before": "pass", "after": "pass"} | {when: "os.killpg(os.getpid(), signal.SIGINT)"}
    options = ["--executor", "dask", "--workers", "1"]
    check_stopped_quietly(program.format(**send), options, folder)


def check_stopped_quietly(program, options, folder):
    stopped = subprocess.run(
        [sys.executable, "-c", program, "sweep", "grid.toml", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        start_new_session=True,
    )
    assert (stopped.returncode, stopped.stdout) == (128 + signal.SIGINT, "")
    assert stopped.stderr.startswith("linscape: stopped; what was done is in grid.store")
    assert stopped.stderr.count("\n") == 1
