"""The store: resumed, reused, locked, and intact whatever goes wrong on the disk."""

import errno
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

import linscape as ls
from linscape.errors import InvalidOption, UnreadableFile
from linscape.sweep import read, run
from linscape.sweep.store import Store


def chunks(store):
    return sorted((store / "chunks").iterdir())


def same(sweep, whole):
    """Whether two sweeps have the same table to the last bit, in memory and on the disk."""
    files = [(one.store / "table.parquet").read_bytes() for one in (sweep, whole)]
    return sweep.table.equals(whole.table, check_metadata=True) and files[0] == files[1]


def test_the_files_of_a_store(whole, descents):
    names = sorted(file.name for file in whole.store.iterdir())
    assert names == ["chunks", "lock", "manifest.json", "table.parquet"]
    manifest = json.loads((whole.store / "manifest.json").read_text())
    assert manifest["spec"]["seed"] == 0
    assert manifest["spec"]["descents"]["seeds"] == 2
    assert manifest["versions"]["numpy"] == np.__version__
    assert manifest["machines"][0]["cores"] == os.cpu_count()
    table = pa.parquet.read_table(whole.store / "table.parquet")
    assert table.equals(whole.table)
    assert table.schema.metadata[b"linscape.sweep"] == b"1"


@pytest.mark.parametrize("chunk", [1, 5, 100])
def test_chunks_do_not_change_the_table(descents, whole, tmp_path, chunk):
    sweep = run(descents, tmp_path / "other", chunk=chunk)
    assert same(sweep, whole)
    assert len(chunks(sweep.store)) == -(-12 // chunk)


def test_a_finished_sweep_computes_nothing(descents, whole):
    before = chunks(whole.store)
    again = run(descents, whole.store)
    assert again.computed == 0
    assert chunks(whole.store) == before
    assert same(again, whole)


@pytest.mark.parametrize("lost", [(0,), (2, 3), (0, 1, 2, 3, 4, 5)])
def test_what_is_missing_is_computed_again(descents, whole, tmp_path, lost):
    store = tmp_path / "other"
    files = chunks(run(descents, store, chunk=2).store)
    for k in lost:
        files[k].unlink()
    assert read(store).counts == {"done": 12 - 2 * len(lost), "failed": 0, "pending": 2 * len(lost)}
    again = run(descents, store)
    assert again.computed == 2 * len(lost)
    assert same(again, whole)


def test_pending_rows_have_labels_and_no_results(descents, tmp_path):
    sweep = run(descents, tmp_path / "other", chunk=2)
    chunks(sweep.store)[0].unlink()
    row = read(sweep.store).table.to_pylist()[0]
    assert (row["status"], row["hidden"], row["start"]) == ("pending", [4], 0)
    assert (row["loss"], row["error"], row["end_loss"]) == (None, None, None)


def test_a_changed_spec_reuses_the_cells_it_shares(spec, tmp_path):
    store = tmp_path / "store"
    run(spec, store)
    (grid,) = spec["networks"]
    other = {**spec, "networks": [{**grid, "weight_decay": [0.45, 0.1]}]}
    assert run(other, store).computed == 2
    assert read(store).table.num_rows == 4
    assert run(spec, store).computed == 0


def test_changed_data_are_other_cells(spec, tmp_path):
    store = tmp_path / "store"
    run(spec, store)
    ls.Moments([[1.0]], [0.9], 1.0).save(spec["data"]["one"]["moments"])
    assert run(spec, store).computed == 6


def test_another_seed_is_refused(descents, whole):
    with pytest.raises(InvalidOption, match="computed with seed 0, the spec has seed 1"):
        run({**descents, "seed": 1}, whole.store)


def test_other_versions_are_refused(descents, whole):
    file = whole.store / "manifest.json"
    manifest = json.loads(file.read_text())
    manifest["versions"]["scipy"] = "0.1"
    file.write_text(json.dumps(manifest))
    with pytest.raises(InvalidOption, match=r"scipy 0\.1 instead of"):
        run(descents, whole.store)
    assert read(whole.store).table.equals(whole.table)


def test_failures_are_kept_and_retried_on_request(spec, tmp_path, monkeypatch):
    store, (grid,) = tmp_path / "store", spec["networks"]
    spec = {**spec, "networks": [{**grid, "hidden": [[2]], "weight_decay": [0.1, 0.2]}]}
    with monkeypatch.context() as patch:
        patch.setattr("linscape.sweep.compute.phase", lambda problem: 1 / 0)
        first = run(spec, store)
    assert first.counts == {"done": 0, "failed": 2, "pending": 0}
    assert first.table["error"].to_pylist() == ["ZeroDivisionError"] * 2
    assert None not in first.table["loss"].to_pylist()
    assert run(spec, store).computed == 0
    again = run(spec, store, retry_failed=True)
    assert (again.computed, again.counts["done"]) == (2, 2)
    assert again.table.equals(run(spec, tmp_path / "fresh").table)
    assert run(spec, store, retry_failed=True).computed == 0


def test_a_second_sweep_on_a_store_is_refused(descents, whole):
    with (
        Store(whole.store).writing(),
        pytest.raises(UnreadableFile, match="another sweep is running on"),
    ):
        run(descents, whole.store)
    assert run(descents, whole.store).computed == 0  # and the lock is let go of


def test_a_store_can_be_read_while_a_sweep_runs(whole):
    with Store(whole.store).writing():
        assert read(whole.store).table.equals(whole.table)


def test_a_lock_is_held_against_other_processes(whole):
    program = "import fcntl, sys\n"
    program += "fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    other = [sys.executable, "-S", "-c", program, whole.store / "lock"]
    with Store(whole.store).writing():
        assert b"BlockingIOError" in subprocess.run(other, capture_output=True).stderr
    assert subprocess.run(other).returncode == 0


@pytest.mark.parametrize("content", [b"", b"ARROW1", b"x" * 4000])
def test_a_damaged_chunk_is_named(descents, tmp_path, content):
    sweep = run(descents, tmp_path / "store", chunk=6)
    file = chunks(sweep.store)[1]
    file.write_bytes(content or file.read_bytes()[:-40])
    with pytest.raises(UnreadableFile, match=r"00000001\.arrow is damaged"):
        read(sweep.store)
    file.unlink()
    assert run(descents, sweep.store).table.equals(sweep.table)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("", "damaged"),
        ("{}", "damaged"),
        ("[]", "damaged"),
        ('{"format": "linscape.sweep", "schema": 99}', "newer"),
        ('{"format": "other", "schema": 1}', "other"),
        ('{"format": "linscape.sweep", "schema": 1}', "damaged"),
        ('{"format": "linscape.sweep", "schema": 1, "spec": {}, "data": {}}', "damaged"),
    ],
)
def test_a_damaged_manifest_is_named(whole, content, part):
    (whole.store / "manifest.json").write_text(content)
    with pytest.raises(UnreadableFile, match=part):
        read(whole.store)


