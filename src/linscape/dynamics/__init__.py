"""How descent moves on the landscape."""

from linscape.dynamics.balance import balancedness, imbalance_rates, imbalances
from linscape.dynamics.closed_forms import (
    AlignedFlow,
    TwoLayerFlow,
    aligned_flow,
    mode_strength,
    mode_time,
    two_layer_flow,
)
from linscape.dynamics.collapse import CriticalGain, critical_gain
from linscape.dynamics.descent import descend
from linscape.dynamics.divergence import DivergenceStepSize, divergence_step_size
from linscape.dynamics.flow import flow
from linscape.dynamics.sharpness import sharpness
from linscape.dynamics.step_size import SafeStepSize, safe_step_size
from linscape.dynamics.stochastic import descend_stochastic
from linscape.dynamics.trajectory import Trajectory

__all__ = [
    "AlignedFlow",
    "CriticalGain",
    "DivergenceStepSize",
    "SafeStepSize",
    "Trajectory",
    "TwoLayerFlow",
    "aligned_flow",
    "balancedness",
    "critical_gain",
    "descend",
    "descend_stochastic",
    "divergence_step_size",
    "flow",
    "imbalance_rates",
    "imbalances",
    "mode_strength",
    "mode_time",
    "safe_step_size",
    "sharpness",
    "two_layer_flow",
]
