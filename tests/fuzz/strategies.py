"""Arguments for every public function, by their names: mostly fitting, at times wild."""

import contextlib
import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse
from hypothesis import strategies as st

import linscape as ls
from linscape.errors import LinscapeError

SCALES = [1.0] * 12 + [1e-8, 1e8, 1e-160, 1e160, 1e-300, 1e300, 5e-324, 1e-30, 1e30]
RATES = [0.0, 1e-3, 0.1, 0.5, 1.0, 3.0, 1e-8, 1e8, 1e-300, 1e300, 5e-324]
SCHEMES = ["kaiming", "xavier", "lecun", "orthogonal", "normal", "pytorch"]
RECORDS = ["loss", "gradient_norm", "balancedness", "layer_norms", "predictor", "weights", "x"]


def wild_values() -> list[Any]:
    """Return arguments of every wrong type and shape."""
    moments, network = ls.Moments([[1.0]], [1.0], 1.0), ls.Network((2,))
    return [
        None, True, False, -1, 0, 2, 2**70, -(2**70), 1.5, -0.0, math.nan, math.inf, -math.inf,
        1e308, "", "text", "inf", b"bytes", [], [[]], (), {}, {"a": 1}, {1}, [None], ["a", "b"],
        [1, [2]], [[1.0, 2.0], [3.0]], [math.nan], 1j, [1j], object(), int, [object()],
        np.zeros((0, 3)), np.zeros((3, 0)), np.zeros(0), np.zeros((2, 2, 2)), np.array(2.0),
        np.array([1.0, math.nan]), np.array([math.inf]), np.array(["a"]), np.array([None, 1.0]),
        np.array([1, 2], dtype=object), np.array(["2020-01-01"], dtype="M8[D]"), np.bool_(True),
        np.float32(0.5), np.int8(3), np.ones(2, dtype=np.float16), np.arange(3, dtype="u1"),
        np.ma.masked_array([1.0, 2.0], [True, False]), scipy.sparse.csr_matrix(np.eye(2)),
        np.eye(2), np.eye(3) * 1e300, -np.eye(2), moments, network, ls.Problem(moments, network),
        range(3), iter([1, 2]), np.random.default_rng(0), [0.1, -0.1], [[0.1]], (1, 2), 1e-320,
    ]  # fmt: skip


WILD = st.sampled_from(range(len(wild_values()))).map(lambda k: wild_values()[k])


@st.composite
def rows(draw: st.DrawFn) -> tuple[Any, Any]:
    """Draw inputs and outputs of a few rows."""
    n, d = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    m = draw(st.sampled_from([None, None, None, 1, 2, 3]))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    X = rng.standard_normal((n, d)) * draw(st.sampled_from(SCALES))
    y = rng.standard_normal(n if m is None else (n, m)) * draw(st.sampled_from(SCALES))
    if draw(st.booleans()):
        X, y = np.round(X), np.round(y)
    if draw(st.integers(0, 4)) == 0:
        with np.errstate(over="ignore"):
            X = X * 10.0 ** rng.integers(-9, 9, d)
    if draw(st.integers(0, 4)) == 0:
        X = X[:, [0] * d]
    return X, y


@st.composite
def networks(draw: st.DrawFn) -> ls.Network:
    """Draw a network of up to three narrow hidden layers."""
    hidden = draw(st.lists(st.sampled_from([1, 1, 2, 3, 4]), max_size=3))
    noise = [draw(st.sampled_from([0.0, 0.0, *RATES])) for _ in hidden]
    decays = [draw(st.sampled_from(RATES)) for _ in range(len(hidden) + 1)]
    if draw(st.booleans()):
        decays = [decays[0]] * len(decays)
    if draw(st.booleans()):
        noise = [0.0] * len(hidden)
    return ls.Network(
        hidden,
        noise=noise,
        weight_decay=decays,
        bias=draw(st.sampled_from([False, False, False, "free", "decayed"])),
        input_noise=draw(st.sampled_from([0.0, 0.0, 0.0, 0.5, 1e-9, 1e9])),
    )


@st.composite
def moments(draw: st.DrawFn, X: Any, y: Any) -> ls.Moments:
    """Draw moments of these rows; refused ones become the simplest."""
    try:
        if draw(st.integers(0, 9)) == 0 and y.ndim == 1:
            return ls.Moments.from_operator(X, y)
        found = ls.Moments.from_arrays(X, y)
        kind = draw(st.integers(0, 5))
        if kind == 0:
            return found.standardized()
        if kind == 1:
            return ls.Moments(found.A, found.C, found.yy)
    except Exception:  # found where it is called for itself
        return ls.Moments([[1.0]], [1.0], 1.0)
    return found


