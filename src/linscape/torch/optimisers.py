"""The weight decay of each parameter, from an optimiser's groups."""

from typing import Any

import torch

from linscape.errors import NoExactSolution

# those whose weight_decay adds λw to the gradient, unless they say that it is decoupled
COUPLED = ("SGD", "Adam", "RMSprop", "Adagrad", "Adamax", "NAdam", "RAdam", "ASGD", "Adadelta")


def parameter_decays(optimizer: Any) -> dict[int, float]:
    """Return λ of each parameter, by the id of the tensor.

    Raises
    ------
    NoExactSolution
        If the optimiser maximises, or is none of those whose decay is known to be an L2 term or
        known to be decoupled.
    """
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise NoExactSolution(
            f"expected a torch.optim optimiser, got {type(optimizer).__name__}; its weight decay "
            "is not known, so no phase is"
        )
    name = type(optimizer).__name__
    if name not in COUPLED and not is_decoupled(optimizer):
        raise NoExactSolution(
            f"what weight_decay means for {name} is not known here; known are "
            f"{', '.join(COUPLED)}, and AdamW, to which the theory does not apply"
        )
    if any(group.get("maximize") for group in optimizer.param_groups):
        raise NoExactSolution(f"{name} with maximize=True climbs: there is no minimum to speak of")
    return {
        id(parameter): float(group.get("weight_decay", 0.0))
        for group in optimizer.param_groups
        for parameter in group["params"]
    }


def is_decoupled(optimizer: Any) -> bool:
    """Return whether the decay is decoupled (AdamW): no L2 term, so that there is no γ."""
    if type(optimizer).__name__ == "AdamW":
        return True
    return any(group.get("decoupled_weight_decay") for group in optimizer.param_groups)
