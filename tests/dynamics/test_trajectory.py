"""Trajectories: labels, strict JSON, and files that come back bit for bit or are refused."""

import json

import numpy as np
import pytest

from linscape.dynamics.trajectory import Trajectory
from linscape.errors import LinscapeError, UnreadableFile


def example(batch=(2,), coordinate="step"):
    rng = np.random.default_rng(0)
    steps = np.array([0, 3, 10])
    return Trajectory(
        coordinate=coordinate,
        at=steps if coordinate == "step" else steps / 7,
        values={
            "loss": rng.standard_normal((3, *batch)),
            "singular_values": rng.standard_normal((3, *batch, 2)),
        },
        weights=[rng.standard_normal((*batch, 3, 4)), rng.standard_normal((*batch, 2, 3))],
        status=np.resize(np.array(["running", "diverged", "converged"]), batch),
        stopped_at=np.resize(steps, batch),
    )


@pytest.mark.parametrize("batch", [(), (2,), (2, 3), (0,)])
@pytest.mark.parametrize("coordinate", ["step", "time"])
def test_a_file_brings_everything_back(tmp_path, batch, coordinate):
    written = example(batch, coordinate)
    path = tmp_path / "run.npz"
    written.save(path)
    read = Trajectory.load(path)
    assert read.coordinate == coordinate
    assert list(read.values) == ["loss", "singular_values"]
    for name in ("at", "status", "stopped_at"):
        mine, theirs = getattr(written, name), getattr(read, name)
        assert mine.dtype == theirs.dtype
        assert np.array_equal(mine, theirs)
    pairs = [*zip(written.weights, read.weights, strict=True)]
    pairs += [(written[name], read[name]) for name in written.values]
    assert all(np.array_equal(mine, theirs) for mine, theirs in pairs)


def test_values_that_are_not_finite_survive_a_file_and_json(tmp_path):
    values = np.array([1.0, np.inf, -np.inf, np.nan])
    one = Trajectory(
        "step", np.arange(4), {"loss": values}, [np.eye(1)], np.array("diverged"), np.array(1)
    )
    one.save(tmp_path / "a.npz")
    assert np.array_equal(Trajectory.load(tmp_path / "a.npz")["loss"], values, equal_nan=True)
    document = json.dumps(one.to_dict(), allow_nan=False)
    assert json.loads(document)["values"]["loss"] == [1.0, "inf", "-inf", None]


def test_the_dictionary_is_the_trajectory():
    one = example()
    document = json.loads(json.dumps(one.to_dict(), allow_nan=False))
    assert document["at"] == [0, 3, 10]
    assert document["status"] == ["running", "diverged"]
    assert np.array_equal(document["values"]["loss"], one["loss"])
    assert np.array_equal(document["weights"][1], one.weights[1])
    assert document["stopped_at"] == [0, 3]


def test_an_unrecorded_name_says_what_was_recorded():
    with pytest.raises(KeyError, match="recorded: loss, singular_values"):
        example()["los"]


def test_repr_counts_the_ends():
    assert repr(example((3,))) == (
        "Trajectory(step 0 to 10, 3 recorded: loss, singular_values; "
        "3 nets: 1 running, 1 converged, 1 diverged)"
    )


def save_parts(path, **changes):
    """A file of the format, with some of its arrays replaced, or removed by None."""
    header = {
        "format": "linscape trajectory",
        "schema": 1,
        "coordinate": "step",
        "values": ["loss"],
        "layers": 1,
    } | changes.pop("header", {})
    arrays = {
        "header": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
        "at": np.arange(2),
        "status": np.array(["running"]),
        "stopped_at": np.array([1]),
        "value 0": np.zeros((2, 1)),
        "weights 0": np.zeros((1, 2, 2)),
    } | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


def test_the_format_of_the_refused_files_is_the_right_one(tmp_path):
    save_parts(tmp_path / "good.npz")
    assert repr(Trajectory.load(tmp_path / "good.npz")).endswith("1 net: 1 running)")


@pytest.mark.parametrize(
    "changes",
    [
        {"header": {"format": "linscape moments"}},
        {"header": {"coordinate": "epoch"}},
        {"header": {"values": ["loss", "norm"]}},
        {"header": {"layers": 2}},
        {"at": np.zeros((2, 2))},
        {"at": np.arange(0)},
        {"at": None},
        {"status": np.array(["done"])},
        {"status": np.array([0])},
        {"stopped_at": np.array([1, 2])},
        {"value 0": np.zeros((2, 2))},
        {"value 0": np.zeros((2, 1), dtype=np.complex128)},
        {"weights 0": np.zeros((2, 2, 2))},
        {"weights 0": np.array([[[None]]])},
    ],
)
def test_foreign_files_are_refused(tmp_path, changes):
    path = tmp_path / "foreign.npz"
    save_parts(path, **changes)
    with pytest.raises(UnreadableFile, match=r"Trajectory\.save"):
        Trajectory.load(path)


def test_a_newer_schema_is_refused(tmp_path):
    save_parts(tmp_path / "new.npz", header={"schema": 2})
    with pytest.raises(UnreadableFile, match="newer"):
        Trajectory.load(tmp_path / "new.npz")


@pytest.mark.parametrize("content", [b"", b"not a zip file", b"PK\x03\x04broken"])
def test_damaged_files_are_refused(tmp_path, content):
    path = tmp_path / "damaged.npz"
    path.write_bytes(content)
    with pytest.raises(LinscapeError):
        Trajectory.load(path)


def test_a_truncated_file_is_refused(tmp_path):
    path = tmp_path / "short.npz"
    example().save(path)
    whole = path.read_bytes()
    for share in (0.3, 0.6, 0.95):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(UnreadableFile):
            Trajectory.load(path)


def test_a_missing_file_and_folder(tmp_path):
    with pytest.raises(UnreadableFile, match="No such file"):
        Trajectory.load(tmp_path / "none.npz")
    with pytest.raises(UnreadableFile, match="cannot write"):
        example().save(tmp_path / "no" / "folder.npz")


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    example().save(path)
    before = path.read_bytes()

    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(UnreadableFile, match="No space left"):
        example((2, 3)).save(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.npz"]
