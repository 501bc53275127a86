"""The usual culprits, looked at before any theory: they are not theory, and say so."""

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from linscape.dynamics.descent import descend
from linscape.dynamics.divergence import divergence_step_size
from linscape.dynamics.sharpness import sharpness
from linscape.problem import Problem
from linscape.torch.gathering import Gathered
from linscape.torch.loss import Loss, compares_all_pairs
from linscape.torch.reading import Reading

_STEPS = 100
_FAR = 10.0  # mean over standard deviation
_UNSCALED = 100.0
_DEAD = 0.1
_SMALL = 20_000  # weights up to which the step size that diverges is looked for

Weights = list[np.ndarray[Any, np.dtype[np.float64]]]


def broadcast(loss: Loss, output: torch.Tensor, target: torch.Tensor) -> list[str]:
    """Say whether the loss compares every row with every other one, by comparing two calls."""
    if not compares_all_pairs(loss, output, target):
        return []
    n = len(target)
    return [
        f"The loss broadcasts outputs {tuple(output.shape)} against targets "
        f"{tuple(target.shape)}: it compares all {n}² pairs of rows, whose best answer is one "
        "constant. Give both one shape, for example target.reshape(output.shape). What follows "
        "supposes that this is mended."
    ]


def targets(gathered: Gathered) -> list[str]:
    """Say which targets do not vary, or are far from unit scale or zero mean."""
    found = []
    moments = gathered.moments
    variance = np.diagonal(np.atleast_2d(moments.covariance_y))
    mean = np.atleast_1d(np.asarray(moments.mean_y))
    for k, (spread, centre) in enumerate(zip(variance, mean, strict=True)):
        deviation = float(np.sqrt(spread))
        if deviation <= 1e-7 * abs(centre) or deviation == 0:
            found.append(f"Target {k} is constant ({centre:.6g}): there is nothing to learn in it.")
        elif abs(centre) > _FAR * deviation:
            found.append(
                f"Target {k} has mean {centre:.4g} and standard deviation {deviation:.4g}: "
                "subtract the mean, or training spends itself on it."
            )
        elif not 1 / _UNSCALED < deviation < _UNSCALED:
            found.append(
                f"Target {k} has standard deviation {deviation:.4g}: divide by it; decays, steps "
                "and initialisations are made for targets of order one."
            )
    return found


def inputs(gathered: Gathered) -> list[str]:
    """Say whether columns of the inputs differ much in scale."""
    sizes = np.sqrt(np.diagonal(gathered.moments.A))
    alive = sizes[sizes > 0]
    if not len(alive):
        return ["All inputs are zero."]
    if alive.max() > _UNSCALED * alive.min():
        return [
            f"Inputs have root mean squares from {alive.min():.3g} to {alive.max():.3g}: scale "
            "them; one step size cannot serve both."
        ]
    return []


def dead_units(gathered: Gathered) -> list[str]:
    """Say where ReLUs are zero on all rows."""
    return [
        f"{share:.0%} of the units of {where} (ReLU) are zero on all {gathered.rows} rows: no "
        "gradient reaches them."
        for where, share in gathered.dead.items()
        if share >= _DEAD
    ]


def step_size(
    problem: Problem, weights: Weights, reading: Reading, optimizer: torch.optim.Optimizer | None
) -> list[str]:
    """Run a hundred steps of the optimiser's own size on the exact loss, and say if it diverges."""
    if optimizer is None or type(optimizer).__name__ != "SGD" or reading.kind != "linear":
        return []
    rates = {group["lr"] for group in optimizer.param_groups}
    group = optimizer.param_groups[0]
    if len(rates) > 1 or isinstance(group["lr"], torch.Tensor) or group.get("dampening"):
        return []
    rate = float(group["lr"]) * reading.alpha
    momentum = float(group["momentum"])
    if rate <= 0 or problem.network.bias is not False:
        return []
    run = descend(
        problem,
        weights,
        step_size=rate,
        steps=_STEPS,
        momentum=momentum,
        nesterov=bool(group["nesterov"]),
        record=(),
    )
    if str(run.status) != "diverged":
        return []
    return [
        f"The learning rate {group['lr']:g} diverges: even the exact descent, without sampling "
        f"noise, blows up after {int(run.stopped_at)} steps from these weights."
        + _limit(problem, weights, reading.alpha)
    ]


def _limit(problem: Problem, weights: Weights, alpha: float) -> str:
    if sum(matrix.size for matrix in weights) <= _SMALL:
        found = divergence_step_size(problem, weights, steps=_STEPS, tolerance=0.05)
        return f" Without momentum it starts to at {float(found.lower) / alpha:.3g}."
    limit = 2 / float(sharpness(problem, weights)) / alpha
    return f" At these weights 2/λ_max of the Hessian is {limit:.3g}."


def usual_culprits(first: Iterable[str], gathered: Gathered, *, square: bool) -> list[str]:
    """Return all that needs no problem."""
    others = [targets(gathered)] if square else []
    return [*first, *itertools.chain(*others, inputs(gathered), dead_units(gathered))]
