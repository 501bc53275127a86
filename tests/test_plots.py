"""The figure shows what it was given."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

import linscape as ls
from linscape import plots
from linscape.report import curve, report

ONE = ls.Moments([[1.0]], [1.0], 1.0)
TWO = ls.Moments(np.diag([400.0, 1.0]), [4.472, 1.0], 2.0)
CASES = {
    "learning": (ONE, ls.Network((2, 2), weight_decay=0.3)),
    "metastable": (ONE, ls.Network((2, 2), weight_decay=0.45)),
    "collapsed": (ONE, ls.Network((2, 2), weight_decay=0.6)),
    "one layer": (ONE, ls.Network((2,), weight_decay=0.3)),
    "two minima": (TWO, ls.Network((2, 2), noise=0.5, weight_decay=0.3275)),
    "tiny decay": (ONE, ls.Network((2, 2, 2), weight_decay=1e-30)),
    "no signal": (ls.Moments([[1.0]], [0.0], 1.0), ls.Network((2, 2), weight_decay=0.3)),
    "nothing": (ls.Moments([[1.0]], [0.0], 0.0), ls.Network((2, 2), weight_decay=0.3)),
}


def drawn(found):
    return plots.energy(
        *curve(found), found.solutions, found.minimum, ridge=found.ridge.loss, unit="u", title="t"
    )


@pytest.mark.parametrize("name", CASES)
def test_every_solution_is_marked(name):
    found = report(ls.Problem(*CASES[name]))
    figure = drawn(found)
    (axes,) = figure.axes
    left, right = axes.get_xlim()
    low, high = axes.get_ylim()
    marks = [line for line in axes.lines if line.get_marker() in ("o", "D")]
    assert len(marks) == len(found.solutions) + 1  # and the ring around the global minimum
    for solution, mark in zip(found.solutions, marks, strict=False):
        assert left <= mark.get_xdata()[0] <= right
        assert low < mark.get_ydata()[0] < high
        assert mark.get_ydata()[0] == solution.loss
        filled = mark.get_markerfacecolor() == mark.get_markeredgecolor()
        assert filled == (solution.kind == "minimum")
    ring = marks[-1]
    assert ring.get_ydata()[0] == pytest.approx(found.minimum.loss)


@pytest.mark.parametrize("name", CASES)
def test_labels_do_not_overlap(name):
    figure = drawn(report(ls.Problem(*CASES[name])))
    FigureCanvasAgg(figure).draw()
    boxes = [Text.get_window_extent(text) for text in figure.axes[0].texts]  # without its line
    width, height = figure.canvas.get_width_height()
    for position, box in enumerate(boxes):
        assert 0 <= box.x0 < box.x1 <= width
        assert 0 <= box.y0 < box.y1 <= height
        assert not any(box.overlaps(other) for other in boxes[position + 1 :])


def test_the_interval_is_in_the_title():
    found = report(ls.Problem(*CASES["learning"]))
    assert f"{found.minimum.loss:.12g}" in drawn(found).axes[0].get_title(loc="left")


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_same_result_same_file(suffix):
    found = report(ls.Problem(*CASES["two minima"]))
    assert plots.rendered(drawn(found), suffix) == plots.rendered(drawn(found), suffix)


def test_a_notebook_gets_a_picture():
    assert plots.histogram({"a": [1.0, 2.0]}, label="x")._repr_png_().startswith(b"\x89PNG")
