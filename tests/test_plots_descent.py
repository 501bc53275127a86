"""Pictures of descent: what is drawn is what was recorded."""

import numpy as np
import pytest

import linscape as ls
from linscape.dynamics.descent import descend
from linscape.dynamics.plateaus import plateaus
from linscape.dynamics.trajectory import Trajectory
from linscape.plots.descent import descent, singular_values
from linscape.plots.figure import rendered
from linscape.plots.histogram import histogram


@pytest.fixture(scope="module")
def problem():
    T = np.diag([2.0, 1.0])
    return ls.Problem(ls.Moments(np.eye(2), T, T @ T), ls.Network((2, 2)))


@pytest.fixture(scope="module")
def path(problem):
    start = [0.02 * np.eye(2)] * 3
    record = ("loss", "singular_values")
    return descend(problem, start, step_size=0.01, steps=4000, record=record, every=20)


def recorded(losses):
    losses = np.asarray(losses, dtype=float)
    batch = losses.shape[1:]
    return Trajectory(
        "time", np.arange(len(losses)) / 2, {"loss": losses}, [np.zeros((*batch, 1, 1))],
        np.full(batch, "running"), np.zeros(batch),
    )  # fmt: skip


def dashed(axes):
    return sorted({line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == "--"})


def test_the_curve_its_levels_and_its_plateaus(problem, path):
    values, found = ls.critical_values(problem).descent, plateaus(problem, path)
    figure = descent(path, values=values, plateaus=found, unit="mean of squares", title="2 → 2")
    (axes,) = figure.axes
    curve = axes.lines[0]
    np.testing.assert_array_equal(curve.get_xdata(), path.at)
    np.testing.assert_array_equal(curve.get_ydata(), path["loss"])
    assert dashed(axes) == pytest.approx(sorted(value.loss for value in values))
    thick = [line for line in axes.lines if line.get_linewidth() > 3]
    assert [tuple(line.get_xdata()) for line in thick] == [(one.entered, one.left) for one in found]
    assert [text.get_text() for text in axes.texts] == ["modes 0,1", "mode 0", "no mode"]
    assert axes.get_ylabel() == "loss, mean of squares"
    assert axes.get_xlabel() == "step"
    assert axes.get_title(loc="left") == "2 → 2"
    again = descent(path, values=values, plateaus=found, unit="mean of squares", title="2 → 2")
    assert rendered(figure, ".svg") == rendered(again, ".svg")


def test_many_nets_share_a_label_and_a_high_start_is_cut_off(problem):
    values = ls.critical_values(problem).descent
    losses = np.outer([1000.0, 4.0, 1.0, 0.5], [1.0, 1.1, 0.9])
    figure = descent(recorded(losses), values=values, title="three")
    (axes,) = figure.axes
    assert axes.get_ylim()[1] < 20
    assert axes.get_title(loc="left") == "three (start cut off)"
    assert axes.get_xlabel() == "time of gradient flow"
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["losses of 3 nets"]


def test_the_global_minimum_is_a_level_of_its_own():
    figure = descent(recorded([2.0, 1.5, 1.2]), minimum=1.0)
    assert dashed(figure.axes[0]) == [1.0]
    assert figure.axes[0].get_ylim()[0] < 1.0
    assert [text.get_text() for text in figure.axes[0].texts] == ["global minimum"]


def test_infinite_losses_do_not_spoil_the_axis():
    figure = descent(recorded([[1.0, 1.0], [0.5, np.inf], [0.2, np.inf]]))
    assert np.all(np.isfinite(figure.axes[0].get_ylim()))
    assert rendered(figure, ".png").startswith(b"\x89PNG")


def test_levels_too_near_to_be_named_are_drawn_all_the_same():
    values = [ls.CriticalValue((0,), 1.0), ls.CriticalValue((1,), 1.001), ls.CriticalValue((), 3.0)]
    axes = descent(recorded([3.0, 1.0]), values=values).axes[0]
    assert dashed(axes) == [1.0, 1.001, 3.0]
    assert [text.get_text() for text in axes.texts] == ["mode 0", "no mode"]


def test_singular_values_differ_in_dashes_too(path):
    figure = singular_values(path, targets=[2.0, 1.0], title="strengths")
    (axes,) = figure.axes
    curves = axes.lines[:2]
    for i, curve in enumerate(curves):
        np.testing.assert_array_equal(curve.get_ydata(), path["singular_values"][:, i])
    assert curves[0].get_linestyle() != curves[1].get_linestyle()
    assert [line.get_ydata()[0] for line in axes.lines[2:]] == [2.0, 1.0]


@pytest.mark.parametrize("logarithmic", [False, True])
def test_histograms_count_everything_once(logarithmic):
    rng = np.random.default_rng(0)
    groups = {"one": np.append(rng.lognormal(size=100), np.inf), "two": rng.lognormal(size=(5, 8))}
    figure = histogram(
        groups, label="steps", marks={"here": 1.0}, logarithmic=logarithmic, bins=12, title="t"
    )
    (axes,) = figure.axes
    heights = [sum(bar.get_height() for bar in bars) for bars in axes.containers]
    assert heights == [100, 40]
    assert len({bars[0].get_hatch() for bars in axes.containers}) == 2
    assert axes.get_xscale() == ("log" if logarithmic else "linear")
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert set(labels) == {"one (1 not finite)", "two", "here"}
    assert [line.get_xdata()[0] for line in axes.lines] == [1.0]


def test_equal_numbers_have_a_bin():
    (axes,) = histogram({"same": [2.0, 2.0]}, label="loss").axes
    assert sum(bar.get_height() for bar in axes.patches) == 2


@pytest.mark.parametrize(
    "groups", [{}, {"a": []}, {"a": [np.inf]}, {key: [1.0] for key in "abcde"}]
)
def test_histograms_of_nothing_or_too_much_are_refused(groups):
    with pytest.raises(ValueError, match="one to four groups"):
        histogram(groups, label="x")
