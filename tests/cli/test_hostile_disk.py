"""Full disks, folders without permission, interruptions: old files stay; errors are one line."""

import os
import resource
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import linscape as ls
from linscape.atomic import write_atomically
from linscape.errors import UnreadableFile

DIABETES = Path(__file__).parents[2] / "examples" / "data" / "diabetes.csv"
SOLVE = ("solve", DIABETES, "--target", "progression", "--hidden", "6,5", "--weight-decay", "1e-2")
DESCEND = (
    *("descend", DIABETES, "--target", "progression", "--hidden", "6", "--weight-decay", "1e-2"),
    *("--steps", "20", "--starts", "2"),
)
OUTPUTS = [
    (SOLVE, "--save", "w.npz"),
    (SOLVE, "--plot", "p.png"),
    (SOLVE, "--certificate", "c.json"),
    (DESCEND, "--save", "t.npz"),
    (DESCEND, "--plot", "p.svg"),
    (("moments", DIABETES, "--target", "progression"), "--save", "m.npz"),
]


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@contextmanager
def disk_of(size):
    """Let every file end at so many bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(("command", "option", "name"), OUTPUTS)
def test_full_disk(linscape, tmp_path, command, option, name):
    (tmp_path / name).write_text("old")
    with disk_of(400):
        run = linscape(*command, option, tmp_path / name)
    assert run.status == 2
    assert run.err.count("\n") == 1, run.err
    assert "cannot write" in run.err
    assert files_of(tmp_path) == {name: b"old"}


@pytest.mark.parametrize(("command", "option", "name"), OUTPUTS)
def test_a_folder_that_does_not_let_us_write(
    linscape, tmp_path, monkeypatch, command, option, name
):
    """Root may write anywhere, so the refusal is that of the call that makes the temporary file."""
    (tmp_path / name).write_text("old")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("linscape.atomic.tempfile.mkstemp", refuse)
    run = linscape(*command, option, tmp_path / name)
    assert run.status == 2
    assert run.err.count("\n") == 1
    assert "Permission denied" in run.err
    assert files_of(tmp_path) == {name: b"old"}


def test_full_stdout():
    with Path("/dev/full").open("w") as full:
        for arguments in (SOLVE, ("--version",)):
            run = subprocess.run(
                [sys.executable, "-m", "linscape", *map(str, arguments)],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
            )
            assert run.returncode == 2
            assert run.stderr == "linscape: No space left on device: stdout\n"


@pytest.mark.parametrize("option", ["--save", "--plot", "--certificate"])
def test_names_that_no_file_can_have(linscape, tmp_path, option):
    name = tmp_path / ("y" * 300 + {"--save": ".npz", "--plot": ".png"}.get(option, ".json"))
    run = linscape(*SOLVE, option, name)
    assert run.status == 2
    assert run.err.count("\n") == 1
    assert "too long" in run.err


def test_data_of_a_name_that_no_file_can_have(linscape):
    run = linscape("solve", "y" * 300 + ".csv", "--target", "y", "--hidden", "2")
    assert run.status == 2
    assert "too long" in run.err
    with pytest.raises(UnreadableFile, match="too long"):
        ls.read_moments("y" * 300 + ".csv", target="y")


def test_a_spec_that_is_a_folder(linscape):
    run = linscape("sweep", ".")
    assert run.status == 2
    assert run.err.count("\n") == 1


@pytest.mark.parametrize("size", [0, 100, 500])
def test_moments_and_trajectories_on_a_full_disk(tmp_path, size):
    moments = ls.Moments([[1.0]], [1.0], 1.0)
    problem = ls.Problem(moments, ls.Network((2,)))
    weights = ls.random_weights(problem, rng=0)
    trajectory = ls.descend(problem, weights, step_size=0.1, steps=2)
    for what, name in ((moments, "m.npz"), (trajectory, "t.npz")):
        (tmp_path / name).write_text("old")
        with disk_of(size), pytest.raises(UnreadableFile, match="cannot write"):
            what.save(tmp_path / name)
    assert files_of(tmp_path) == {"m.npz": b"old", "t.npz": b"old"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_write_leaves_the_old_file(tmp_path, number):
    """The process is stopped in the middle of the new file's bytes."""
    path = tmp_path / "file.bin"
    path.write_text("old")
    code = """
import sys, time
from linscape.atomic import write_atomically

def write(file):
    file.write(b"half of it")
    file.flush()
    print("writing", flush=True)
    time.sleep(600)

write_atomically(sys.argv[1], write)
"""
    command = [sys.executable, "-c", code, str(path)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert child.stdout.readline() == "writing\n"
    child.send_signal(number)
    assert child.wait() != 0
    child.stdout.close()
    assert path.read_text() == "old"
    left = [other.name for other in tmp_path.iterdir() if other != path]
    if number == signal.SIGINT:
        assert left == []
    else:  # what was begun stays beside it, under a hidden name
        assert all(name.startswith(".file.bin.") for name in left)
    write_atomically(path, lambda file: file.write(b"new"))
    assert path.read_bytes() == b"new"


def test_readers_never_see_half_a_file(tmp_path):
    """While another process replaces moments again and again, every load is one of the two."""
    path = tmp_path / "m.npz"
    code = """
import sys, linscape as ls
one, other = (ls.Moments([[a]], [0.5], 1.0) for a in (1.0, 2.0))
one.save(sys.argv[1])
print("ready", flush=True)
while True:
    other.save(sys.argv[1])
    one.save(sys.argv[1])
"""
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "ready\n"
        found = {float(ls.Moments.load(path).A[0, 0]) for _ in range(300)}
        child.kill()
    assert found <= {1.0, 2.0}


OVERSUBSCRIBED = """
import sys, numpy as np, linscape as ls
rng = np.random.default_rng(0)
X = rng.standard_normal((4000, 120))
y = X @ rng.standard_normal(120) + rng.standard_normal(4000)
moments = ls.Moments.from_arrays(X, y)
problem = ls.Problem(moments, ls.Network((64, 64), noise=0.2, weight_decay=1e-2))
minimum = ls.global_minimum(problem)
for number in (minimum.lower, minimum.upper, moments.A[3, 4], *minimum.predictor[:5]):
    print(float(number).hex())
"""


def test_more_threads_than_cores():
    """Four processes, each with as many BLAS threads as it likes, answer as one thread does."""
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    free = {key: value for key, value in os.environ.items() if key not in names}
    command = [sys.executable, "-c", OVERSUBSCRIBED]
    children = [
        subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
        for env in (free, free, free, free | {"OPENBLAS_NUM_THREADS": "8"})
    ]
    alone = subprocess.run(
        command, env=free | dict.fromkeys(names, "1"), capture_output=True, text=True, check=True
    )
    expected = np.array([float.fromhex(line) for line in alone.stdout.split()])
    for child in children:
        out, _ = child.communicate()
        assert child.returncode == 0
        found = np.array([float.fromhex(line) for line in out.split()])
        # sums in another order, of 4000 rows
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
        assert found[0] <= found[1]
        assert found[0] <= expected[1]
        assert expected[0] <= found[1]
