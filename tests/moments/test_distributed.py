"""On a cluster as in this process: files by parts, Dask collections, workers that die."""

import logging
import os
import signal
import sys

import dask
import dask.array as da
import dask.dataframe as dd
import distributed
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest
import scipy.sparse as sp

from linscape.errors import ClusterFailure, InvalidData, InvalidOption, MissingDependency
from linscape.moments import Moments, distribution, files, parts, read_moments
from linscape.moments.files import table_parts
from linscape.moments.partial import Partial, joined

rng = np.random.default_rng(0)
X = rng.standard_normal((400, 3)) * [1.0, 1e-6, 1e6] + [1e3, 0.0, 1.0]
y = X @ [1.0, 1e6, 1e-6] + rng.standard_normal(400)
w = rng.random(400) * (rng.random(400) < 0.7)
kinds = np.array(["u", "v"])[rng.integers(0, 2, 400)]
table = pa.table({"a": X[:, 0], "b": X[:, 1], "w": w, "kind": kinds, "c": X[:, 2], "y": y})
WRITE = {
    ".csv": pyarrow.csv.write_csv,
    ".parquet": lambda t, path: pyarrow.parquet.write_table(t, path, row_group_size=13),
    ".feather": lambda t, path: pyarrow.feather.write_feather(t, path, chunksize=17),
}


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            dashboard_address=":0",
            silence_logs=logging.CRITICAL + 1,
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(parts, "PART", 1500)
    monkeypatch.setattr(parts, "CSV_PART", 1500)
    monkeypatch.setattr(distribution, "FAN_IN", 3)


def same(one, two):
    """Equal up to rounding, in units of the columns' own scale."""
    joint = [np.vstack([m.covariance_x, np.atleast_2d(m.covariance_xy)]) for m in (one, two)]
    scale = np.sqrt(np.diag(two.covariance_x))
    rows = np.append(scale, np.sqrt(two.covariance_y))
    np.testing.assert_allclose(joint[0] / np.outer(rows, scale), joint[1] / np.outer(rows, scale),
                               rtol=0, atol=1e-13)  # fmt: skip
    np.testing.assert_allclose(one.A, two.A, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(one.mean_x, two.mean_x, rtol=1e-12, atol=1e-20)
    assert one.covariance_y == pytest.approx(two.covariance_y, rel=1e-13)
    assert one.weight == pytest.approx(two.weight, rel=1e-14)
    assert (one.n, one.names, one.targets) == (two.n, two.names, two.targets)


def written(folder, suffix, rows=table):
    path = folder / f"t{suffix}"
    WRITE[suffix](rows, path)
    return path


@pytest.mark.parametrize("suffix", WRITE)
@pytest.mark.parametrize("weight", [None, "w"])
def test_files(suffix, weight, client, small_parts, tmp_path):
    path = written(tmp_path, suffix)
    options = {"target": "y", "sample_weight": weight, "drop": [] if weight else ["w"]}
    whole = Moments.from_arrays(
        np.column_stack([X[:, 0], X[:, 1], kinds == "u", kinds == "v", X[:, 2]]),
        y,
        sample_weight=w if weight else None,
    )
    assert len(table_parts([path])) > 9
    for reader in (None, client):
        m = read_moments(path, one_hot=True, client=reader, **options)
        assert m.names == ("a", "b", "kind=u", "kind=v", "c")
        same(m, Moments._from_state(whole._state._replace(names=m.names, targets=("y",))))


def test_archives(client, tmp_path):
    for i in range(5):
        np.savez(tmp_path / f"{i}.npz", X=X[80 * i : 80 * i + 80], y=y[80 * i : 80 * i + 80])
    same(read_moments(f"{tmp_path}/*.npz", client=client), Moments.from_arrays(X, y))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10**6])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "\n"])
def test_csv_lines_belong_to_one_part(size, end, last, monkeypatch, tmp_path):
    monkeypatch.setattr(parts, "CSV_PART", size)
    lines = [f"{i},{i * i}" for i in range(30)]
    path = tmp_path / "t.csv"
    path.write_bytes((end + end.join(["a,y", *lines]) + (end if last else "")).encode())
    m = read_moments(path, target="y")
    assert m.n == 30
    assert m.mean_x[0] == pytest.approx(14.5, rel=1e-14)
    assert m.mean_y == pytest.approx(sum(i * i for i in range(30)) / 30, rel=1e-14)


