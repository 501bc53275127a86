"""Pictures of branches, phase diagrams and spectra."""

import numpy as np
import pytest

import linscape as ls
from linscape import plots
from linscape.landscape.diagram import PHASES
from linscape.spectrum import spectra

MOMENTS = ls.Moments(np.diag([400.0, 1.0]), [4.472, 1.0], 2.0)
PROBLEM = ls.Problem(MOMENTS, ls.Network((2, 2), noise=0.5, weight_decay=0.3275))


def legend(figure):
    return {text.get_text() for text in figure.legends[0].get_texts()}


def test_every_branch_is_a_line_in_both_panels():
    branches = ls.branches(PROBLEM, weight_decay=np.geomspace(0.1, 1.0, 30))
    critical = ls.critical_weight_decay(PROBLEM)
    above, below = plots.bifurcation(branches, critical=critical).axes
    drawn = [np.asarray(line.get_ydata()) for line in above.lines]
    for branch in branches.branches:
        assert any(np.array_equal(branch.energy, y, equal_nan=True) for y in drawn if len(y) > 2)
    assert below.get_xlabel().startswith("weight decay")


def test_an_unsorted_path_is_drawn_in_order():
    branches = ls.branches(PROBLEM, weight_decay=[0.4, 0.1, 0.2])
    figure = plots.bifurcation(branches)
    assert list(figure.axes[0].lines[0].get_xdata()) == [0.1, 0.2, 0.4]
    assert legend(figure) == {"minimum", "saddle", "zero"}


@pytest.mark.parametrize(("x", "y"), [("weight_decay", "depth"), ("depth", "weight_decay")])
def test_the_legend_names_the_phases_that_occur(x, y):
    diagram = ls.phase_diagram(MOMENTS, depth=[1, 2, 3], weight_decay=np.geomspace(0.1, 9.0, 40))
    figure = plots.phase_diagram(diagram, x=x, y=y, title="two directions")
    assert legend(figure) == {PHASES[code] for code in np.unique(diagram.phase)}
    assert figure.axes[0].get_title(loc="left") == "two directions"


def test_a_diagram_of_one_value_is_one_cell():
    diagram = ls.phase_diagram(MOMENTS, depth=2, weight_decay=0.1)
    figure = plots.phase_diagram(diagram, x="depth", y="weight_decay")
    assert legend(figure) == {"learning"}


def test_the_spectrum_shows_a_point_for_each_direction():
    (measure,) = spectra(PROBLEM)
    (points,) = plots.spectrum(measure, title="two").axes[0].lines
    assert list(points.get_xdata()) == [1 / 400, 1.0]
    assert sum(points.get_ydata()) == pytest.approx(1.0)


def test_a_diagram_plots_itself_over_its_longest_axes():
    diagram = ls.phase_diagram(MOMENTS, depth=[1, 2, 3], weight_decay=np.geomspace(0.1, 9.0, 40))
    (axes,) = diagram.plot(title="mine").axes
    assert axes.get_xlabel().startswith("weight decay")
    assert axes.get_ylabel() == "hidden layers"
    assert diagram.plot(x="depth").axes[0].get_ylabel().startswith("weight decay")


@pytest.mark.parametrize("names", [{"x": "depth", "y": "depth"}, {"x": "height"}])
def test_axes_that_a_diagram_does_not_have_are_refused(names):
    diagram = ls.phase_diagram(MOMENTS, depth=[1, 2], weight_decay=[0.1, 0.2])
    with pytest.raises(ls.errors.InvalidNetwork, match="two of its axes"):
        diagram.plot(**names)
