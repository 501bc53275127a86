"""What to do next, with the numbers it takes, and how far to trust them."""

import math
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from linscape.errors import NoExactSolution, OutOfRange
from linscape.landscape.minimise import global_minimum
from linscape.torch.answer import Answer
from linscape.torch.limits import Limits
from linscape.torch.setting import Setting

Array = NDArray[np.float64]

ZERO_IS_BEST = ("collapsed", "metastable", "collapsed or metastable")

_MARGIN = 1.1  # on a critical gain that is known to 2 %
_CONSTANT = 1e-6  # share of the variance that counts as none

# γ*/γ* of the linear net without slopes, at one, two and three hidden layers, as measured
_MEASURED = {
    "Tanh": (1.0, 0.93, 0.90),
    "SiLU": (0.50, 0.42, 0.39),
    "GELU": (0.50, 0.45, 0.44),
}


def advice(setting: Setting, phase: Answer, ending: Answer, limits: Limits) -> tuple[str, ...]:
    """Return what to change, the most useful first; empty if nothing is known."""
    gain = ending.numbers.get("critical_gain")
    if phase.verdict in ZERO_IS_BEST:
        return tuple(_lower_decay(setting, limits))
    if phase.verdict == "undecided" and phase.numbers.get("level") == 0:
        return ()  # no decay that could be lowered
    if phase.verdict == "undecided" and "lower" in phase.numbers:
        factor = phase.numbers["lower"] / phase.numbers["level"]
        return (
            f"Multiply every weight_decay by less than {_down(factor)}: proven to learn there.",
        )
    if phase.verdict == "undecided":
        return ("Lower the weight decay by a few percent, off the edge of the phase.",)
    if ending.verdict == "collapsed":
        return tuple(_larger_start(setting, gain, limits))
    if phase.verdict == "learning" and ending.verdict in ("learning", "not available"):
        return tuple(_room(setting, gain, limits))
    return ()


def constant_output(setting: Setting) -> bool:
    """Return whether the model's output without noise is one constant over the data.

    Its spread is compared with that of the targets, and with the size of the inputs, lest targets
    of a large scale make every output look constant.
    """
    outputs, moments = setting.gathered.outputs, setting.gathered.moments
    spread, targets = _trace(outputs.covariance_y), _trace(moments.covariance_y)
    size = _trace(moments.A) / moments.inputs
    varied = targets > 0 and _trace(moments.covariance_x) > 0
    return varied and spread <= _CONSTANT * min(targets, size)


def _trace(matrix: object) -> float:
    return float(np.trace(np.atleast_2d(np.asarray(matrix))))


def explanation(setting: Setting, phase: Answer, gain: float | None) -> str | None:
    """Say why the output is constant, if it is: zero is optimal, or training was trapped."""
    if not constant_output(setting):
        return None
    start = "The model's output is constant over the data: "
    if phase.verdict in ZERO_IS_BEST:
        return start + "zero is the global minimum at this decay; lower the decay."
    if phase.verdict == "learning" and setting.reading.depth > 1:
        restart = ""
        if gain is not None:
            level = "PyTorch's default" if gain == 1 else f"{gain:.3g} times PyTorch's default"
            restart = f", for example at {level}, where seven of eight simulated starts learn"
        return (
            start + "zero is not the global minimum, so training was trapped, or has not begun; "
            f"restart from larger weights{restart}."
        )
    if phase.verdict == "learning":
        return start + "zero is a saddle here: training has not left it yet, so go on."
    return start + "whether zero is optimal is not known for this model."


def trust(setting: Setting, optimizer: torch.optim.Optimizer | None) -> tuple[str, ...]:
    """Say how far the answers hold for this model."""
    reading, term = setting.reading, setting.term
    lines = [*_about_kind(setting), *_about_optimiser(setting, optimizer)]
    if any(reading.noise) or reading.input_noise or reading.output_noise:
        lines.append(
            "Dropout is averaged over exactly; the fluctuations of single masks are not in it."
        )
    if term.reduction == "sum":
        lines.append(
            f"The loss adds up each batch, so that γ = λ/(2α) has α = {term.alpha:g} at "
            f"{term.batch_size} rows; it changes with the batch size."
        )
    if reading.frozen:
        lines.append(
            "Frozen modules in front are a fixed map: the moments are of what they return."
        )
    if reading.bias == "output":
        lines.append(
            "The free output bias is taken at its best: exactly the centred problem at the "
            "minimum, the limit of a fast bias on the way."
        )
    return tuple(lines)


def _about_kind(setting: Setting) -> Iterator[str]:
    reading = setting.reading
    names = sorted({one.name for one in reading.activations if one is not None})
    if reading.kind == "linear":
        yield "The model is linear: (a) is a theorem about its exact loss."
    elif reading.kind == "smooth":
        yield (
            f"{', '.join(names)}: (a), (c) and the limits are of the linear part, slopes "
            f"{_listed(reading.slopes)} at zero. With one hidden layer that is exact about when "
            "zero stops being a minimum; with more the change happens at finite size, where the "
            "activation is not linear."
        )
        ratios = _MEASURED.get(names[0]) if len(names) == 1 else None
        if ratios and 1 <= reading.depth <= len(ratios):
            yield (
                f"Measured for {names[0]} at this depth: a critical decay of about "
                f"{ratios[reading.depth - 1]:.2f} times that of the net without activations."
            )
        yield from _sizes(setting)
    else:
        yield (
            f"{', '.join(names)}: there is no linear part at zero. "
            f"{'' if setting.unit_signal is not None else '(a), '}(c) and the limits are of "
            f"a linear net with slopes {_listed(reading.slopes)}, the mean of both sides: right "
            "about the critical decay for one hidden layer, symmetric inputs and a linear target, "
            "and a rough guide elsewhere. "
            + ("(a) and (b) are" if setting.unit_signal is not None else "Only (b) is")
            + " about the model itself."
        )


