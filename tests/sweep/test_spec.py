"""The spec: read strictly, every mistake named with its key and line."""

import datetime
import tomllib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linscape.errors import InvalidOption, LinscapeError, UnreadableFile
from linscape.network import dropout
from linscape.sweep import Spec, read_spec
from linscape.sweep.cells import check_cells

VALID = """\
seed = 3
reduction = "half_mean"

[data.houses]
files = ["a.csv", "b.csv"]
target = "price"
drop = ["id"]

[data.drawn]
synthetic = "normal"
rows = 50
inputs = 4

[data.saved]
moments = "m.npz"

[[networks]]
hidden = [[8], [8, 8]]
dropout = [0.0, 0.2]
weight_decay = [0.1, 0.2]

[[networks]]
hidden = [[]]
weight_decay = 0.1
bias = [false, "free"]

[descents]
gain = [0.5, 1]
seeds = 4
step_size = ["auto", 0.01]
"""


def read(tmp_path, text):
    file = tmp_path / "spec.toml"
    file.write_text(text)
    return read_spec(file)


def test_one_name_may_be_given_as_such(tmp_path):
    spec = read(tmp_path, VALID.replace('drop = ["id"]', 'drop = "id"'))
    assert spec == read(tmp_path, VALID)


def test_every_kind_of_value_is_read(tmp_path):
    spec = read(tmp_path, VALID)
    (_, houses), (_, drawn), (_, saved) = spec.data
    assert (spec.seed, spec.reduction) == (3, "half_mean")
    assert houses.files == (str(tmp_path / "a.csv"), str(tmp_path / "b.csv"))
    assert (houses.target, houses.drop, houses.raw) == (("price",), ("id",), False)
    assert (drawn.rows, drawn.inputs, drawn.outputs) == (50, 4, 1)
    assert saved.moments_file == str(tmp_path / "m.npz")
    first, second = spec.networks
    assert first.noise == (0.0, dropout(0.2))
    assert (second.hidden, second.weight_decay, second.bias) == (((),), (0.1,), (False, "free"))
    assert spec.descents.step_size == ("auto", 0.01)
    assert (spec.descents.gain, spec.descents.scheme) == ((0.5, 1.0), ("kaiming",))


def test_the_spec_written_out_is_the_same_spec(tmp_path):
    spec = read(tmp_path, VALID)
    assert read_spec(spec.to_dict()) == spec


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("seed = 3", "seed = -1", ["line 1", "seed", "-1"]),
        ("seed = 3", "seed = true", ["line 1", "seed", "True"]),
        ("seed = 3", "sed = 3", ["line 1", "sed", "unknown"]),
        ('"half_mean"', '"half"', ["line 2", "reduction", "'half'"]),
        ('target = "price"', "target = []", ["line 6", "data.houses.target", "empty"]),
        ('target = "price"', "", ["line 4", "data.houses", "'target' is missing"]),
        ("drop = [", "dropp = [", ["line 7", "data.houses.dropp", "unknown"]),
        ("rows = 50", "rows = 1", ["line 11", "data.drawn.rows", "at least 2"]),
        ("rows = 50", "rows = 1e3", ["line 11", "data.drawn.rows", "1000.0"]),
        ("rows = 50", "rows = 10000000000", ["line 9", "data.drawn", "numbers"]),
        ('synthetic = "normal"', 'synthetic = "cauchy"', ["line 10", "'normal'", "'cauchy'"]),
        ('synthetic = "normal"', "", ["line 9", "data.drawn", "none of them"]),
        ('moments = "m.npz"', 'moments = "m"\nfiles = "a"', ["data.saved", "files and moments"]),
        ("[[8], [8, 8]]", "[8, 8]", ["line 18", "networks[0].hidden", "[[64, 64]]"]),
        ("[[8], [8, 8]]", "[[8], [0]]", ["line 18", "networks[0].hidden[1][0]", "at least 1"]),
        ("[[8], [8, 8]]", "[[8], [8]]", ["line 18", "networks[0].hidden[1]", "twice"]),
        ("[[8], [8, 8]]", "[]", ["line 18", "networks[0].hidden", "empty"]),
        ("dropout = [0.0, 0.2]", "dropout = [1.0]", ["line 19", "networks[0].dropout[0]", "rate"]),
        ("dropout = [0.0, 0.2]", "dropout = [0]\nnoise = [0]", ["line 17", "not both"]),
        ("[0.1, 0.2]", "[0.1, nan]", ["line 20", "networks[0].weight_decay[1]", "nan"]),
        ("[0.1, 0.2]", "[0.1, inf]", ["line 20", "networks[0].weight_decay[1]", "inf"]),
        ("[0.1, 0.2]", "[0.1, -0.1]", ["line 20", "networks[0].weight_decay[1]", "-0.1"]),
        ("[0.1, 0.2]", "[0.1, 0.1]", ["line 20", "networks[0].weight_decay[1]", "twice"]),
        ("[0.1, 0.2]", '"0.1"', ["line 20", "networks[0].weight_decay[0]", "'0.1'"]),
        ('[false, "free"]', "[true]", ["line 25", "networks[1].bias[0]", "True"]),
        ("weight_decay = 0.1\n", "", ["line 22", "networks[1]", "'weight_decay' is missing"]),
        ("gain = [0.5, 1]", "gain = []", ["line 28", "descents.gain", "empty"]),
        ("seeds = 4", "seeds = 0", ["line 29", "descents.seeds", "at least 1"]),
        ('["auto", 0.01]', "[0.0]", ["line 30", "descents.step_size[0]", "positive"]),
        ('["auto", 0.01]', '["fast"]', ["line 30", "descents.step_size[0]", "'fast'"]),
    ],
)
def test_a_mistake_is_named_with_its_key_and_line(tmp_path, old, new, parts):
    assert old in VALID
    with pytest.raises(InvalidOption) as caught:
        read(tmp_path, VALID.replace(old, new))
    for part in ["spec.toml", *parts]:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "'data' is missing"),
        ("[data]\n", "at least one data set"),
        ("data = 1\n", "table"),
        ('[data.a]\nmoments = "m"\n', "'networks' is missing"),
        ('networks = []\n[data.a]\nmoments = "m"\n', "at least one grid"),
        ('[data.a]\nmoments = "m"\n[networks]\nhidden = [[4]]\n', "[[networks]]"),
    ],
)
def test_what_is_missing_is_named(tmp_path, text, part):
    with pytest.raises(InvalidOption) as caught:
        read(tmp_path, text)
    assert part in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"a = [", b"a = 1\na = 2\n", b"\xff\xfe", b"a = " + b"9" * 5000, b"a = " + b"[" * 10_000],
    ids=["open", "twice", "no text", "too many digits", "too deep"],
)
def test_what_is_no_toml_is_refused(tmp_path, content):
    file = tmp_path / "spec.toml"
    file.write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"spec\.toml"):
        read_spec(file)


