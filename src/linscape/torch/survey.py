"""Model, loss and data looked at once: what every statement is then asked of."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from linscape.errors import InvalidData
from linscape.torch import culprits
from linscape.torch.gathering import batch_of, check_model, gather
from linscape.torch.loss import Loss, data_term
from linscape.torch.operations import mode
from linscape.torch.reading import read
from linscape.torch.setting import Setting


def survey(
    model: nn.Module, loader: Iterable[Any], loss: Loss, optimizer: torch.optim.Optimizer | None
) -> tuple[Setting, list[str]]:
    """Read the model, probe the loss and pass over the data."""
    inputs, target = first_batch(loader)
    check_model(model)
    device = next(model.parameters()).device
    example = inputs.to(device)
    reading = read(model, example=example, optimizer=optimizer)
    with mode(model, training=False), torch.no_grad():
        output = model(example)
    if output.ndim not in (1, 2) or len(output) != len(example):
        raise InvalidData(
            f"expected the model to return (rows, outputs), got shape {tuple(output.shape)}"
        )
    target = target.to(device)
    mistakes = culprits.broadcast(loss, output, target)
    term = data_term(loss, output, target)
    reading = replace(reading, alpha=term.alpha)
    gathered = gather(reading, term, loader)
    return Setting(reading, term, gathered), mistakes


def first_batch(loader: Iterable[Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the first inputs and targets of a loader that can be gone through again."""
    try:
        iterator = iter(loader)
    except TypeError:
        raise InvalidData(
            f"expected a loader that yields pairs of tensors, got {type(loader).__name__}"
        ) from None
    if iterator is loader:
        raise InvalidData(
            "expected a loader that can be gone through more than once, such as a DataLoader or a "
            "list of batches, got an iterator"
        )
    for item in iterator:
        return batch_of(item)
    raise InvalidData("expected a loader with at least one batch, got none")
