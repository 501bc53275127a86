"""Gradient flow solved in closed form, where that is known."""

from linscape.dynamics.closed_forms.aligned import AlignedFlow, aligned_flow
from linscape.dynamics.closed_forms.modes import mode_strength, mode_time
from linscape.dynamics.closed_forms.two_layers import TwoLayerFlow, two_layer_flow

__all__ = [
    "AlignedFlow",
    "TwoLayerFlow",
    "aligned_flow",
    "mode_strength",
    "mode_time",
    "two_layer_flow",
]