@st.composite
def problems(draw: st.DrawFn, given_moments: ls.Moments) -> ls.Problem:
    """Draw a problem on moments; one that is refused becomes the simplest."""
    reduction = draw(st.sampled_from(["mean", "mean", "sum", "half_sum", "half_mean"]))
    network = draw(networks())
    if draw(st.integers(0, 2)) == 0:  # the unregularised landscape
        network = ls.Network(network.hidden)
    try:
        return ls.Problem(given_moments, network, reduction=reduction)
    except LinscapeError:
        return ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((2,), weight_decay=0.1))


def weights_of(problem: ls.Problem) -> st.SearchStrategy[Any]:
    """Return weights of a problem, at times a batch of them, zero, huge or a solution."""

    @st.composite
    def drawn(draw: st.DrawFn) -> list[Any]:
        rng = np.random.default_rng(draw(st.integers(0, 2**16)))
        batch = draw(st.sampled_from([(), (), (), (), (2,), (0,), (2, 1)]))
        scale = draw(st.sampled_from([*SCALES, 0.0, 0.0]))
        kind = draw(st.integers(0, 5))
        if kind == 0:
            with contextlib.suppress(Exception):  # found where it is called for itself
                return ls.global_minimum(problem).weights(rng)
        matrices = [scale * rng.standard_normal(batch + shape) for shape in problem.shapes]
        return [np.round(matrix) for matrix in matrices] if kind == 1 else matrices

    return drawn()


