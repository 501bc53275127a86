"""Newton's method in the two factors of a product, the linear systems solved by few products."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_STEPS = 60
_PRODUCTS = 200


class Factors(NamedTuple):
    """A pair whose product is M: left (m, k) and right (k, r); also a direction or a gradient."""

    left: Array
    right: Array

    def moved(self, step: float, direction: "Factors") -> "Factors":
        """Return self + step·direction."""
        return Factors(self.left + step * direction.left, self.right + step * direction.right)

    def dot(self, other: "Factors") -> float:
        """Return the sum of the products of all entries."""
        return float(np.sum(self.left * other.left) + np.sum(self.right * other.right))


class _Point:
    """The smooth objective near one pair of factors: value, gradient, Hessian, preconditioner."""

    def __init__(self, values: Array, target: Array, penalty: float, at: Factors) -> None:
        self.values, self.penalty, self.at = values, penalty, at
        product = at.left @ at.right
        self.slack = target - product * values
        self.value = float(np.sum(product * (product * values - 2 * target)))
        self.value += penalty / 2 * at.dot(at)
        self.gradient = Factors(
            penalty * at.left - 2 * self.slack @ at.right.T,
            penalty * at.right - 2 * at.left.T @ self.slack,
        )

    def prepare(self) -> None:
        """Invert the two diagonal blocks of the Hessian, those of alternating ridge regressions."""
        left, right = self.at
        block = 2 * (right * self.values) @ right.T
        least = np.finfo(np.float64).eps * np.trace(block)  # a smaller penalty leaves it singular
        self._inverse = np.linalg.inv(block + max(self.penalty, least) * np.eye(len(right)))
        squares, self._axes = np.linalg.eigh(left.T @ left)
        self._scales = 2 * np.maximum(squares, 0)[:, None] * self.values + self.penalty

    def preconditioned(self, residual: Factors) -> Factors:
        """Return the two blocks' solutions for a right side."""
        right = self._axes @ ((self._axes.T @ residual.right) / self._scales)
        return Factors(residual.left @ self._inverse, right)

    def hessian_product(self, direction: Factors) -> Factors:
        """Return the second derivative applied to a direction."""
        left, right = self.at
        change = (direction.left @ right + left @ direction.right) * self.values
        return Factors(
            2 * (change @ right.T - self.slack @ direction.right.T) + self.penalty * direction.left,
            2 * (left.T @ change - direction.left.T @ self.slack) + self.penalty * direction.right,
        )


def newton_minimum(
    values: Array, target: Array, penalty: float, start: Factors, tolerance: float
) -> Factors:
    """Descend Σ a_i‖m_i‖² − 2⟨M, T⟩ + ½λ(‖left‖² + ‖right‖²), M = left·right, to a critical point.

    Stops where the gradient is `tolerance` beside λ times the norm of the factors, or where
    rounding leaves nothing to gain.
    """
    point = _Point(values, target, penalty, start)
    for _ in range(_STEPS):
        scale = penalty * np.sqrt(point.at.dot(point.at))
        size = np.sqrt(point.gradient.dot(point.gradient))
        if size <= tolerance * scale:
            break
        direction = _direction(point, min(0.3, np.sqrt(size / scale)))
        following = _searched(values, target, penalty, point, direction)
        if following is None:
            break
        point = following
    return point.at


def _direction(point: _Point, forcing: float) -> Factors:
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
        if curvature <= 1e-14 * point.penalty * search.dot(search):
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


def _searched(
    values: Array, target: Array, penalty: float, point: _Point, direction: Factors
) -> _Point | None:
    """Return the first point of a halving line search that descends, None if none does."""
    slope = point.gradient.dot(direction)
    step = 1.0
    for _ in range(40):
        reached = _Point(values, target, penalty, point.at.moved(step, direction))
        if reached.value <= point.value + 1e-4 * step * slope + 1e-15 * abs(point.value):
            return reached
        step /= 2
    return None