def test_a_wrong_entry_in_a_late_part(client, small_parts, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "CSV_BLOCK", 1500)  # the kinds of columns come from the first
    path = written(tmp_path, ".csv")
    with path.open("a") as file:
        file.write('1,2,1,"u",many,3\n')
    for reader in (None, client):
        with pytest.raises(InvalidData, match=r"numbers in column 'c' of .*t.csv, got 'many'"):
            read_moments(path, target="y", one_hot=True, client=reader)
    changed = table.set_column(0, "a", pa.array([*X[:-1, 0], np.nan]))
    path = written(tmp_path, ".parquet", changed)
    with pytest.raises(InvalidData, match=r"NaN in column 'a' of .*t.parquet"):
        read_moments(path, target="y", one_hot=True, client=client)


def test_a_worker_killed_in_the_middle_loses_nothing(client, small_parts, tmp_path, monkeypatch):
    path = written(tmp_path, ".parquet")
    pids = client.run(os.getpid)
    pending = []

    def finished(tasks):
        for count, task in enumerate(distributed.as_completed(tasks)):
            if count == 0:  # at least one result lies on a worker: that one dies
                (holder,) = client.who_has([task])[task.key]
                pending.append(sum(task.status == "pending" for task in tasks))
                os.kill(pids[holder], signal.SIGKILL)
            yield task

    monkeypatch.setattr(distribution, "_finished", finished)
    m = read_moments(path, target="y", drop=["w", "kind"], client=client)
    assert pending[0] > 0
    expected = read_moments(path, target="y", drop=["w", "kind"])
    same(m, expected)
    client.wait_for_workers(2)
    assert set(client.run(os.getpid).values()) != set(pids.values())
    monkeypatch.undo()
    monkeypatch.setattr(parts, "PART", 1500)
    monkeypatch.setattr(distribution, "FAN_IN", 3)
    undisturbed = read_moments(path, target="y", drop=["w", "kind"], client=client)
    assert np.array_equal(m.A, undisturbed.A)  # the tree is the same whoever does what


def test_a_task_that_fails_is_tried_again(client, tmp_path):
    once = str(tmp_path / "done")

    def read(part):
        if not os.path.exists(once):  # noqa: PTH110 - the function travels without its imports
            open(once, "w").close()  # noqa: PTH123
            raise ConnectionResetError("the file system hiccups")
        return Partial(1, None)

    part = parts.Part(tmp_path, 0, 1, 1)
    assert distribution.Reader(client).combined(read, [part], joined) == Partial(1, None)


def test_workers_that_always_die(client, tmp_path, monkeypatch):
    monkeypatch.setattr(client.cluster.scheduler, "allowed_failures", 0)

    def read(part):
        os.kill(os.getpid(), signal.SIGKILL)

    part = parts.Part(tmp_path / "deadly.csv", 0, 1, 1)
    with pytest.raises(ClusterFailure, match=r"cannot read .*deadly.csv on the cluster"):
        distribution.Reader(client).combined(read, [part], joined)
    client.wait_for_workers(2)


def test_no_scheduler(monkeypatch):
    monkeypatch.setattr(distribution, "TIMEOUT", 0.3)
    for address in ("tcp://127.0.0.1:1", "127.0.0.1:1", "nonsense://x", "tcp://", ""):
        with pytest.raises(ClusterFailure, match="expected a Dask scheduler at") as caught:
            distribution.connected(address)
        assert "\n" not in str(caught.value)


def test_what_is_no_address_gets_no_client(monkeypatch):
    """A client that fails on its address is closed by nobody, and says so 20 s later."""
    made = []
    monkeypatch.setattr(distributed.Client, "__init__", lambda *_, **__: made.append(1))
    monkeypatch.setattr(distributed.Client, "__del__", lambda _: None)
    for address in ("foo", "foo:1", "tcp://foo", "tcp://foo:x", "nonsense://x:1", "", None, 8786):
        with pytest.raises(ClusterFailure, match="an address such as tcp://host:8786, got"):
            distribution.connected(address)
    assert made == []


@pytest.mark.parametrize("wrong", ["tcp://x:1", 1, True, distributed.Client])
def test_what_is_no_client(wrong, tmp_path):
    path = written(tmp_path, ".csv")
    with pytest.raises(InvalidOption, match=r"client must be a distributed.Client, got "):
        read_moments(path, target="y", drop="kind", client=wrong)


