"""Files of every kind, and damaged ones."""

import tracemalloc

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest

from linscape.errors import InvalidData, LinscapeError, UnreadableFile
from linscape.moments import Moments, read_moments
from linscape.moments.accumulation import Accumulation

rng = np.random.default_rng(0)
X = rng.standard_normal((50, 3)) + 2
y = rng.standard_normal(50)
w = rng.random(50)
table = pa.table({"a": X[:, 0], "w": w, "b": X[:, 1], "price": y, "c": X[:, 2]})
whole = Moments.from_arrays(X, y)


def write_ipc(table, path):
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=7)


WRITE = {
    ".csv": pyarrow.csv.write_csv,
    ".parquet": lambda t, path: pyarrow.parquet.write_table(t, path, row_group_size=13),
    ".feather": pyarrow.feather.write_feather,
    ".arrow": write_ipc,
}


def written(folder, table, name):
    path = folder / name
    WRITE[path.suffix.lower()](table, path)
    return path


def same(one, two):
    np.testing.assert_allclose(one.A, two.A, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(one.C, two.C, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(one.covariance_x, two.covariance_x, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(one.yy, two.yy, rtol=1e-13)
    assert one.n == two.n
    assert one.weight == pytest.approx(two.weight, rel=1e-14)


@pytest.mark.parametrize("suffix", [*WRITE, ".CSV"])
def test_tables(suffix, tmp_path):
    path = written(tmp_path, table, f"t{suffix}")
    m = read_moments(path, target="price", drop=["w"])
    same(m, whole)
    assert m.names == ("a", "b", "c")
    assert m.targets == ("price",)
    assert m.C.shape == (3,)
    weighted = read_moments(str(path), target=["price"], sample_weight="w")
    same(weighted, Moments.from_arrays(X, y[:, None], sample_weight=w))
    assert weighted.C.shape == (3, 1)
    two = read_moments([path], target=["c", "price"], drop="w")
    same(two, Moments.from_arrays(X[:, :2], np.column_stack([X[:, 2], y])))


@pytest.mark.parametrize("suffix", WRITE)
def test_globs_and_lists(suffix, tmp_path):
    written(tmp_path, table.slice(0, 1), f"1{suffix}")
    written(tmp_path, table.slice(1, 0), f"2{suffix}")
    written(tmp_path, table.slice(1).select(["price", "c", "b", "a", "w"]), f"3{suffix}")
    options = {"target": "price", "drop": ["w"]}
    same(read_moments(f"{tmp_path}/*{suffix}", **options), whole)
    listed = [tmp_path / f"{i}{suffix}" for i in (1, 3)]
    same(read_moments(listed, **options), whole)
    assert read_moments(tmp_path / f"1{suffix}", **options).n == 1


def test_a_path_with_glob_characters(tmp_path):
    same(read_moments(written(tmp_path, table, "a[1].csv"), target="price", drop=["w"]), whole)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", ["f8", "f4", ">i4"])
def test_arrays(order, save, dtype, tmp_path, monkeypatch):
    monkeypatch.setattr("linscape.moments.archives.BLOCK", 128)
    Z = np.asarray(X * 100, dtype=dtype, order=order)
    save(tmp_path / "t.npz", X=Z, y=y, Y=np.column_stack([y, w]), w=w)
    m = read_moments(tmp_path / "t.npz")
    same(m, Moments.from_arrays(Z, y))
    assert m.names is m.targets is None
    m = read_moments(tmp_path / "t.npz", target="Y", sample_weight="w")
    same(m, Moments.from_arrays(Z, np.column_stack([y, w]), sample_weight=w))


def test_several_archives(tmp_path):
    np.savez(tmp_path / "1.npz", X=X[:20], y=y[:20])
    np.savez(tmp_path / "2.npz", X=X[20:], y=y[20:])
    same(read_moments(f"{tmp_path}/*.npz"), whole)
    np.savez(tmp_path / "3.npz", X=X[:, :2], y=y)
    with pytest.raises(InvalidData, match=r"3.npz columns as in"):
        read_moments(f"{tmp_path}/*.npz")


def categorical(folder, suffix):
    city = ["Rome", "Oslo", "Rome", "Bern", "Oslo"]
    data = pa.table(
        {
            "city": pa.array(city) if suffix == ".csv" else pa.array(city).dictionary_encode(),
            "size": [1.0, 2.0, 3.0, 4.0, 6.0],
            "kind": ["x", "y", "y", "y", "x"],
            "price": [1.0, 4.0, 2.0, 8.0, 5.0],
        }
    )
    written(folder, data.slice(0, 2), f"1{suffix}")
    written(folder, data.slice(2), f"2{suffix}")
    return data.to_pandas()


@pytest.mark.parametrize("suffix", WRITE)
def test_one_hot(suffix, tmp_path):
    data = categorical(tmp_path, suffix)
    m = read_moments(f"{tmp_path}/*{suffix}", target="price", one_hot=True)
    expected = pd.get_dummies(data[["city"]].astype(str), prefix_sep="=", dtype=float)
    expected["size"] = data["size"]
    expected = expected.join(pd.get_dummies(data[["kind"]], prefix_sep="=", dtype=float))
    assert m.names == ("city=Bern", "city=Oslo", "city=Rome", "size", "kind=x", "kind=y")
    same(m, Moments.from_arrays(expected, data["price"]))
    with pytest.raises(InvalidData, match=r"'city' \(text\), 'kind' \(text\); use .*one_hot=True"):
        read_moments(f"{tmp_path}/*{suffix}", target="price")
    with pytest.raises(InvalidData, match=r"numeric columns in .*'kind' \(text\); convert them"):
        read_moments(f"{tmp_path}/*{suffix}", target="kind", one_hot=True)
    assert read_moments(f"{tmp_path}/*{suffix}", target="price", drop=["city", "kind"]).inputs == 1


def test_one_hot_names_may_clash(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,a=u,y\nu,1,2\nv,2,3\n")
    with pytest.raises(InvalidData, match="'a=u' more than once"):
        read_moments(path, target="y", one_hot=True)


def test_null_categories(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,y\nu,1\n,2\n")
    with pytest.raises(InvalidData, match=r"missing entries .* in 'a'"):
        read_moments(path, target="y", one_hot=True)
    inside = pa.DictionaryArray.from_arrays([0, 1], ["u", None])
    path = written(tmp_path, pa.table({"a": inside, "y": [1, 2]}), "t.arrow")
    with pytest.raises(InvalidData, match="missing entries"):
        read_moments(path, target="y", one_hot=True)


def test_csv_type_that_changes_late(tmp_path, monkeypatch):
    monkeypatch.setattr("linscape.moments.files.CSV_BLOCK", 64)
    path = tmp_path / "t.csv"
    lines = [f"{i},true,{i}" for i in range(60)]
    path.write_text("\n".join(["a,flag,y", *lines, "1.5,false,7"]) + "\n")
    m = read_moments(path, target="y")
    assert m.n == 61
    assert m.mean_x[0] == pytest.approx((sum(range(60)) + 1.5) / 61, rel=1e-15)
    assert m.mean_x[1] == pytest.approx(60 / 61, rel=1e-15)
    path.write_text("\n".join(["a,flag,y", *lines, "x1,false,7"]) + "\n")
    with pytest.raises(InvalidData, match=r"numbers in column 'a' of .*t.csv, got 'x1'"):
        read_moments(path, target="y")
    with pytest.raises(InvalidData, match=r"numbers in column 'a' of .*t.csv, got 'x1'"):
        read_moments(path, target="y", drop=["flag"])
    path.write_text("\n".join(["a,flag,y", *lines, "1,true,x1"]) + "\n")
    with pytest.raises(InvalidData, match=r"numbers in column 'y' of .*t.csv, got 'x1'"):
        read_moments(path, target="y", drop=["flag"])
    path.write_text("\n".join(["a,flag,y", *lines, "1,2"]) + "\n")
    with pytest.raises(InvalidData, match=r"t.csv, got: .*Expected 3 columns, got 2"):
        read_moments(path, target="y")
    path.write_text("\n".join(["a,flag,y", *lines, ",true,2"]) + "\n")
    with pytest.raises(InvalidData, match=r"missing entries .* in 'a' of"):
        read_moments(path, target="y")


def test_csv_contents(tmp_path):
    path = tmp_path / "t.csv"
    for content, message in {
        "": "got an empty file",
        "a,y\n": "rows of data",
        "a,a,y\n1,2,3\n": "'a' more than once",
        "a,y\n1,nan\n2,3\n": "missing entries .* in 'y'",
        "a,y\n1,2\n,3\n": "missing entries .* in 'a'",
        "a,y\ninf,2\n1,3\n": "infinite entries in column 'a' of .*t.csv",
        "a,y\nu,2\n": r"numeric columns in .*'a' \(text\)",
        "a,y\n1,u\n": r"numeric columns in .*'y' \(text\)",
        "a,y\n2020-01-01,1\n": r"'a' \(date32\[day\]\)",
        "y\n1\n": "a column left as input",
        "a,y\n1,2\n3,4,5\n": "Expected 2 columns, got 3",
        "a;y\n1,5;2\n": "separated by commas in .*t.csv, got semicolons",
        "a\ty\n1\t2\n": "separated by commas in .*t.csv, got tabs",
    }.items():
        path.write_text(content)
        with pytest.raises(InvalidData, match=message) as caught:
            read_moments(path, target="y")
        assert "\n" not in str(caught.value)
    path.write_bytes(b"a,y\n1,\xff\xfe\n")
    with pytest.raises(InvalidData):
        read_moments(path, target="y")
    path.write_bytes("a,größe\n1,2\n".encode("latin-1"))
    with pytest.raises(UnreadableFile, match=r"UTF-8 in .*t.csv"):
        read_moments(path, target="a")
    path.write_text("a;b,y\n1,2\n3,5\n")  # a semicolon in a name is none between columns
    assert read_moments(path, target="y").n == 2


def test_file_with_a_text_column_only_in_a_later_file(tmp_path):
    (tmp_path / "1.csv").write_text("a,y\n1,2\n")
    (tmp_path / "2.csv").write_text("a,y\nu,2\n")
    with pytest.raises(InvalidData, match=r"column 'a' of .*2.csv, got 'u'"):
        read_moments(f"{tmp_path}/*.csv", target="y")


@pytest.mark.parametrize("suffix", WRITE)
def test_names_that_do_not_exist(suffix, tmp_path):
    path = written(tmp_path, table, f"t{suffix}")
    for options, message in (
        ({"target": "prize"}, "target to be a name in .*'prize'; did you mean 'price'"),
        ({"target": "zzzzzz"}, "there are 'a', 'w', 'b', 'price', 'c'"),
        ({"target": ["price", "d"]}, "target .* got 'd'"),
        ({"target": "price", "drop": ["weight"]}, "drop to be a name"),
        ({"target": "price", "sample_weight": "prce"}, "sample_weight .* did you mean 'price'"),
        ({"target": "price", "sample_weight": "price"}, "'price' in two of"),
        ({"target": ["price", "price"]}, "'price' in two of"),
        ({"target": []}, "at least one target"),
        ({}, "target to name a column of .*; there are 'a', 'w'"),
        ({"target": "price", "drop": ["a", "b", "c", "w"]}, "a column left as input"),
    ):
        with pytest.raises(InvalidData, match=message):
            read_moments(path, **options)


@pytest.mark.parametrize("suffix", WRITE)
def test_bad_entries_name_file_and_column(suffix, tmp_path):
    for value in (None, float("nan"), float("inf")):
        changed = table.set_column(0, "a", pa.array([1.0] * 49 + [value]))
        path = written(tmp_path, changed, f"t{suffix}")
        with pytest.raises(InvalidData, match=f"'a' of .*t{suffix}"):
            read_moments(path, target="price")
    for weights, message in (
        # blocks and parts do not know which row of the file theirs is
        ([1.0] * 49 + [-1.0], rf"got -1.0 in column 'w' of \S*t{suffix};"),
        ([0.0] * 50, "zero"),
    ):
        path = written(tmp_path, table.set_column(1, "w", pa.array(weights)), f"t{suffix}")
        with pytest.raises(InvalidData, match=message):
            read_moments(path, target="price", sample_weight="w")


def test_files_that_differ(tmp_path):
    one = written(tmp_path, table, "1.parquet")
    two = written(tmp_path, table.drop_columns(["b"]), "2.parquet")
    with pytest.raises(
        InvalidData, match=r"columns of .*1.parquet in .*2.parquet.*missing \['b'\]"
    ):
        read_moments([one, two], target="price")
    with pytest.raises(InvalidData, match=r"additional \['b'\]"):
        read_moments([two, one], target="price")
    text = written(tmp_path, table.set_column(0, "a", pa.array(["u"] * 50)), "3.parquet")
    with pytest.raises(InvalidData, match=r"column 'a' to be numeric in .*3.parquet"):
        read_moments([one, text], target="price")
    np.savez(tmp_path / "4.npz", X=X, y=y)
    with pytest.raises(InvalidData, match=r"only tables or only .npz files"):
        read_moments([one, tmp_path / "4.npz"], target="price")


def test_integers_and_floats_mix_over_files(tmp_path):
    one = written(tmp_path, pa.table({"a": [1, 2], "y": [True, False]}), "1.parquet")
    two = written(tmp_path, pa.table({"a": [1.5], "y": [0]}), "2.feather")
    same(read_moments([one, two], target="y"), Moments.from_arrays([[1], [2], [1.5]], [1, 0, 0]))


def test_paths_that_are_no_files(tmp_path):
    for path, message in (
        (tmp_path / "no.csv", "expected a file at .*no.csv"),
        (tmp_path, r"the folder .*; pass a glob"),
        (f"{tmp_path}/*.csv", "files matching .*found none"),
        ([], "empty list"),
        (tmp_path / "t.xlsx", r"one of .csv, .parquet, .feather, .arrow, .npz, got .*t.xlsx"),
    ):
        with pytest.raises(UnreadableFile, match=message):
            read_moments(path, target="y")


@pytest.mark.parametrize("suffix", [".parquet", ".feather", ".arrow", ".npz"])
@pytest.mark.parametrize("keep", [0, 3, 0.5, 0.9, 0.999])
def test_truncated_files(suffix, keep, tmp_path):
    path = tmp_path / f"t{suffix}"
    if suffix == ".npz":
        np.savez(path, X=X, y=y)
    else:
        WRITE[suffix](table, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if keep < 1 else keep])
    with pytest.raises(UnreadableFile, match=f"cannot read .*t{suffix}") as caught:
        read_moments(path, target="y" if suffix == ".npz" else "price")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".parquet", ".feather", ".npz"])
def test_damage_in_the_middle(suffix, tmp_path):
    path = tmp_path / f"t{suffix}"
    if suffix == ".npz":
        np.savez_compressed(path, X=X, y=y)
    else:
        WRITE[suffix](table, path)
    content, messages = path.read_bytes(), []
    for where in range(0, len(content), 97):
        path.write_bytes(content[:where] + b"\xff" * 9 + content[where + 9 :])
        try:
            read_moments(path, target="y" if suffix == ".npz" else "price")
        except LinscapeError as error:  # damage to plain numbers goes unnoticed
            messages.append(str(error))
    assert messages
    assert not any("\n" in message for message in messages)


def test_archives_that_do_not_fit(tmp_path):
    path = tmp_path / "t.npz"
    for arrays, options, message in (
        ({"x": X, "y": y}, {}, "array to be a name in .*'X'"),
        ({"X": X, "z": y}, {}, "array to be a name in .*'y'"),
        ({"X": X, "price": y}, {"target": "prize"}, "did you mean 'price'"),
        ({"X": X, "y": y}, {"sample_weight": "w"}, "got 'w'"),
        ({"X": X, "y": y}, {"drop": ["a"]}, "choose columns before saving"),
        ({"X": X, "y": y}, {"target": ["y"]}, "choose columns before saving"),
        ({"X": y, "y": y}, {}, r"X of shape \(n, d\)"),
        ({"X": X[None], "y": y}, {}, r"X of shape \(n, d\)"),
        ({"X": X, "y": X[None]}, {}, r"got \(50, 3\) and \(1, 50, 3\)"),
        ({"X": X[:, :0], "y": y}, {}, r"X of shape \(n, d\)"),
        ({"X": X, "y": y[1:]}, {}, "got 49 and 50"),
        ({"X": X[:0], "y": y[:0]}, {}, "rows of data in .*got none"),
        ({"X": X * 1j, "y": y}, {}, "real numbers in array 'X' of .*complex"),
        ({"X": X.astype(object), "y": y}, {}, "array 'X' of .*object"),
        ({"X": X, "y": y.astype(str)}, {}, "real numbers in array 'y'"),
        ({"X": X * np.nan, "y": y}, {}, "NaN in column 0 of X of .*t.npz"),
        ({"X": X, "y": y, "w": w[1:]}, {"sample_weight": "w"}, "50 sample weights"),
        ({"X": X, "y": y, "w": -w}, {"sample_weight": "w"}, "array 'w' of"),
        ({"X": X, "y": y, "w": 0 * w}, {"sample_weight": "w"}, "only zero sample weights"),
    ):
        np.savez(path, **arrays)
        with pytest.raises(InvalidData, match=message):
            read_moments(path, **options)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".arrow"])