@pytest.mark.parametrize("source", ["missing.toml", "."])
def test_what_is_no_file_is_refused(tmp_path, source):
    with pytest.raises(UnreadableFile, match="TOML"):
        read_spec(tmp_path / source)


@pytest.mark.parametrize("source", [None, 3, ["a"]])
def test_what_is_no_spec_is_refused(source):
    with pytest.raises(InvalidOption, match="TOML file or a dict"):
        read_spec(source)


@pytest.mark.parametrize(
    "value",
    [10**5000, [10**5000], "\ud800", "a\0", b"a"],
    ids=["huge", "huge in a list", "surrogate", "zero", "bytes"],
)
@pytest.mark.parametrize("key", ["seed", "data", "networks"])
def test_values_that_no_file_can_hold_are_refused(key, value):
    good = {"data": {"a": {"moments": "m.npz"}}, "networks": [{"hidden": [[1]], "weight_decay": 1}]}
    assert read_spec(good).seed == 0
    with pytest.raises(InvalidOption, match=key):
        read_spec({**good, key: value})


@pytest.mark.parametrize("name", ["", "\ud800", "a\0"])
def test_names_that_no_table_can_hold_are_refused(name):
    with pytest.raises(InvalidOption, match="data: expected a string"):
        read_spec({"data": {name: {"moments": "m.npz"}}})


NUMBERS = st.integers() | st.integers(-3, 3) | st.floats() | st.sampled_from([0.1, 2**63, 10**50])
WORDS = st.text(max_size=6) | st.sampled_from(["auto", "free", "normal", "kaiming", "mean"])
SCALARS = NUMBERS | WORDS | st.booleans() | st.just(datetime.date(2022, 1, 1))
KEYS = st.text(max_size=5) | st.sampled_from(["hidden", "noise", "files", "rows", "steps"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def nearly_specs(draw):
    """A spec with one value at a random place replaced, added or removed."""
    spec = tomllib.loads(VALID)
    place = spec
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = draw(st.sampled_from(keys))
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or draw(st.booleans()):
            break
        place = inner
    if draw(st.booleans()):
        place[key] = draw(VALUES)
    elif isinstance(place, dict) and draw(st.booleans()):
        place[draw(KEYS)] = draw(VALUES)
    else:
        del place[key]
    return spec


@given(st.dictionaries(KEYS | st.sampled_from(["data", "networks"]), VALUES) | nearly_specs())
def test_any_document_is_a_spec_or_an_error_of_linscape(document):
    try:
        spec = read_spec(document)
    except LinscapeError:
        return
    assert isinstance(spec, Spec)
    assert read_spec(spec.to_dict()) == spec
    with suppress(LinscapeError):
        check_cells(spec)
