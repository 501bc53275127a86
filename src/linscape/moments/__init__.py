"""Second moments: the only form in which data enter the theory."""

from linscape.moments.moments import Moments
from linscape.moments.reading import read_moments
from linscape.moments.transform import Affine

__all__ = ["Affine", "Moments", "read_moments"]
