"""Plateaus: found where curves built for it have them, and named by the modes that are there."""

import itertools
import json

import numpy as np
import pytest

import linscape as ls
from cases import orthogonal
from linscape.dynamics.descent import descend
from linscape.dynamics.flow import flow
from linscape.dynamics.plateaus import plateaus
from linscape.dynamics.trajectory import Trajectory
from linscape.errors import NoExactSolution, OutOfRange
from linscape.initialisation import random_weights

VALUES = (9.0, 4.0, 1.0)  # of the modes, so that every set of them has another sum


def problem_of(values, hidden=(3, 3), scale=1.0, rng=None, **options):
    """y = T x with white x, T of singular values √values; in a random basis with rng."""
    T = np.sqrt(scale) * np.diag(np.sqrt(values))
    if rng is not None:
        T = orthogonal(len(values), rng) @ T @ orthogonal(len(values), rng).T
    moments = ls.Moments(np.eye(len(values)), T.T, T @ T.T)
    return ls.Problem(moments, ls.Network(hidden, **options))


def recorded(losses, at=None, coordinate="step", **values):
    losses = np.asarray(losses, dtype=float)
    batch = losses.shape[1:]
    return Trajectory(
        coordinate=coordinate,
        at=np.arange(len(losses)) if at is None else np.asarray(at),
        values={"loss": losses, **values},
        weights=[np.zeros((*batch, 1, 1))],
        status=np.full(batch, "running"),
        stopped_at=np.full(batch, len(losses)),
    )


def stairs(levels, rest, fall):
    """Losses that rest at each level for so many records, and fall evenly between them."""
    curve = [np.full(rest, levels[0])]
    for high, low in itertools.pairwise(levels):
        curve += [np.linspace(high, low, fall + 2)[1:-1], np.full(rest, low)]
    return np.concatenate(curve)


# ---- Curves built backwards


def test_stairs_are_found_where_they_are():
    problem, rest, fall = problem_of(VALUES), 60, 30
    found = plateaus(problem, recorded(stairs([14.0, 5.0, 1.0, 0.0], rest, fall)))
    assert [one.modes for one in found] == [(), (0,), (0, 1), (0, 1, 2)]
    assert [one.value for one in found] == pytest.approx([14, 5, 1, 0], abs=1e-12)
    # falls go in steps of 1/31: a twentieth of the gap above holds one of them, where the other
    # gap is four times smaller and more it holds none
    step = rest + fall
    assert [one.entered for one in found] == [0, step, 2 * step, 3 * step - 1]
    assert [one.left for one in found] == [rest, step + rest, 2 * step + rest, 3 * step + rest - 1]
    assert [one.ended for one in found] == [True, True, True, False]
    assert all(one.spread < 1e-12 and one.net == () for one in found)


def test_an_even_fall_rests_nowhere():
    assert len(plateaus(problem_of(VALUES), recorded(np.linspace(14, 0, 2000)))) == 0


def test_a_slower_fall_is_a_plateau_from_half_of_the_visit_on():
    # even falls to 5 and from there, with a pause at 5
    problem = problem_of(VALUES)
    down = np.linspace(14, 5, 91)[:-1]  # 90 records: half a gap is 45 of them
    after = np.linspace(5, 1, 41)[1:]  # half a gap is 20
    for pause in (30, 90):
        found = plateaus(problem, recorded(np.concatenate([down, np.full(pause, 5.0), after])))
        assert [one.modes for one in found] == ([(0,)] if pause == 90 else [])


@pytest.mark.parametrize("scale", [1e-16, 1e-8, 1.0, 1e8, 1e16])
def test_units_and_the_origin_of_time_do_not_matter(scale):
    curve = stairs([14.0, 5.0, 0.0], 50, 20)
    one = plateaus(problem_of(VALUES), recorded(curve))
    at = 1e6 + 1e-3 * np.arange(len(curve))
    other = plateaus(problem_of(VALUES, scale=scale), recorded(scale * curve, at, "time"))
    assert [a.modes for a in one] == [b.modes for b in other] == [(), (0,), (0, 1, 2)]
    for a, b in zip(one, other, strict=True):
        assert (b.entered - 1e6) * 1e3 == pytest.approx(a.entered, abs=1e-3)  # of 1e6 + 1e-3
        assert b.value == pytest.approx(scale * a.value, rel=1e-10, abs=1e-12 * scale)
        assert b.ended == a.ended
    assert other.coordinate == "time"


