"""What is proven about a minimum, and what the width of the interval is made of."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Certificate:
    """lower ≤ min L ≤ upper, for the stored moments, in the units of the loss.

    Attributes
    ----------
    theorem : str
        The theorem that makes the problem one-dimensional.
    lower, upper : float
        The proven interval of the global minimum.
    rounding : float
        The part of it that covers the rounding of the one-dimensional function.
    spectral : float
        The part, on either side, that covers the error of the eigendecomposition, bounded
        afterwards from the matrices it returned.
    truncation : float
        The part that covers `null_directions`: what they could gain if their variance were as
        large as the rounding it cannot be told from.
    null_directions : int
        Number of directions of x whose variance cannot be told from zero; they are taken to have
        none, and hence no part of E[xy].
    """

    theorem: str
    lower: float
    upper: float
    rounding: float
    spectral: float
    truncation: float
    null_directions: int

    @property
    def gap(self) -> float:
        """Return upper − lower."""
        return self.upper - self.lower

    def to_dict(self) -> dict[str, Any]:
        """Return the certificate ready for JSON."""
        return {**asdict(self), "gap": self.gap}
