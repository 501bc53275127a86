"""Solutions followed along a path of weight decays."""

import json

import numpy as np
import pytest

import linscape as ls
from linscape import errors

# theory: two nontrivial minima at this decay
TWO = ls.Moments(np.diag([400.0, 1.0]), [4.472, 1.0], 2.0)
# eigenvalues further apart than the ratio 17.94 that two minima need at D = 2
THREE = ls.Moments(
    np.diag([1e6, 1e3, 1.0]), np.array([1e6, 1e3, 1.0]) ** 0.25 * [1.0, 1.0, 1.0], 3.0
)
NETWORKS = [
    (TWO, ls.Network((2, 2), noise=0.5)),
    (THREE, ls.Network((3, 3))),
    (TWO, ls.Network((4,), noise=1.0)),
    (TWO, ls.Network((4, 3, 2, 5), noise=(0.1, 0.0, 2.0, 1.0))),
]


def at(moments, network, decay):
    return ls.Problem(moments, ls.Network(network.hidden, noise=network.noise, weight_decay=decay))


@pytest.mark.parametrize(("moments", "network"), NETWORKS)
def test_every_solution_is_on_a_branch_and_nothing_else(moments, network):
    path = np.geomspace(1e-3, 3.0, 23)
    found = ls.branches(ls.Problem(moments, network), weight_decay=path)
    for k, decay in enumerate(path):
        expected = ls.solutions(at(moments, network, decay))[1:]
        alive = [branch for branch in found.branches if not np.isnan(branch.energy[k])]
        alive.sort(key=lambda branch: branch.energy[k])
        assert [branch.kind for branch in alive] == [solution.kind for solution in expected]
        for branch, solution in zip(alive, expected, strict=True):
            assert branch.energy[k] == pytest.approx(solution.energy, rel=1e-10)
            assert branch.loss[k] == pytest.approx(solution.loss, rel=1e-10)


@pytest.mark.parametrize(("moments", "network"), [NETWORKS[0], NETWORKS[1], NETWORKS[3]])
def test_at_a_fold_a_minimum_and_a_saddle_meet(moments, network):
    found = ls.branches(ls.Problem(moments, network), weight_decay=[0.1])
    folds = {fold for branch in found.branches for fold in branch.folds if 0 < fold < np.inf}
    for fold in folds:
        numbers = [len(ls.solutions(at(moments, network, fold * q))) for q in (1 - 1e-9, 1 + 1e-9)]
        assert abs(numbers[0] - numbers[1]) == 2


def test_the_last_fold_is_the_existence_threshold():
    for moments, network in NETWORKS:
        p = ls.Problem(moments, network)
        found = ls.branches(p, weight_decay=[0.1])
        last = max(fold for branch in found.branches for fold in branch.folds)
        # a fold is located as the turn of log H, which is flat: its height is accurate
        assert last == pytest.approx(ls.critical_weight_decay(p).existence, rel=1e-11)


def test_kinds_alternate_in_the_order_of_energies():
    found = ls.branches(ls.Problem(*NETWORKS[1]), weight_decay=[0.1])
    assert [branch.kind for branch in found.branches] == ["saddle", "minimum"] * 3


def test_white_inputs_have_their_fold_where_the_formula_says():
    # P_e = ‖c‖^{2D} ((D−1)/((D+1)τs²))^{D−1} ((D+1)/(2D))^{2D} at D = 3, τ = 1, s² = 2, ‖c‖ = 1
    expected = (2 / (4 * 2)) ** 2 * (4 / 6) ** 6
    p = ls.Problem(ls.Moments(2 * np.eye(2), [0.6, 0.8], 1.0), ls.Network((2, 2, 2)))
    for branch in ls.branches(p, weight_decay=[0.1]).branches:
        assert branch.folds[1] ** 4 == pytest.approx(expected, rel=1e-12)


def test_without_signal_there_are_no_branches():
    p = ls.Problem(ls.Moments(np.eye(2), [0.0, 0.0], 1.0), ls.Network((2, 2)))
    assert ls.branches(p, weight_decay=[0.1]).branches == ()


def test_the_branches_are_strict_json():
    found = ls.branches(ls.Problem(*NETWORKS[0]), weight_decay=[0.1, 9.0])
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert document["branches"][0]["energy"][1] is None


@pytest.mark.parametrize("path", [[0.0], [-1.0], [np.nan], [[0.1]], 0.1])
def test_a_path_that_is_not_positive_decays_is_refused(path):
    with pytest.raises(errors.InvalidNetwork, match="path of positive weight decays"):
        ls.branches(ls.Problem(*NETWORKS[0]), weight_decay=path)


def test_a_linear_model_has_no_branches_to_follow():
    with pytest.raises(errors.InvalidNetwork, match="hidden layer"):
        ls.branches(ls.Problem(TWO, ls.Network(())), weight_decay=[0.1])
