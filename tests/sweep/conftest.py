"""A small sweep whose answers are known by hand: A = c = E[y²] = 1."""

import pytest

import linscape as ls
from linscape.sweep import run

DECAYS = [0.3, 0.45, 0.6]


@pytest.fixture
def spec(tmp_path):
    """Six cells: one hidden layer learns below γ = 1, two below (1/16)^{1/3} = 0.397."""
    file = tmp_path / "one.npz"
    ls.Moments([[1.0]], [1.0], 1.0).save(file)
    return {
        "data": {"one": {"moments": str(file)}},
        "networks": [{"hidden": [[4], [4, 4]], "weight_decay": DECAYS}],
    }


@pytest.fixture
def descents(spec):
    """Twelve cells: two starts of each problem."""
    return {**spec, "descents": {"gain": [0.5], "seeds": 2, "steps": 50}}


@pytest.fixture
def whole(descents, tmp_path):
    """The twelve cells, never interrupted."""
    return run(descents, tmp_path / "whole")
