r"""Newton's method for one hidden layer with noise, in its units (u_j, w_j).

    Σ a_i‖m_i‖² − 2⟨M, T⟩ + ν(Σ_j q_j)² + ½λ Σ_j (‖u_j‖² + ‖w_j‖²),   M = Σ_j u_jw_jᵀ,

q_j = ‖u_j‖ (w_jᵀ diag(a) w_j)^½, is smooth wherever no unit is zero.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.landscape.outputs.newton import Factors

Array = NDArray[np.float64]

_STEPS = 80
_PRODUCTS = 300
_ROUNDING = 1e-15  # of the terms of the value
VANISHING = 1e-7  # units this small beside the largest are left out


class NoisyLayer(NamedTuple):
    """The data: a > 0, T = E[yxᵀ] in its eigenbasis, ν = σ²/d_1 and λ = 2√(γ_uγ_w)."""

    values: Array
    target: Array
    spread: float
    penalty: float


class Point:
    """The objective near one set of units: value, gradient, Hessian, preconditioner."""

    def __init__(self, layer: NoisyLayer, at: Factors) -> None:
        self.layer, self.at = layer, at
        product = at.left @ at.right
        self.slack = layer.target - product * layer.values
        self.outer = np.sqrt((at.left**2).sum(axis=0))
        self.inner = np.sqrt((at.right**2 * layer.values).sum(axis=1))
        self.noise = float(self.outer @ self.inner)  # T = Σ q_j
        data = float(np.sum(product * (product * layer.values - 2 * layer.target)))
        self.value = data + layer.spread * self.noise**2 + layer.penalty / 2 * at.dot(at)
        self.scale = layer.penalty * at.dot(at) + abs(data)
        self.ratio = self.inner / self.outer
        self.pull = 2 * layer.spread * self.noise
        self.gradient = Factors(
            layer.penalty * at.left - 2 * self.slack @ at.right.T + self.pull * self._left(),
            layer.penalty * at.right - 2 * at.left.T @ self.slack + self.pull * self._right(),
        )

    def _left(self) -> Array:
        left: Array = self.at.left * self.ratio
        return left

    def _right(self) -> Array:
        right: Array = self.at.right * self.layer.values / self.ratio[:, None]
        return right

    def prepare(self) -> None:
        """Invert the two diagonal blocks of the Hessian, those of alternating ridge regressions."""
        left, right = self.at
        values, penalty = self.layer.values, self.layer.penalty
        block = 2 * (right * values) @ right.T + np.diag(self.pull * self.ratio + penalty)
        self._inverse = np.linalg.inv(block)
        squares, self._axes = np.linalg.eigh(2 * left.T @ left + np.diag(self.pull / self.ratio))
        self._scales = np.maximum(squares, 0)[:, None] * values + penalty

    def preconditioned(self, residual: Factors) -> Factors:
        """Return the two blocks' solutions for a right side."""
        right = self._axes @ ((self._axes.T @ residual.right) / self._scales)
        return Factors(residual.left @ self._inverse, right)

    def hessian_product(self, direction: Factors) -> Factors:
        """Return the second derivative applied to a direction."""
        left, right = self.at
        values, penalty, ratio = self.layer.values, self.layer.penalty, self.ratio
        change = (direction.left @ right + left @ direction.right) * values
        outer = (left * direction.left).sum(axis=0) / self.outer
        inner = (right * values * direction.right).sum(axis=1) / self.inner
        pull = 2 * self.layer.spread * float(outer @ self.inner + self.outer @ inner)
        turn = inner / self.inner - outer / self.outer  # of log ratio
        grown, shrunk = pull + self.pull * turn, pull - self.pull * turn
        return Factors(
            2 * (change @ right.T - self.slack @ direction.right.T)
            + penalty * direction.left
            + self._left() * grown
            + self.pull * direction.left * ratio,
            2 * (left.T @ change - direction.left.T @ self.slack)
            + penalty * direction.right
            + self._right() * shrunk[:, None]
            + self.pull * direction.right * values / ratio[:, None],
        )


def critical_units(layer: NoisyLayer, start: Factors, tolerance: float) -> Point:
    """Descend from nonzero units to a critical point, or until a unit is about to vanish.

    Stops where the gradient is `tolerance` beside λ times the norm of the units, or where rounding
    leaves nothing to gain.
    """
    point = Point(layer, start)
    for _ in range(_STEPS):
        scale = layer.penalty * np.sqrt(point.at.dot(point.at))
        size = np.sqrt(_square(point))
        sizes = point.outer * point.inner
        if size <= tolerance * scale or sizes.min() <= VANISHING * sizes.max():
            break
        following = _searched(point, _direction(point, min(0.3, np.sqrt(size / scale))))
        if following is None:
            break
        gained = point.value - following.value
        before, point = size, following
        if gained <= _ROUNDING * point.scale and np.sqrt(_square(point)) > 0.5 * before:
            break
    return point


def _square(point: Point) -> float:
    return point.gradient.dot(point.gradient)


def _direction(point: Point, forcing: float) -> Factors:
    """Return a Newton direction by conjugate gradients, cut at negative curvature."""
    point.prepare()
    step = Factors(np.zeros_like(point.at.left), np.zeros_like(point.at.right))
    residual = Factors(-point.gradient.left, -point.gradient.right)
    conditioned = point.preconditioned(residual)
    search, size = conditioned, residual.dot(conditioned)
    goal = forcing**2 * size
    for count in range(_PRODUCTS):
        image = point.hessian_product(search)
        curvature = search.dot(image)
        if curvature <= 1e-14 * point.layer.penalty * search.dot(search):
            return conditioned if count == 0 else step
        step = step.moved(size / curvature, search)
        residual = residual.moved(-size / curvature, image)
        conditioned = point.preconditioned(residual)
        following = residual.dot(conditioned)
        if following <= goal:
            break
        search = conditioned.moved(following / size, search)
        size = following
    return step


def _searched(point: Point, direction: Factors) -> Point | None:
    """Return the first point of a halving line search that descends, None if none does."""
    slope = point.gradient.dot(direction)
    step = 1.0
    for _ in range(40):
        reached = Point(point.layer, point.at.moved(step, direction))
        if reached.value <= point.value + 1e-4 * step * slope + _ROUNDING * point.scale:
            return reached
        step /= 2
    return None
