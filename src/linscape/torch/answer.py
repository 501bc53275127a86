"""One answer about a model, and what it rests on."""

from dataclasses import dataclass, field
from typing import Any

from linscape.landscape.interval import json_value


@dataclass(frozen=True)
class Answer:
    """One answer, and what it rests on.

    Attributes
    ----------
    verdict : str
        In a word or two.
    statement : str
        In a sentence.
    basis : str
        The theorem, or "numerical", "approximation", "not covered", "not applicable".
    numbers : dict
        The numbers behind it.
    """

    verdict: str
    statement: str
    basis: str
    numbers: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the answer ready for JSON."""
        return {key: json_value(value) for key, value in vars(self).items()}
