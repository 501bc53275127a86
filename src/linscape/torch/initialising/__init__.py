"""Starts on the learning side of the barrier around zero."""

from linscape.torch.initialising.barrier import Barrier, barrier
from linscape.torch.initialising.initialize import initialize_
from linscape.torch.initialising.result import Initialisation

__all__ = ["Barrier", "Initialisation", "barrier", "initialize_"]
