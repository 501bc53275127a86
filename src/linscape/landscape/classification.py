"""What kind of critical point given weights are, as a result."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from linscape.landscape.escape import Escape

Array = NDArray[np.float64]
Kind = Literal[
    "not critical",
    "global minimum",
    "local minimum",
    "strict saddle",
    "non-strict saddle",
    "undecided",
]


@dataclass(frozen=True, eq=False)
class Classification:
    """The kind of critical point that given weights are, or come close to.

    Attributes
    ----------
    kind : str
        "not critical", "global minimum", "local minimum", "strict saddle" (the Hessian has a
        negative eigenvalue), "non-strict saddle" (it has none, and the loss falls at higher order),
        or "undecided" where 64-bit floats, or the gradient that is left, do not tell.
    reason : str
        Why, with the numbers that decided.
    source : str
        The theorem it rests on, or "numerical: …".
    gradient_norm : float
        Relative norm of the gradient, which no unit of x, y or a layer changes; see
        :func:`classify`.
    tolerance : float
        What it was compared with.
    loss : float
        The loss at the weights.
    rank : int or None
        Rank r of the end-to-end map on the data; None where it is not clear.
    modes : tuple of int or None
        The modes it contains, from 0 by descending value; None where repeated values make them
        ambiguous, or with decay or noise.
    values : tuple of float or None
        λ of the modes it contains, descending, which is clear even where `modes` is not.
    tightened : bool or None
        Whether no two layers can lower the loss to second order (Achour, Malgouyres & Gerchinovitz
        2021); None where it was not needed, or is not clear.
    inertia : (int, int, int) or None
        Number of negative, zero and positive eigenvalues of the Hessian, computed where the net
        has at most 600 weights and they separate.
    escape : Escape or None
        For saddles: a way down, checked by evaluating the loss.
    """

    kind: Kind
    reason: str
    source: str
    gradient_norm: float
    tolerance: float
    loss: float
    rank: int | None = None
    modes: tuple[int, ...] | None = None
    values: tuple[float, ...] | None = None
    tightened: bool | None = None
    inertia: tuple[int, int, int] | None = None
    escape: Escape | None = field(default=None, repr=False)

    @property
    def direction(self) -> list[Array] | None:
        """The direction of the escape, of norm one, in the shapes of the weights."""
        return None if self.escape is None else self.escape.direction

    def to_dict(self) -> dict[str, Any]:
        """Return the classification ready for JSON."""
        return {
            "kind": self.kind,
            "reason": self.reason,
            "source": self.source,
            "gradient_norm": self.gradient_norm,
            "tolerance": self.tolerance,
            "loss": self.loss,
            "rank": self.rank,
            "modes": None if self.modes is None else list(self.modes),
            "values": None if self.values is None else list(self.values),
            "tightened": self.tightened,
            "inertia": None if self.inertia is None else list(self.inertia),
            "escape": None if self.escape is None else self.escape.to_dict(),
        }

    def __repr__(self) -> str:
        """Return the result in a few readable lines."""
        parts = [f"rank {self.rank}"] if self.rank is not None else []
        parts += [f"modes {list(self.modes)}"] if self.modes is not None else []
        parts += [f"inertia {self.inertia}"] if self.inertia is not None else []
        lines = [f"Classification: {self.kind}, loss {self.loss:.10g}"]
        lines += ["  " + ", ".join(parts)] if parts else []
        lines.append(f"  {self.reason}")
        lines.append(
            f"  relative gradient {self.gradient_norm:.2g}, tolerance {self.tolerance:.2g}"
        )
        if self.escape is not None:
            lines.append(f"  {self.escape}")
        lines.append(f"  by {self.source}")
        return "\n".join(lines)
