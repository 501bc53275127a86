"""The chain of steps cut into trained layers, the noise behind each, and what stands in front."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import nn

from linscape.errors import NoExactSolution
from linscape.network import Bias, dropout
from linscape.torch.activations import Activation, activation
from linscape.torch.operations import Operation


@dataclass(frozen=True, eq=False)
class Layer:
    """A trained Linear, with the λ of its weights and of its biases (None without)."""

    where: str
    module: nn.Linear
    decay: float
    bias_decay: float | None


@dataclass(frozen=True, eq=False)
class Parts:
    """A chain in parts: a fixed map, the trained layers, and after each its noise and activation.

    `noise` and `activations` have one entry for each layer, that of the output last.
    """

    frozen: tuple[Operation, ...]
    input_noise: float
    layers: tuple[Layer, ...]
    noise: tuple[float, ...]
    activations: tuple[Activation | None, ...]
    bias: Bias | Literal["output"]


def parts_of(operations: Sequence[Operation], decays: dict[int, float] | None) -> Parts:
    """Cut a chain into its parts.

    Raises
    ------
    NoExactSolution
        If a step stands where no statement covers it; the message names it.
    """
    _refuse_tied(operations)
    first = next((k for k, step in enumerate(operations) if _is_trained(step, decays)), None)
    if first is None:
        raise NoExactSolution("expected a trained Linear layer, got none; nothing is to be learned")
    frozen, input_noise = _front(operations[:first])
    layers: list[Layer] = []
    noise: list[float] = []
    found: list[Activation | None] = []
    for step in operations[first:]:
        if step.kind == "linear":
            layers.append(_layer(step, decays))
            noise.append(0.0)
            found.append(None)
        elif step.kind == "dropout":
            noise[-1] = _together(noise[-1], step)
        elif step.kind == "activation":
            found[-1] = _combined(found[-1], step, noise[-1])
    _check_output(found[-1], noise[-1], layers)
    _check_widths(layers)
    return Parts(frozen, input_noise, tuple(layers), tuple(noise), tuple(found), _bias(layers))


def _check_output(last: Activation | None, noise: float, layers: Sequence[Layer]) -> None:
    if last is not None:
        raise NoExactSolution(
            f"cannot read the model: {last.name} acts on its output; only linear outputs are "
            "covered, and losses of logits take it into themselves"
        )
    if noise and any(layer.bias_decay is not None for layer in layers):
        raise NoExactSolution(
            "dropout on the output beside biases is not covered: it multiplies the constant too"
        )


def _refuse_tied(operations: Sequence[Operation]) -> None:
    seen: dict[int, str] = {}
    for step in operations:
        for parameter in step.module.parameters() if step.module is not None else ():
            if id(parameter) in seen:
                raise NoExactSolution(
                    f"cannot read {step.where}: it shares weights with {seen[id(parameter)]}; no "
                    "statement covers tied weights"
                )
            seen[id(parameter)] = step.where


def _is_trained(step: Operation, decays: dict[int, float] | None) -> bool:
    if step.kind != "linear" or step.module is None:
        return False
    flags = {
        parameter.requires_grad and (decays is None or id(parameter) in decays)
        for parameter in step.module.parameters()
    }
    if len(flags) > 1:
        raise NoExactSolution(
            f"cannot read {step.where}: it is partly frozen; train its weights and biases, or none"
        )
    return flags == {True}


def _front(steps: Sequence[Operation]) -> tuple[tuple[Operation, ...], float]:
    """Return the fixed map before the first trained layer, and the noise on what it returns."""
    fixed: list[Operation] = []
    noise = 0.0
    for step in steps:
        if step.kind == "dropout":
            noise = _together(noise, step)
            continue
        if noise and step.kind == "linear":
            raise NoExactSolution(
                f"cannot read {step.where}: dropout before a frozen layer makes noise that is not "
                "independent from unit to unit"
            )
        if step.kind == "activation":
            if step.name in ("ReLU", "LeakyReLU") or not noise:
                fixed.append(step)
                continue
            raise _noise_before(step.where, step.name)
        fixed.append(step)
    return tuple(fixed), noise


def _together(variance: float, step: Operation) -> float:
    """Return the variance of two independent factors of mean one: adjacent dropouts multiply."""
    more = dropout(step.rate)
    return variance + more + variance * more


def _combined(before: Activation | None, step: Operation, noise: float) -> Activation:
    new = activation(step.name, step.settings, step.where)
    if noise and new.kind != "homogeneous":
        raise _noise_before(step.where, step.name)
    if before is None:
        return new
    raise NoExactSolution(
        f"cannot read {step.where} ({step.name}): it follows {before.name} without a layer "
        "between; one activation a layer is read"
    )


def _noise_before(where: str, name: str) -> NoExactSolution:
    return NoExactSolution(
        f"cannot read {where} ({name}): dropout before it does not commute with it, because it is "
        "not positively homogeneous; put the dropout after it"
    )


def _layer(step: Operation, decays: dict[int, float] | None) -> Layer:
    module = step.module
    assert isinstance(module, nn.Linear)
    if not _is_trained(step, decays):
        raise NoExactSolution(
            f"cannot read {step.where}: it is frozen behind trained layers; only leading layers "
            "may be, as a fixed map of the data"
        )
    lam = 0.0 if decays is None else decays[id(module.weight)]
    bias = None
    if module.bias is not None:
        bias = 0.0 if decays is None else decays[id(module.bias)]
    return Layer(step.where, module, lam, bias)


def _check_widths(layers: Sequence[Layer]) -> None:
    for one, other in itertools.pairwise(layers):
        if one.module.out_features != other.module.in_features:
            raise NoExactSolution(
                f"{one.where} returns {one.module.out_features} values and {other.where} takes "
                f"{other.module.in_features}: the model cannot run"
            )


def _bias(layers: Sequence[Layer]) -> Bias | Literal["output"]:
    decays = [layer.bias_decay for layer in layers]
    if all(decay is None for decay in decays):
        return False
    if all(decay == 0 for decay in decays):
        return "free"
    if all(decay is None for decay in decays[:-1]) and decays[-1] == 0:
        return "output"
    if all(layer.bias_decay == layer.decay for layer in layers):
        return "decayed"
    raise NoExactSolution(
        "cannot read the biases: no theorem covers mixed ones; let every layer have one that "
        "decays with its weights, every layer one without decay, the output alone one without "
        f"decay, or none (got {_listed(layers)})"
    )


def _listed(layers: Sequence[Layer]) -> str:
    words = (
        f"{layer.where}: " + ("none" if layer.bias_decay is None else f"λ = {layer.bias_decay:g}")
        for layer in layers
    )
    return ", ".join(words)
