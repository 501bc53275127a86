"""The exact loss landscape of deep linear networks, as a working instrument.

Data → moments → problem → landscape → answer. Names resolve when they are first used, so that
importing the package loads nothing heavy.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_NAMES = {
    "linscape.dynamics": (
        "AlignedFlow",
        "CollapseShare",
        "CriticalGain",
        "DivergenceStepSize",
        "EndStateMap",
        "EscapeTimes",
        "Plateau",
        "Plateaus",
        "PredictedPlateau",
        "SaddleToSaddle",
        "SafeStepSize",
        "Trajectory",
        "TwoLayerFlow",
        "aligned_flow",
        "balancedness",
        "collapse_share",
        "critical_gain",
        "descend",
        "descend_stochastic",
        "divergence_step_size",
        "end_state_map",
        "escape_times",
        "flow",
        "imbalance_rates",
        "imbalances",
        "mode_strength",
        "mode_time",
        "plateaus",
        "saddle_to_saddle",
        "safe_step_size",
        "sharpness",
        "sharpness_step_size",
        "two_layer_flow",
    ),
    "linscape.initialisation": ("balanced_weights", "random_weights"),
    "linscape.landscape": (
        "KrylovCertificate",
        "krylov_minimum",
        "BiasState",
        "BiasedCriticalWeightDecay",
        "BiasedMinimum",
        "BiasedSolution",
        "Branch",
        "Branches",
        "Classification",
        "CriticalDepth",
        "CriticalDropout",
        "CriticalSignal",
        "CriticalValue",
        "CriticalValues",
        "CriticalWeightDecay",
        "Curvature",
        "Eigenpair",
        "Escape",
        "GlobalMinimum",
        "InTrap",
        "Inertia",
        "ModeClass",
        "ModePath",
        "ModePhase",
        "ModePhases",
        "Phase",
        "PhaseDiagram",
        "ReducedRank",
        "SearchedMinimum",
        "Solution",
        "SubnetworkClass",
        "TheoremReport",
        "TrapRadius",
        "bias_only_states",
        "branches",
        "classify",
        "convex_trap_radius",
        "critical_depth",
        "critical_dropout",
        "critical_point",
        "critical_points",
        "critical_signal",
        "critical_values",
        "critical_weight_decay",
        "cross_entropy_moment",
        "curvature",
        "decayed_critical_points",
        "energy_curve",
        "global_minima",
        "global_minimum",
        "in_trap",
        "inertia",
        "mode_path",
        "mode_phases",
        "phase",
        "phase_diagram",
        "reduced_rank",
        "relu_trap_radius",
        "search_minimum",
        "solutions",
        "square_loss_moment",
        "structured_inertia",
        "theorem_report",
        "trap_radius",
        "trivial_state",
        "zero_residual_inertia",
    ),
    "linscape.moments": ("Moments", "read_moments"),
    "linscape.network": ("Network", "dropout"),
    "linscape.problem": ("Problem",),
    "linscape.residual": (
        "ResidualDescent",
        "ResidualFactors",
        "ResidualGradientBound",
        "ResidualNormBound",
        "residual_descend",
        "residual_factors",
        "residual_gradient_bound",
        "residual_norm_bound",
        "residual_problem",
    ),
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
    "figures": "linscape.figures",
    "sklearn": "linscape.sklearn",
    "sweep": "linscape.sweep",
    "torch": "linscape.torch",
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
