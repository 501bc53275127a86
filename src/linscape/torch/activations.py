"""Activations: their slope at zero, and which of them are positively homogeneous."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch

from linscape.errors import NoExactSolution

Kind = Literal["linear", "smooth", "homogeneous"]


@dataclass(frozen=True)
class Activation:
    """What the theory needs of φ.

    Attributes
    ----------
    name : str
        Its name.
    kind : str
        "smooth": φ(0) = 0 and differentiable there; "homogeneous": φ(tz) = tφ(z) for t ≥ 0, with a
        kink at zero.
    slope : float
        φ′(0); for a homogeneous one the mean of its two slopes, which is that of its best linear
        approximation for symmetric z.
    bounded_by_identity : bool
        Whether |φ(z)| ≤ |z|, as the trap of homogeneous nets needs.
    """

    name: str
    kind: Kind
    slope: float
    bounded_by_identity: bool = True


_SLOPES = {
    "Tanh": 1.0,
    "Softsign": 1.0,
    "CELU": 1.0,
    "Hardtanh": 1.0,
    "Mish": 0.6,
    "SiLU": 0.5,
    "GELU": 0.5,
    "Hardswish": 0.5,
}
_OFFSETS = ("Sigmoid", "Softplus", "LogSigmoid", "Hardsigmoid", "Softmax", "LogSoftmax", "Softmin")
_FLAT = ("Tanhshrink", "Softshrink", "Hardshrink")
_KINKED = ("SELU", "ReLU6", "Threshold")
_TRAINED = ("PReLU",)
_RANDOM = ("RReLU",)
NAMES = (*_SLOPES, "ELU", "ReLU", "LeakyReLU", *_OFFSETS, *_FLAT, *_KINKED, *_TRAINED, *_RANDOM)

FUNCTIONS: Mapping[str, str] = {name.lower(): name for name in NAMES} | {
    "leaky_relu": "LeakyReLU",
    "log_softmax": "LogSoftmax",
    "relu_": "ReLU",
    "tanh_": "Tanh",
    "sigmoid_": "Sigmoid",
}


def activation(name: str, settings: Mapping[str, Any], where: str) -> Activation:
    """Return what is known of an activation.

    Raises
    ------
    NoExactSolution
        If φ(0) ≠ 0, φ has no slope at zero and is not positively homogeneous, the slope is zero,
        trained or random.
    """
    if name in _SLOPES or (name == "ELU" and settings.get("alpha", 1.0) == 1.0):
        if name == "Hardtanh" and not settings.get("min_val", -1) < 0 < settings.get("max_val", 1):
            raise _refused(where, name, "it does not pass zero with a slope")
        return Activation(name, "smooth", _SLOPES.get(name, 1.0))
    if name == "ReLU":
        return Activation(name, "homogeneous", 0.5)
    if name == "LeakyReLU":
        negative = float(settings.get("negative_slope", 0.01))
        return Activation(name, "homogeneous", (1 + negative) / 2, abs(negative) <= 1)
    reasons = {
        _OFFSETS: "φ(0) ≠ 0 makes a constant feature that does not decay",
        _FLAT: "its slope at zero is zero, so that there is no linear part",
        (*_KINKED, "ELU"): "it has a kink at zero and is not positively homogeneous",
        _TRAINED: "its slope is trained and decays too",
        _RANDOM: "its slope is random",
    }
    for names, reason in reasons.items():
        if name in names:
            raise _refused(where, name, reason)
    raise _refused(where, name, "it is not in the table of known activations")


def settings_of(module: torch.nn.Module) -> dict[str, Any]:
    """Return the options of an activation module that matter here."""
    names = ("alpha", "negative_slope", "min_val", "max_val")
    return {name: getattr(module, name) for name in names if hasattr(module, name)}


def _refused(where: str, name: str, reason: str) -> NoExactSolution:
    return NoExactSolution(f"cannot read {where} ({name}): {reason}")