def test_a_folder_of_something_else_is_left_alone(spec, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("dear")
    with pytest.raises(UnreadableFile, match=r"is no store of a sweep: it holds 'dear\.txt'"):
        run(spec, tmp_path / "letters")
    assert [file.name for file in (tmp_path / "letters").iterdir()] == ["dear.txt"]


@pytest.mark.parametrize("name", ["missing", "file"])
def test_what_is_no_store_cannot_be_read(tmp_path, name):
    (tmp_path / "file").write_text("dear")
    with pytest.raises(UnreadableFile):
        read(tmp_path / name)


def test_a_file_in_the_place_of_the_store_is_refused(spec, tmp_path):
    (tmp_path / "file").write_text("dear")
    with pytest.raises(UnreadableFile, match="cannot"):
        run(spec, tmp_path / "file")


def test_wrong_data_leave_no_store(spec, tmp_path):
    with pytest.raises(UnreadableFile):
        run({**spec, "data": {"a": {"moments": "missing.npz"}}}, tmp_path / "store")
    assert not (tmp_path / "store").exists()


@pytest.fixture
def largest_file():
    """Let no file grow beyond some bytes, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_a_store_to_go_on_with(descents, whole, tmp_path, largest_file):
    store = tmp_path / "store"
    for file in chunks(run(descents, store, chunk=2).store)[3:]:
        file.unlink()
    (store / "table.parquet").unlink()
    largest_file(1000)
    with pytest.raises(UnreadableFile, match=r"cannot write .*00000003\.arrow: File too large"):
        run(descents, store, chunk=2)
    assert read(store).counts == {"done": 6, "failed": 0, "pending": 6}
    assert not [file for file in chunks(store) if file.name.startswith(".")]
    largest_file(resource.RLIM_INFINITY)
    again = run(descents, store, chunk=2)
    assert again.computed == 6
    assert same(again, whole)


def test_a_disk_full_from_the_start_leaves_nothing_that_is_wrong(spec, tmp_path, largest_file):
    largest_file(0)
    with pytest.raises(UnreadableFile, match=r"cannot write .*manifest\.json"):
        run(spec, tmp_path / "store")
    largest_file(resource.RLIM_INFINITY)
    assert run(spec, tmp_path / "store").counts["done"] == 6


@pytest.fixture
def read_only():
    """A folder in which this process cannot write: root gives up its rights for that."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "store" / "chunks").mkdir(parents=True)
        (folder / "closed").mkdir(mode=0o000)
        for path in (folder / "store" / "chunks", folder / "store", folder):
            path.chmod(0o555)
        user = os.geteuid()
        os.seteuid(user or 65534)
        yield folder
        os.seteuid(user)
        for path in (folder, folder / "store", folder / "store" / "chunks"):
            path.chmod(0o755)


@pytest.mark.parametrize("name", ["store", "new", "closed/store"])
def test_a_read_only_folder_is_named(read_only, name):
    spec = {
        "data": {"drawn": {"synthetic": "normal", "rows": 20, "inputs": 2}},
        "networks": [{"hidden": [[2]], "weight_decay": 0.1}],
    }
    with pytest.raises(UnreadableFile, match=r"Permission denied.*writ"):
        run(spec, read_only / name)


def test_nothing_depends_on_the_clock(descents, whole, tmp_path, monkeypatch):
    """The clock goes backwards, and the times of the files are in disorder."""
    ticks = iter(range(10**6, 0, -1))
    monkeypatch.setattr(time, "time", lambda: float(next(ticks)))
    store = tmp_path / "store"
    run(descents, store, chunk=1)
    for k, file in enumerate(chunks(store)):
        os.utime(file, (10**9 - 10**6 * (k * 7 % 12), 10**9 - 10**6 * (k * 7 % 12)))
        if k % 3 == 0:
            file.unlink()
    assert same(run(descents, store, chunk=5), whole)


@pytest.mark.parametrize("chunk", [0, -1, 1.5, True, "2"])
def test_bad_chunks_are_refused(spec, tmp_path, chunk):
    with pytest.raises(InvalidOption, match="chunk"):
        run(spec, tmp_path / "store", chunk=chunk)


def test_a_disk_that_cannot_lock_is_named(spec, tmp_path, monkeypatch):
    def refuse(descriptor):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("linscape.sweep.lock._claim", refuse)
    with pytest.raises(UnreadableFile, match=r"cannot lock .*lock: No locks available"):
        run(spec, tmp_path / "store")
