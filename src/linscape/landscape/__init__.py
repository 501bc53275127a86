"""What the theory says of a problem: its global minimum, its phase, its thresholds."""

from linscape.landscape.certificate import Certificate
from linscape.landscape.minimum import global_minimum
from linscape.landscape.phases import CriticalWeightDecay, Phase, critical_weight_decay, phase
from linscape.landscape.solution import GlobalMinimum

__all__ = [
    "Certificate",
    "CriticalWeightDecay",
    "GlobalMinimum",
    "Phase",
    "critical_weight_decay",
    "global_minimum",
    "phase",
]
