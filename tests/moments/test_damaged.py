"""Damaged files of every kind: a clear error, never a crash, whatever the bytes."""

import io
import struct
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

import linscape as ls
from linscape.errors import LinscapeError, UnreadableFile

X, Y = np.arange(6.0).reshape(3, 2), np.arange(3.0)
TEXT = pa.table({"c": ["text_u", "text_v", "text_u"], "y": [1.0, 2.0, 3.0]})


def header_of(shape, descr="<f8"):
    """Return the start of an .npy file that claims this shape."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": descr, "fortran_order": False, "shape": shape}
    )
    return stream.getvalue()


def archive(path, members):
    with zipfile.ZipFile(path, "w") as opened:
        for name, content in members.items():
            opened.writestr(f"{name}.npy", content)


def saved(values):
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


def old_header(text):
    """Return an .npy file with this header, of a version whose text numpy parses leniently."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def local_and_central(content, name, offsets, value):
    """Write two bytes into the local and the central zip header of a member."""
    content = bytearray(content)
    for magic, offset in zip((b"PK\x03\x04", b"PK\x01\x02"), offsets, strict=True):
        start = content.find(magic)
        while content[start:].find(name) > 46:
            start = content.find(magic, start + 1)
        content[start + offset : start + offset + 2] = struct.pack("<H", value)
    return bytes(content)


@pytest.mark.parametrize(
    ("offsets", "value"),
    [((6, 8), 1), ((6, 8), 32), ((8, 10), 99), ((4, 6), 210)],
    ids=["encrypted", "patched", "unknown compression", "unknown version"],
)
def test_archives_that_zipfile_cannot_read(tmp_path, offsets, value):
    path = tmp_path / "rows.npz"
    np.savez(path, X=X, y=Y)
    path.write_bytes(local_and_central(path.read_bytes(), b"X.npy", offsets, value))
    with pytest.raises(UnreadableFile, match=r"rows\.npz"):
        ls.read_moments(path)


HEADERS = {
    "open bracket": old_header(b"{'descr': ("),
    "indented": old_header(b"  {\n 'descr'\n   :"),
    "not utf-8": old_header(b"\xff\xfe"),
    "nested": old_header(b"(" * 2000),
    "rows without end": header_of((10**12, 2)),
    "columns without end": header_of((3, 10**12)),
    "negative": header_of((-3, 2)),
    "more than there are": header_of((4, 2)) + X.tobytes(),
    "objects": header_of((3, 2), "|O"),
    "empty": b"",
}


@pytest.mark.parametrize("kind", HEADERS)
def test_damaged_arrays(tmp_path, kind):
    path = tmp_path / "rows.npz"
    archive(path, {"X": HEADERS[kind], "y": saved(Y)})
    with pytest.raises(LinscapeError, match=r"rows\.npz"):
        ls.read_moments(path)
    archive(path, {"X": saved(X), "y": HEADERS[kind]})
    with pytest.raises(LinscapeError, match=r"rows\.npz"):
        ls.read_moments(path)


@pytest.mark.parametrize("kind", HEADERS)
def test_damaged_moments_and_trajectories(tmp_path, kind):
    path = tmp_path / "saved.npz"
    moments = ls.Moments.from_arrays(X, Y)
    problem = ls.Problem(moments, ls.Network((2,)))
    trajectory = ls.descend(problem, ls.random_weights(problem, rng=0), step_size=0.01, steps=2)
    for save, load in ((moments.save, ls.Moments.load), (trajectory.save, ls.Trajectory.load)):
        save(path)
        with np.load(path) as opened:
            names = opened.files
        for damaged in names:
            with np.load(path) as opened:
                members = {name: saved(opened[name]) for name in names}
            archive(path, members | {damaged: HEADERS[kind]})
            with pytest.raises(UnreadableFile, match=r"saved\.npz"):
                load(path)
            save(path)


def test_a_name_that_is_no_utf8(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b"a\xa5,y\n1,2\n")
    with pytest.raises(LinscapeError, match=r"rows\.csv"):
        ls.read_moments(path, target="y")