def fitting(name: str, problem: ls.Problem, data: tuple[Any, Any]) -> st.SearchStrategy[Any]:
    """Return values that an argument of this name takes."""
    choose, m = st.sampled_from, problem.moments
    strategies: dict[str, Callable[[], st.SearchStrategy[Any]]] = {
        "problem": lambda: st.just(problem),
        "moments": lambda: st.just(m),
        "other": lambda: choose([m, m + m]) if m.n and not m.is_operator else st.just(m),
        "network": lambda: st.one_of(st.just(problem.network), networks()),
        "networks": lambda: st.lists(networks(), max_size=3),
        "weights": lambda: weights_of(problem),
        "perturbation": lambda: weights_of(problem),
        "directions": lambda: weights_of(problem),
        "X": lambda: st.just(data[0]),
        "y": lambda: st.just(data[1]),
        "vector": lambda: st.integers(0, 12).map(lambda k: np.ones(k)),
        "rng": lambda: choose([0, 7, np.random.default_rng(3)]),
        "step_size": lambda: choose([*RATES, [0.1, 0.2]]),
        "steps": lambda: choose([0, 1, 2, 10, 30]),
        "starts": lambda: choose([1, 2, 5]),
        "max_steps": lambda: choose([1, 10, 50]),
        "max_iterations": lambda: choose([1, 5, 100]),
        "times": lambda: choose([[0.0], [0.0, 1.0, 2.0], [1e-300, 1e300], [], 1.0, [2.0, 1.0]]),
        "energies": lambda: choose([[0.0, 1.0], [1e-300, 1e300], [], 0.5]),
        "scheme": lambda: choose(SCHEMES),
        "schemes": lambda: choose([SCHEMES[:2], SCHEMES[-1:], []]),
        "gain": lambda: choose(RATES),
        "gains": lambda: choose([[0.1, 1.0], [1.0], [], [1e-300, 1e300]]),
        "record": lambda: st.lists(choose(RECORDS), max_size=3),
        "every": lambda: choose([1, 3, [0, 2], [], 0]),
        "loss_limit": lambda: choose([1e8, 1.0, 0.0, 1e300]),
        "batch_size": lambda: choose([1, 2, 50]),
        "batch": lambda: choose([None, 1, 2, (2, 1), 0]),
        "modes": lambda: choose([[], [0], [0, 1], [1], (0, 0), [9]]),
        "active": lambda: choose([None, [], [0], [0, 1], [5]]),
        "kind": lambda: choose([None, "strict", "non-strict"]),
        "tolerance": lambda: choose([1e-6, 0.01, 0.5, 1e-12, 1.0]),
        "gap": lambda: choose([1e-8, 1e-3, 1e-14, 1.0]),
        "rtol": lambda: choose([1e-10, 1e-6, 1e-3]),
        "factor": lambda: choose([2.0, 1.1, 1.0, 100.0]),
        "confidence": lambda: choose([0.95, 0.5, 0.0, 1.0]),
        "momentum": lambda: choose([0.0, 0.9, 0.5]),
        "nesterov": st.booleans,
        "progress": lambda: st.just(False),
        "noise": lambda: choose(["dropout", "gaussian", 0.5, [0.5], 0.0]),
        "bias": lambda: choose([False, "free", "decayed"]),
        "reduction": lambda: choose(["mean", "sum", "half_sum", "half_mean"]),
        "hidden": lambda: st.lists(st.integers(1, 4), max_size=3),
        "weight_decay": lambda: choose([*RATES, [0.1, 0.2], [1e-3, 1e3, 0.1], []]),
        "depth": lambda: choose([0, 1, 2, 3, [1, 2], 50]),
        "width": lambda: choose([1, 64, [2, 4]]),
        "layers": lambda: choose([1, 2, 3, 9, 50]),
        "largest": lambda: choose([1, 4, 64]),
        "product": lambda: choose([None, np.ones((m.outputs, m.inputs))]),
        "R": lambda: choose([np.eye(2), np.eye(2) + 0.1, -np.eye(2), np.zeros((2, 2)), np.eye(1)]),
        "factors": lambda: choose([[np.zeros((m.inputs, m.inputs))] * 2, np.zeros((2, 2, 2))]),
        "eigenvalues": lambda: choose([[2.0, 1.0], [3.0, 2.0, 0.0], [1.0]]),
        "widths": lambda: choose([[2], [2, 3], [2, 2, 2], [2, 3, 4, 2]]),
        "left_ranks": lambda: choose([[1, 1], [2, 1], [0], [2, 2, 2]]),
        "right_ranks": lambda: choose([[1, 1], [2, 1], [0], [2, 2, 2]]),
        "input_rank": lambda: choose([None, 1, 2]),
        "inner_rank": lambda: choose([0, 1]),
        "class_means": lambda: choose([np.eye(2), np.ones((3, 2)), np.eye(2) * 1e200]),
        "trajectory": lambda: st.builds(_descent, st.just(problem), weights_of(problem)),
        "document": lambda: st.builds(_certificate, st.just(problem)),
        "minimum": lambda: st.builds(_minimum, st.just(problem)),
        "values": lambda: st.just(None),
        "sample_weight": lambda: choose([None, [1.0, 2.0], np.ones(len(data[1]))]),
        "A": lambda: choose([[[1.0]], np.eye(2), np.eye(2) * 1e300, np.zeros((2, 2))]),
        "C": lambda: choose([[0.5], [0.5, 0.5], np.ones((2, 2)) / 2, [1e-300]]),
        "yy": lambda: choose([1.0, np.eye(2), 1e300, 0.0]),
        "mean_x": lambda: choose([None, [0.1], [0.1, 0.1]]),
        "mean_y": lambda: choose([None, 0.1, [0.1, 0.1]]),
        "n": lambda: choose([None, 1, 10]),
        "names": lambda: choose([None, ["a"], ["a", "b"]]),
        "targets": lambda: choose([None, ["y"], ["y", "z"]]),
        "output_bias": st.booleans,
    }
    return strategies.get(name, lambda: choose(RATES))()


def _descent(problem: ls.Problem, weights: Any) -> Any:
    try:
        return ls.descend(problem, weights, step_size=0.01, steps=20, every=1)
    except Exception:  # found where it is called for itself
        return None


def _minimum(problem: ls.Problem) -> Any:
    try:
        return ls.global_minimum(problem)
    except Exception:  # found where it is called for itself
        return None


def _certificate(problem: ls.Problem) -> Any:
    try:
        return ls.certificate_document(ls.global_minimum(problem))
    except Exception:  # found where it is called for itself
        return {}


SLOW = ("steps", "starts", "max_steps", "max_iterations", "batch", "largest", "layers")


@st.composite
def calls(draw: st.DrawFn, function: Callable[..., Any]) -> tuple[list[Any], dict[str, Any]]:
    """Draw the arguments of a call."""
    data = draw(rows())
    problem = draw(problems(draw(moments(*data))))
    positional, named = [], {}
    for parameter in inspect.signature(function).parameters.values():
        required = parameter.default is inspect.Parameter.empty
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        limited = parameter.name in (*SLOW, "progress")
        if not required and not limited and draw(st.booleans()):
            continue
        wild = draw(st.integers(0, 14)) == 0
        value = draw(WILD if wild else fitting(parameter.name, problem, data))
        if limited and isinstance(value, int) and value > 1000:
            value = 3  # so many steps would take long, and rightly
        if parameter.name == "progress":
            value = False
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and required:
            positional.append(value)
        else:
            named[parameter.name] = value
    return positional, named
