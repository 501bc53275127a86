"""Every number of a cell against the library called directly, and answers built backwards."""

import math

import numpy as np
import pytest

import linscape as ls
from cases import isotropic_thresholds, known_minimum
from linscape.errors import InvalidOption
from linscape.landscape.trap import in_trap
from linscape.sweep import read_spec, run
from linscape.sweep.cells import cells
from linscape.sweep.compute import compute_chunk, versions


def close(value):
    return pytest.approx(value, rel=1e-10)


def rows(spec, tmp_path):
    return run(spec, tmp_path / "store").table.to_pylist()


def saved(moments, tmp_path):
    file = tmp_path / "saved.npz"
    moments.save(file)
    return {"saved": {"moments": str(file)}}


@pytest.mark.parametrize("reduction", ["mean", "half_sum"])
def test_numbers_are_those_of_the_library(tmp_path, reduction):
    spec = {
        "reduction": reduction,
        "data": {"drawn": {"synthetic": "normal", "rows": 60, "inputs": 3, "raw": True}},
        "networks": [
            {
                "hidden": [[4], [4, 2]],
                "noise": [0.0, 0.3],
                "input_noise": [0.0, 0.1],
                "bias": [False, "free"],
                "weight_decay": [0.01, 10.0],
            }
        ],
    }
    (_, data), *_ = read_spec(spec).data
    moments = data.moments()
    found = rows(spec, tmp_path)
    assert len(found) == 32
    for row in found:
        network = ls.Network(
            row["hidden"],
            noise=row["noise"],
            weight_decay=row["weight_decay"],
            bias=False if row["bias"] == "none" else row["bias"],
            input_noise=row["input_noise"],
        )
        problem = ls.Problem(moments, network, reduction=reduction)
        minimum, critical = ls.global_minimum(problem), ls.critical_weight_decay(problem)
        names = ("loss", "lower", "upper", "gain", "gain_lower", "gain_upper", "energy", "source")
        assert [row[name] for name in names] == [getattr(minimum, name) for name in names]
        assert row["is_trivial"] is minimum.is_trivial
        assert row["phase"] == ls.phase(problem).name
        assert row["zero_is_minimum"] is ls.phase(problem).zero_is_minimum
        assert row["critical_learning"] == critical.learning
        assert row["critical_existence"] == critical.existence
        assert row["learning_factor"] == critical.learning_factor
        assert row["existence_factor"] == critical.existence_factor
        assert (row["status"], row["error"], row["depth"]) == ("done", None, network.depth)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_minima_built_backwards_are_found(tmp_path, depth):
    known = known_minimum(np.random.default_rng(depth), depth, input_noise=0.1)
    network = known.problem.network
    spec = {
        "data": saved(known.problem.moments, tmp_path),
        "networks": [
            {
                "hidden": [list(network.hidden)],
                "noise": [list(network.noise)],
                "weight_decay": [list(network.weight_decay)],
                "input_noise": network.input_noise,
            }
        ],
    }
    (row,) = rows(spec, tmp_path)
    assert (row["loss"], row["gain"]) == (close(known.loss), close(known.gain))
    assert row["energy"] == close(known.energy)
    assert row["lower"] <= known.loss * (1 + 1e-12)  # the answer itself is rounded
    assert row["upper"] >= known.loss * (1 - 1e-12)
    assert row["phase"] == "learning"


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_thresholds_of_inputs_of_one_variance(tmp_path, scale):
    c = scale * np.array([3.0, 4.0])
    moments = ls.Moments(2 * np.eye(2), c, float(c @ c))
    grid = {"hidden": [[4], [4, 4]], "noise": 0.4, "weight_decay": 0.1 * scale}
    for row in rows({"data": saved(moments, tmp_path), "networks": [grid]}, tmp_path):
        D = row["depth"]
        learning, existence = isotropic_thresholds(D, 5 * scale, 1.1**D, 2.0)
        assert row["critical_learning"] == close(float(learning ** (1 / (D + 1))))
        assert row["critical_existence"] == close(float(existence ** (1 / (D + 1))))


def test_a_descent_of_a_linear_model_is_a_power(tmp_path):
    """L = (u − 1)²: every step takes u − 1 to (1 − 2η)(u − 1)."""
    eta, steps = 0.05, 7
    spec = {
        "seed": 11,
        "data": saved(ls.Moments([[1.0]], [1.0], 1.0), tmp_path),
        "networks": [{"hidden": [[]], "weight_decay": 0}],
        "descents": {"gain": 2.0, "seeds": 3, "step_size": eta, "steps": steps},
    }
    sweep = run(spec, tmp_path / "store")
    planned = cells(read_spec(spec), sweep.manifest["data"])
    starts = []
    for cell, row in zip(planned, sweep.table.to_pylist(), strict=True):
        start = 2.0 * math.sqrt(2) * cell.rng(11).standard_normal()
        starts.append(start)
        assert row["end_loss"] == close(((1 - 2 * eta) ** steps * (start - 1)) ** 2)
        assert (row["end_status"], row["end_steps"]) == ("running", steps)
        assert (row["end_step_size"], row["gain_of_start"]) == (eta, 2.0)
    assert len(set(starts)) == 3