def test_every_net_of_a_batch_has_its_own():
    problem = problem_of(VALUES)
    curves = [stairs([14.0, 5.0], 50, 20), stairs([5.0, 0.0], 50, 20), np.linspace(14, 5, 120)]
    curves.append(np.full(120, np.inf))  # diverged
    batch = np.stack([curve[:120] for curve in curves], axis=1).reshape(120, 2, 2)
    found = plateaus(problem, recorded(batch))
    assert [one.modes for one in found.of(0, 0)] == [(), (0,)]
    assert [one.modes for one in found.of(0, 1)] == [(0,), (0, 1, 2)]
    assert found.of(1, 0) == found.of(1, 1) == ()
    for k in range(3):
        single = plateaus(problem, recorded(curves[k][:120]))
        assert [(one.entered, one.left) for one in found.of(k // 2, k % 2)] == [
            (one.entered, one.left) for one in single
        ]


def test_a_loss_that_comes_back_has_two():
    curve = np.concatenate([stairs([5.0, 1.0], 50, 9), stairs([1.0, 5.0], 50, 9)])
    found = plateaus(problem_of(VALUES), recorded(curve))
    assert [one.modes for one in found] == [(0,), (0, 1), (0,)]


# ---- Names


@pytest.mark.parametrize("seed", range(3))
def test_every_critical_point_is_named_by_its_modes(seed):
    rng = np.random.default_rng(seed)
    problem = problem_of((9.0, 5.5, 2.0, 1.0), hidden=(3, 4), rng=rng)
    for value in ls.critical_values(problem):
        weights = ls.critical_point(problem, modes=value.modes, rng=rng)
        # a few short steps: rounding has no time to grow along a direction of escape
        path = descend(problem, weights, step_size=1e-4, steps=10, every=1)
        (found,) = plateaus(problem, path)
        assert found.modes == value.modes
        assert found.level == pytest.approx(value.loss, rel=1e-10, abs=1e-10)
        assert found.value == value.loss
        assert not found.ended


@pytest.mark.parametrize("modes", [(0,), (1, 2)])
def test_sums_that_agree_are_told_apart_by_the_weights_only(modes):
    problem = problem_of((25.0, 16.0, 9.0))
    weights = ls.critical_point(problem, modes=modes, rng=1)
    for record in (("loss",), ("loss", "weights")):
        path = descend(problem, weights, step_size=1e-4, steps=10, record=record, every=1)
        (found,) = plateaus(problem, path)
        assert {value.modes for value in found.candidates} == {(0,), (1, 2)}
        assert found.modes == (modes if "weights" in record else None)


def test_of_equal_modes_only_their_number_is_named():
    problem = problem_of((4.0, 4.0, 1.0))
    for modes in ((0,), (1,)):
        weights = ls.critical_point(problem, modes=modes, rng=0)
        record = ("loss", "weights")
        found = plateaus(problem, descend(problem, weights, step_size=1e-4, steps=9, record=record))
        assert [one.modes for one in found] == [(0,)]
        assert found.equal_modes == ((0, 1),)


def test_inputs_without_variance_change_nothing():
    rng = np.random.default_rng(4)
    X = rng.standard_normal((50, 3))
    Y = X @ rng.standard_normal((3, 2))
    lifted = X @ rng.standard_normal((3, 6))  # six inputs of rank three
    problem = ls.Problem(ls.Moments.from_arrays(lifted, Y), ls.Network((2, 2)))
    values = ls.critical_values(problem)
    assert len(values.mode_values) == 2
    for value in values:
        weights = ls.critical_point(problem, modes=value.modes, rng=rng)
        path = descend(
            problem, weights, step_size=1e-6, steps=9, record=("loss", "weights"), every=1
        )
        (found,) = plateaus(problem, path)
        assert found.modes == value.modes


def test_a_linear_model_rests_at_least_squares():
    problem = problem_of(VALUES, hidden=())
    path = descend(problem, [np.zeros((3, 3))], step_size=0.1, steps=200, every=1)
    (found,) = plateaus(problem, path)
    assert found.modes == (0, 1, 2)
    assert found.left == 200


# ---- Descent itself


def test_small_starts_pass_the_rungs_in_order():
    problem = problem_of(VALUES, rng=np.random.default_rng(0))
    weights = random_weights(problem, scheme="normal", gain=0.03, rng=2, batch=8)
    path = descend(problem, weights, step_size=0.01, steps=12_000, every=50)
    found = plateaus(problem, path)
    rungs = [value.modes for value in ls.critical_values(problem).descent]
    for net in range(8):
        passed = [one.modes for one in found.of(net)]
        assert passed[0] == ()
        # each net is at the rungs, in their order; starts this small rest at three at least
        assert [rung for rung in rungs if rung in passed] == passed
        assert len(passed) >= 3


def test_descent_and_flow_rest_at_the_same_times():
    problem, step = problem_of((4.0, 1.0), hidden=(2,)), 0.002
    start = [1e-5 * np.eye(2)] * 2
    steps = plateaus(problem, descend(problem, start, step_size=step, steps=4000, every=10))
    times = plateaus(problem, flow(problem, start, step * np.arange(0, 4001, 10)))
    assert [one.modes for one in steps] == [one.modes for one in times] == [(), (0,), (0, 1)]
    for one, other in zip(steps, times, strict=True):
        # steps of relative size 0.016 lag behind the flow by about that share
        assert step * one.entered == pytest.approx(other.entered, rel=0.02, abs=2 * 10 * step)
        assert step * one.left == pytest.approx(other.left, rel=0.02, abs=2 * 10 * step)


# ---- What cannot be done


def test_what_cannot_be_asked_is_refused():
    curve = recorded(np.linspace(14, 0, 9))
    with pytest.raises(NoExactSolution, match="weight decay"):
        plateaus(problem_of(VALUES, weight_decay=0.1), curve)
    with pytest.raises(NoExactSolution, match="noise"):
        plateaus(problem_of(VALUES, noise=0.1), curve)
    for tolerance in (0.0, -1.0, 0.3, np.nan):
        with pytest.raises(ValueError, match="tolerance"):
            plateaus(problem_of(VALUES), curve, tolerance=tolerance)
    bare = Trajectory("step", curve.at, {}, curve.weights, curve.status, curve.stopped_at)
    with pytest.raises(ValueError, match="loss"):
        plateaus(problem_of(VALUES), bare)


def test_of_too_many_values_those_of_descent_can_be_asked_for():
    problem = problem_of(2.0 ** -np.arange(16), hidden=(16, 16))
    rungs = ls.critical_values(problem).descent
    curve = recorded(stairs([rungs[0].loss, rungs[1].loss, rungs[2].loss], 40, 10))
    with pytest.raises(OutOfRange, match="descent"):
        plateaus(problem, curve)
    found = plateaus(problem, curve, values=rungs)
    assert [one.modes for one in found] == [(), (0,), (0, 1)]


def test_the_document_is_strict_json():
    found = plateaus(problem_of((25.0, 16.0, 9.0)), recorded(stairs([50.0, 25.0, 0.0], 30, 5)))
    text = json.dumps(found.to_dict(), allow_nan=False)
    facts = json.loads(text)
    assert facts["plateaus"][1]["modes"] is None
    assert len(facts["plateaus"][1]["candidates"]) == 2
    assert facts["coordinate"] == "step"
    assert found[0].to_dict() == facts["plateaus"][0]
