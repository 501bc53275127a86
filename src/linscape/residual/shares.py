"""How much of the stretch and of the rotation each layer takes, and the norm that follows."""

import bisect
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from linscape.residual.polar import Polar

Array = NDArray[np.float64]
Construction = Literal["equal shares", "split"]


@dataclass(frozen=True)
class Shares:
    """Which layers stretch and which rotate, and max ‖A_i‖; all do both if `stretching` is None."""

    count: int
    stretching: int | None
    norm: float

    @property
    def construction(self) -> Construction:
        """Return its name."""
        return "equal shares" if self.stretching is None else "split"

    def powers(self) -> tuple[Array, Array]:
        """Return the powers a of K and b of Q, each summing to one, of the layers from the last."""
        if self.stretching is None:
            share = np.full(self.count, 1 / self.count)
            return share, share
        stretches = np.arange(self.count) < self.stretching
        return stretches / self.stretching, ~stretches / (self.count - self.stretching)

    def layers(self, form: Polar) -> Array:
        """Return A_1, …, A_l, shape (l, d, d): I + A = Q^{−B} K^a Q^{B+b}, B the b after it."""
        stretch, rotation = self.powers()
        turn = np.eye(len(form.directions)) + form.rotation(np.cumsum(rotation) - rotation)
        layers: Array = turn.mT @ form.share(stretch, rotation) @ turn
        return layers[::-1]


def best_shares(form: Polar, layers: int) -> Shares:
    """Return the shares of the smaller norm: equal ones, or the best split of the layers."""
    equal = equal_shares(form, layers)
    if layers == 1:
        return equal
    split = best_split(form, layers)
    # rounding must not choose the split where the two are the same
    return split if split.norm < equal.norm * (1 - 1e-12) else equal


def split_norm(form: Polar, stretching: int, rotating: int) -> float:
    """Return max ‖A_i‖ of layers that each stretch or rotate, at least one of both."""
    return max(_stretch_norm(form, stretching), _rotation_norm(form, rotating))


def equal_shares(form: Polar, layers: int) -> Shares:
    """Return 1/l of both for each layer."""
    norm = float(np.linalg.norm(form.share(1 / layers, 1 / layers), 2))
    return Shares(layers, None, norm)


def best_split(form: Polar, layers: int) -> Shares:
    """Return layers that stretch after layers that rotate, in the best numbers."""
    # the stretch falls and the rotation rises with the number of layers that stretch
    choices = range(1, layers)
    crossing = bisect.bisect_left(
        choices,
        0.0,
        key=lambda k: _rotation_norm(form, layers - k) - _stretch_norm(form, k),
    )
    near = choices[max(crossing - 1, 0) : crossing + 1]
    norm, stretching = min((split_norm(form, k, layers - k), k) for k in near)
    return Shares(layers, stretching, norm)


def _stretch_norm(form: Polar, layers: int) -> float:
    return float(np.abs(np.expm1(form.logarithms / layers)).max())


def _rotation_norm(form: Polar, layers: int) -> float:
    return 2 * math.sin(form.largest_angle / (2 * layers))
