"""What activations take off or add on one batch, and weights that make up for it."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from linscape.errors import InvalidData
from linscape.torch.operations import Operation, applied
from linscape.torch.reading import Reading

Array = NDArray[np.float64]


def corrected(
    reading: Reading, matrices: Sequence[Array], features: torch.Tensor
) -> tuple[list[Array], tuple[float, ...]]:
    """Return weights of the model that act on a batch as those of its linear part, and the ratios.

    Layer by layer ρ = ⟨φ(z), sz⟩/⟨sz, sz⟩ over the batch and the units, s the slope that was read;
    the next layer's weights are divided by it, its biases are not. ρ = 1 without an activation.

    Parameters
    ----------
    reading : Reading
        The model; it is not changed.
    matrices : sequence of ndarray
        Weights of the model, beside the biases where there are some.
    features : tensor
        What the first trained layer sees of the batch.

    Raises
    ------
    InvalidData
        If an activation returns nothing that is correlated with what enters it.
    """
    values = features.detach().to("cpu", torch.float64)
    result = [matrix.copy() for matrix in matrices]
    ratios: list[float] = []
    for k, layer in enumerate(reading.layers):
        weight = layer.module.weight.shape[1]
        if k:
            result[k][:, :weight] /= ratios[-1]
        W, bias = result[k][:, :weight], result[k][:, weight:]
        values = values @ torch.from_numpy(W).T + torch.from_numpy(bias).sum(dim=1)
        if k == len(reading.layers) - 1:
            break
        passed = applied(_activation(reading, layer.module), values.clone())  # some act in place
        ratios.append(_ratio(reading.slopes[k] * values, passed, layer.where))
        values = passed
    return result, tuple(ratios)


def _activation(reading: Reading, linear: nn.Module) -> list[Operation]:
    """Return the steps between a layer and the next that are no dropout."""
    modules = [step.module for step in reading.operations]
    rest = reading.operations[modules.index(linear) + 1 :]
    steps = []
    for step in rest:
        if step.kind == "linear":
            break
        if step.kind == "activation":
            steps.append(step)
    return steps


def _ratio(linear: torch.Tensor, passed: torch.Tensor, where: str) -> float:
    square = float((linear * linear).sum())
    if square == 0:
        return 1.0
    ratio = float((linear * passed).sum()) / square
    if not ratio > 1e-6:
        raise InvalidData(
            f"the activation after {where} returns nothing that goes with its input on the first "
            "batch, so that no gain makes up for it; centre the inputs, or start another way"
        )
    return ratio
