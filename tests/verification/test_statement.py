"""Documents that are no certificates: truncated, foreign, malformed; each with a clear error."""

import copy
import json

import numpy as np
import pytest

import linscape as ls
from cases import known_minimum
from linscape.errors import UnreadableFile
from linscape.verification import certificate_document, read_certificate, verify


@pytest.fixture
def document():
    problem = known_minimum(np.random.default_rng(0), 2).problem
    return certificate_document(ls.global_minimum(problem))


def test_a_file_comes_back_as_it_was_written(document, tmp_path):
    path = tmp_path / "minimum.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    assert read_certificate(path) == document
    assert verify(read_certificate(path)).holds is True


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(document, tmp_path, part):
    path = tmp_path / "minimum.json"
    text = json.dumps(document)
    path.write_text(text[: int(part * len(text))], encoding="utf-8")
    with pytest.raises(UnreadableFile, match="cut short"):
        read_certificate(path)


@pytest.mark.parametrize(
    "text",
    ['{"lower": NaN}', '{"lower": -Infinity}', '{"a": 1, "a": 2}', "[" * 100_000, "no JSON"],
)
def test_json_that_is_not_strict_is_refused(tmp_path, text):
    path = tmp_path / "minimum.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UnreadableFile, match="strict JSON"):
        read_certificate(path)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "minimum.json"
    path.write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(UnreadableFile, match="strict JSON"):
        read_certificate(path)


def test_a_missing_file_and_a_list_are_refused(tmp_path):
    with pytest.raises(UnreadableFile, match="No such file"):
        read_certificate(tmp_path / "none.json")
    path = tmp_path / "list.json"
    path.write_text("[1, 2]", encoding="utf-8")
    with pytest.raises(UnreadableFile, match="not a certificate"):
        read_certificate(path)


@pytest.mark.parametrize("foreign", [{}, [], "text", {"format": "another"}, {"moments": {}}])
def test_a_foreign_document_is_refused(foreign):
    with pytest.raises(UnreadableFile, match="not a certificate of linscape"):
        verify(foreign)


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_version_is_refused(document, version):
    document["version"] = version
    with pytest.raises(UnreadableFile, match="version 1"):
        verify(document)


def parts(document):
    """The path to every part of the document."""
    for name, value in document.items():
        yield (name,)
        if isinstance(value, dict):
            yield from ((name, inner) for inner in value)


def test_a_document_without_any_one_of_its_parts_is_refused(document):
    for path in parts(document):
        if path == ("theorem",):  # for the reader; nothing rests on it
            continue
        broken = copy.deepcopy(document)
        inside = broken[path[0]] if len(path) > 1 else broken
        del inside[path[-1]]
        with pytest.raises(UnreadableFile):
            verify(broken)


WRONG = {
    ("moments", "second_moment_x"): ([], [[1.0, 2.0]], [[1.0] * 3] * 2, "A", [[1.0], [1.0, 2.0]]),
    ("moments", "cross_moment"): ([], [1.0, 2.0, 3.0], [[1.0, 2.0]], [[None] * 3]),
    ("moments", "second_moment_y"): ([], [-1.0], [1.0, 2.0], [float("nan")]),
    ("moments", "input_variances"): ([1.0, 1.0, 1.0],),
    ("data_factor",): (0, -1.0, "1", 10**400, 2**53 + 1),
    ("network", "hidden"): ([0, 1], [1.5, 1], [True, 1], 3),
    ("network", "noise"): ([0.1], [-0.1, 0.1], [float("inf"), 0.1]),
    ("network", "weight_decay"): ([0.1, 0.1], [-0.1] * 3),
    ("network", "bias"): ("decayed", True, None, 0.5),
    ("network", "input_noise"): (-1.0, None),
    ("directions",): ([[1.0]], "all", [[1.0, 0.0, 0.0]] * 4),
    ("minimum", "lower"): (True, "0.5", float("nan"), None),
    ("minimum", "is_trivial"): (0, "yes"),
    ("minimum", "predictor"): ([[1.0]], [1.0, 2.0, 3.0]),
    ("minimum",): (None, []),
}


@pytest.mark.parametrize(
    ("path", "value"),
    [(path, value) for path, values in WRONG.items() for value in values],
    ids=lambda part: str(part)[:40],
)
def test_a_part_of_the_wrong_kind_is_refused_by_its_name(document, path, value):
    inside = document[path[0]] if len(path) > 1 else document
    inside[path[-1]] = value
    with pytest.raises(UnreadableFile, match=path[-1]):
        verify(document)


def test_several_outputs_with_hidden_layers_are_refused(document):
    document["moments"]["cross_moment"] *= 2
    document["moments"]["second_moment_y"] *= 2
    document["minimum"]["predictor"] *= 2
    with pytest.raises(UnreadableFile, match="one output"):
        verify(document)


def test_whole_numbers_are_numbers(document):
    document["data_factor"] = 1
    assert verify(document).holds is True