def _about_optimiser(setting: Setting, optimizer: torch.optim.Optimizer | None) -> Iterator[str]:
    if optimizer is None:
        yield "No optimiser was given: no weight decay is assumed."
        return
    name = type(optimizer).__name__
    if setting.reading.decoupled:
        yield (
            f"{name} shrinks the weights beside the loss, not through it: it can fit where the "
            "same decay in SGD or Adam collapses, and the theory says nothing about it."
        )
    elif name == "SGD":
        yield (
            "SGD, momentum included, has this objective; finite steps and the noise of "
            "mini-batches are not in (b) and (c), which follow gradient flow."
        )
    else:
        yield (
            f"{name} has the same critical points at full batch where its decay is coupled, but "
            "another path: (b) and (c) follow gradient flow, and its end may differ."
        )
    if len({float(group["lr"]) for group in optimizer.param_groups}) > 1:
        yield "Learning rates differ between groups; (b) and (c) suppose one."


def _sizes(setting: Setting) -> Iterator[str]:
    """Report the pre-activations at the predicted minimum: the linear part holds where small."""
    now = list(setting.gathered.preactivations.values())
    yield f"With the weights as they are, pre-activations have root mean squares {_listed(now)}."
    if setting.refusal is not None or not setting.is_square or setting.reading.bias == "decayed":
        return
    try:
        weights = global_minimum(setting.problem).weights()
    except (NoExactSolution, OutOfRange):
        return
    sizes = preactivations(setting, weights)
    yield (
        f"At the predicted minimum they have {_listed(sizes)}: "
        "the linear part holds where they are well below 1."
    )


def preactivations(setting: Setting, weights: list[Array]) -> list[float]:
    """Return the root mean square of the units of each hidden layer before its activation."""
    moments, network = setting.problem.moments, setting.problem.network
    S = np.asarray(moments.covariance_x if network.bias == "free" else moments.A)
    S = S + network.input_noise * np.diag(np.diagonal(S))
    sizes = []
    hidden = zip(weights, network.noise, setting.reading.slopes, strict=False)
    for W, variance, slope in hidden:
        W = W[:, : len(S)]
        N = W @ S @ W.T
        sizes.append(math.sqrt(float(np.mean(np.diagonal(N)))) / slope)
        S = N + variance * np.diag(np.diagonal(N))
    return sizes


def _lower_decay(setting: Setting, limits: Limits) -> Iterator[str]:
    if limits.decay_factor == 0:
        yield "Inputs and targets are uncorrelated: a linear net learns nothing; check the data."
        return
    lams = set(setting.reading.weight_decay)
    if limits.weight_decay is not None and len(lams) == 1:
        yield (
            f"Set weight_decay ≤ {_down(limits.weight_decay / 2)}, half of the largest that "
            f"learns, {limits.weight_decay:.3g} (now {lams.pop():.3g})."
        )
    elif limits.decay_factor is not None:
        yield f"Multiply every weight_decay by less than {_down(limits.decay_factor)}."
    if limits.depths:
        yield f"Or change the depth: with this decay {_numbers(limits.depths)} hidden layers learn."
    if limits.dropout and any(setting.reading.noise) and setting.reading.depth > 1:
        yield f"Or lower the dropout below {_down(limits.dropout)} on every hidden layer."


def _larger_start(setting: Setting, gain: float | str | None, limits: Limits) -> Iterator[str]:
    if isinstance(gain, float | int) and math.isfinite(gain):
        yield (
            f"Start from larger weights: gain × {_up(gain * _MARGIN)} on every weight matrix (the "
            f"critical one is {gain:.3g})."
        )
    else:
        yield (
            "No multiple of these weights learns: draw new ones, or start from the answer, "
            "linscape.global_minimum(problem).weights()."
        )
    lams = set(setting.reading.weight_decay)
    if limits.weight_decay is not None and len(lams) == 1:
        yield (
            f"Or lower weight_decay = {lams.pop():.3g}: the trap shrinks with it. (At "
            f"{limits.weight_decay:.3g} zero would be the global minimum.)"
        )
    yield "Or use one hidden layer, where zero is a saddle and not a trap."


def _room(setting: Setting, gain: float | str | None, limits: Limits) -> Iterator[str]:
    if isinstance(gain, float | int) and 0 < gain < 1:
        yield f"Nothing has to change: the weights are {1 / gain:.3g} times what they must be."
    else:
        yield "Nothing has to change."
    if limits.decay_factor is not None and limits.decay_factor > 1:
        level = ""
        if limits.weight_decay is not None and limits.weight_decay < math.inf:
            level = f", that is at weight_decay = {limits.weight_decay:.3g},"
        if limits.decay_factor < math.inf:
            times = f"Weight decay {limits.decay_factor:.3g} times as large"
            yield f"{times}{level} would end learning."
        elif level:
            yield f"Weight decay from {limits.weight_decay:.3g} on would end learning."


def _down(value: float) -> str:
    """Return two digits, rounded towards zero."""
    if not 0 < value < math.inf:
        return f"{value:.2g}"
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return f"{math.floor(value / unit * (1 + 1e-12)) * unit:.2g}"


def _up(value: float) -> str:
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return f"{math.ceil(value / unit) * unit:.3g}"


def _listed(values: Iterable[float]) -> str:
    return ", ".join(f"{value:.3g}" for value in values)


def _numbers(values: tuple[int, ...]) -> str:
    return ", ".join(map(str, values))
