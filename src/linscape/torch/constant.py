"""The best output that is one constant, which biases alone can make, and the signal beside it."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, softmax

from linscape.torch.gathering import Gathered
from linscape.torch.loss import DataTerm, row_gradients
from linscape.torch.reading import Reading

Array = NDArray[np.float64]

_NEWTON = 100


@dataclass(frozen=True, eq=False)
class Constant:
    """The state in which all weights are zero and the output's bias is at its best.

    Attributes
    ----------
    value : (m,) ndarray
        b, which minimises E ℓ(b, y) + μ‖b‖², μ the decay γ of the output's bias; 0 without one.
    moment : (m, d) ndarray
        B = E[∇ℓ(b, y) xᵀ], or (m, d + 1) with E[∇ℓ(b, y)] = −2μb as its last column, where hidden
        biases decay: their input is the constant 1.
    """

    value: Array
    moment: Array

    @property
    def signal(self) -> float:
        """‖B‖₂."""
        return float(np.linalg.norm(self.moment, 2))


def best_constant(reading: Reading, term: DataTerm, gathered: Gathered) -> Constant | None:
    """Return the best constant; None where it does not exist or cannot be told.

    It does not exist where a class never occurs and nothing decays the bias; it cannot be told of
    Huber's loss beside biases where the rows were too many to be kept.
    """
    moments = gathered.moments
    outputs = moments.outputs
    # moments hold −∇ℓ(0, y)/2 in place of y
    C = np.reshape(moments.C, (moments.inputs, outputs))
    if reading.bias is False:
        return Constant(np.zeros(outputs), -2 * C.T)
    decayed = reading.bias == "decayed"
    mu = reading.weight_decay[-1] / (2 * reading.alpha) if decayed else 0.0
    at_zero = -2 * np.reshape(np.asarray(moments.mean_y), -1)  # E ∇ℓ(0, y)
    if term.kind == "Huber":
        value = _huber_constant(term, gathered, mu)
        moment = None if value is None else _huber_moment(term, gathered, value)
    else:
        value = _constant(term.kind, at_zero, mu)
        covariance = np.reshape(moments.covariance_xy, (moments.inputs, outputs))
        # ∇ℓ(b, y) = s(b) − t(y), so its covariance with x does not depend on b
        moment = None if value is None else -2 * covariance.T
        if moment is not None and value is not None and mu:
            moment = moment - 2 * mu * np.outer(value, np.asarray(moments.mean_x))
    if value is None or moment is None:
        return None
    if decayed:
        moment = np.column_stack([moment, -2 * mu * value])
    return Constant(value, moment)


def _constant(kind: str, at_zero: Array, mu: float) -> Array | None:
    """Return b of E∇ℓ(b, y) + 2μb = 0 from E∇ℓ(0, y)."""
    if kind == "square":
        return -at_zero / (2 + 2 * mu)
    if kind == "cross-entropy":
        return _softmax_constant(1 / len(at_zero) - at_zero, mu)
    rates = 0.5 - at_zero
    if not mu and not np.all((rates > 0) & (rates < 1)):
        return None
    return np.array([_logistic_constant(float(rate), mu) for rate in rates])


def _logistic_constant(rate: float, mu: float) -> float:
    if not mu:
        return math.log(rate / (1 - rate))
    far = 1 / (2 * mu)  # |σ(b) − rate| < 1
    return float(brentq(lambda b: expit(b) - rate + 2 * mu * b, -far, far, xtol=1e-15 * far))


def _softmax_constant(rates: Array, mu: float) -> Array | None:
    """Newton's method with halved steps on log Σe^b − π·b + μ‖b‖²; log π without decay."""
    if np.all(rates > 1e-12):  # one that is rounding only is a class that never occurs
        if not mu:
            logs: Array = np.log(rates)
            return logs - float(np.mean(logs))
    elif not mu:
        return None
    b = np.zeros_like(rates)

    def value(b: Array) -> float:
        top = float(np.max(b))
        logarithm = top + math.log(float(np.sum(np.exp(b - top))))
        return logarithm - float(rates @ b) + mu * float(b @ b)

    for _ in range(_NEWTON):
        s = softmax(b)
        gradient = s - rates + 2 * mu * b
        if np.max(np.abs(gradient)) < 1e-15:
            break
        hessian = np.diag(s) - np.outer(s, s) + 2 * mu * np.eye(len(b))
        # a decay below rounding leaves the common part of b free: it stays zero
        step, size = np.linalg.lstsq(hessian, gradient, rcond=None)[0], 1.0
        while value(b - size * step) > value(b) and size > 1e-8:
            size /= 2
        b = b - size * step
    return b


def _huber_constant(term: DataTerm, gathered: Gathered, mu: float) -> Array | None:
    """Solve mean clip(b − y, ±δ) + 2μb = 0, which grows with b, for each output."""
    if gathered.targets is None:
        return None
    delta = float(term.threshold or 0)
    columns = gathered.targets.to(torch.float64).reshape(gathered.rows, -1).numpy().T
    return np.array([_huber_root(y, delta, mu) for y in columns])


def _huber_root(y: Array, delta: float, mu: float) -> float:
    low, high = float(min(y.min(), 0.0)), float(max(y.max(), 0.0))
    if low == high:
        return low

    def slope(b: float) -> float:
        return float(np.mean(np.clip(b - y, -delta, delta))) + 2 * mu * b

    if slope(low) >= 0 or slope(high) <= 0:
        return low if slope(low) >= 0 else high
    return float(brentq(slope, low, high, xtol=1e-15 * (high - low)))


def _huber_moment(term: DataTerm, gathered: Gathered, value: Array) -> Array | None:
    if gathered.features is None or gathered.targets is None:
        return None
    _, gradients = row_gradients(term, gathered.targets, len(value), value)
    moment: Array = gradients.numpy().T @ gathered.features / gathered.rows
    return moment
