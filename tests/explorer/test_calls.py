"""The Python that each view shows gives the numbers that it draws."""

from dataclasses import replace

import numpy as np
import pytest

import linscape as ls
from linscape.errors import NoExactSolution
from linscape.explorer.bundled import OPENINGS
from linscape.explorer.table import Table
from linscape.explorer.view import Drawn
from linscape.explorer.views import bifurcation, descent, energy, phases, values

ONE_TARGET = [
    ("diabetes", {}),
    ("diabetes", {"depth": 1, "dropout": 0.0}),
    ("diabetes", {"depth": 6, "width": 3, "decay": 1.0}),
    ("two scales", {"width": 2, "dropout": 0.34, "decay": -0.5}),
    ("textbook", {"decay": -4.0, "dropout": 0.9, "width": 1}),
]


def drawn(found: Drawn, index, axis="y"):
    """What a trace of the figure shows, gaps as NaN."""
    numbers = found.updates["data", index, axis]
    return np.array([np.nan if value is None else value for value in numbers])


@pytest.mark.parametrize(("table", "positions"), ONE_TARGET)
def test_the_energy_curve(scene, run, table, positions):
    found = energy.draw(scene(table, **positions))
    names = run(found.code)
    np.testing.assert_array_equal(drawn(found, 0, "x"), names["energies"])
    np.testing.assert_array_equal(drawn(found, 0), names["losses"])
    kinds = [solution.kind for solution in names["solutions"]]
    assert len(drawn(found, 2)) == kinds.count("minimum")
    assert len(drawn(found, 3)) == len(kinds) - kinds.count("minimum")
    # the ring is the certified minimum; both are roots of F', polished apart
    np.testing.assert_allclose(drawn(found, 4), [names["minimum"].loss], rtol=1e-12)
    assert f"{names['minimum'].loss:.8g}" in found.summary or len(kinds) == 1


@pytest.mark.parametrize(("table", "positions"), ONE_TARGET)
@pytest.mark.parametrize("up", ["depth", "dropout"])
def test_the_phase_diagram(scene, run, table, positions, up):
    found = phases.draw(scene(table, **positions), up)
    shown = np.array(found.updates["data", 0, "z"])
    called = run(found.code)["phases"].reshape(-1, *shown.shape)
    called = run(found.code)["phases"]
    matrix = called[:, :, 0, 0, 0] if up == "depth" else called[0, :, :, 0, 0].T
    np.testing.assert_array_equal(shown, matrix)


@pytest.mark.parametrize(("table", "positions"), ONE_TARGET)
def test_the_bifurcation_diagram(scene, run, table, positions):
    found = bifurcation.draw(scene(table, **positions))
    names = run(found.code)
    for index, kind in ((2, "minimum"), (3, "saddle")):
        pairs = zip(names["branches"], names["sizes"], strict=True)
        sizes = [[*size, np.nan] for branch, size in pairs if branch.kind == kind]
        expected = np.concatenate(sizes) if sizes else []
        np.testing.assert_array_equal(drawn(found, index), expected)
    end = drawn(found, 4, "x")[0]
    np.testing.assert_allclose(10**end, names["learning_ends"], rtol=1e-12)


@pytest.mark.parametrize(("table", "positions"), [*ONE_TARGET, ("staircase", {"width": 2})])
def test_the_critical_values(scene, run, table, positions):
    found = values.draw(scene(table, **positions))
    names = run(found.code)
    for index, name in ((0, "lowest"), (2, "ladder")):
        shown = list(zip(drawn(found, index, "x"), drawn(found, index), strict=True))
        assert shown == names[name]


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("table", ["diabetes", "staircase", "two scales", "textbook"])
def test_the_descent(scene, run, table, plain):
    found = descent.draw(scene(table, gain=-1.5), plain=plain)
    names = run(found.code)
    np.testing.assert_array_equal(drawn(found, 2, "x"), names["path"].at)
    np.testing.assert_array_equal(drawn(found, 2), names["path"]["loss"])
    if plain:
        rests = [rest for one in names["plateaus"] for rest in (one.value, one.value, np.nan)]
        np.testing.assert_array_equal(drawn(found, 1), rests)
        levels = [value.loss for value in names["values"]]
    else:
        levels = names.get("levels", [])
    np.testing.assert_array_equal(drawn(found, 0)[::3], levels)


