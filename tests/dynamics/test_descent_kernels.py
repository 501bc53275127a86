"""The kernels: generated source and machine code against numpy's products, net by net."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

import linscape as ls
from cases import data_problem
from linscape.dynamics import descent
from linscape.dynamics.descent import descend
from linscape.dynamics.kernels import choice, compiled, matrices
from linscape.dynamics.kernels.block import LANES
from linscape.dynamics.kernels.source import source
from linscape.dynamics.kernels.units import Units

VARIANTS = {"none": (0.0, False), "heavy ball": (0.8, False), "nesterov": (0.8, True)}


def problem_of(shapes, *, noise=0.0, reduction="mean", scale=1.0, decay=0.05):
    rng = np.random.default_rng(len(shapes))
    inputs, outputs = shapes[0][1], shapes[-1][0]
    X = rng.standard_normal((20, inputs)) + 0.3
    y = X @ rng.standard_normal((inputs, outputs)) + rng.standard_normal((20, outputs))
    hidden = tuple(rows for rows, _ in shapes[:-1])
    noises = tuple(noise / (k + 1) for k in range(len(hidden)))
    decays = tuple(decay * (k + 1) for k in range(len(shapes)))
    network = ls.Network(hidden, noise=noises, weight_decay=decays, input_noise=noise)
    return data_problem(X, scale * y, network, reduction=reduction)


def chain(*widths):
    return tuple((rows, columns) for columns, rows in itertools.pairwise(widths))


def run_with(monkeypatch, advance, *arguments, **options):
    with monkeypatch.context() as patch:
        patch.setattr(descent, "kernel", lambda problem, nets, steps: advance)
        return descend(*arguments, **options)


def interpreted(shapes, noisy, momentum):
    """The generated source as plain Python: the same arithmetic, no compiler."""
    namespace = {}
    exec(source(shapes, noisy=noisy, momentum=momentum), namespace)

    def kernel(*arguments):
        with np.errstate(all="ignore"):
            namespace["advance"](*arguments)

    return kernel


def compare(monkeypatch, problem, momentum, nesterov, *, nets, steps, step_size):
    rng = np.random.default_rng(1)
    weights = [0.6 * rng.standard_normal((nets, *shape)) for shape in problem.shapes]
    options = {
        "step_size": step_size,
        "steps": steps,
        "momentum": momentum,
        "nesterov": nesterov,
        "record": ["loss", "weights"],
        "every": max(1, steps // 3),
        "tolerance": 0.05,
    }
    by_numpy = run_with(monkeypatch, matrices.advance, problem, weights, **options)
    by_kernel = run_with(monkeypatch, compiled.advance, problem, weights, **options)
    assert np.array_equal(by_numpy.status, by_kernel.status)
    assert np.array_equal(by_numpy.stopped_at, by_kernel.stopped_at)
    alive = by_numpy.status != "diverged"  # on their way out rounding grows without bound
    for name in ("loss", "weights"):
        np.testing.assert_allclose(
            by_kernel[name][:, alive], by_numpy[name][:, alive], rtol=1e-10, atol=1e-12
        )
    assert all(np.isfinite(W).all() for W in by_kernel.weights)
    return by_kernel


@pytest.mark.parametrize("momentum", VARIANTS)
@pytest.mark.parametrize("noise", [0.0, 0.4])
@pytest.mark.parametrize(
    "shapes",
    [chain(2, 1), chain(3, 2, 2), chain(1, 4, 1, 2), chain(2, 1, 3, 2, 1), chain(17, 2, 1)],
)
def test_the_generated_source_read_as_python(monkeypatch, shapes, noise, momentum):
    monkeypatch.setattr(compiled, "compiled", interpreted)
    problem = problem_of(shapes, noise=noise)
    nets = LANES + 3  # a second block with empty lanes
    step_size = np.append(np.geomspace(1e-3, 0.3, nets - 1), 1e4)
    run = compare(
        monkeypatch, problem, *VARIANTS[momentum], nets=nets, steps=6, step_size=step_size
    )
    assert "running" in run.status
    assert "diverged" in run.status


@pytest.mark.parametrize("reduction", ["sum", "half_mean"])
@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_units_and_reductions(monkeypatch, reduction, scale):
    monkeypatch.setattr(compiled, "compiled", interpreted)
    problem = problem_of(chain(2, 2, 1), reduction=reduction, scale=scale, decay=scale / 100)
    step_size = np.array([1e-3, 2e-3]) / (scale * problem.data_factor)
    compare(monkeypatch, problem, 0.0, False, nets=2, steps=20, step_size=step_size)


def test_compiled_code_agrees_over_hundreds_of_steps(monkeypatch):
    """One that numba compiles: noise and momentum, nets that converge, diverge and go on."""
    problem = problem_of(chain(2, 3, 1), noise=0.3)
    step_size = np.append(np.geomspace(1e-4, 0.02, 38), [50.0, 1e4])
    run = compare(monkeypatch, problem, 0.8, True, nets=40, steps=300, step_size=step_size)
    assert set(run.status) == {"running", "converged", "diverged"}


@pytest.mark.slow
def test_battery_of_compiled_kernels(monkeypatch):
    """Sizes to 16, depths to 6, all variants."""
    count = 0
    for shapes in (
        chain(5, 5, 5, 5),
        chain(8, 8, 8),
        chain(16, 3, 2),
        chain(1, 16, 1),
        chain(7, 9, 4, 1),
        chain(2, 2, 2, 2, 2, 2, 2),
    ):
        for noise in (0.0, 0.3):
            for momentum, nesterov in VARIANTS.values():
                problem = problem_of(shapes, noise=noise)
                step_size = np.append(np.geomspace(1e-5, 1e-3, 49), [1e3])
                compare(
                    monkeypatch,
                    problem,
                    momentum,
                    nesterov,
                    nets=50,
                    steps=300,
                    step_size=step_size,
                )
                count += 1
    print(f"{count} kernels compiled and compared")


def test_a_second_process_finds_the_machine_code(tmp_path):
    """Compiled once: the second process loads it, and runs the same bits."""
    script = (
        "import numpy as np\n"
        "from linscape.dynamics.kernels.compiled import compiled\n"
        "kernel = compiled(((1, 1),), False, 'none')\n"
        "print(sum(kernel.stats.cache_hits.values()), sum(kernel.stats.cache_misses.values()))\n"
    )
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    found = [
        subprocess.run(
            [sys.executable, "-c", script],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()
        for _ in range(2)
    ]
    assert found == [["0", "1"], ["1", "0"]]


def test_without_a_writable_folder_it_compiles_in_memory(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setattr(compiled, "_folder", lambda: blocked / "folder")
    assert compiled._written("name", "text") is None


def test_what_is_executed_is_the_generated_text(monkeypatch, tmp_path):
    """A file of the right name with other content is not run."""
    monkeypatch.setattr(compiled, "_folder", lambda: tmp_path)
    text = source(chain(1, 1), noisy=False, momentum="none")
    path = compiled._written("kernel", text)
    assert (tmp_path / "kernel.py").read_text() == text
    (tmp_path / "kernel.py").write_text("raise SystemExit")
    assert compiled._written("kernel", text) == path


@pytest.mark.parametrize(
    ("shapes", "nets", "steps", "expected"),
    [
        (chain(5, 5, 5, 5), 10_000, 5000, compiled.advance),
        (chain(5, 5, 5, 5), 1, 5000, matrices.advance),
        (chain(5, 5, 5, 5), 10_000, 10, matrices.advance),
        (chain(5, 17, 5), 10_000, 5000, matrices.advance),
    ],
)
def test_the_choice_depends_on_the_job(shapes, nets, steps, expected):
    assert choice.kernel(problem_of(shapes), nets, steps) is expected


def test_biases_go_by_numpy():
    network = ls.Network((2,), bias="free")
    problem = data_problem(np.eye(3), np.arange(3.0), network)
    assert choice.kernel(problem, 10**6, 10**6) is matrices.advance


@pytest.mark.parametrize("bias", [False, "decayed", "free"])
def test_units_change_no_bit_of_the_weights(bias):
    network = ls.Network((3, 2), bias=bias, weight_decay=0.1)
    rng = np.random.default_rng(0)
    problem = data_problem(1e5 * rng.standard_normal((9, 2)), rng.standard_normal(9), network)
    units = Units(problem)
    weights = [rng.standard_normal((4, *shape)) for shape in problem.shapes]
    back = units.unscaled(units.scaled(weights))
    assert all(np.array_equal(W, V) for W, V in zip(weights, back, strict=True))


def test_importing_the_package_does_not_import_numba():
    script = "import linscape.dynamics.descent, sys; print('numba' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "False"
