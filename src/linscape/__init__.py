"""The exact loss landscape of deep linear networks, as a working instrument.

Data → moments → problem → landscape → answer. Names resolve when they are first used, so that
importing the package loads nothing heavy.
"""

import importlib
from typing import Any

__version__ = "0.1.0.dev0"

_NAMES = {
    "linscape.dynamics": ("CriticalGain", "critical_gain"),
    "linscape.initialisation": ("random_weights",),
    "linscape.landscape": (
        "Branch",
        "Branches",
        "CriticalDepth",
        "CriticalDropout",
        "CriticalSignal",
        "CriticalWeightDecay",
        "GlobalMinimum",
        "InTrap",
        "Phase",
        "PhaseDiagram",
        "Solution",
        "TrapRadius",
        "branches",
        "convex_trap_radius",
        "critical_depth",
        "critical_dropout",
        "critical_signal",
        "critical_weight_decay",
        "cross_entropy_moment",
        "energy_curve",
        "global_minima",
        "global_minimum",
        "in_trap",
        "phase",
        "phase_diagram",
        "relu_trap_radius",
        "solutions",
        "square_loss_moment",
        "trap_radius",
    ),
    "linscape.moments": ("Moments", "read_moments"),
    "linscape.network": ("Network", "dropout"),
    "linscape.problem": ("Problem",),
    "linscape.verification": (
        "Verification",
        "certificate_document",
        "read_certificate",
        "verify",
    ),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}
_MODULES = {
    "bounds": "linscape.landscape.bounds",
    "errors": "linscape.errors",
    "sklearn": "linscape.sklearn",
}

__all__ = [*sorted(_HOMES), "__version__", "bounds", "errors"]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name not in _HOMES:
        raise AttributeError(f"module 'linscape' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES})