def test_the_marker_stands_on_the_phase_of_the_settings(scene):
    for decay in (-2.0, -0.45, 0.5):
        at = scene(decay=decay)
        found = phases.draw(at, "depth")
        column = found.updates["data", 0, "x"].index(decay)
        cell = found.updates["data", 0, "text"][at.settings.depth - 1][column]
        assert cell == ls.phase(at.problem).name
        assert found.updates["data", 1, "y"] == [at.settings.depth]


def test_the_bifurcation_meets_the_known_fold(scene):
    # A = c = 1, two layers, no dropout: the branches meet at γ = (27/256)^{1/3}
    found = bifurcation.draw(scene("textbook", dropout=0.0))
    fold = (27 / 256) ** (1 / 3)
    assert f"vanishes at {fold:.4g}" in found.summary
    x, y = drawn(found, 2, "x"), drawn(found, 2)
    last = np.flatnonzero(np.isfinite(y))[-1]
    assert x[last] == pytest.approx(np.log10(fold), abs=1e-8)  # the path stops 1e-9 before it


def test_the_staircase_rests_on_every_rung(scene):
    found = descent.draw(scene("staircase", gain=OPENINGS["staircase"]["gain"]), plain=True)
    assert "Plateaus at numbers of modes: 0, 1, 2, 3" in found.summary


def test_a_perfect_fit_is_not_said_to_be_off_by_rounding(scene):
    # y is a third of x: E[y²] = 1, and what is left is 0 up to rounding
    table = Table(
        "made", ("x", "y"), np.array([[9.0, 3.0], [3.0, 1.0]]), None, ("y",), False, lambda _: ""
    )
    table = replace(table, covariance=table.covariance + np.diag([0, 4e-16]))
    assert values.draw(scene(table)).summary.endswith("from 0 (the global minimum) to 1.")
    worse = replace(table, covariance=table.covariance + np.diag([0, 1e-9]))
    assert "from 1e-09 " in values.draw(scene(worse)).summary


def test_a_curve_that_hardly_moves_is_not_blown_up(scene):
    # 21 = 4² + 2² + 1² beside the noise; a tiny start under decay stays at zero
    at = scene("staircase", gain=-3.0, decay=1.0)
    found = descent.draw(at, plain=False)
    zero = at.problem.loss([np.zeros(shape) for shape in at.problem.shapes])
    assert drawn(found, 0)[0] == pytest.approx(float(np.ravel(zero)[0]), rel=1e-12)
    low, high = found.updates["layout", "yaxis", "range"]
    assert high - low >= 0.02 * high / 1.02
    assert low < drawn(found, 2).min() < drawn(found, 2).max() < high
    assert "that of zero" in found.summary
    learns = descent.draw(scene("staircase", gain=0.0, decay=-4.0, depth=1), plain=False)
    assert "that of zero" not in learns.summary


@pytest.mark.parametrize("view", [energy.draw, bifurcation.draw, lambda s: phases.draw(s, "depth")])
def test_several_targets_are_refused_in_words(scene, view):
    with pytest.raises(NoExactSolution, match="choose one target"):
        view(scene("staircase"))


def test_every_figure_holds_what_is_drawn_in_it(scene):
    """A patch of a part that the figure has not would be lost without a word."""
    at = scene()
    for view, found in (
        (energy, energy.draw(at)),
        (phases, phases.draw(at, "dropout")),
        (bifurcation, bifurcation.draw(at)),
        (values, values.draw(at)),
        (descent, descent.draw(at, plain=True)),
    ):
        figure = view.VIEW.figure()
        for path in found.updates:
            part = figure
            for step in path[:-1]:
                part = part[step]
