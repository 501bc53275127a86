"""How far each knob can go: the largest decay, dropout and depths that learn; the best loss."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from linscape.errors import InvalidNetwork, NoExactSolution, OutOfRange
from linscape.landscape.floor import proven_floor
from linscape.landscape.interval import json_value
from linscape.landscape.knobs import CriticalDepth, critical_depth, critical_dropout
from linscape.landscape.minimise import global_minimum
from linscape.landscape.phases import critical_weight_decay
from linscape.landscape.search import search_minimum
from linscape.network import Network
from linscape.problem import Problem
from linscape.torch.setting import Setting

_DEEPEST = 12
_SMALL = 20_000  # weights up to which the minimum is searched where no theorem gives it


@dataclass(frozen=True)
class Best:
    """The least loss that the linear model can reach: lower ≤ min L ≤ upper.

    `upper` is None where nothing was searched; both are those of PyTorch's loss, its decay
    included.
    """

    lower: float
    upper: float | None
    source: str

    def to_dict(self) -> dict[str, Any]:
        """Return the bounds ready for JSON."""
        return dict(vars(self))


@dataclass(frozen=True)
class Limits:
    """What learns, all else equal; None where it is not known or does not apply.

    Attributes
    ----------
    loss_at_zero : float or None
        PyTorch's loss where all weights are zero.
    best : Best or None
        What the linear model can reach.
    decay_factor : float or None
        What all weight decays may at most be multiplied by.
    weight_decay : float or None
        PyTorch's λ there, common to all layers.
    dropout : float or None
        The largest common dropout rate on hidden layers.
    depths : tuple of int or None
        Numbers of hidden layers that learn, with one width, noise and decay, up to 12.
    """

    loss_at_zero: float | None = None
    best: Best | None = None
    decay_factor: float | None = None
    weight_decay: float | None = None
    dropout: float | None = None
    depths: tuple[int, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the limits ready for JSON."""
        plain = {key: json_value(value) for key, value in vars(self).items() if key != "best"}
        return {**plain, "best": self.best and self.best.to_dict()}


def limits(setting: Setting) -> Limits:
    """Return how far the knobs can go, in PyTorch's units."""
    if not setting.is_square and not setting.reading.decoupled:
        return _convex(setting)
    if setting.refusal is not None:
        return Limits()
    problem, alpha = setting.problem, setting.reading.alpha
    critical = _asked(lambda: critical_weight_decay(problem))
    rate = _asked(lambda: critical_dropout(problem))
    yy = problem.moments.yy
    return Limits(
        loss_at_zero=alpha * float(np.trace(np.atleast_2d(yy))),
        best=_best(problem, alpha),
        decay_factor=critical and critical.learning_factor,
        weight_decay=critical and 2 * alpha * critical.learning * _slope_factor(setting),
        dropout=rate and rate.rate,
        depths=_depths(setting),
    )


def _convex(setting: Setting) -> Limits:
    """Return the threshold of one hidden layer, where a common decay moves nothing else."""
    reading, at_zero = setting.reading, setting.reading.alpha * setting.gathered.loss_at_zero
    constant = setting.constant
    plain = reading.kind == "linear" and reading.bias != "decayed"
    if reading.depth != 1 or not plain or constant is None:
        return Limits(loss_at_zero=at_zero)
    level = 2 * math.sqrt(math.prod(setting.decays))
    factor = constant.signal / level if level else math.inf
    return Limits(at_zero, decay_factor=factor, weight_decay=reading.alpha * constant.signal)


def _slope_factor(setting: Setting) -> float:
    """Return what takes the common γ of the linear part, γ/s² a layer, to that of the model."""
    layers = setting.reading.depth + 1
    product: float = math.prod(abs(slope) for slope in setting.reading.slopes)
    return math.pow(product, 2 / layers)


def _best(problem: Problem, alpha: float) -> Best | None:
    size = sum(rows * columns for rows, columns in problem.shapes)
    try:
        minimum = global_minimum(problem)
        return Best(alpha * minimum.lower, alpha * minimum.upper, minimum.source)
    except NoExactSolution:
        if size > _SMALL:
            floor = _asked(lambda: proven_floor(problem))
            return floor and Best(alpha * floor.lower, None, floor.source)
    found = search_minimum(problem, starts=3, rng=0)
    return Best(alpha * found.lower, alpha * found.upper, f"{found.source}; above: searched")


def _depths(setting: Setting) -> tuple[int, ...] | None:
    """Return the depths that learn with the layers of this net averaged into one kind."""
    problem, network = setting.problem, setting.problem.network
    if network.depth == 0 or not all(network.weight_decay) or setting.reading.kind != "linear":
        return None
    noise = sum(network.noise) / network.depth
    common = Network(
        network.hidden[:1],
        noise=noise,
        weight_decay=math.exp(network.log_decay_product / (network.depth + 1)),
        bias=network.bias,
        input_noise=network.input_noise,
    )
    found: CriticalDepth | None = _asked(
        lambda: critical_depth(Problem(problem.moments, common), largest=_DEEPEST)
    )
    return None if found is None else found.learning


def _asked(question: Callable[[], Any]) -> Any:
    try:
        return question()
    except (NoExactSolution, InvalidNetwork, OutOfRange):
        return None
