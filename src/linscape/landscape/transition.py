"""What is said of learning's transition: the phase of a problem, and the decays at its edges."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from linscape.landscape.interval import Interval, exponential, json_value

_KNOWN = 1e-6  # of log P: a wider interval is no number, but two bounds far apart


@dataclass(frozen=True)
class CriticalWeightDecay:
    """The weight decays at which learning, and any solution but zero, end.

    Attributes
    ----------
    learning : float
        The common decay γ* = P*^{1/(D+1)} below which the global minimum is nontrivial; for unequal
        decays, their geometric mean there. In the units of the problem's reduction (γ‖W‖², no ½).
    existence : float or None
        The common decay up to which a solution other than zero exists; at least `learning`. None
        for several outputs where it is not known exactly: `existence_interval` holds it.
    learning_factor, existence_factor : float (or None)
        What the problem's own decays must be multiplied by, all together, to be there.
    learning_interval, existence_interval : (float, float)
        Proven bounds on `learning` and `existence`, for the stored moments.
    order : int or None
        Order of the transition at `learning`: 2 with one hidden layer, where the minimum leaves
        zero continuously; 1 with more, where it appears at a distance; None where there is no
        transition: without a hidden layer, or without a signal.
    """

    learning: float
    existence: float | None
    learning_factor: float
    existence_factor: float | None
    learning_interval: tuple[float, float]
    existence_interval: tuple[float, float]
    order: int | None

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers ready for JSON, infinities as the string "inf"."""
        return {key: json_value(value) for key, value in asdict(self).items()}


@dataclass(frozen=True)
class Phase:
    """Which solutions there are, and which is the global minimum.

    With biases that decay, "zero" is the state that predicts one constant through the output bias
    alone, and a solution that uses its biases but not its inputs counts as collapsed: it predicts a
    constant too (with biases free of decay the constant is E[y]). Where `zero_is_minimum` is False
    and the name is not "learning", such a one is the global minimum.

    Attributes
    ----------
    name : str
        "collapsed": no solution but zero; "metastable": others are local minima and zero is global;
        "learning": the global minimum is nontrivial, it uses the inputs; "undecided": too near an
        edge for 64-bit floats, or several outputs where zero is global and no theorem says whether
        other solutions exist.
    undecided : bool
        Whether `name` is "undecided".
    zero_is_minimum : bool or None
        Whether zero is a local minimum: always so from two hidden layers on, which makes it a trap
        in the learning phase; with one, exactly where the network does not learn. With biases that
        decay and E[y] ≠ 0 it need not be, at any depth.
    """

    name: str
    undecided: bool
    zero_is_minimum: bool | None

    def to_dict(self) -> dict[str, Any]:
        """Return the phase ready for JSON."""
        return asdict(self)


def critical_from_levels(
    learning: Interval, existence: Interval, own: float, depth: int
) -> CriticalWeightDecay:
    """Return the critical decays from log P*, log P_e and the log P of the problem's own decays."""
    layers = depth + 1
    known = existence.lower == existence.upper or existence.upper - existence.lower < _KNOWN
    return CriticalWeightDecay(
        learning=_middle(learning, 0.0, layers),
        existence=_middle(existence, 0.0, layers) if known else None,
        learning_factor=_middle(learning, own, layers),
        existence_factor=_middle(existence, own, layers) if known else None,
        learning_interval=_decays(learning, layers),
        existence_interval=_decays(existence, layers),
        order=_order(depth, learning),
    )


def _order(depth: int, learning: Interval) -> int | None:
    if depth == 0 or learning.upper == -math.inf:
        return None
    return 2 if depth == 1 else 1


def _decays(level: Interval, layers: int) -> tuple[float, float]:
    return exponential(level.lower / layers), exponential(level.upper / layers)


def _middle(level: Interval, own: float, layers: int) -> float:
    if own == -math.inf:
        return math.inf if level.upper > -math.inf else 0.0
    if math.isinf(level.lower):
        return exponential((level.upper - own) / layers)
    return exponential(((level.lower + level.upper) / 2 - own) / layers)
