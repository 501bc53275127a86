"""What the theory says of a problem: its global minimum, its phase, its thresholds."""

from linscape.landscape.branches import Branch, Branches, branches
from linscape.landscape.certificate import Certificate
from linscape.landscape.convex_trap import (
    convex_trap_radius,
    cross_entropy_moment,
    relu_trap_radius,
    square_loss_moment,
)
from linscape.landscape.diagram import PhaseDiagram, phase_diagram
from linscape.landscape.knobs import (
    CriticalDepth,
    CriticalDropout,
    CriticalSignal,
    critical_depth,
    critical_dropout,
    critical_signal,
)
from linscape.landscape.minimise import global_minimum
from linscape.landscape.minimum import GlobalMinimum
from linscape.landscape.phases import CriticalWeightDecay, Phase, critical_weight_decay, phase
from linscape.landscape.solutions import Solution, energy_curve, solutions
from linscape.landscape.solver import global_minima
from linscape.landscape.trap import InTrap, TrapRadius, in_trap, trap_radius

__all__ = [
    "Branch",
    "Branches",
    "Certificate",
    "CriticalDepth",
    "CriticalDropout",
    "CriticalSignal",
    "CriticalWeightDecay",
    "GlobalMinimum",
    "InTrap",
    "Phase",
    "PhaseDiagram",
    "Solution",
    "TrapRadius",
    "branches",
    "convex_trap_radius",
    "critical_depth",
    "critical_dropout",
    "critical_signal",
    "critical_weight_decay",
    "cross_entropy_moment",
    "energy_curve",
    "global_minima",
    "global_minimum",
    "in_trap",
    "phase",
    "phase_diagram",
    "relu_trap_radius",
    "solutions",
    "square_loss_moment",
    "trap_radius",
]
