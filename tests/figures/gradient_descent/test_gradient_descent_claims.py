"""Every figure on gradient descent: its verdicts, its files, and that it can be drawn."""

import json

import numpy as np
import pytest

from linscape.figures import CATALOGUE, draw, reproduce
from linscape.figures.gradient_descent import (
    critical_values,
    divergence_step_sizes,
    plateaus,
    saddle_escape,
)
from linscape.plots.figure import rendered

P, F, N = "PASS", "FAIL", "OPEN"
VERDICTS = {
    "plateaus": [P, F, N, P],
    "saddle-escape": [P, N, F],
    "critical-values": [F, P, P, P],
    "step-doubling": [P, N, P, F],
    "safe-step-sizes": [F, F, F, F, P],
    "divergence-step-sizes": [P, P, N, N, F],
    "norm-inequality": [F, P, N, P],
    "step-size-example": [P, P, F, N],
}


@pytest.fixture
def small(monkeypatch):
    """Runs so small that all of them take seconds."""
    monkeypatch.setattr(plateaus, "_QUICK", (1, 8000))
    monkeypatch.setattr(plateaus, "GAINS", (0.01, 0.1, 0.3, 1.0))
    monkeypatch.setattr(critical_values, "_QUICK", (1, 2, 3000))
    monkeypatch.setattr(divergence_step_sizes, "_QUICK", (12, 1))
    monkeypatch.setattr(divergence_step_sizes, "LONG", 1000)
    monkeypatch.setattr(saddle_escape, "SIZES", (0.04, 0.16))
    monkeypatch.setattr(saddle_escape, "_GAIN", 0.03)
    monkeypatch.setattr(saddle_escape, "_QUICK", (4, 1, 3000))


def check(name):
    heard = []
    found = reproduce(name, quick=True, advance=heard.append)
    assert found.name == name
    assert (found.title, found.source) == (CATALOGUE[name].title, CATALOGUE[name].source)
    assert heard == sorted(heard)
    assert 0 <= heard[0] <= heard[-1] <= 1 + 1e-12
    assert all(np.asarray(array).dtype.kind in "fib" for array in found.arrays.values())
    facts = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert facts["parameters"]
    assert rendered(draw(found), ".png").startswith(b"\x89PNG")
    return [claim.verdict for claim in found.claims]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", sorted(set(VERDICTS) - {"divergence-step-sizes"}))
def test_verdicts(name):
    assert check(name) == VERDICTS[name]


@pytest.mark.usefixtures("small")
def test_the_verdicts_on_divergence_that_a_dozen_nets_can_tell():
    verdicts = check("divergence-step-sizes")
    assert (verdicts[0], verdicts[-1]) == (P, F)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(VERDICTS))
def test_verdicts_of_quick_runs(name):
    assert check(name) == VERDICTS[name]
    print(name)
