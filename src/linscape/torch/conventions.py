"""From PyTorch's weight decay λ to γ of γ‖W‖², and back."""

import math
import operator
from typing import Literal

from linscape.errors import InvalidNetwork

Reduction = Literal["mean", "sum"]


def weight_decay(
    lam: float, outputs: int = 1, *, reduction: Reduction = "mean", batch_size: int | None = None
) -> float:
    r"""Return γ for a PyTorch optimiser's weight_decay λ and `MSELoss`.

    PyTorch minimises α·E‖f − y‖² + (λ/2)‖w‖². Divided by α that is :class:`linscape.Problem`'s loss
    with

    .. math:: γ = λ/(2α)

    ``MSELoss()`` averages over the m outputs too, α = 1/m; ``MSELoss(reduction="sum")`` adds up a
    batch of B rows, α = B. A step η of PyTorch is a step ηα of that loss. It holds for decay that
    enters the gradient: SGD, with or without momentum, Adam, RMSprop; not for AdamW.

    Parameters
    ----------
    lam : float
        λ ≥ 0, the optimiser's weight_decay.
    outputs : int, default 1
        Number m of outputs.
    reduction : "mean" or "sum", default "mean"
        That of MSELoss.
    batch_size : int, optional
        B; needed for "sum", and for nothing else.

    Returns
    -------
    float
        γ, as :class:`linscape.Network` takes it.

    Raises
    ------
    InvalidNetwork
        If an argument lies outside its range.

    Examples
    --------
    >>> from linscape.torch import weight_decay
    >>> weight_decay(0.5), weight_decay(0.5, outputs=4)
    (0.25, 1.0)
    >>> weight_decay(0.5, reduction="sum", batch_size=10)
    0.025
    """
    return _number(lam, "lam") / (2 * _alpha(outputs, reduction, batch_size))


def optimizer_weight_decay(
    gamma: float, outputs: int = 1, *, reduction: Reduction = "mean", batch_size: int | None = None
) -> float:
    r"""Return the λ = 2αγ that makes a PyTorch optimiser decay as γ‖W‖²; see `weight_decay`.

    Examples
    --------
    >>> from linscape.torch import optimizer_weight_decay
    >>> optimizer_weight_decay(1.0, outputs=4)
    0.5
    """
    return 2 * _alpha(outputs, reduction, batch_size) * _number(gamma, "gamma")


def _alpha(outputs: int, reduction: str, batch_size: int | None) -> float:
    if reduction not in ("mean", "sum"):
        raise InvalidNetwork(f'reduction must be "mean" or "sum", got {reduction!r}')
    m = _count(outputs, "outputs")
    if reduction == "mean":
        if batch_size is not None:
            raise InvalidNetwork('reduction="mean" does not depend on batch_size; leave it out')
        return 1 / m
    if batch_size is None:
        raise InvalidNetwork('reduction="sum" adds up a batch: give its batch_size')
    return float(_count(batch_size, "batch_size"))


def _count(value: int, name: str) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number < 1 or isinstance(value, bool):
        raise InvalidNetwork(f"{name} must be a whole number of at least 1, got {value!r}")
    return number


def _number(value: float, name: str) -> float:
    real = isinstance(value, int | float) and not isinstance(value, bool)
    if not real or not 0 <= value < math.inf:
        raise InvalidNetwork(f"{name} must be a finite number, zero or positive, got {value!r}")
    return float(value)
