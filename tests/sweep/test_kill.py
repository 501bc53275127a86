"""SIGKILL at every step to the disk: what is there is whole, and the next run ends the same."""

import json
import os
import signal
import subprocess
import sys

import pytest

import linscape as ls
from linscape.errors import UnreadableFile
from linscape.sweep import read, run

# each sweep runs in a fork of one process and kills itself before its n-th fsync; these are:
# manifest and its folder, four times a chunk and its folder, table and its folder
PROGRAM = """
import json, os, signal, sys
from linscape.sweep import run

def sweep(store, last, **options):
    fsync, calls = os.fsync, iter(range(1, 10**6))
    def killed(descriptor):
        if next(calls) == last:
            os.kill(os.getpid(), signal.SIGKILL)
        fsync(descriptor)
    os.fsync = killed
    run(spec, store, chunk=1, **options)

spec, stores, moments = json.loads(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
if len(sys.argv) > 4:
    sweep(stores[0], moments[0], executor="processes", workers=1)
run(spec, stores[0] + "-first")  # what is imported late, is imported once
for store, last in zip(stores, moments):
    child = os.fork()
    if child == 0:
        sweep(store, last)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
MOMENTS = range(1, 14)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("kill")


@pytest.fixture(scope="module")
def small(folder):
    """Four cells: two starts of two problems."""
    ls.Moments([[1.0]], [1.0], 1.0).save(folder / "one.npz")
    return {
        "data": {"one": {"moments": str(folder / "one.npz")}},
        "networks": [{"hidden": [[4, 4]], "weight_decay": [0.3, 0.45]}],
        "descents": {"gain": 0.5, "seeds": 2, "steps": 50},
    }


@pytest.fixture(scope="module")
def uninterrupted(small, folder):
    return run(small, folder / "uninterrupted")


@pytest.fixture(scope="module")
def killed(small, folder):
    """Stores killed at every moment, the last one at none; and one killed four times."""
    stores, often = [folder / str(last) for last in MOMENTS], folder / "often"
    status, ends = killing(small, [*stores, *[often] * 4], [*MOMENTS, 4, 1, 2, 3])
    assert (status, ends) == (0, [-signal.SIGKILL] * 12 + [0] + [-signal.SIGKILL] * 4)
    return stores, often


def killing(spec, stores, moments, *more):
    """Run sweeps that kill themselves; return how each ended."""
    arguments = [json.dumps(spec), json.dumps([str(store) for store in stores])]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments, json.dumps([*moments]), *more],
        stdout=subprocess.PIPE,  # read to its end: until the last process that holds it is gone
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return done.returncode, [int(line) for line in done.stdout.split()]


def test_every_moment(small, uninterrupted, killed):
    for last, store in zip(MOMENTS, killed[0], strict=True):
        kept = min(max(last - 2, 0) // 2, 4)
        if last == 1:
            with pytest.raises(UnreadableFile, match=r"no manifest\.json"):
                read(store)
        else:
            found = read(store)
            assert found.counts == {"done": kept, "failed": 0, "pending": 4 - kept}
            assert found.table["loss"].is_valid().to_pylist() == [True] * kept + [False] * (
                4 - kept
            )
        again = run(small, store, chunk=3)
        assert again.computed == 4 - kept
        assert again.table.equals(uninterrupted.table, check_metadata=True)
        table = (store / "table.parquet").read_bytes()
        assert table == (uninterrupted.store / "table.parquet").read_bytes()
        assert not [file for file in store.rglob("*") if file.name.startswith(".")]


def test_killed_again_and_again(small, uninterrupted, killed):
    """At 4 with the manifest still to write, then at 1, 2 and 3 without."""
    store = killed[1]
    assert read(store).counts["done"] == 1 + 0 + 1 + 1
    again = run(small, store)
    assert again.computed == 1
    assert again.table.equals(uninterrupted.table)


def test_workers_end_with_a_parent_that_is_killed(small, uninterrupted, tmp_path):
    store = tmp_path / "store"
    status, _ = killing(small, [store], [7], "processes")
    assert status == -signal.SIGKILL
    assert read(store).counts["done"] == 2
    again = run(small, store)
    assert again.computed == 2
    assert again.table.equals(uninterrupted.table)
