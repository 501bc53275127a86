"""What the theory says of the linear nets: the exact transition, and the objective they reach."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from linscape.figures.residual_network.augmentation import Augmentation
from linscape.figures.residual_network.images import CLASSES, Images
from linscape.landscape import critical_weight_decay
from linscape.moments import Moments
from linscape.network import Network
from linscape.problem import Problem


def augmented_moments(images: Images) -> Moments:
    """Return the second moments of the images over all their crops, with one-hot targets."""
    targets = images.one_hot()
    inputs, rows, crops = images.pixels[0].size, len(targets), 0
    A, C = np.zeros((inputs, inputs)), np.zeros((inputs, CLASSES))
    for crop in Augmentation(images).every_crop():
        x = crop.flatten(1).double().numpy()
        A += x.T @ x
        C += x.T @ targets
        crops += 1
    return Moments(A / (rows * crops), C / (rows * crops), targets.T @ targets / rows)


def learning_ends(moments: Moments, hidden: Sequence[int]) -> float:
    """Return PyTorch's weight decay λ* from which on zero is the global minimum.

    PyTorch minimises (1/m)E‖f − y‖² + (λ/2)‖W‖², so that γ = mλ/2. Infinity without a hidden layer.
    """
    problem = Problem(moments, Network(hidden=tuple(hidden), weight_decay=1.0))
    return 2 * critical_weight_decay(problem).learning / CLASSES


def objectives(
    moments: Moments, weights: Sequence[NDArray[np.float64]], weight_decays: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the objective with decay that each net ended at, over that of zero.

    Exact in the crops, unlike the losses met on the way. Below 1 a net is better than zero, which
    above λ* none can be.

    Parameters
    ----------
    moments : Moments
        Of :func:`augmented_moments`.
    weights : sequence of ndarray
        Layer by layer, shape (decays, seeds, rows, columns).
    weight_decays : ndarray
        PyTorch's.
    """
    hidden = [layer.shape[2] for layer in weights[:-1]]
    reached = []
    for k, decay in enumerate(weight_decays.tolist()):
        problem = Problem(moments, Network(hidden=hidden, weight_decay=CLASSES * decay / 2))
        reached.append(problem.loss([layer[k] for layer in weights]))
    return np.array(reached, dtype=np.float64) / float(np.trace(moments.yy))
