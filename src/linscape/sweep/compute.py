"""The answers of cells, and the failures among them."""

import importlib.metadata
import math
import platform
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, cast

import numpy as np

from linscape import __version__
from linscape.dynamics import descend, sharpness_step_size
from linscape.errors import InvalidOption, NoExactSolution
from linscape.initialisation import Scheme, random_weights
from linscape.landscape import critical_weight_decay, global_minimum, phase, trap_radius
from linscape.moments import Moments
from linscape.network import Network
from linscape.problem import Problem, Reduction
from linscape.spectrum import linear_moments
from linscape.sweep.cells import Cell

Row = dict[str, Any]
Part = Callable[[Problem], Row]

_TOLERANCE = 1e-9  # of the gradient at the start: where a descent has converged


@cache
def versions() -> dict[str, str]:
    """Return the versions that the last bits of a result may depend on."""
    packages = ("numpy", "scipy", "numba")
    return {
        "linscape": __version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in packages},
    }


def compute_chunk(
    chunk: Sequence[Cell],
    moments: Moments,
    reduction: Reduction,
    seed: int,
    expected: dict[str, str],
) -> list[Row]:
    """Return one row for each of some cells of one data set; failures are rows too.

    Raises
    ------
    InvalidOption
        If the versions of this process are not the `expected` ones.
    """
    if versions() != expected:
        raise InvalidOption(
            f"a worker has {differences(versions(), expected)}; install the same versions there"
        )
    rows, network, facts = [], None, {}
    for cell in chunk:
        if cell.network != network:  # cells that differ in their descent only stand together
            network, facts = cell.network, _facts(moments, cell.network, reduction)
        rows.append({"key": cell.key, **_with_descent(facts, cell, moments, reduction, seed)})
    return rows


def differences(these: dict[str, str], those: dict[str, str]) -> str:
    """Say what differs between two sets of versions."""
    names = sorted({*these, *those})
    return ", ".join(
        f"{name} {these.get(name)} instead of {those.get(name)}"
        for name in names
        if these.get(name) != those.get(name)
    )


def _facts(moments: Moments, network: Network, reduction: Reduction) -> Row:
    """Return minimum, phase and thresholds of one problem."""
    parts: dict[str, Part] = {
        "global_minimum": _minimum,
        "phase": _phase,
        "critical_weight_decay": _thresholds,
    }
    return _gathered({}, moments, network, reduction, parts)


def _with_descent(facts: Row, cell: Cell, moments: Moments, reduction: Reduction, seed: int) -> Row:
    if cell.descent is None:
        return facts
    parts: dict[str, Part] = {"descend": lambda problem: _descent(problem, cell, seed)}
    return _gathered(facts, moments, cell.network, reduction, parts)


def _gathered(
    known: Row, moments: Moments, network: Network, reduction: Reduction, parts: dict[str, Part]
) -> Row:
    """Add what each part finds to what is known; the first failure is kept, with its part."""
    row = dict(known)
    for name, part in parts.items():
        try:
            row |= part(Problem(moments, network, reduction=reduction))
        except Exception as error:
            row.setdefault("error", type(error).__name__)
            row.setdefault("message", f"{name}: {' '.join(str(error).split())}")
    return row


def _minimum(problem: Problem) -> Row:
    found = global_minimum(problem)
    names = ("loss", "lower", "upper", "gain", "gain_lower", "gain_upper", "energy")
    return {
        **{name: float(getattr(found, name)) for name in names},
        "is_trivial": found.is_trivial,
        "source": found.source,
    }


def _phase(problem: Problem) -> Row:
    found = phase(problem)
    return {"phase": found.name, "zero_is_minimum": found.zero_is_minimum}


def _thresholds(problem: Problem) -> Row:
    found = critical_weight_decay(problem)
    return {
        "critical_learning": found.learning,
        "critical_existence": found.existence,
        "learning_factor": found.learning_factor,
        "existence_factor": found.existence_factor,
    }


def _descent(problem: Problem, cell: Cell, seed: int) -> Row:
    run = cell.descent
    assert run is not None
    scheme = cast(Scheme, run.scheme)
    weights = random_weights(problem, scheme=scheme, gain=run.gain, rng=cell.rng(seed))
    size = run.step_size or float(sharpness_step_size(problem, weights))
    ended = descend(
        problem, weights, step_size=size, steps=run.steps, every=run.steps, tolerance=_TOLERANCE
    )
    loss = float(ended["loss"][-1])
    status = str(ended.status)
    return {
        "end_loss": None if math.isnan(loss) else loss,
        "end_status": status,
        "end_steps": int(ended.stopped_at),
        "end_step_size": size,
        "collapsed": None if status == "diverged" else _collapsed(problem, ended.weights, loss),
    }


def _collapsed(problem: Problem, weights: list[Any], loss: float) -> bool | None:
    """Say whether the weights are proven to flow to zero, or lie below it; None if neither."""
    if problem.network.bias == "decayed":  # below zero may be a constant through the biases alone
        return None
    at_zero = problem.data_factor * float(np.trace(linear_moments(problem)[2]))
    if loss < at_zero * (1 - 1e-9):  # more than the rounding of both
        return False
    try:
        proven = bool(trap_radius(problem).margin(weights) > 1)
    except NoExactSolution:
        return None
    return True if proven else None
