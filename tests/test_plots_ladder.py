"""The picture of the critical values."""

import numpy as np
import pytest

import linscape as ls
from linscape import plots
from linscape.landscape.unregularised.values import critical_values
from linscape.plots.ladder import runs


def values_of(numbers, hidden):
    """Critical values of y = diag(√numbers)x."""
    T = np.diag(np.sqrt(numbers))
    return critical_values(ls.Problem(ls.Moments(np.eye(len(T)), T, T @ T), ls.Network(hidden)))


def rungs(figure):
    """(rank, loss) of every rung, by the label of its kind."""
    return {
        lines.get_label(): {
            (round(float(segment[:, 0].mean()), 9), float(segment[0, 1]))
            for segment in lines.get_segments()
        }
        for lines in figure.axes[0].collections
    }


def texts(figure):
    return {text.get_text() for text in figure.axes[0].texts}


def test_every_value_is_a_rung_over_its_rank():
    values = values_of([9.0, 4.0, 1.0], (2, 5))
    figure = plots.ladder(values, unit="mean of squares", title="3 → 2 → 5 → 3")
    drawn = rungs(figure)
    assert set.union(*drawn.values()) == {(value.rank, value.loss) for value in values}
    assert len(drawn["global minimum"]) == 1
    passed = {(value.rank, value.loss) for value in values.descent}
    assert drawn["best of their rank: plateaus of descent"] | drawn["global minimum"] == passed
    (joined,) = figure.axes[0].lines
    assert list(joined.get_ydata()) == [loss for _, loss in sorted(passed) for _ in range(2)]
    assert figure.axes[0].get_ylabel() == "loss, mean of squares"
    assert figure.axes[0].get_title(loc="left") == "3 → 2 → 5 → 3"


def test_rungs_say_their_modes_where_there_is_room():
    figure = plots.ladder(values_of([9.0, 4.0, 1.0], (3,)))
    assert texts(figure) == {"none", "0", "1", "2", "0,1", "0,2", "1,2", "0–2"}
    crowded = plots.ladder(values_of([9.0, 4.0, 3.999], (3,)))
    assert "0,1" in texts(crowded)
    assert "0,2" not in texts(crowded)


def test_of_many_the_lowest_are_drawn_and_the_rest_counted():
    values = values_of(2.0 ** -np.arange(10), (10,))
    figure = plots.ladder(values, limit=20, title="wide")
    count = sum(map(len, rungs(figure).values()))
    assert count < 1024
    assert f"({1024 - count} higher ones not drawn)" in figure.axes[0].get_title(loc="left")
    assert {(value.rank, value.loss) for value in values.descent} <= set.union(
        *rungs(figure).values()
    )


def test_one_value_alone_is_drawn():
    figure = plots.ladder(values_of([2.0, 1.0], ()))
    assert rungs(figure)["global minimum"] == {(2.0, 0.0)}


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_the_same_values_give_the_same_file(suffix):
    files = [plots.rendered(plots.ladder(values_of([2.0, 1.0], (2,))), suffix) for _ in range(2)]
    assert files[0] == files[1]
    assert len(files[0]) > 1000


def test_runs_of_modes_are_shortened():
    assert runs((0, 1, 2, 3, 7, 9, 10)) == "0–3,7,9,10"
