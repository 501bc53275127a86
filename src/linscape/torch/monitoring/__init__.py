"""Training watched: energies, pull of the data, balancedness, distance to the trap; one warning."""

from linscape.torch.monitoring.monitor import CollapseWarning, Monitor
from linscape.torch.monitoring.observation import Collapse, Observation

__all__ = ["Collapse", "CollapseWarning", "Monitor", "Observation"]
