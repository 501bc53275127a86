"""The exact loss landscape of deep linear networks, as a working instrument.

Data → moments → problem → landscape → answer. Names resolve when they are first used, so that
importing the package loads nothing heavy.
"""

import importlib
from typing import Any

__version__ = "0.1.0.dev0"

_NAMES = {
    "linscape.landscape": (
        "Branch",
        "Branches",
        "CriticalDepth",
        "CriticalDropout",
        "CriticalSignal",
        "CriticalWeightDecay",
        "GlobalMinimum",
        "Phase",
        "PhaseDiagram",
        "Solution",
        "branches",
        "critical_depth",
        "critical_dropout",
        "critical_signal",
        "critical_weight_decay",
        "energy_curve",
        "global_minima",
        "global_minimum",
        "phase",
        "phase_diagram",
        "solutions",
    ),
    "linscape.moments": ("Moments", "read_moments"),
    "linscape.network": ("Network", "dropout"),
    "linscape.problem": ("Problem",),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}
_MODULES = {"errors": "linscape.errors", "sklearn": "linscape.sklearn"}

__all__ = [*sorted(_HOMES), "__version__", "errors"]


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
