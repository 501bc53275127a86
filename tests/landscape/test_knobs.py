"""The transition asked of signal, dropout and depth."""

import dataclasses

import numpy as np
import pytest

import linscape as ls
from linscape import errors


def problem(A, c, hidden, *, yy=None, **network):
    A = np.asarray(A, dtype=float)
    c = np.asarray(c, dtype=float)
    yy = float(c @ np.linalg.solve(A, c)) * 1.5 if yy is None else yy
    return ls.Problem(ls.Moments(A, c, yy), ls.Network(hidden, **network))


def scaled_signal(p, factor):
    moments = ls.Moments(p.moments.A, p.moments.C * factor, p.moments.yy * factor**2)
    return ls.Problem(moments, p.network)


A3 = np.array([[2.0, 0.3, 0.0], [0.3, 1.0, 0.1], [0.0, 0.1, 0.02]])
C3 = np.array([1.0, -0.4, 0.05])


@pytest.mark.parametrize("hidden", [(3,), (5, 2), (4, 4, 4)])
def test_the_critical_signal_is_the_edge_from_both_sides(hidden):
    p = problem(A3, C3, hidden, noise=0.7, weight_decay=0.2)
    critical = ls.critical_signal(p)
    assert ls.phase(scaled_signal(p, critical.factor * (1 + 1e-9))).name == "learning"
    assert ls.phase(scaled_signal(p, critical.factor * (1 - 1e-9))).name != "learning"
    assert critical.norm == pytest.approx(critical.factor * np.linalg.norm(C3), rel=1e-12)


def test_the_critical_signal_of_white_inputs_has_a_closed_form():
    # P* = ‖c‖^{2D} (D−1)^{D−1}/(D^{2D} (τs²)^{D−1}) = γ³ at D = 2
    s2, decay, tau = 0.7, 0.1, (1 + 0.5 / 4) * (1 + 0.5 / 3)
    p = problem(s2 * np.eye(2), [0.6, 0.8], (4, 3), noise=0.5, weight_decay=decay)
    expected = (decay**3 * 16 * tau * s2) ** 0.25
    assert ls.critical_signal(p).norm == pytest.approx(expected, rel=1e-12)


def test_without_signal_no_factor_helps():
    p = problem(np.eye(2), [0.0, 0.0], (3, 3), yy=1.0, weight_decay=0.1)
    assert ls.critical_signal(p).to_dict()["factor"] == "inf"


@pytest.mark.parametrize("hidden", [(5, 2), (4, 4, 4), (1, 30, 2, 7)])
def test_the_critical_dropout_is_the_edge_from_both_sides(hidden):
    p = problem(A3, C3, hidden, weight_decay=0.12)
    critical = ls.critical_dropout(p)
    assert 0 < critical.rate < 1
    for factor, learns in ((1 - 1e-9, True), (1 + 1e-9, False)):
        noisy = ls.Network(hidden, noise=critical.noise * factor, weight_decay=0.12)
        assert (ls.phase(ls.Problem(p.moments, noisy)).name == "learning") is learns
    assert critical.noise == pytest.approx(critical.rate / (1 - critical.rate), rel=1e-12)


def test_with_one_hidden_layer_no_dropout_ends_learning():
    assert ls.critical_dropout(problem(A3, C3, (5,), weight_decay=0.12)).rate == 1.0
    assert ls.critical_dropout(problem(A3, C3, (5,), weight_decay=12.0)).rate is None


def test_where_nothing_is_learned_without_dropout_none_is_allowed():
    critical = ls.critical_dropout(problem(A3, C3, (5, 5), weight_decay=12.0))
    assert critical.rate is None
    assert critical.inflation < 1


def test_the_published_thresholds_of_weak_inputs_give_the_depths():
    # A = 0.01, ‖c‖ = 1: γ* = 1.0, 1.84, …, 4.05 at D = 8, 4.03 at D = 9
    weak = {"A": [[0.01]], "c": [1.0], "hidden": (4,)}
    assert 1 not in ls.critical_depth(problem(**weak, weight_decay=1.5)).learning
    assert 2 in ls.critical_depth(problem(**weak, weight_decay=1.5)).learning
    depths = ls.critical_depth(problem(**weak, weight_decay=4.04)).learning
    assert 8 in depths
    assert 9 not in depths


def test_the_depths_agree_with_the_phase_and_none_is_deeper():
    p = problem(A3, C3, (6,), noise=0.3, weight_decay=0.1)
    depths = ls.critical_depth(p, largest=40)
    assert depths.complete
    for depth in (*range(1, 41), 60, 100, 300):
        network = ls.Network((6,) * depth, noise=0.3, weight_decay=0.1)
        learns = ls.phase(ls.Problem(p.moments, network)).name == "learning"
        assert learns is (depth in depths.learning)


def test_a_short_search_does_not_claim_to_be_complete():
    p = problem(A3, C3, (6,), weight_decay=1e-4)
    depths = ls.critical_depth(p, largest=3)
    assert depths.learning == (1, 2, 3)
    assert not depths.complete


@pytest.mark.parametrize(
    "network",
    [
        {"hidden": (), "weight_decay": 1.0},
        {"hidden": (3,), "weight_decay": 0.0},
        {"hidden": (3, 3), "weight_decay": (1.0, 0.0, 1.0)},
    ],
)
@pytest.mark.parametrize("ask", [ls.critical_signal, ls.critical_dropout, ls.critical_depth])
def test_without_hidden_layers_or_decay_the_question_is_refused(ask, network):
    with pytest.raises(errors.InvalidNetwork, match="positive decays"):
        ask(problem(A3, C3, **network))


def test_depths_are_asked_of_equal_layers_only():
    with pytest.raises(errors.InvalidNetwork, match="one width"):
        ls.critical_depth(problem(A3, C3, (3, 4), weight_decay=0.1))


@pytest.mark.parametrize("ask", [ls.critical_signal, ls.critical_dropout, ls.critical_depth])
def test_several_outputs_are_refused_with_the_reason(ask):
    moments = ls.Moments(np.eye(2), np.eye(2), np.eye(2))
    p = ls.Problem(moments, ls.Network((3, 3), weight_decay=0.1))
    with pytest.raises(errors.NoExactSolution, match="one output"):
        ask(p)


def test_the_results_are_ready_for_json():
    p = problem(A3, C3, (3, 3), weight_decay=0.1)
    for result in (ls.critical_signal(p), ls.critical_dropout(p), ls.critical_depth(p)):
        assert set(result.to_dict()) == {field.name for field in dataclasses.fields(result)}
