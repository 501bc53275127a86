"""Controls become settings, and what no control can send is refused."""

import numpy as np
import pytest

import linscape as ls
from linscape.errors import InvalidOption
from linscape.explorer.settings import RANGES, Settings, grid, power

START = {name: place.start for name, place in RANGES.items()}


def read(**changes):
    return Settings.read("textbook", ["y"], **(START | changes))


def test_positions_are_read_as_a_browser_sends_them():
    settings = read(depth="3", width="5", dropout="0.5", decay="-1", gain="-2")
    assert (settings.depth, settings.width, settings.hidden) == (3, 5, (5, 5, 5))
    assert (settings.dropout, settings.noise) == (0.5, 1.0)
    assert (settings.weight_decay, settings.gain) == (0.1, 0.01)


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("value", [None, "", "x", "nan", "inf", 1e9, -1e9, [], {}])
def test_other_values_are_refused(name, value):
    with pytest.raises(InvalidOption, match=name):
        read(**{name: value})


@pytest.mark.parametrize("targets", [None, "y", 3])
def test_targets_that_are_no_list_are_none(targets):
    assert Settings.read("textbook", targets, **START).targets == ()


@pytest.mark.parametrize("name", RANGES)
def test_a_slider_starts_on_its_grid(name):
    low, high, step, start = RANGES[name]
    places = grid(name)
    assert (places[0], places[-1]) == (low, high)
    np.testing.assert_allclose(np.diff(places), step, rtol=1e-9)
    assert np.isclose(places, start).any()


def test_the_code_says_what_the_settings_mean(scene, run):
    for positions in ({}, {"dropout": 0.0}, {"decay": 0.35, "depth": 4}):
        at = scene("textbook", **positions)
        problem = run(at.code())["problem"]
        assert problem.network == at.problem.network
        assert run(at.code(plain=True))["problem"].network == ls.Network(at.settings.hidden)


def test_powers_are_short_and_near():
    for exponent in np.linspace(-4, 1, 101):
        assert power(exponent) == pytest.approx(10**exponent, rel=1e-3)  # four digits
        assert len(f"{power(exponent):g}") <= 9
