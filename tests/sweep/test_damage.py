"""Files of a store with bytes changed: an error of linscape or a table, and nothing else."""

import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

import linscape as ls
from linscape.errors import UnreadableFile
from linscape.sweep import Sweep, read, run

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("damage")
    ls.Moments([[1.0]], [1.0], 1.0).save(folder / "one.npz")
    spec = {
        "data": {"one": {"moments": str(folder / "one.npz")}},
        "networks": [{"hidden": [[4], [4, 4]], "weight_decay": [0.3, 0.45]}],
        "descents": {"steps": 2},
    }
    return run(spec, folder / "store").store


def read_or_refused(store):
    """Return whether a store can be read; all of it, to the last row."""
    try:
        sweep = read(store)
    except UnreadableFile:
        return False
    assert isinstance(sweep, Sweep)
    assert len(sweep.to_dict()["cells"]) == sweep.table.num_rows == sum(sweep.counts.values())
    return True


@given(
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1)
)
def test_changed_bytes_of_a_chunk(store, flips):
    file = store / "chunks" / "00000000.arrow"
    whole = file.read_bytes()
    damaged = bytearray(whole)
    for place, byte in flips:
        damaged[int(place * len(whole))] = byte
    try:
        file.write_bytes(damaged)
        read_or_refused(store)
    finally:
        file.write_bytes(whole)


@given(share=st.floats(0, 1, exclude_max=True))
def test_a_chunk_cut_short_is_refused(store, share):
    file = store / "chunks" / "00000000.arrow"
    whole = file.read_bytes()
    try:
        file.write_bytes(whole[: int(share * len(whole))])
        assert not read_or_refused(store)
    finally:
        file.write_bytes(whole)


@given(data=st.data())
def test_a_changed_manifest(store, data):
    file = store / "manifest.json"
    whole = file.read_text()
    manifest = place = json.loads(whole)
    key = data.draw(st.sampled_from(sorted(place)))
    while isinstance(place[key], dict) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(sorted(place)))
    place[key] = data.draw(VALUES)
    try:
        file.write_text(json.dumps(manifest))
        read_or_refused(store)
    finally:
        file.write_text(whole)


def test_a_manifest_nested_too_deep_is_refused(store, tmp_path):
    shutil.copytree(store, tmp_path / "copy")
    (tmp_path / "copy" / "manifest.json").write_text("[" * 100_000)
    assert not read_or_refused(tmp_path / "copy")
