"""`linscape solve --certificate` and `linscape verify`: written, proven again, or refuted."""

import json

import pytest


@pytest.fixture
def certificate(diabetes, tmp_path):
    path = tmp_path / "minimum.certificate.json"
    options = ("--hidden", "8,8", "--dropout", "0.2", "--weight-decay", "1e-3")
    done = diabetes(*options, "--certificate", path)
    assert done.status == 0
    assert str(path) in done.out
    return path


def test_a_certificate_is_proven_again(linscape, certificate):
    done = linscape("verify", certificate)
    assert done.status == 0
    assert done.out.split()[:2] == ["Verdict", "proven"]


def test_the_document_has_the_proven_interval(linscape, certificate):
    facts = json.loads(linscape("verify", certificate, "--json").out)
    claimed = json.loads(certificate.read_text())["minimum"]
    assert facts["holds"] is True
    assert claimed["lower"] <= facts["lower"] <= facts["upper"] <= claimed["upper"]


def test_a_tampered_certificate_is_refuted(linscape, certificate):
    document = json.loads(certificate.read_text())
    document["minimum"]["lower"] = document["minimum"]["upper"] = 0.4
    certificate.write_text(json.dumps(document))
    done = linscape("verify", certificate)
    assert done.status == 1
    assert "refuted" in done.out


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": "other"}', "NaN"])
def test_what_is_no_certificate_is_one_line(linscape, tmp_path, content):
    path = tmp_path / "broken.json"
    path.write_text(content)
    done = linscape("verify", path)
    assert done.status == 2
    assert done.out == ""
    assert len(done.err.splitlines()) == 1


def test_a_missing_file_is_one_line(linscape, tmp_path):
    done = linscape("verify", tmp_path / "nothing.json")
    assert done.status == 2
    assert len(done.err.splitlines()) == 1
