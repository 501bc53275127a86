"""How descent moves on the landscape."""

from linscape.dynamics.collapse import CriticalGain, critical_gain

__all__ = ["CriticalGain", "critical_gain"]
