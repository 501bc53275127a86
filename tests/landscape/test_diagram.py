"""Phase diagrams agree with the problems solved one by one."""

import json

import numpy as np
import pytest

import linscape as ls
from linscape import errors
from linscape.landscape.diagram import PHASES


def moments(rng, inputs, decades):
    Q = np.linalg.qr(rng.standard_normal((inputs, inputs)))[0]
    values = 10.0 ** rng.uniform(-decades, 0, inputs)
    A = (Q * values) @ Q.T
    c = Q @ (np.sqrt(values) * rng.standard_normal(inputs))
    yy = float(c @ Q @ ((Q.T @ c) / values)) * 1.3
    return (A + A.T) / 2, c, yy


def single(A, c, yy, diagram, index):
    depth, decay, noise, width, signal = (
        diagram.axes[name][k] for name, k in zip(diagram.axes, index, strict=True)
    )
    network = ls.Network((int(width),) * int(depth), noise=noise, weight_decay=decay)
    return ls.Problem(ls.Moments(A, c * signal, yy * signal**2), network)


@pytest.mark.parametrize("seed", range(6))
def test_every_point_is_the_global_minimum_within_its_gap(seed):
    rng = np.random.default_rng(seed)
    A, c, yy = moments(rng, int(rng.integers(1, 7)), 4.0)
    diagram = ls.phase_diagram(
        ls.Moments(A, c, yy),
        depth=[1, 2, 5],
        weight_decay=np.linalg.norm(c) * 10.0 ** rng.uniform(-3, 0.3, 4),
        noise=[0.0, 1.5],
        width=[2, 40],
        signal=[0.5, 2.0],
    )
    for index in np.ndindex(diagram.loss.shape):
        p = single(A, c, yy, diagram, index)
        minimum = ls.global_minimum(p)
        scale = float(p.moments.yy)
        assert diagram.gap[index] <= 1e-9 * scale
        within = diagram.gap[index] + (minimum.upper - minimum.lower)
        assert abs(diagram.loss[index] - minimum.loss) <= within
        assert PHASES[diagram.phase[index]] == ls.phase(p).name
        # the energy is where a flat function is largest: half the digits of the gain are its own
        assert diagram.energy[index] == pytest.approx(minimum.energy, rel=1e-6)
        nontrivial = [s for s in ls.solutions(p) if s.kind == "minimum" and s.energy > 0]
        assert diagram.minima[index] == len(nontrivial)


def test_several_minima_are_counted():
    diagram = ls.phase_diagram(
        ls.Moments(np.diag([400.0, 1.0]), [4.472, 1.0], 2.0),
        depth=2,
        weight_decay=0.3275,
        noise=0.5,
        width=2,
    )
    assert diagram.minima.item() == 2
    assert diagram.energy.item() == pytest.approx(0.159465, abs=5e-7)  # the published digits


def test_white_inputs_change_phase_where_the_formulas_say():
    # D = 2, A = c = 1: γ* = 16^{−1/3}, γ_e = (27/256)^{1/3}
    edges = np.array([16 ** (-1 / 3), (27 / 256) ** (1 / 3)])
    path = np.sort(np.concatenate([edges * (1 - 1e-7), edges * (1 + 1e-7)]))
    diagram = ls.phase_diagram(ls.Moments([[1.0]], [1.0], 1.0), depth=2, weight_decay=path)
    names = [PHASES[phase] for phase in diagram.phase.ravel()]
    assert names == ["learning", "metastable", "metastable", "collapsed"]


def test_free_biases_are_the_centred_data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3)) + 5.0
    y = X @ [1.0, 2.0, 0.0] + rng.standard_normal(40) + 7.0
    data = ls.Moments.from_arrays(X, y)
    grid = {"depth": [1, 2], "weight_decay": [0.01, 0.3]}
    free = ls.phase_diagram(data, **grid, bias="free")
    centred = ls.phase_diagram(data.centered(), **grid)
    np.testing.assert_allclose(free.loss, centred.loss, rtol=1e-12)


def test_without_signal_everything_is_collapsed():
    diagram = ls.phase_diagram(
        ls.Moments(np.eye(2), [0.0, 0.0], 3.0), depth=[1, 2], weight_decay=[0.1, 1.0]
    )
    assert not diagram.phase.any()
    assert np.all(diagram.loss == 3.0)


def test_scales_of_the_data_do_not_matter():
    rng = np.random.default_rng(1)
    A, c, yy = moments(rng, 3, 2.0)
    base = ls.phase_diagram(ls.Moments(A, c, yy), depth=[1, 2], weight_decay=[0.01, 0.1])
    s = 1e-60
    scaled = ls.phase_diagram(
        ls.Moments(A, c * s, yy * s * s),
        depth=2,
        weight_decay=np.array([0.01, 0.1]) * s ** (4 / 3),
    )
    # powers of ten are not powers of two: the decays above are rounded
    np.testing.assert_allclose(scaled.loss[0] / s**2, base.loss[1], rtol=1e-9)


@pytest.mark.parametrize(
    "bad",
    [
        {"depth": 0},
        {"depth": 1.5},
        {"weight_decay": 0.0},
        {"weight_decay": []},
        {"noise": -1.0},
        {"width": 0},
        {"signal": np.inf},
    ],
)
def test_values_out_of_range_are_named(bad):
    grid = {"depth": 1, "weight_decay": 0.1, **bad}
    with pytest.raises(errors.InvalidNetwork, match=next(iter(bad))):
        ls.phase_diagram(ls.Moments([[1.0]], [1.0], 1.0), **grid)


def test_the_diagram_is_strict_json():
    diagram = ls.phase_diagram(ls.Moments([[1.0]], [1.0], 1.0), depth=[1, 2], weight_decay=0.1)
    document = json.loads(json.dumps(diagram.to_dict(), allow_nan=False))
    assert document["phases"][document["phase"][0][0][0][0][0]] == "learning"


def test_progress_shows_and_changes_nothing(capsys):
    grid = {"depth": [1, 2], "weight_decay": [0.1, 0.2]}
    data = ls.Moments([[1.0]], [1.0], 1.0)
    quiet, loud = ls.phase_diagram(data, **grid), ls.phase_diagram(data, **grid, progress=True)
    np.testing.assert_array_equal(quiet.loss, loud.loss)
    assert "phase diagram" in capsys.readouterr().out
