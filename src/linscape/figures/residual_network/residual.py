"""Training one ResNet-18 with cross-entropy and weight decay until its loss rests."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from linscape.figures.residual_network.augmentation import Augmentation
from linscape.figures.residual_network.images import CLASSES, Images
from linscape.figures.residual_network.model import ResNet18
from linscape.figures.residual_network.stopping import Stopping

MOMENTUM = 0.9
BATCH = 256


@dataclass(frozen=True)
class Ending:
    """Where a training ended; losses and accuracies are those met on the way, over an epoch.

    Attributes
    ----------
    loss : float
        Mean over the last window of epochs, over the loss of the constant predictor, log 10.
    accuracy : float
        Share of training images classified rightly, over the same epochs.
    epochs : int
        Gone through.
    rested : bool
        Whether the loss came to a plateau; else the number of epochs was used up.
    norm : float
        Of all weights together at the end.
    """

    loss: float
    accuracy: float
    epochs: int
    rested: bool
    norm: float


def train_residual(
    images: Images,
    *,
    width: int,
    learning_rate: float,
    weight_decay: float,
    stopping: Stopping,
    seed: int,
) -> Ending:
    """Train a ResNet-18 by SGD with momentum 0.9 in batches of 256, all parameters decayed.

    Minimised is the mean cross-entropy plus (λ/2)‖θ‖², λ = `weight_decay`, θ with the gains and
    shifts of batch normalisation, as PyTorch's SGD does.

    Parameters
    ----------
    images : Images
        Trained on, with new random crops in every epoch.
    width : int
        Of the network's stem.
    learning_rate, weight_decay : float
        PyTorch's.
    stopping : Stopping
        When to stop.
    seed : int
        Fixes the first weights, the batches and the crops; the global generator is left alone.
    """
    augmentation = Augmentation(images)
    rng = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = ResNet18(width, images.pixels.shape[1], CLASSES)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a quarter faster
    optimizer = torch.optim.SGD(
        model.parameters(), lr=learning_rate, momentum=MOMENTUM, weight_decay=weight_decay
    )
    losses: list[float] = []
    accuracies: list[float] = []
    while len(losses) < stopping.epochs and not stopping.plateau(losses):
        loss, accuracy = _epoch(model, optimizer, augmentation, rng)
        losses.append(loss / math.log(CLASSES))
        accuracies.append(accuracy)
    return Ending(
        loss=float(np.mean(losses[-stopping.window :])),
        accuracy=float(np.mean(accuracies[-stopping.window :])),
        epochs=len(losses),
        rested=stopping.plateau(losses),
        norm=math.sqrt(sum(float(w.detach().square().sum()) for w in model.parameters())),
    )


def _epoch(
    model: ResNet18,
    optimizer: torch.optim.Optimizer,
    augmentation: Augmentation,
    rng: torch.Generator,
) -> tuple[float, float]:
    losses, hits = [], []
    device = model.readout.weight.device
    for images, labels in augmentation.batches(BATCH, rng):
        outputs = model(images.to(device)).cpu()
        loss = cross_entropy(outputs, labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
        hits.append((outputs.argmax(dim=1) == labels).double().mean().item())
    return float(np.mean(losses)), float(np.mean(hits))
