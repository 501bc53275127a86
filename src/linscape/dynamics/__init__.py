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
from linscape.dynamics.collapse_share import CollapseShare, collapse_share
from linscape.dynamics.descent import descend
from linscape.dynamics.divergence import DivergenceStepSize, divergence_step_size
from linscape.dynamics.end_state_map import EndStateMap, end_state_map
from linscape.dynamics.escape_times import EscapeTimes, escape_times
from linscape.dynamics.flow import flow
from linscape.dynamics.plateaus import Plateau, Plateaus, plateaus
from linscape.dynamics.saddle_to_saddle import PredictedPlateau, SaddleToSaddle, saddle_to_saddle
from linscape.dynamics.sharpness import sharpness
from linscape.dynamics.sharpness_step import sharpness_step_size
from linscape.dynamics.step_size import SafeStepSize, safe_step_size
from linscape.dynamics.stochastic import descend_stochastic
from linscape.dynamics.trajectory import Trajectory

__all__ = [
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
]
