"""Random weights: the schemes of the field, and balanced starts."""

from linscape.initialisation.balanced import balanced_weights
from linscape.initialisation.schemes import Scheme, random_weights

__all__ = ["Scheme", "balanced_weights", "random_weights"]