def test_text_that_is_no_utf8(tmp_path):
    path = tmp_path / "rows.parquet"
    pyarrow.parquet.write_table(TEXT, path, use_dictionary=False, compression="none")
    path.write_bytes(path.read_bytes().replace(b"text_v", b"text_\xff"))
    with pytest.raises(UnreadableFile, match=r"rows\.parquet"):
        ls.read_moments(path, target="y", one_hot=True)


def test_a_dictionary_that_is_too_short(tmp_path):
    """Arrow trusts the indices of a mapped file, and would read what lies behind."""
    path = tmp_path / "rows.feather"
    indices = pa.array([0x5A, 1, 0], pa.int32())
    column = pa.DictionaryArray.from_arrays(indices, ["u", "v"], safe=False)
    pyarrow.feather.write_feather(
        pa.table({"c": column, "y": [1.0, 2.0, 3.0]}), path, compression="uncompressed"
    )
    with pytest.raises(UnreadableFile, match=r"rows\.feather"):
        ls.read_moments(path, target="y", one_hot=True)


def test_offsets_of_text_beyond_the_file(tmp_path):
    """Reading there was a bus error that ended the process."""
    path = tmp_path / "rows.feather"
    pyarrow.feather.write_feather(TEXT, path, compression="uncompressed")
    right = np.array([0, 6, 12, 18], dtype="<i4").tobytes()
    wrong = np.array([0, 6, 2**30, 2**31 - 1], dtype="<i4").tobytes()
    content = path.read_bytes()
    assert content.count(right) == 1
    path.write_bytes(content.replace(right, wrong))
    with pytest.raises(UnreadableFile, match=r"rows\.feather"):
        ls.read_moments(path, target="y", one_hot=True)


@pytest.mark.parametrize("vector", [np.ones(3), np.ones((2, 2)), 1.0, [np.nan, 1.0], "a", None])
def test_vectors_that_do_not_fit(vector):
    for moments in (ls.Moments.from_arrays(X, Y), ls.Moments.from_operator(X, Y)):
        for apply in (moments.apply, moments.apply_covariance):
            with pytest.raises(ls.errors.InvalidMoments, match="vector"):
                apply(vector)


def test_saved_units_that_are_no_units(tmp_path):
    path = tmp_path / "saved.npz"
    ls.Moments.from_arrays(X[:, :1], Y).save(path)
    with np.load(path) as opened:
        members = {name: saved(opened[name]) for name in opened.files}
    archive(path, members | {"scale": saved(np.array([0.0, 1.0]))})
    with pytest.raises(UnreadableFile, match="scale"):
        ls.Moments.load(path)
    units = {"scale": saved(np.array([1e-300, 1.0])), "shift": saved(np.array([1e300, 0.0]))}
    archive(path, members | units)
    with pytest.raises(ls.errors.OutOfRange):
        ls.Moments.load(path).standardized()


@pytest.mark.parametrize("member", ["weights 0", "at", "stopped_at"])
def test_saved_trajectories_are_finite(tmp_path, member):
    path = tmp_path / "saved.npz"
    problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((2,)))
    ls.flow(problem, ls.random_weights(problem, rng=0), [0.0, 1.0]).save(path)
    with np.load(path) as opened:
        members = {name: saved(opened[name]) for name in opened.files}
        spoiled = np.full_like(opened[member], np.nan)
    archive(path, members | {member: saved(spoiled)})
    with pytest.raises(UnreadableFile, match="finite"):
        ls.Trajectory.load(path)


def test_a_dictionary_of_structures(tmp_path):
    path = tmp_path / "rows.feather"
    values = pa.array([{"u": 1}, {"u": 2}])
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0], pa.int32()), values)
    pyarrow.feather.write_feather(pa.table({"c": column, "y": [1.0, 2.0, 3.0]}), path)
    with pytest.raises(LinscapeError, match="struct"):
        ls.read_moments(path, target="y", one_hot=True)


@pytest.mark.parametrize("names", [1.5, 3, np.array(1.0), "a", [None], [1]])
def test_names_that_are_none(names):
    for given in ({"names": names}, {"targets": names}):
        with pytest.raises(ls.errors.InvalidMoments, match="different strings"):
            ls.Moments([[1.0]], [0.5], 1.0, **given)
