"""The exact loss landscape of deep linear networks, as a working instrument.

Data → moments → problem → landscape → answer. Names resolve when they are first used, so that
importing the package loads nothing heavy.
"""

import importlib
from typing import Any

__version__ = "0.1.0.dev0"

_HOMES = {
    "CriticalWeightDecay": "linscape.landscape",
    "GlobalMinimum": "linscape.landscape",
    "Moments": "linscape.moments",
    "Network": "linscape.network",
    "Phase": "linscape.landscape",
    "Problem": "linscape.problem",
    "critical_weight_decay": "linscape.landscape",
    "dropout": "linscape.network",
    "global_minimum": "linscape.landscape",
    "phase": "linscape.landscape",
    "solutions": "linscape.landscape",
    "energy_curve": "linscape.landscape",
    "Solution": "linscape.landscape",
    "CriticalDepth": "linscape.landscape",
    "CriticalDropout": "linscape.landscape",
    "CriticalSignal": "linscape.landscape",
    "critical_depth": "linscape.landscape",
    "critical_dropout": "linscape.landscape",
    "critical_signal": "linscape.landscape",
    "Branch": "linscape.landscape",
    "Branches": "linscape.landscape",
    "branches": "linscape.landscape",
    "PhaseDiagram": "linscape.landscape",
    "phase_diagram": "linscape.landscape",
    "read_moments": "linscape.moments",
}

__all__ = [*sorted(_HOMES), "__version__", "errors"]


def __getattr__(name: str) -> Any:
    if name == "errors":
        return importlib.import_module("linscape.errors")
    if name not in _HOMES:
        raise AttributeError(f"module 'linscape' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
