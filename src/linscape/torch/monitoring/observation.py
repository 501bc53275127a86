"""What a monitor sees at one step, and what it warns of."""

import math
from dataclasses import dataclass
from typing import Any

from linscape.landscape.interval import json_value


@dataclass(frozen=True)
class Observation:
    """One look at the weights.

    Attributes
    ----------
    step : int
        After how many steps.
    norms : tuple of float
        ‖W_k‖_F of each trained layer.
    energies : tuple of float
        (λ_k/2)‖W_k‖², what each layer's decay adds to the loss that PyTorch minimises.
    pull : float or None
        −⟨U, ∂L_data/∂U⟩ of the last layer's weights, with the gradient of the last batch. Without
        biases and activations but ReLU it is the same for every layer, and half of what the data
        add to each ‖W_k‖² per unit of step size; the decay takes λ_k‖W_k‖² away. None where there
        is no gradient.
    margin : float or None
        Factor up to which the weights are in the proven trap: above 1 they are, below 1 they are
        1/margin times too large for it. None where no trap is proven.
    balancedness : float or None
        max_j ‖W_{j+1}ᵀW_{j+1} − W_jW_jᵀ‖₂ by power iteration, a lower bound; at every thousandth
        step, else None.
    """

    step: int
    norms: tuple[float, ...]
    energies: tuple[float, ...]
    pull: float | None
    margin: float | None
    balancedness: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the observation ready for JSON: infinity as "inf", and None for what diverged."""
        return {key: _plain(value) for key, value in vars(self).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    lost = isinstance(value, float) and (math.isnan(value) or value == -math.inf)
    return None if lost else json_value(value)


@dataclass(frozen=True)
class Collapse:
    """Why a collapse is expected.

    Attributes
    ----------
    step : int
        When it was seen.
    proven : bool
        True: the weights are in the trap, from where gradient flow of the averaged loss ends at
        zero. False: a numerical rule on what was seen.
    reason : str
        In a sentence or two.
    """

    step: int
    proven: bool
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes, ready for JSON."""
        return dict(vars(self))