def test_any_scheduler_by_its_address(client, tmp_path):
    path = written(tmp_path, ".feather")
    with distribution.connected(client.scheduler.address) as other:
        m = read_moments(path, target="y", drop=["w", "kind"], client=other)
    same(m, read_moments(path, target="y", drop=["w", "kind"]))


def test_without_dask(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.setitem(sys.modules, "dask", None)
    with pytest.raises(MissingDependency, match=r"pip install .*linscape\[dask\]"):
        distribution.connected("tcp://127.0.0.1:1")
    with pytest.raises(MissingDependency, match=r"pip install .*linscape\[dask\]"):
        Moments.from_dask(X, y)


def test_the_bar_counts_bytes(tmp_path, small_parts, capsys):
    path = written(tmp_path, ".parquet")
    m = read_moments(path, target="y", drop=["w", "kind"], progress=True)
    same(m, read_moments(path, target="y", drop=["w", "kind"]))


# ---- Dask collections


@pytest.mark.parametrize("chunks", [(400, 3), (150, 2), (20, 1), ((0, 7, 0, 393), 3)])
def test_arrays(chunks):
    rows = chunks[0]
    with dask.config.set(scheduler="synchronous"):
        m = Moments.from_dask(da.from_array(X, chunks), da.from_array(y, (rows,)))
        same(m, Moments.from_arrays(X, y))
        m = Moments.from_dask(
            da.from_array(X, chunks),
            da.from_array(y, (rows,)),
            sample_weight=da.from_array(w, (rows,)),
        )
        same(m, Moments.from_arrays(X, y, sample_weight=w))
        two = Moments.from_dask(da.from_array(X, chunks), da.from_array(X[:, :2], (rows, 2)))
        np.testing.assert_allclose(two.C, Moments.from_arrays(X, X[:, :2]).C, rtol=1e-13)


def test_frames_with_unknown_lengths():
    frame = pd.DataFrame(X, columns=["a", "b", "c"]).assign(y=y)
    chosen = dd.from_pandas(frame, npartitions=5)
    chosen = chosen[chosen.a > 1000]
    kept = frame[frame.a > 1000]
    with dask.config.set(scheduler="synchronous"):
        m = Moments.from_dask(chosen[["a", "b", "c"]], chosen.y)
    same(m, Moments.from_arrays(kept[["a", "b", "c"]], kept.y))
    assert (m.names, m.targets) == (("a", "b", "c"), ("y",))


def test_sparse_chunks():
    S = sp.random_array((60, 4), density=0.3, rng=np.random.default_rng(1), format="csr")
    chunks = da.from_array(S.toarray(), (20, 4)).map_blocks(sp.csr_array)
    with dask.config.set(scheduler="synchronous"):
        m = Moments.from_dask(chunks, da.from_array(y[:60], 20))
    same(m, Moments.from_arrays(S, y[:60]))


def test_collections_on_a_cluster(client):
    with client.as_current():
        m = Moments.from_dask(da.from_array(X, (50, 3)), da.from_array(y, 50))
    same(m, Moments.from_arrays(X, y))


def test_collections_that_do_not_fit():
    A, b = da.from_array(X, (100, 3)), da.from_array(y, 100)
    for args, options, message in (
        ((X, b), {}, "Dask array or data frame for X, got ndarray; use from_arrays"),
        ((A, y), {}, "for y, got ndarray"),
        ((b, b), {}, r"X of shape \(n, d\), got 1 dimensions"),
        ((A, b.rechunk(200)), {}, "y in as many chunks of rows as X, got 2 and 4"),
        ((A, b), {"sample_weight": b.rechunk(400)}, "sample_weight in as many chunks"),
        ((A, b.rechunk(((40, 160, 100, 100),))), {}, "as many rows in y as in X"),
        ((A, b), {"sample_weight": 0 * b}, "only zero sample weights"),
        ((A, b), {"sample_weight": -(b**2)}, "finite sample weights >= 0"),
        ((A * np.nan, b), {}, "NaN in column 0 of X"),
        ((A * 1j, b), {}, "real numbers in X"),
        ((A[:0], b[:0]), {}, "got none"),
    ):
        with (
            dask.config.set(scheduler="synchronous"),
            pytest.raises(InvalidData, match=message),
        ):
            Moments.from_dask(*args, **options)
