"""One step of a model's forward pass, and what makes a module unreadable."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import nn
from torch.nn.utils import parametrize

from linscape.errors import NoExactSolution
from linscape.torch.activations import NAMES, settings_of

Kind = Literal["linear", "dropout", "activation", "reshape"]

_RESHAPES = ("Flatten", "Identity", "Unflatten")
_REFUSED = {
    "BatchNorm": "a normalisation layer makes the function independent of the size of the weights "
    "before it, so that decay does not shrink the function",
    "Conv": "a convolution shares weights between places, and no statement covers it",
    "AlphaDropout": "its noise is not multiplicative of mean one",
    "FeatureAlphaDropout": "its noise is not multiplicative of mean one",
    "Dropout1d": "it drops whole channels, so that units are not independent",
    "Dropout2d": "it drops whole channels, so that units are not independent",
    "Dropout3d": "it drops whole channels, so that units are not independent",
}
_NORMALISATIONS = (
    "BatchNorm",
    "LayerNorm",
    "GroupNorm",
    "InstanceNorm",
    "RMSNorm",
    "LocalResponse",
)


@dataclass(frozen=True)
class Operation:
    """One step: a module called, or a function applied to what the step before returned.

    Attributes
    ----------
    where : str
        The module's name in the model, or the function's.
    kind : str
        "linear", "dropout", "activation" or "reshape" (which changes no entry).
    name : str
        Class of the module.
    module : torch.nn.Module or None
        The module, if it is one.
    function : callable or None
        Otherwise what is applied; a functional dropout takes the mode as `training`.
    rate : float
        Of a dropout.
    settings : dict
        Options of an activation.
    """

    where: str
    kind: Kind
    name: str
    module: nn.Module | None = None
    function: Callable[..., torch.Tensor] | None = None
    rate: float = 0.0
    settings: dict[str, Any] = field(default_factory=dict)

    def __call__(self, values: torch.Tensor, *, training: bool) -> torch.Tensor:
        """Return the result; modules must be in the mode already."""
        if self.module is not None:
            result: torch.Tensor = self.module(values)
            return result
        assert self.function is not None
        return self.function(values, training=training)


def module_operation(module: nn.Module, where: str) -> Operation:
    """Return the step that calling a module is.

    Raises
    ------
    NoExactSolution
        If it is of a class that cannot be read, or weights are reparametrised or hooked.
    """
    name = type(module).__name__
    _refuse_disguises(module, where, name)
    if type(module) is nn.Linear:
        return Operation(where, "linear", name, module)
    if type(module) is nn.Dropout:
        return Operation(where, "dropout", name, module, rate=checked_rate(module.p, where))
    if name in _RESHAPES and type(module).__module__.startswith("torch."):
        return Operation(where, "reshape", name, module)
    if name in NAMES and type(module).__module__.startswith("torch."):
        return Operation(where, "activation", name, module, settings=settings_of(module))
    raise NoExactSolution(f"cannot read {where} ({name}): {_reason(name)}")


def checked_rate(rate: float, where: str) -> float:
    """Return a dropout rate below one."""
    if not 0 <= rate < 1:
        raise NoExactSolution(
            f"cannot read {where} (Dropout): its rate is {rate:g}, at which no unit is ever alive"
        )
    return float(rate)


@contextmanager
def mode(model: nn.Module, *, training: bool) -> Iterator[None]:
    """Put a model into a mode, and every module back into its own at the end."""
    before = [(module, module.training) for module in model.modules()]
    model.train(training)
    try:
        yield
    finally:
        for module, flag in before:
            module.training = flag


@contextmanager
def kept_random_state(model: nn.Module) -> Iterator[None]:
    """Put torch's random state back at the end, on the CPU and on the model's own devices."""
    devices = {one.device for one in model.parameters() if one.device.type == "cuda"}
    with torch.random.fork_rng(devices=sorted(devices, key=str)):
        yield


def applied(
    operations: Sequence[Operation], values: torch.Tensor, *, training: bool = False
) -> torch.Tensor:
    """Return what a chain of steps makes of a batch."""
    for operation in operations:
        values = operation(values, training=training)
    return values


def _refuse_disguises(module: nn.Module, where: str, name: str) -> None:
    old = [
        type(hook).__name__
        for hook in module._forward_pre_hooks.values()
        if type(hook).__name__ in ("WeightNorm", "SpectralNorm")
    ]
    if parametrize.is_parametrized(module) or old:
        kind = old[0] if old else "a parametrisation such as weight or spectral norm"
        raise NoExactSolution(
            f"cannot read {where} ({name}): {kind} stands between what decays and the matrix that "
            "acts; remove it, or diagnose the plain model"
        )
    if module._forward_hooks or module._forward_pre_hooks:
        raise NoExactSolution(
            f"cannot read {where} ({name}): it has forward hooks, which may change its values; "
            "remove them while it is read"
        )


def _reason(name: str) -> str:
    if any(part in name for part in _NORMALISATIONS):
        return _REFUSED["BatchNorm"]
    if "Conv" in name:
        return _REFUSED["Conv"]
    known = "Linear, Dropout, Identity, Flatten and activations are"
    return _REFUSED.get(name, f"modules of this class are not read; {known}")
