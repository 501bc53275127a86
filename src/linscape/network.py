"""The architecture: hidden widths, noise, weight decay, and the three numbers they come to."""

import itertools
import math
import operator
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from linscape.errors import InvalidNetwork, OutOfRange

Bias = Literal[False, "decayed", "free"]


def dropout(rate: float) -> float:
    r"""Return the noise variance of inverted dropout, p/(1 − p).

    A unit that is dropped with probability p and otherwise multiplied by 1/(1 − p) carries
    multiplicative noise of mean 1 and variance p/(1 − p).

    Parameters
    ----------
    rate : float
        The probability p that a unit is dropped, 0 ≤ p < 1.

    Returns
    -------
    float
        The noise variance.

    Raises
    ------
    InvalidNetwork
        If `rate` is not a number in [0, 1).

    Examples
    --------
    >>> dropout(0.5)
    1.0
    >>> dropout(0.2)
    0.25
    """
    p = _number(rate, "dropout rate")
    if not 0 <= p < 1:
        raise InvalidNetwork(
            f"a dropout rate must be at least 0 and below 1, got {p:g}; "
            "at 1 no unit is ever alive, give a smaller rate"
        )
    return p / (1 - p)


@dataclass(frozen=True, init=False)
class Network:
    r"""A deep linear network: f(x) = U ε_D∘(W_D ⋯ ε_1∘(W_1 x)), one noise ε_k per hidden layer.

    The objective it enters is :class:`linscape.Problem`'s. With one output and no bias its global
    minimum depends on the architecture through three numbers only: the depth D, the inflation
    τ = Π_k (1 + σ_k²/d_k) and the decay product P = γ_u Π_k γ_k.

    Parameters
    ----------
    hidden : sequence of int
        Widths (d_1, …, d_D) of the hidden layers, from input to output; `()` is a linear model.
    noise : float or sequence of float, default 0
        Variance σ_k² ≥ 0 of the mean-one multiplicative noise on each hidden unit: one value for
        every layer, or D values. ``dropout(p)`` gives the variance of dropout.
    weight_decay : float or sequence of float, default 0
        Decay γ ≥ 0 of each layer, which adds γ‖W‖² to the loss (no ½; a PyTorch optimiser's λ is
        2αγ for a data term α·E‖f − y‖²): one value for all, or D + 1 values from input to output.
    bias : False, "decayed" or "free", default False
        No biases; biases that decay with their layer; or biases free of decay.
    input_noise : float, default 0
        Variance σ_0² ≥ 0 of multiplicative noise on each input.

    Raises
    ------
    InvalidNetwork
        If a value lies outside its range, or a sequence has the wrong length.

    References
    ----------
    Ziyin, Li & Meng (2022), *Exact solutions of a deep linear network*, section 3.

    Examples
    --------
    >>> network = Network(hidden=(2, 4), noise=1.0, weight_decay=(0.5, 0.2, 0.1))
    >>> network.depth, network.inflation      # (1 + 1/2)(1 + 1/4)
    (2, 1.875)
    >>> round(network.decay_product, 12)
    0.01
    """

    hidden: tuple[int, ...]
    noise: tuple[float, ...]
    weight_decay: tuple[float, ...]
    bias: Bias
    input_noise: float

    def __init__(
        self,
        hidden: Iterable[int],
        *,
        noise: float | Iterable[float] = 0.0,
        weight_decay: float | Iterable[float] = 0.0,
        bias: Bias = False,
        input_noise: float = 0.0,
    ) -> None:
        widths = _widths(hidden)
        depth = len(widths)
        if not (bias is False or (isinstance(bias, str) and bias in ("decayed", "free"))):
            raise InvalidNetwork(
                "bias must be False, 'decayed' (each with its layer) or 'free' (none decayed), "
                f"got {bias!r}"
            )
        set_field = object.__setattr__
        set_field(self, "hidden", widths)
        set_field(self, "noise", _per_layer(noise, depth, "noise", "hidden layers"))
        set_field(
            self, "weight_decay", _per_layer(weight_decay, depth + 1, "weight_decay", "layers")
        )
        set_field(self, "bias", bias)
        set_field(self, "input_noise", _not_negative(input_noise, "input_noise"))

    @property
    def depth(self) -> int:
        """Number D of hidden layers."""
        return len(self.hidden)

    @property
    def log_inflation(self) -> float:
        """Logarithm of the inflation τ = Π_k (1 + σ_k²/d_k), which never overflows."""
        pairs = zip(self.noise, self.hidden, strict=True)
        return math.fsum(math.log1p(variance / width) for variance, width in pairs)

    @property
    def inflation(self) -> float:
        """Inflation τ = Π_k (1 + σ_k²/d_k) ≥ 1 of the output's second moment by the noise."""
        return _exponential(self.log_inflation, "inflation")

    @property
    def log_decay_product(self) -> float:
        """Logarithm of P = γ_u Π_k γ_k, −inf if a layer has no decay; it never underflows."""
        if 0.0 in self.weight_decay:
            return -math.inf
        return math.fsum(map(math.log, self.weight_decay))

    @property
    def decay_product(self) -> float:
        """Product P = γ_u Π_k γ_k of all D + 1 decays."""
        if 0.0 in self.weight_decay:
            return 0.0
        return _exponential(self.log_decay_product, "decay_product")

    def shapes(self, inputs: int, outputs: int) -> tuple[tuple[int, int], ...]:
        """Return the shapes of W_1, …, W_D, U, each with one more column where there are biases.

        Examples
        --------
        >>> Network(hidden=(3,), bias="free").shapes(inputs=5, outputs=2)
        ((3, 6), (2, 4))
        """
        sizes = (inputs, *self.hidden, outputs)
        extra = 0 if self.bias is False else 1
        return tuple((rows, columns + extra) for columns, rows in itertools.pairwise(sizes))

    def to_dict(self) -> dict[str, Any]:
        """Return numbers and lists, ready for JSON; `Network(**…)` makes the network again."""
        return {
            "hidden": list(self.hidden),
            "noise": list(self.noise),
            "weight_decay": list(self.weight_decay),
            "bias": self.bias,
            "input_noise": self.input_noise,
        }


