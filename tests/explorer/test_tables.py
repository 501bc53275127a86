"""Data as moments: bundled, uploaded, kept for a while."""

import base64
from pathlib import Path

import numpy as np
import pytest

import linscape as ls
from linscape.errors import InvalidData, InvalidOption
from linscape.explorer.bundled import NAMES, OPENINGS, bundled
from linscape.explorer.settings import RANGES, grid
from linscape.explorer.shelf import Shelf
from linscape.explorer.upload import MOST_COLUMNS, decoded, table_of

CSV = Path(__file__).parents[2] / "examples" / "data" / "diabetes.csv"


def same(one, other):
    for name in ("A", "C", "yy"):
        # the joint matrix is gathered in another order
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=0, atol=1e-12)
    assert (one.names, one.targets, one.n) == (other.names, other.targets, other.n)


def test_the_diabetes_moments_are_those_of_the_file():
    table = bundled("diabetes")
    for target in ("progression", "bmi"):
        same(table.moments([target]), ls.read_moments(CSV, target=target).standardized())
    several = ["bp", "progression"]
    same(table.moments(several), ls.read_moments(CSV, target=several).standardized())


@pytest.mark.parametrize("name", NAMES)
def test_bundled_sets_are_read_by_their_code(name, run):
    table = bundled(name)
    names = run("import linscape as ls\n" + table.code(list(table.targets)))
    same(names["moments"], table.moments(table.targets))
    assert set(table.targets) < set(table.columns)
    for slider, place in OPENINGS[name].items():
        if slider in RANGES:
            assert np.isclose(grid(slider), place).any()


def test_an_unknown_set_is_refused():
    with pytest.raises(InvalidOption, match="data sets diabetes"):
        bundled("wine")


def test_two_scales_has_two_minima_beside_zero(scene):
    places = {k: v for k, v in OPENINGS["two scales"].items() if k in RANGES}
    found = ls.solutions(scene("two scales", **places).problem)
    kinds = [solution.kind for solution in found]
    assert kinds == ["minimum", "saddle", "minimum", "saddle", "minimum"]


@pytest.mark.parametrize("targets", [[], ["no such"], ["x", "y"], ["y", "no such"]])
def test_impossible_targets_are_refused(targets):
    with pytest.raises(InvalidOption, match="choose between 1 and 1"):
        bundled("textbook").moments(targets)


def test_an_upload_is_read_as_its_code_reads_it(tmp_path, monkeypatch, run):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((40, 3))
    lines = [f"{a!r},berlin,{b!r},7.5,{c!r}" for a, b, c in rows.tolist()]
    content = "\n".join(["a,city,b,still,c", *lines]).encode()
    table, said = table_of(content, "../up/houses.csv")
    left_out = "Left out, text: city. Left out, constant: still."
    assert said == f"houses.csv: 40 rows, 3 columns. {left_out}"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "houses.csv").write_bytes(content)
    for targets in (["c"], ["a"], ["b", "a"]):
        names = run("import linscape as ls\n" + table.code(targets))
        same(names["moments"], table.moments(targets))
    expected = np.corrcoef(rows.T)[0, 2]
    np.testing.assert_allclose(table.moments(["c"]).C[0], expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00", "picture.png", "expected a .csv file, got picture.png"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfe", "picture.csv", "picture.csv"),
        (b"", "empty.csv", "empty.csv"),
        (b"a,b\n", "headless.csv", "headless.csv"),
        (b"a,b\n1,2\n3,x\n", "letters.csv", "letters.csv"),
        (b"a,b\n1,2\n3,\n", "gap.csv", "missing entries"),
        (b"a,b\n1,2\n3\n", "ragged.csv", "ragged.csv"),
        (b"a,a\n1,2\n3,4\n", "twice.csv", "more than once"),
        (b"a\n1\n2\n", "one.csv", "at least two columns"),
        (b"a,b\n1,2\n1,2\n", "still.csv", "at least two columns"),
        (b"a,b\n1,inf\n1,2\n", "infinite.csv", "infinite.csv"),
        (b"a,b\n1e300,1\n2,3\n", "large.csv", "large.csv"),
        (b"\xff\xfea\x00,\x00b\x00", "utf16.csv", "utf16.csv"),
        (b"gr\xf6\xdfe,b\n1,2\n3,5\n", "latin.csv", "UTF-8 in latin.csv"),
        (b"a;b\n1,5;2\n3;5\n", "europe.csv", "got semicolons"),
        (b"5.1,3.5\n4.9,3.0\n4.7,3.2\n", "nameless.csv", "got numbers: 5.1, 3.5"),
    ],
)
def test_garbage_is_refused_without_a_path(content, name, message):
    with pytest.raises(InvalidData) as caught:
        table_of(content, name)
    text = str(caught.value)
    assert message in text
    assert "/tmp" not in text
    assert "upload.csv" not in text
    assert "\n" not in text
    assert caught.value.__cause__ is None


def test_too_many_columns_are_refused():
    count = MOST_COLUMNS + 1
    head = ",".join(f"c{k}" for k in range(count))
    row = ",".join(map(str, range(count)))
    with pytest.raises(InvalidData, match=f"at most {MOST_COLUMNS} columns"):
        table_of(f"{head}\n{row}\n".encode(), "wide.csv")


def test_data_urls():
    url = "data:text/csv;base64," + base64.b64encode(b"a,b\n").decode()
    assert decoded(url) == b"a,b\n"
    for wrong in ("", "data:text/csv;base64,?", "http://x/,YQ=="):
        with pytest.raises(InvalidData, match="did not arrive whole"):
            decoded(wrong)


def test_the_shelf_keeps_the_last_used():
    shelf = Shelf(size=2)
    table = bundled("textbook")
    one, two = shelf.put(b"1", table), shelf.put(b"2", table)
    assert shelf.put(b"1", table) == one  # the key is the content's
    assert shelf.get(one) is table
    three = shelf.put(b"3", table)
    assert shelf.get(one) is shelf.get(three) is table
    with pytest.raises(InvalidOption, match="no longer kept"):
        shelf.get(two)
    with pytest.raises(InvalidOption, match="no longer kept"):
        shelf.get("../../etc/passwd")
