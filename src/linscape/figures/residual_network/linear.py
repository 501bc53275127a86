"""Training deep linear nets with square loss, for many weight decays and seeds at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import one_hot

from linscape.figures.residual_network.augmentation import Augmentation
from linscape.figures.residual_network.images import CLASSES, Images
from linscape.figures.residual_network.residual import BATCH, MOMENTUM
from linscape.figures.residual_network.stopping import Stopping

WIDTH = 32


@dataclass(frozen=True, eq=False)
class LinearEndings:
    """Where the trainings of one depth ended, for each weight decay (row) and seed (column).

    Attributes
    ----------
    loss : ndarray
        Square loss met on the way, over the last window of epochs, over that of zero.
    accuracy : ndarray
        Share of training images classified rightly, over the same epochs.
    rested : ndarray of bool
        Whether the loss came to a plateau.
    epochs : int
        Gone through, the same for all.
    weights : tuple of ndarray
        Layer by layer from the inputs, shape (decays, seeds, rows, columns).
    """

    loss: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    rested: NDArray[np.bool_]
    epochs: int
    weights: tuple[NDArray[np.float64], ...]


def train_linear(
    images: Images,
    *,
    hidden: Sequence[int],
    learning_rate: float,
    weight_decays: Sequence[float],
    stopping: Stopping,
    seeds: Sequence[int],
) -> LinearEndings:
    """Train linear nets without biases by SGD with momentum 0.9 in batches of 256.

    Minimised is (1/10)E‖f(x) − y‖² + (λ/2)Σ‖W_k‖², λ a weight decay and y one-hot: PyTorch's
    ``MSELoss`` and ``SGD``. A seed fixes the first weights, Glorot's uniform ones, for all decays;
    the batches are the same for all nets.

    Parameters
    ----------
    images : Images
        Trained on, with new random crops in every epoch.
    hidden : sequence of int
        Widths of the hidden layers; none for a linear regressor.
    learning_rate : float
        PyTorch's.
    weight_decays : sequence of float
        PyTorch's λ, positive or zero.
    stopping : Stopping
        When to stop: all nets together, once each has come to rest.
    seeds : sequence of int
        One for each net of a weight decay.
    """
    augmentation = Augmentation(images)
    inputs = int(np.prod(images.pixels.shape[1:]))
    decays = torch.tensor(list(weight_decays)).repeat_interleave(len(seeds))[:, None, None]
    layers = _first_weights((inputs, *hidden, CLASSES), len(weight_decays), seeds)
    velocities = [torch.zeros_like(weights) for weights in layers]
    rng = torch.Generator().manual_seed(min(seeds))
    losses: list[NDArray[np.float64]] = []
    accuracies: list[NDArray[np.float64]] = []
    while len(losses) < stopping.epochs and not stopping.all_plateau(losses):
        pairs = []
        for pixels, labels in augmentation.batches(BATCH, rng):
            pairs.append(_step(layers, velocities, decays, learning_rate, pixels, labels))
        loss, accuracy = np.mean(pairs, axis=0)
        losses.append(loss)
        accuracies.append(accuracy)
    shape = (len(weight_decays), len(seeds))
    last = slice(-stopping.window, None)
    return LinearEndings(
        loss=np.mean(losses[last], axis=0).reshape(shape),
        accuracy=np.mean(accuracies[last], axis=0).reshape(shape),
        rested=np.array([stopping.plateau(list(c)) for c in np.transpose(losses)]).reshape(shape),
        epochs=len(losses),
        weights=tuple(
            weights.detach().double().numpy().reshape(*shape, *weights.shape[1:])
            for weights in layers
        ),
    )


def _first_weights(sizes: Sequence[int], copies: int, seeds: Sequence[int]) -> list[Tensor]:
    """Glorot's uniform weights, shape (copies · seeds, rows, columns) a layer."""
    drawn = []
    for seed in seeds:
        rng = torch.Generator().manual_seed(seed)
        layers = []
        for columns, rows in pairwise(sizes):
            bound = (6 / (rows + columns)) ** 0.5
            layers.append((2 * torch.rand(rows, columns, generator=rng) - 1) * bound)
        drawn.append(layers)
    return [
        torch.stack(layer).repeat(copies, 1, 1).requires_grad_()
        for layer in zip(*drawn, strict=True)
    ]


def _step(
    layers: list[Tensor],
    velocities: list[Tensor],
    decays: Tensor,
    learning_rate: float,
    pixels: Tensor,
    labels: Tensor,
) -> NDArray[np.float64]:
    """One step of every net; return their losses, over that of zero, and accuracies."""
    # first the product, from the narrow end: the same function, far fewer operations
    product = layers[-1]
    for weights in reversed(layers[:-1]):
        product = product @ weights
    outputs = product @ pixels.flatten(1).T
    targets = one_hot(labels, CLASSES).T.to(outputs.dtype)
    losses = (outputs - targets).square().mean(dim=(1, 2))
    gradients = torch.autograd.grad(losses.sum(), layers)
    with torch.no_grad():
        for weights, velocity, gradient in zip(layers, velocities, gradients, strict=True):
            velocity.mul_(MOMENTUM).add_(gradient).addcmul_(decays, weights)
            weights.sub_(velocity, alpha=learning_rate)
    # zero outputs have the mean square 1/10 on one-hot targets
    relative = losses.detach().double() * CLASSES
    return np.stack([relative.numpy(), _accuracy(outputs.detach(), labels).numpy()])


def _accuracy(outputs: Tensor, labels: Tensor) -> Tensor:
    """Shares classified rightly, (nets,), of outputs (nets, classes, n); ties draw lots.

    Collapsed nets end at exactly zero outputs, all of them tied.
    """
    largest = outputs.amax(dim=1, keepdim=True)  # argmax along this axis is forty times slower
    right = outputs.gather(1, labels.expand(len(outputs), 1, -1)) == largest
    tied = (outputs == largest).sum(dim=1, keepdim=True)
    return (right / tied).double().mean(dim=(1, 2))
