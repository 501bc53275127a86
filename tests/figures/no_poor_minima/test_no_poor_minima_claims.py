"""Every figure on Kawaguchi and on Hardt & Ma: its verdicts, and that it can be drawn."""

import json

import numpy as np
import pytest

from linscape.figures import CATALOGUE, draw, reproduce
from linscape.figures.no_poor_minima import deficient_data, residual_descents
from linscape.plots.figure import rendered

P, F, N = "PASS", "FAIL", "OPEN"
VERDICTS = {
    "small-net": [P, P, P, F, F, P, P],
    "one-layer-convexity": [P, P],
    "deficient-data": [P, P, P, P],
    "residual-counterexamples": [P, P, F, F, P, P],
    "residual-one-layer": [P, F, P, P, P],
    "residual-norms": [P, P, P, N],
    "residual-descents": [P, P, N, F],
}


@pytest.fixture
def small(monkeypatch):
    """Runs so small that all of them take seconds."""
    monkeypatch.setattr(deficient_data, "_QUICK", (3, 1))
    monkeypatch.setattr(residual_descents, "_QUICK", (10, 200))
    monkeypatch.setattr(residual_descents, "LAYERS", (2, 16))
    monkeypatch.setattr(residual_descents, "STRETCHES", (0.3, 1.0))


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
@pytest.mark.parametrize("name", sorted(VERDICTS))
def test_verdicts(name):
    assert check(name) == VERDICTS[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(VERDICTS))
def test_verdicts_of_quick_runs(name):
    assert check(name) == VERDICTS[name]
    print(name)
