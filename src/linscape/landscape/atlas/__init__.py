"""Every critical point under weight decay: the solutions of the sub-networks, as classes."""

from linscape.landscape.atlas.classes import SubnetworkClass
from linscape.landscape.atlas.enumeration import decayed_critical_points

__all__ = ["SubnetworkClass", "decayed_critical_points"]
