"""`linscape moments`: the library's moments, saved, described, and read on a cluster."""

import json
import logging
from pathlib import Path

import distributed
import numpy as np
import pytest

from linscape.moments import Moments, distribution, read_moments

DIABETES = Path(__file__).parents[2] / "examples/data/diabetes.csv"
ONE = (DIABETES, "--target", "progression")


def test_saved_moments_are_the_librarys(linscape, tmp_path):
    path = tmp_path / "m.npz"
    done = linscape("moments", *ONE, "--drop", "bmi", "--save", path, "--json")
    assert (done.status, done.err) == (0, "")
    expected = read_moments(DIABETES, target="progression", drop=["bmi"])
    found = Moments.load(path)
    assert np.array_equal(found.A, expected.A)
    assert np.array_equal(found.C, expected.C)
    facts = json.loads(done.out)
    assert facts["schema"] == "linscape.moments"
    assert (facts["rows"], facts["inputs"]) == (442, 9)
    assert facts["covariance_y"] == expected.covariance_y
    assert facts["saved"] == str(path)


def test_a_page_with_several_targets(linscape):
    done = linscape("moments", *ONE, "--target", "bp", "--sample-weight", "age")
    assert done.status == 0
    assert "442, of total weight 21445" in done.out
    done = linscape("moments", *ONE, "--target", "bp")
    assert done.status == 0
    assert "442, of total weight 442" in done.out
    assert "9 inputs; targets: progression, bp" in " ".join(done.out.split())


def test_the_page_says_what_was_saved(linscape, tmp_path):
    assert "nothing; add --save FILE.npz" in linscape("moments", *ONE).out
    done = linscape("moments", *ONE, "--save", tmp_path / "m.npz")
    assert "--save" not in done.out
    assert "m.npz" in done.out


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (("--save", "m.csv"), "--save"),
        (("--save", "no/folder/m.npz"), "folder that exists"),
        (("--scheduler", "tcp://127.0.0.1:1"), "Dask scheduler"),
        (("--scheduler", "foo"), "an address such as tcp://host:8786, got 'foo'"),
        (("--target", "nope"), "'nope'"),
        (("--drop", "nope"), "'nope'"),
    ],
)
def test_mistakes_are_one_line(linscape, monkeypatch, options, part):
    monkeypatch.setattr(distribution, "TIMEOUT", 0.3)
    done = linscape("moments", *ONE, *options)
    assert (done.status, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    assert part in done.err


def test_the_data_are_not_written_over(linscape, tmp_path):
    path = tmp_path / "t.npz"
    np.savez(path, X=np.eye(3), y=np.arange(3.0))
    before = path.read_bytes()
    done = linscape("moments", path, "--target", "y", "--save", path)
    assert done.status == 2
    assert "the data itself" in done.err
    assert path.read_bytes() == before


def test_on_a_cluster(linscape, tmp_path):
    path = tmp_path / "m.npz"
    with distributed.LocalCluster(
        n_workers=1, processes=False, dashboard_address=":0", silence_logs=logging.CRITICAL
    ) as cluster:
        address = cluster.scheduler_address
        done = linscape("moments", *ONE, "--scheduler", address, "--save", path)
    assert (done.status, done.err) == (0, "")
    expected = read_moments(DIABETES, target="progression")
    np.testing.assert_allclose(Moments.load(path).A, expected.A, rtol=1e-14)
