"""The same table to the last bit, wherever it is computed; and what if that place dies."""

import os
import signal
import sys
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from linscape.errors import ClusterFailure, InvalidOption, MissingDependency
from linscape.sweep import read, run
from linscape.sweep.executors import on_one_thread, opened
from linscape.sweep.threads import one_thread


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def product():
    """A product long enough for BLAS to split it over threads."""
    return (np.linspace(0, 1, 10**6).reshape(1000, 1000) @ np.ones(1000)).tobytes()


@pytest.fixture(scope="module")
def drawn():
    """Eight cells of two data sets, one of them large enough for BLAS."""
    kind = {"synthetic": "normal", "rows": 300, "seed": 1}
    return {
        "data": {"wide": {**kind, "inputs": 40}, "narrow": {**kind, "inputs": 3}},
        "networks": [{"hidden": [[4], [4, 4]], "weight_decay": 0.1}],
        "descents": {"seeds": 2, "steps": 50},
    }


@pytest.fixture(scope="module")
def serial(drawn, tmp_path_factory):
    return run(drawn, tmp_path_factory.mktemp("executors") / "serial")


def test_processes_give_the_same_bits(drawn, serial, tmp_path):
    parallel = run(drawn, tmp_path / "processes", executor="processes", workers=2, chunk=3)
    assert parallel.computed == 8
    assert parallel.table.equals(serial.table)
    files = [(one.store / "table.parquet").read_bytes() for one in (serial, parallel)]
    assert files[0] == files[1]


def test_a_dask_scheduler_gives_the_same_bits(drawn, serial, tmp_path):
    from distributed import LocalCluster  # not above: workers import this file too

    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address
        found = run(drawn, tmp_path / "dask", executor="dask", scheduler=address, chunk=3)
    assert found.computed == 8
    assert found.table.equals(serial.table)


@pytest.mark.slow
def test_local_dask_workers_give_the_same_bits(drawn, serial, tmp_path):
    found = run(drawn, tmp_path / "dask", executor="dask", workers=2, chunk=3)
    assert found.table.equals(serial.table)


def die_once(path):
    """Kill this worker the first time."""
    if not Path(path).exists():
        Path(path).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return True


@pytest.mark.slow
def test_dask_gives_the_jobs_of_a_killed_worker_to_another(drawn, serial, tmp_path):
    with opened("dask", workers=2, scheduler=None) as (pool, _):
        assert pool.submit(die_once, str(tmp_path / "died")).result()
        found = run(drawn, tmp_path / "dask", executor=pool, chunk=3)
    assert found.table.equals(serial.table)


def test_an_executor_of_ones_own(drawn, serial, tmp_path):
    with ThreadPoolExecutor(1) as pool:
        assert run(drawn, tmp_path / "other", executor=pool, chunk=3).table.equals(serial.table)


def test_processes_hold_blas_at_one_thread(monkeypatch):
    """Also where the environment asks for more."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "2")
    with opened("processes", workers=1, scheduler=None) as (pool, most):
        assert most == 2
        assert pool.submit(blas_threads).result() == {1}
        first = pool.submit(product).result()
    assert os.environ["OMP_NUM_THREADS"] == "2"
    with one_thread():
        assert product() == first


def test_this_process_gets_its_threads_back():
    with threadpool_limits(2):
        before = blas_threads()
        with one_thread():
            assert blas_threads() == {1}
        assert blas_threads() == before


def test_a_worker_that_is_not_ours_is_held_at_one_thread():
    with threadpool_limits(2):
        assert on_one_thread(blas_threads) == {1}


class Breaking(Executor):
    """Runs some jobs, then breaks: when a job is submitted, or in the job."""

    def __init__(self, jobs, error, *, early):
        self.left, self.error, self.early = jobs, error, early

    def submit(self, fn, /, *args, **kwargs):
        self.left -= 1
        if self.left < 0 and self.early:
            raise self.error
        future = Future()
        if self.left < 0:
            future.set_exception(self.error)
        else:
            future.set_result(fn(*args, **kwargs))
        return future


@pytest.mark.parametrize("early", [True, False])
def test_a_worker_that_dies_stops_the_sweep_and_loses_nothing_written(
    descents, whole, tmp_path, early, monkeypatch
):
    monkeypatch.setattr("linscape.sweep.executors._cores", lambda: 1)  # four jobs at a time
    store = tmp_path / "store"
    broken = Breaking(8, BrokenProcessPool("killed"), early=early)
    with pytest.raises(ClusterFailure, match=r"BrokenProcessPool: killed.*run the same again"):
        run(descents, store, executor=broken, chunk=1)
    kept = read(store).counts["done"]
    assert 5 <= kept <= 8  # of the eight that were done, three may wait for a fourth
    again = run(descents, store)
    assert again.computed == 12 - kept
    assert again.table.equals(whole.table)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"executor": "cluster"}, "executor must be one of"),
        ({"executor": None}, "executor must be one of"),
        ({"executor": 3}, "executor must be one of"),
        ({"workers": 2}, "workers must be"),
        ({"executor": "processes", "workers": 0}, "workers must be"),
        ({"executor": "processes", "workers": 1.5}, "workers must be"),
        ({"executor": "processes", "workers": True}, "workers must be"),
        ({"executor": "processes", "scheduler": "tcp://a:1"}, "scheduler is the address"),
        ({"executor": "dask", "scheduler": "tcp://a:1", "workers": 2}, "scheduler is the address"),
    ],
)
def test_bad_options_are_refused(spec, tmp_path, options, part):
    with pytest.raises(InvalidOption, match=part):
        run(spec, tmp_path / "store", **options)
    assert not (tmp_path / "store").exists()


def test_no_scheduler_there(spec, tmp_path):
    with pytest.raises(ClusterFailure, match=r"expected a Dask scheduler at .* got 'nowhere'"):
        run(spec, tmp_path / "store", executor="dask", scheduler="nowhere")


def test_dask_not_installed(spec, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingDependency, match=r"linscape\[dask\]"):
        run(spec, tmp_path / "store", executor="dask")
