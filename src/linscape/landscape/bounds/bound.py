"""One inequality: its number, whether it suffices or is needed, and what the paper prints."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from linscape.landscape.interval import json_value

Kind = Literal["sufficient", "necessary", "both"]

SOURCE = "Ziyin, Li & Meng (2022)"


@dataclass(frozen=True, repr=False)
class Bound:
    """An inequality that is sufficient or necessary for a claim.

    Attributes
    ----------
    value : float
        The number in it.
    condition : str
        The inequality, with "value" for the number.
    kind : "sufficient", "necessary" or "both"
        What `condition` is for `claim`.
    claim : str
        What it decides.
    equation : str
        Its number in Ziyin, Li & Meng (2022), or where it comes from.
    assumptions : tuple of str
        What the inequality needs, as it is stated here.
    as_printed : float or None
        The number that the printed formula gives; None where the print is right, or states nothing
        about this network (layers that are not equal).
    misprint : str
        What is wrong with the print; empty where nothing is.
    """

    value: float
    condition: str
    kind: Kind
    claim: str
    equation: str
    assumptions: tuple[str, ...]
    as_printed: float | None = None
    misprint: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the bound ready for JSON, infinity as the string "inf"."""
        return {key: json_value(value) for key, value in asdict(self).items()}

    def __repr__(self) -> str:
        """Return the inequality and its standing in a few readable lines."""
        standing = "necessary and sufficient" if self.kind == "both" else self.kind
        lines = [
            f"Bound {self.equation}: {self.condition}, value = {self.value:.10g}",
            f"  is {standing} for: {self.claim}",
        ]
        if self.as_printed is not None:
            lines.append(f"  printed value {self.as_printed:.10g}")
        if self.misprint:
            lines.append(f"  misprint: {self.misprint}")
        return "\n".join(lines)
