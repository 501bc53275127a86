"""The figure: its claims, its arrays, its picture, and what it needs."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import bootstrap, t

from linscape.figures.residual_network import weight_decay
from linscape.figures.residual_network.claims import claims
from linscape.figures.residual_network.results import LinearResults, Results, half_width
from linscape.figures.residual_network.stopping import Stopping


def results(accuracy, rested=True, **linear):
    accuracy = np.repeat(np.array(accuracy)[:, None], 3, axis=1)
    whole = np.ones(accuracy.shape)
    decays = np.array([0.01, 0.1, 1.0])[: len(accuracy)]
    common = (0.01, decays, whole, accuracy, whole.astype(int), np.full(accuracy.shape, rested))
    if not linear:
        return Results(*common)
    objective = np.array(linear["objective"])[:, None] + np.array([0.5, 0.0, 0.2])
    return LinearResults(*common, linear["depth"], linear["ends"], objective)


LEARNS, DROPS = [0.9, 0.8, 0.7], [0.9, 0.8, 0.1]
REGRESSOR = {"depth": 0, "ends": np.inf, "objective": [0.5, 0.6, 0.7]}
DEEP = {"depth": 5, "ends": 0.05, "objective": [0.8, 1.0, 1.0]}


def verdicts(regressor=LEARNS, deep=DROPS, resnet=DROPS, rested=True, **changed):
    return [
        claim.verdict
        for claim in claims(
            [results(regressor, **REGRESSOR), results(deep, **DEEP | changed)],
            results(resnet, rested),
        )
    ]


def test_claims_as_they_should_be():
    assert verdicts() == ["PASS", "PASS", "PASS", "PASS", "OPEN"]


def test_each_claim_can_fail():
    assert verdicts(objective=[0.8, 0.99, 1.0])[0] == "FAIL"
    assert verdicts(objective=[1.1, 1.0, 1.0])[0] == "OPEN"
    assert verdicts(ends=0.005, objective=[1.0, 1.0, 1.0])[0] == "OPEN"
    # better just below λ* is enough: the same weights are better at every smaller decay
    assert verdicts(ends=0.5, objective=[1.1, 0.9, 1.0])[0] == "PASS"
    assert verdicts(regressor=DROPS)[1] == "FAIL"
    assert verdicts(deep=LEARNS)[2] == "FAIL"
    assert verdicts(resnet=LEARNS)[3] == "FAIL"
    assert verdicts(resnet=LEARNS, rested=False)[3] == "OPEN"
    assert verdicts(resnet=[0.1, 0.1, 0.1])[3] == "FAIL"


def test_where_it_drops_is_said():
    *_, drop, _ = claims([results(LEARNS, **REGRESSOR), results(DROPS, **DEEP)], results(DROPS))
    assert drop.computed == "between λ = 0.1 and 1"
    *_, drop, _ = claims(
        [results(LEARNS, **REGRESSOR), results(DROPS, **DEEP)], results([0.9, 0.1, 0.5])
    )
    assert drop.computed == "between λ = 0.01 and 0.1, but not at all larger decays"


def test_half_width_of_a_mean():
    values = np.random.default_rng(0).normal(size=(4, 10))
    low, high = t.interval(0.95, 9, values.mean(axis=1), values.std(axis=1, ddof=1) / np.sqrt(10))
    np.testing.assert_allclose(half_width(values), (high - low) / 2, rtol=1e-10)
    drawn = bootstrap((values[0],), np.mean, method="percentile", rng=1).confidence_interval
    # ten values: the percentile bootstrap is narrower by √(9/10)·1.96/2.26, and random
    assert half_width(values)[0] == pytest.approx((drawn.high - drawn.low) / 2 / 0.82, rel=0.15)


@pytest.fixture
def tiny(monkeypatch, make_images):
    """The quick plan made quicker still, on 60 images that stand for the digits."""
    stopping = Stopping(window=1, tolerance=-1.0, epochs=1)
    plan = replace(
        weight_decay.QUICK, width=2, stopping=stopping, linear_stopping=stopping, depths=(0, 1)
    )
    monkeypatch.setattr(weight_decay, "QUICK", plan)
    monkeypatch.setattr(weight_decay, "digits", lambda: make_images(60, 8, padding=1))


@pytest.mark.usefixtures("tiny")
def test_run_and_picture(tmp_path):
    told = []
    found = weight_decay.run(quick=True, seed=5, partial=tmp_path, advance=told.append)
    again = weight_decay.run(quick=True, seed=5)
    for name, array in found.arrays.items():
        np.testing.assert_array_equal(array, again.arrays[name])
    assert found.arrays["resnet_accuracy"].shape == (2, 2)
    assert found.arrays["linear_1_weight_decay"].size == 4
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1)
    json.dumps(found.to_dict(), allow_nan=False)
    left, right = weight_decay.draw(found).axes
    assert left.get_ylabel() == "training accuracy"
    # trivial level, three curves, one transition
    assert len(left.lines) >= 5
    assert len(right.lines) == len(left.lines)


@pytest.mark.usefixtures("tiny")
def test_run_reads_the_folder_given(make_images, monkeypatch, tmp_path):
    asked = []
    images = make_images(30, 4, channels=3, padding=1, flip=True)
    monkeypatch.setattr(weight_decay, "cifar10", lambda folder: asked.append(folder) or images)
    found = weight_decay.run(quick=True, data=tmp_path)
    assert asked == [tmp_path]
    assert found.parameters["images"] == "random"
    assert np.isfinite(found.arrays["linear_1_objective"]).all()


@pytest.mark.slow  # moments of 3,072 inputs
@pytest.mark.usefixtures("tiny")
def test_run_on_cifar_files(cifar_folder):
    folder, _ = cifar_folder
    found = weight_decay.run(quick=True, data=folder)
    assert found.parameters["images"] == "CIFAR-10"
    assert found.parameters["rows"] == 20
    assert np.isfinite(found.arrays["resnet_loss"]).all()


@pytest.mark.slow
def test_quick_shows_both_ends():
    found = weight_decay.run(quick=True)
    accuracy = found.arrays["resnet_accuracy"].mean(axis=1)
    assert accuracy[0] > 0.3
    assert accuracy[1] < 0.15


def test_a_search_avoids_what_diverges():
    assert weight_decay._lowest({0.1: np.nan, 0.2: 3.0, 0.3: 2.0}) == 0.3


def test_without_torch():
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from linscape.errors import MissingDependency\n"
        "try:\n"
        "    import linscape.figures.residual_network.weight_decay\n"
        "except MissingDependency as error:\n"
        "    print(error)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert 'pip install "linscape[torch]"' in said