def test_descents_collapse_learn_and_diverge(tmp_path):
    """Two hidden layers, γ = 0.1, ‖C‖ = 1: below 0.1 a start is proven to go to zero."""
    moments = ls.Moments([[1.0]], [1.0], 1.0)
    spec = {
        "data": saved(moments, tmp_path),
        "networks": [{"hidden": [[1, 1]], "weight_decay": 0.1}],
        "descents": {
            "scheme": "orthogonal",
            "gain": [0.09, 0.9],
            "seeds": 6,
            "step_size": [0.1, 50.0],
            "steps": 2000,  # until they have converged
        },
    }
    found = rows(spec, tmp_path)
    small = [row for row in found if row["gain_of_start"] == 0.09 and row["step_size"] == 0.1]
    large = [row for row in found if row["gain_of_start"] == 0.9 and row["step_size"] == 0.1]
    wild = [row for row in found if row["gain_of_start"] == 0.9 and row["step_size"] == 50.0]
    assert [row["collapsed"] for row in small] == [True] * 6
    assert all(row["end_loss"] == pytest.approx(1.0, abs=1e-12) for row in small)
    assert all(row["end_status"] == "diverged" and row["collapsed"] is None for row in wild)
    # starts of a positive product learn; the others have zero before them
    learnt = [row for row in large if row["collapsed"] is False]
    assert learnt
    assert all(row["end_loss"] == close(row["loss"]) for row in learnt)
    assert all(row["collapsed"] is True for row in large if row not in learnt)


def test_a_start_that_ends_in_the_trap_is_proven_to_be_there(tmp_path):
    spec = {
        "data": saved(ls.Moments([[1.0]], [1.0], 1.0), tmp_path),
        "networks": [{"hidden": [[2, 2]], "weight_decay": 0.1}],
        "descents": {"gain": [0.2], "seeds": 4, "step_size": 0.05, "steps": 300},
    }
    sweep = run(spec, tmp_path / "store")
    problem = ls.Problem(
        ls.Moments([[1.0]], [1.0], 1.0), ls.Network(hidden=(2, 2), weight_decay=0.1)
    )
    for cell, row in zip(
        cells(read_spec(spec), sweep.manifest["data"]), sweep.table.to_pylist(), strict=True
    ):
        weights = ls.random_weights(problem, gain=0.2, rng=cell.rng(0))
        ended = ls.descend(problem, weights, step_size=0.05, steps=300)
        proven = in_trap(problem, ended.weights).proven
        assert row["collapsed"] is (True if proven else False if row["end_loss"] < 1 else None)


def test_infinity_is_kept_and_is_text_in_json(tmp_path):
    data = saved(ls.Moments([[1.0]], [1.0], 1.0), tmp_path)
    spec = {"data": data, "networks": [{"hidden": [[]], "weight_decay": 0.1}]}
    sweep = run(spec, tmp_path / "store")
    assert sweep.table["critical_learning"].to_pylist() == [math.inf]
    assert sweep.to_dict()["cells"][0]["critical_learning"] == "inf"


def test_a_failure_is_a_row_with_its_class_and_message(tmp_path):
    """Decay on one layer only has no minimum; its phase is not known, its thresholds are."""
    data = saved(ls.Moments([[1.0]], [1.0], 1.0), tmp_path)
    spec = {"data": data, "networks": [{"hidden": [[2]], "weight_decay": [[0.1, 0.0], 0.1]}]}
    failed, done = rows(spec, tmp_path)
    assert (failed["status"], failed["error"]) == ("failed", "NoExactSolution")
    assert failed["message"].startswith("global_minimum: weight_decay[1] is zero")
    assert (failed["loss"], failed["phase"]) == (None, None)
    assert done["status"] == "done"
    assert done["loss"] == close(1 - 0.81)  # 1 − (1 − γ)² for A = c = 1
    assert done["critical_learning"] == close(1.0)


def test_a_problem_that_cannot_be_posed_is_a_failure(tmp_path):
    data = saved(ls.Moments([[1.0]], [1.0], 1.0), tmp_path)  # without means
    spec = {
        "data": data,
        "networks": [{"hidden": [[2]], "weight_decay": 0.1, "bias": [False, "free"]}],
    }
    plain, biased = rows(spec, tmp_path)
    assert (plain["status"], biased["status"]) == ("done", "failed")
    assert biased["error"] == "InvalidMoments"


def test_a_worker_of_other_versions_is_refused():
    other = {**versions(), "numpy": "1.0"}
    with pytest.raises(InvalidOption, match=r"numpy .* instead of 1\.0"):
        compute_chunk([], ls.Moments([[1.0]], [1.0], 1.0), "mean", 0, other)


def test_synthetic_rows_are_those_of_the_seed(tmp_path):
    """Drawn again here: inputs, coefficients, residuals, in this order."""
    table = {
        "synthetic": "normal",
        "rows": 40,
        "inputs": 3,
        "outputs": 2,
        "exponent": 2.0,
        "residual": 0.5,
        "seed": 9,
    }
    (_, data), *_ = read_spec(
        {"data": {"a": {**table, "raw": True}}, "networks": [{"hidden": [[1]], "weight_decay": 1}]}
    ).data
    rng = np.random.default_rng(9)
    X = rng.standard_normal((40, 3)) / np.array([1.0, 2.0, 3.0])
    B = rng.standard_normal((2, 3)) / math.sqrt(3)
    Y = X @ B.T + 0.5 * rng.standard_normal((40, 2))
    expected = ls.Moments.from_arrays(X, Y)
    assert np.allclose(data.moments().A, expected.A, rtol=1e-12)
    assert np.allclose(data.moments().C, expected.C, rtol=1e-12)
