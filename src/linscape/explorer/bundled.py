"""The data sets that come with the page: one real, the others made to show one thing each."""

from functools import cache
from pathlib import Path

import numpy as np

from linscape.errors import InvalidOption
from linscape.explorer.table import Table
from linscape.moments import Moments

DIABETES = Path(__file__).parent / "data" / "diabetes.npz"
# names in the order in which the page offers them
NAMES = ("diabetes", "staircase", "two scales", "textbook")
# where the controls go when a set is chosen, so that it shows what it is for
OPENINGS: dict[str, dict[str, float | str]] = {
    "diabetes": {"variant": "set"},
    "staircase": {"depth": 2, "width": 8, "gain": -1.7, "variant": "plain"},
    "two scales": {"depth": 2, "width": 2, "dropout": 0.34, "decay": -0.5, "variant": "set"},
    "textbook": {"variant": "set"},
}


@cache
def bundled(name: str) -> Table:
    """Return a bundled data set.

    - "diabetes": 442 patients, ten inputs and the progression after a year (Efron, Hastie,
      Johnstone & Tibshirani 2004); standardised.
    - "staircase": white inputs and three targets of signals 4, 2 and 1, with some noise: descent
      learns one after the other.
    - "two scales": inputs of variance 400 and 1, the second with the larger share: two minima
      beside zero.
    - "textbook": one input that is the target: everything is known by hand.

    Raises
    ------
    InvalidOption
        If there is no such data set.

    Examples
    --------
    >>> bundled("textbook").moments(["y"])
    Moments(unknown number of rows, 1 input, 1 output, standardised)
    """
    if name not in NAMES:
        raise InvalidOption(f"expected one of the data sets {', '.join(NAMES)}, got {name!r}")
    moments, title = _MAKERS[name]()
    return Table.of(
        moments,
        title=title,
        standardized=name == "diabetes",
        code=lambda targets: (
            "from linscape.explorer.bundled import bundled\n\n"
            f"moments = bundled({name!r}).moments({targets!r})"
        ),
    )


def _diabetes() -> tuple[Moments, str]:
    return Moments.load(DIABETES), "Diabetes, 442 patients"


def _staircase() -> tuple[Moments, str]:
    rng = np.random.default_rng(7)
    X = np.linalg.qr(rng.standard_normal((200, 6)))[0] * np.sqrt(200)
    Y = X[:, :3] * [4.0, 2.0, 1.0] + 0.3 * rng.standard_normal((200, 3))
    found = Moments.from_arrays(X - X.mean(axis=0), Y - Y.mean(axis=0))
    return _named(found, 6, 3, 200), "Staircase, 3 targets"


def _two_scales() -> tuple[Moments, str]:
    C = np.array([4.472, 1.0])
    A = np.diag([400.0, 1.0])
    found = Moments(A, C, 1.1, mean_x=np.zeros(2), mean_y=0.0)
    return _named(found, 2, 1, None), "Two scales, two minima"


def _textbook() -> tuple[Moments, str]:
    found = Moments([[1.0]], [1.0], 1.0, mean_x=[0.0], mean_y=0.0)
    return _named(found, 1, 1, None), "Textbook, y = x"


def _named(moments: Moments, inputs: int, outputs: int, rows: int | None) -> Moments:
    """Return moments about their means with names for their columns."""
    x = ["x"] if inputs == 1 else [f"x{k + 1}" for k in range(inputs)]
    y = ["y"] if outputs == 1 else [f"y{k + 1}" for k in range(outputs)]
    return Moments(
        moments.covariance_x,
        moments.covariance_xy,
        moments.covariance_y,
        mean_x=np.zeros(inputs),
        mean_y=0.0 if outputs == 1 else np.zeros(outputs),
        n=rows,
        names=x,
        targets=y,
    )


_MAKERS = {
    "diabetes": _diabetes,
    "staircase": _staircase,
    "two scales": _two_scales,
    "textbook": _textbook,
}
