"""Many problems: a grid of networks and data, a store that survives every kill, one table."""

from linscape.sweep.result import Sweep
from linscape.sweep.run import read, run
from linscape.sweep.spec import Spec, read_spec

__all__ = ["Spec", "Sweep", "read", "read_spec", "run"]
