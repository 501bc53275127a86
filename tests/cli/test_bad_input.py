"""Every mistake is one line on stderr and exit status 2."""

import pyarrow as pa
import pyarrow.parquet
import pytest

NETWORK = ("--hidden", "4,4", "--weight-decay", "0.1")
TABLE = "a,b,y\n1,2,3\n2,1,5\n4,4,1\n3,5,2\n"


def refused(run, *parts):
    assert run.status == 2
    assert run.err.count("\n") == 1, run.err
    assert "Traceback" not in run.err
    for part in parts:
        assert part in run.err
    return run


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("t.xls", TABLE, ".csv"),
        ("t.csv", "", "empty"),
        ("t.csv", "a,y\n", "rows"),
        ("t.csv", "a,y\n1,2\n", "constant"),
        ("t.csv", "a,b,y\n1,7,3\n2,7,5\n", "'b'"),
        ("t.csv", "a,b,y\n1,2,3\n2,1,3\n", "'y'"),
        ("t.csv", "a,z\n1,3\n2,5\n", "'y'"),
        ("t.csv", "a,b,y\n1,u,3\n2,v,5\n", "'b'"),
        ("t.csv", "a,y\n1,3\nnan,5\n4,1\n", "'a'"),
        ("t.csv", "a,y\n1,3\ninf,5\n4,1\n", "'a'"),
        ("t.csv", "a,y\n1,3\n,5\n4,1\n", "'a'"),
        ("t.csv", "a,y\n1,3\n2\n4,1\n", "t.csv"),
        ("t.csv", "y\n1\n2\n", "t.csv"),
        ("t.parquet", TABLE, "t.parquet"),
        ("t.npz", TABLE, "t.npz"),
    ],
)
def test_bad_files(linscape, tmp_path, name, content, part):
    (tmp_path / name).write_text(content)
    refused(linscape("solve", tmp_path / name, "--target", "y", *NETWORK), part)


def test_truncated_parquet(linscape, tmp_path):
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pa.table({"a": [1.0, 2, 3], "y": [1.0, 3, 2]}), path)
    path.write_bytes(path.read_bytes()[:-20])
    refused(linscape("solve", path, "--target", "y", *NETWORK), "t.parquet")


def test_missing_files(linscape, tmp_path):
    for name in ("none.csv", "*.csv", "."):
        refused(linscape("solve", tmp_path / name, "--target", "y", *NETWORK))


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (("--hidden", "4", "--dropout", "1"), "--dropout"),
        (("--hidden", "4", "--dropout", "x"), "--dropout"),
        (("--hidden", "4", "--dropout", "-0.1"), "--dropout"),
        (("--hidden", "4", "--dropout", ".1,.2"), "--dropout"),
        (("--hidden", "4", "--dropout", ".1", "--noise", ".1"), "not both"),
        (("--hidden", "4", "--noise", "nan"), "--noise"),
        (("--hidden", "4", "--input-dropout", "2"), "--input-dropout"),
        (("--hidden", "4", "--weight-decay", "-1"), "--weight-decay"),
        (("--hidden", "4", "--weight-decay", "inf"), "--weight-decay"),
        (("--hidden", "4", "--weight-decay", "1,"), "--weight-decay"),
        (("--hidden", "4", "--weight-decay", "1,2,3"), "--weight-decay"),
        (("--hidden", "4", "--weight-decay", "0,1"), "Theorem 2"),
        (("--hidden", "0"), "width"),
        (("--hidden", "4,x"), "--hidden"),
        (("--hidden", "4.5"), "--hidden"),
        (("--hidden", "4", "--wat"), "--wat"),
        (("--hidden", "4", "--target", "bmi", "--dropout", ".5"), "2 outputs"),
        (("--hidden", "none", "--target", "bmi", "--plot", "x.png"), "several targets"),
        (("--hidden", "4", "--sample-weight", "nope"), "nope"),
        (("--hidden", "4", "--drop", "nope"), "nope"),
        (("--hidden", "4", "--plot", "x.jpg"), "--plot"),
        (("--hidden", "4", "--plot", "x.png"), "--weight-decay"),
        (("--hidden", "4", "--save", "x"), "--save"),
        (("--hidden", "9" * 30, "--weight-decay", "1", "--save", "x.npz"), "--save"),
        ((), "--hidden"),
    ],
)
def test_bad_options(diabetes, options, part):
    assert refused(diabetes(*options), part).out == ""


def test_bad_commands(linscape):
    for arguments in (["solve"], ["dissolve"], ["--wat"], ["solve", "x.csv", "--hidden", "4"]):
        refused(linscape(*arguments), "--help")
