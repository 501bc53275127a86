"""A claim of a source, what was computed for it, and whether it holds."""

from dataclasses import dataclass
from typing import Any

from linscape.landscape.interval import json_value


@dataclass(frozen=True)
class Claim:
    """One statement of a source, beside our computation.

    Attributes
    ----------
    statement : str
        What the source says, in our words and with its assumptions.
    source : str
        The paper, with theorem, equation or figure number.
    printed : float, str or None
        The number that the source gives, or None if it gives none.
    computed : float, str or None
        The same from our computation.
    holds : bool or None
        Whether the statement holds; None where the computation cannot tell, the difference being
        explained in `note`.
    note : str
        Why the two differ, or what can and cannot be reproduced.

    Examples
    --------
    >>> Claim("2 + 2 = 5", "nowhere", printed=5.0, computed=4.0, holds=False).verdict
    'FAIL'
    """

    statement: str
    source: str
    printed: float | str | None = None
    computed: float | str | None = None
    holds: bool | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """PASS, FAIL or OPEN."""
        return {True: "PASS", False: "FAIL", None: "OPEN"}[self.holds]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-ready values."""
        return {
            "statement": self.statement,
            "source": self.source,
            "printed": _plain(self.printed),
            "computed": _plain(self.computed),
            "verdict": self.verdict,
            "note": self.note,
        }


def _plain(value: float | str | None) -> Any:
    return json_value(float(value)) if isinstance(value, int | float) else value