def test_memory_is_bounded(suffix, tmp_path, monkeypatch):
    """A file of 64 blocks is never held: neither by Arrow nor in the blocks handed on."""
    monkeypatch.setattr("linscape.moments.files.CSV_BLOCK", 2**14)
    monkeypatch.setattr("linscape.moments.files.PARQUET_BATCH", 2**12)
    monkeypatch.setattr("linscape.moments.tables.BLOCK", 2**12)
    monkeypatch.setattr("linscape.moments.accumulation.BUFFER", 2**12)
    values = np.round(np.random.default_rng(0).standard_normal((2**16, 4)), 3)
    path = tmp_path / f"t{suffix}"
    data = pa.table({name: values[:, i] for i, name in enumerate("abcy")})
    if suffix == ".parquet":
        pyarrow.parquet.write_table(data, path, row_group_size=2**13, use_dictionary=False)
    else:
        WRITE[suffix](data, path)
    seen, held, before = [], [], pa.total_allocated_bytes()
    add = Accumulation.add

    def watched(self, X, Y, weight):
        seen.append(len(X))
        held.append(pa.total_allocated_bytes() - before)
        add(self, X, Y, weight)

    monkeypatch.setattr(Accumulation, "add", watched)
    tracemalloc.start()
    m = read_moments(path, target="y")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(seen) == 2**16
    assert max(seen) <= 2**12 // 4
    # the table takes 2 MB; Arrow reads some blocks ahead
    assert max(held) < data.nbytes / 2
    assert peak < data.nbytes / 2
    same(m, Moments.from_arrays(values[:, :3], values[:, 3]))
