"""What the controls of the page say, as the problem it means."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.errors import InvalidOption, NoExactSolution
from linscape.explorer.table import Table
from linscape.moments import Moments
from linscape.network import Network, dropout
from linscape.problem import Problem


class Range(NamedTuple):
    """A slider: its ends, its step, where it stands at first."""

    low: float
    high: float
    step: float
    start: float


# decay and gain are logarithms to base 10
RANGES = {
    "depth": Range(1, 6, 1, 2),
    "width": Range(1, 32, 1, 8),
    "dropout": Range(0.0, 0.9, 0.02, 0.2),
    "decay": Range(-4.0, 1.0, 0.05, -0.7),
    "gain": Range(-3.0, 0.5, 0.05, -0.5),
}


def grid(name: str) -> NDArray[np.float64]:
    """Return every position of a slider."""
    low, high, step, _ = RANGES[name]
    return np.round(np.linspace(low, high, round((high - low) / step) + 1), 6)


def power(exponent: float) -> float:
    """Return 10^exponent to four digits, so that the code shown is short and means the same."""
    return float(f"{10**exponent:.4g}")


@dataclass(frozen=True)
class Settings:
    """Where the controls stand.

    Attributes
    ----------
    table : str
        Key of the data.
    targets : tuple of str
        Columns to predict.
    depth, width : int
        Number of hidden layers, and units in each.
    dropout : float
        Rate in each hidden layer.
    weight_decay : float
        γ of every layer (γ‖W‖², no ½).
    gain : float
        Factor on the random start of descent.
    """

    table: str
    targets: tuple[str, ...]
    depth: int
    width: int
    dropout: float
    weight_decay: float
    gain: float

    @classmethod
    def read(cls, table: Any, targets: Any, **positions: Any) -> "Settings":
        """Return the settings that the controls send, which need not be a browser's.

        Raises
        ------
        InvalidOption
            If a value is not one that the controls can take.
        """
        chosen = targets if isinstance(targets, Sequence) and not isinstance(targets, str) else ()
        numbers = {name: _position(name, value) for name, value in positions.items()}
        return cls(
            table=str(table),
            targets=tuple(str(name) for name in chosen),
            depth=int(numbers["depth"]),
            width=int(numbers["width"]),
            dropout=round(numbers["dropout"], 6),
            weight_decay=power(numbers["decay"]),
            gain=power(numbers["gain"]),
        )

    @property
    def noise(self) -> float:
        """Variance of the noise that the dropout makes."""
        return dropout(self.dropout)

    @property
    def hidden(self) -> tuple[int, ...]:
        """Width of each hidden layer."""
        return (self.width,) * self.depth


def _position(name: str, value: Any) -> float:
    low, high, _, _ = RANGES[name]
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not low <= number <= high:
        raise InvalidOption(
            f"expected {name} between {low:g} and {high:g}, got {str(value)[:20]!r}; "
            "move the slider back"
        )
    return round(number) if name in ("depth", "width") else number


@dataclass(frozen=True, eq=False)
class Scene:
    """Settings and the data they are about: the problem that all views look at."""

    settings: Settings
    table: Table

    @cached_property
    def moments(self) -> Moments:
        """Return the moments with the chosen targets."""
        return self.table.moments(self.settings.targets)

    @cached_property
    def problem(self) -> Problem:
        """Return the problem as it is set."""
        settings = self.settings
        network = Network(settings.hidden, noise=settings.noise, weight_decay=settings.weight_decay)
        return Problem(self.moments, network)

    @cached_property
    def plain(self) -> Problem:
        """Return the problem without decay and dropout."""
        return Problem(self.moments, Network(self.settings.hidden))

    def require_one_target(self) -> None:
        """Refuse several targets.

        Raises
        ------
        NoExactSolution
            If several are chosen.
        """
        if self.moments.outputs > 1:
            raise NoExactSolution(
                "With several targets the landscape is not one curve: choose one target to see "
                "this view. Critical values and descent take any number."
            )

    def code(self, *lines: str, plain: bool = False) -> str:
        """Return Python that makes the moments and the problem, followed by these lines."""
        settings = self.settings
        options = ""
        if not plain:
            noise = f", noise=ls.dropout({settings.dropout!r})" if settings.dropout else ""
            options = f"{noise}, weight_decay={settings.weight_decay!r}"
        network = f"network = ls.Network({settings.hidden!r}{options})"
        reading = self.table.code(list(settings.targets))
        head = "import numpy as np\nimport linscape as ls\n"
        joint = "" if reading.startswith("from") else "\n"
        middle = f"{reading}\n{network}\nproblem = ls.Problem(moments, network)\n"
        return "\n".join([head + joint + middle, *lines])
