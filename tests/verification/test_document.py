"""The certificate as a document: strict JSON that carries every number exactly."""

import doctest
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hard import edges, singular

import linscape as ls
from cases import known_minimum
from linscape.errors import NoExactSolution
from linscape.verification import certificate_document, verify


def text(problem):
    return json.dumps(certificate_document(ls.global_minimum(problem)), allow_nan=False)


@pytest.mark.parametrize("name", edges())
def test_json_gives_back_every_number_to_the_last_bit(name):
    problem = edges()[name]
    minimum = ls.global_minimum(problem)
    document = json.loads(json.dumps(certificate_document(minimum), allow_nan=False))
    moments, d = problem.moments, problem.moments.inputs
    free = problem.network.bias == "free"
    A = moments.covariance_x if free else moments.A
    C = moments.covariance_xy if free else moments.C
    stored = document["moments"]
    np.testing.assert_array_equal(stored["second_moment_x"], A)
    np.testing.assert_array_equal(stored["cross_moment"], C.reshape(d, -1).T)
    yy = np.atleast_2d(moments.covariance_y if free else moments.yy)
    np.testing.assert_array_equal(stored["second_moment_y"], yy.diagonal())
    if free:
        np.testing.assert_array_equal(stored["input_variances"], moments.A.diagonal())
    assert ls.Network(**document["network"]) == problem.network
    assert document["data_factor"] == problem.data_factor
    claim = document["minimum"]
    for part in ("lower", "upper", "gain_lower", "gain_upper", "is_trivial"):
        assert claim[part] == getattr(minimum, part)
    np.testing.assert_array_equal(claim["predictor"], np.atleast_2d(minimum.predictor))


def test_directions_are_there_where_some_are_left_out_and_hold_the_predictor():
    moments = singular(np.random.default_rng(0))
    minimum = ls.global_minimum(ls.Problem(moments, ls.Network((3,), weight_decay=0.01)))
    directions = np.array(certificate_document(minimum)["directions"])
    left_out = minimum.certificate.null_directions
    assert left_out > 0
    assert directions.shape == (moments.inputs - left_out, moments.inputs)
    inside = directions.T @ np.linalg.lstsq(directions.T, minimum.predictor)[0]
    np.testing.assert_allclose(inside, minimum.predictor, rtol=1e-10)


def test_no_directions_are_written_where_all_are_kept():
    known = known_minimum(np.random.default_rng(0), 2)
    assert json.loads(text(known.problem))["directions"] is None


def test_what_the_statement_does_not_cover_is_refused():
    minimum = ls.global_minimum(known_minimum(np.random.default_rng(0), 2).problem)
    moments = minimum.problem.moments
    network = ls.Network((2, 2), weight_decay=0.1, bias="decayed")
    means = ls.Moments(moments.A, moments.C, moments.yy, np.zeros(3), 0.0)
    object.__setattr__(minimum, "problem", ls.Problem(means, network))
    with pytest.raises(NoExactSolution, match="bias='decayed'"):
        certificate_document(minimum)


def test_writing_one_does_not_need_flint_and_verifying_says_what_to_install():
    code = """
import sys
sys.modules["flint"] = None
import linscape as ls
from linscape.errors import MissingDependency
from linscape.verification import certificate_document, verify
problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((3,), weight_decay=0.5))
document = certificate_document(ls.global_minimum(problem))
try:
    verify(document)
except MissingDependency as error:
    print(error)
"""
    printed = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert 'pip install "linscape[certify]"' in printed


def test_the_page_about_certificates_says_what_happens():
    page = Path(__file__).parents[2] / "docs" / "certificates.md"
    text = page.read_text(encoding="utf-8").replace("```\n", "")
    found = doctest.DocTestParser().get_doctest(text, {}, "certificates.md", str(page), 0)
    assert len(found.examples) > 5
    assert doctest.DocTestRunner().run(found).failed == 0


def test_a_document_that_was_read_again_is_verified_as_well():
    known = known_minimum(np.random.default_rng(1), 3)
    assert verify(json.loads(text(known.problem))).holds is True


@pytest.mark.parametrize("given", [None, ls.Moments([[1.0]], [1.0], 1.0), {}, 1.0])
def test_what_is_no_minimum(given):
    with pytest.raises(ls.errors.InvalidOption, match="global_minimum"):
        certificate_document(given)