def _widths(hidden: Iterable[int]) -> tuple[int, ...]:
    listed = isinstance(hidden, Iterable) and getattr(hidden, "ndim", 1) > 0
    if isinstance(hidden, str) or not listed:
        raise InvalidNetwork(
            f"hidden must be a sequence of widths such as (64, 64), got {hidden!r}; "
            "() is a linear model"
        )
    widths = []
    for position, width in enumerate(hidden, start=1):
        try:
            value = operator.index(width)
        except TypeError:
            value = 0
        if value < 1 or isinstance(width, bool):
            raise InvalidNetwork(
                f"the width of hidden layer {position} must be a whole number of at least 1, "
                f"got {width!r}"
            )
        widths.append(value)
    return tuple(widths)


def _per_layer(values: Any, length: int, name: str, layers: str) -> tuple[float, ...]:
    if (
        isinstance(values, str)
        or not isinstance(values, Iterable)
        or getattr(values, "ndim", 1) == 0
    ):
        return (_not_negative(values, name),) * length
    numbers = tuple(
        _not_negative(value, f"{name}[{position}]") for position, value in enumerate(values)
    )
    if len(numbers) != length:
        raise InvalidNetwork(
            f"{name} needs one value, or one for each of the {length} {layers}, "
            f"got {len(numbers)} values"
        )
    return numbers


def _not_negative(value: Any, name: str) -> float:
    number = _number(value, name)
    if number < 0:
        raise InvalidNetwork(f"{name} must be zero or positive, got {number:g}")
    return number


def _number(value: Any, name: str) -> float:
    try:
        odd = isinstance(value, (str, bool)) or hasattr(value, "mask")  # numpy.ma.masked
        number = math.nan if odd else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InvalidNetwork(f"{name} must be a finite number, got {value!r}")
    return number


def _exponential(logarithm: float, name: str) -> float:
    try:
        value = math.exp(logarithm)
    except OverflowError:
        value = 0.0
    if value == 0.0:
        raise OutOfRange(
            f"{name} is exp({logarithm:.6g}), outside the range of a 64-bit float; use log_{name}"
        )
    return value
