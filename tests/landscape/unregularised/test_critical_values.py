"""All critical values, in order, however many."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rank_limited import from_rows, orthogonal, rows, with_modes
from scipy.optimize import least_squares

import linscape as ls
import oracles
from linscape.errors import NoExactSolution, OutOfRange
from linscape.landscape.unregularised.subsets import (
    best_first,
    count_classes,
    count_subsets,
    groups_of_equals,
)
from linscape.landscape.unregularised.values import critical_values


def by_hand(values, total, limit):
    """The losses of all sets of modes, by listing the sets."""
    sets = (s for r in range(limit + 1) for s in itertools.combinations(values, r))
    return np.sort([total - sum(s) for s in sets])


# ---- The values


def test_the_worked_example_has_thirty_one():
    # y = diag(5, 4, 3, 2, 1)x through a bottleneck of four: every set but that of all five modes
    moments = ls.Moments(np.eye(5), np.diag([5.0, 4, 3, 2, 1]), np.diag([25.0, 16, 9, 4, 1]))
    values = critical_values(ls.Problem(moments, ls.Network((4, 4))))
    assert values.count == 31
    assert values.losses == pytest.approx(by_hand([25, 16, 9, 4, 1], 55, 4), abs=1e-12)
    assert [value.loss for value in values.descent] == pytest.approx([55, 30, 14, 5, 1], abs=1e-12)
    assert values.table(1)[0].modes == (0, 1, 2, 3)


@pytest.mark.parametrize("hidden", [(1,), (3,), (2, 4), (5, 5, 5)])
@pytest.mark.parametrize("shape", [(4, 3), (2, 5), (6, 4)])
def test_the_losses_are_those_of_all_sets(hidden, shape):
    rng = np.random.default_rng(1)
    inputs, outputs = shape
    numbers = [9.0, 4.0, 1.5, 0.3, 0.0][:outputs]
    problem = with_modes(numbers, hidden, rng, inputs=inputs, reduction="sum")
    values = critical_values(problem)
    positive = [10 * value for value in numbers[:inputs] if value > 0]
    limit = min(len(positive), *hidden)
    total = 10 * np.trace(problem.moments.yy)
    assert values.losses == pytest.approx(by_hand(positive, total, limit), rel=1e-10)
    assert values.count == sum(math.comb(len(positive), r) for r in range(limit + 1))
    assert values.mode_values == pytest.approx(positive, rel=1e-10)
    assert 0 < values.loss_error < 1e-12 * total


@pytest.mark.parametrize("hidden", [(1,), (2,), (1, 2)])
def test_searches_for_a_zero_gradient_end_at_these_values_only(hidden):
    rng = np.random.default_rng(2)
    X, Y = rows(rng, 2, 2, count=4)
    problem = from_rows(X, Y, hidden)
    losses = critical_values(problem).losses
    objective = oracles.averaged_loss_and_gradient(X, Y)
    found = set()

    def gradient(vector):
        return oracles.flatten(objective(oracles.unflatten(vector, problem.shapes))[1])

    size = sum(rows * columns for rows, columns in problem.shapes)
    for _ in range(15):
        end = least_squares(gradient, rng.standard_normal(size), xtol=1e-15, ftol=1e-15, gtol=1e-15)
        if np.linalg.norm(end.fun) > 1e-10:
            continue  # a local minimum of the gradient's norm
        loss = objective(oracles.unflatten(end.x, problem.shapes))[0]
        nearest = int(np.argmin(np.abs(losses - loss)))
        # degenerate points are approached slowly: the loss is quadratic in what is left
        assert loss == pytest.approx(losses[nearest], abs=1e-8)
        found.add(nearest)
    assert len(found) >= 2


def test_units_and_rotations():
    rng = np.random.default_rng(3)
    X, Y = rows(rng)
    one = critical_values(from_rows(X, Y, (2, 2)))
    turned = from_rows(X @ orthogonal(4, rng) * 1e8, Y @ orthogonal(3, rng) * 1e-8, (2, 2))
    other = critical_values(turned)
    assert other.losses * 1e16 == pytest.approx(one.losses, rel=1e-10)
    assert [value.modes for value in other] == [value.modes for value in one]


def test_free_biases_centre_the_data():
    X, Y = rows(np.random.default_rng(4))
    shifted = critical_values(from_rows(X + 5, Y - 3, (2,), bias="free"))
    centred = critical_values(from_rows(X - X.mean(axis=0), Y - Y.mean(axis=0), (2,)))
    assert shifted.losses == pytest.approx(centred.losses, rel=1e-10)


# ---- Ties, and modes of nothing


def test_equal_modes_are_counted_once_and_said():
    problem = with_modes([4.0, 2.0, 2.0, 2.0, 1.0], (3, 3), np.random.default_rng(5))
    values = critical_values(problem)
    assert values.groups == ((0,), (1, 2, 3), (4,))
    assert values.count == 1 + 5 + 10 + 10
    found = [value.modes for value in values]
    few = {(), (0,), (1,), (4,), (0, 1), (0, 4), (1, 2), (1, 4)}
    assert set(found) == few | {(0, 1, 2), (0, 1, 4), (1, 2, 3), (1, 2, 4)}
    assert len(found) == values.distinct == 12


def test_forty_equal_modes_are_a_handful_of_values():
    moments = ls.Moments(np.eye(40), np.eye(40), np.eye(40))
    values = critical_values(ls.Problem(moments, ls.Network((20, 20))))
    assert values.distinct == 21
    assert values.count == count_subsets(40, 20) > 2**38
    assert values.losses == pytest.approx(np.arange(20.0, 41.0), abs=1e-10)


def test_modes_that_explain_nothing_change_nothing():
    rng = np.random.default_rng(6)
    X, _ = rows(rng)
    Y = X @ rng.standard_normal((4, 2)) @ rng.standard_normal((2, 5))
    values = critical_values(from_rows(X, Y, (4, 4)))
    assert values.count == 4
    assert values.rank_limit == 2
    assert values.losses[0] <= 1e-13 * values.losses[-1]


def test_without_signal_there_is_one_value():
    values = critical_values(
        ls.Problem(ls.Moments(np.eye(2), np.zeros((2, 2)), np.eye(2)), ls.Network((2,)))
    )
    assert [(value.modes, value.loss) for value in values] == [((), 2.0)]


def test_without_a_hidden_layer_least_squares_is_the_only_one():
    problem = from_rows(*rows(np.random.default_rng(7)), ())
    values = critical_values(problem)
    assert values.count == values.distinct == 1
    (value,) = values
    assert value.modes == (0, 1, 2)
    assert value.loss == pytest.approx(ls.global_minimum(problem).loss, rel=1e-10)
    assert values.descent == (value,)


# ---- Many


def test_the_lowest_of_a_million_million_come_at_once():
    rng = np.random.default_rng(8)
    numbers = np.sort(rng.uniform(1, 2, 40))[::-1].tolist()
    problem = with_modes(numbers, (40, 40), rng)
    values = critical_values(problem)
    assert values.count == 2**40
    table = values.table(50)
    # the total less the sum of a set left out: the empty one, the least mode, …
    least = sorted(numbers)
    left_out = sorted([0.0, *least, *(a + b for a, b in itertools.combinations(least, 2))])
    expected = np.array(left_out[:50]) + 0.1 * 40
    assert [value.loss for value in table] == pytest.approx(expected, rel=1e-10)
    with pytest.raises(OutOfRange, match="table"):
        _ = values.losses


@given(
    st.lists(st.integers(1, 50), max_size=4, unique=True),
    st.lists(st.integers(1, 3), min_size=4, max_size=4),
    st.integers(0, 12),
)
def test_sets_come_in_order_each_once(distinct, sizes, most):
    pairs = zip(sorted(distinct, reverse=True), sizes, strict=False)
    numbers = [float(value) for value, size in pairs for _ in range(size)]
    groups = groups_of_equals(numbers, 0.0)
    most = min(most, len(numbers))
    found = list(best_first(numbers, groups, most))
    every = {
        tuple(mode for members in groups for mode in members[: len({*members} & {*chosen})])
        for r in range(most + 1)
        for chosen in itertools.combinations(range(len(numbers)), r)
    }
    assert len(found) == len(every) == count_classes([len(g) for g in groups], most)
    assert set(found) == every
    sums = [math.fsum(numbers[mode] for mode in modes) for modes in found]
    assert sums == sorted(sums, reverse=True)


# ---- The result


def test_the_result_is_strict_json_and_says_what_it_is():
    values = critical_values(from_rows(*rows(np.random.default_rng(10)), (2, 3)))
    facts = json.loads(json.dumps(values.to_dict(limit=3), allow_nan=False))
    assert facts["count"] == 7
    assert [value["loss"] for value in facts["values"]] == values.losses[:3].tolist()
    assert [value["modes"] for value in facts["descent"]] == [[], [0], [0, 1]]
    assert "7 from" in repr(values)
    assert "Achour" in values.source


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ({"weight_decay": 0.1}, "without weight decay"),
        ({"noise": 0.1}, "without noise"),
        ({"bias": "decayed"}, "bias='free'"),
    ],
)
def test_networks_with_decay_or_noise_are_refused(network, words):
    problem = from_rows(*rows(np.random.default_rng(11)), (2,), **network)
    with pytest.raises(NoExactSolution, match=words):
        critical_values(problem)
