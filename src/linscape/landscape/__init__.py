"""What the theory says of a problem: its minima and saddles, its phase, its thresholds."""

from linscape.landscape.atlas import SubnetworkClass, decayed_critical_points
from linscape.landscape.biases import (
    BiasedCriticalWeightDecay,
    BiasedMinimum,
    BiasedSolution,
    BiasState,
    bias_only_states,
    trivial_state,
)
from linscape.landscape.branches import Branch, Branches, branches
from linscape.landscape.certificate import Certificate
from linscape.landscape.classification import Classification
from linscape.landscape.classify import classify
from linscape.landscape.convex_trap import (
    convex_trap_radius,
    cross_entropy_moment,
    relu_trap_radius,
    square_loss_moment,
)
from linscape.landscape.critical_points import critical_points
from linscape.landscape.curvature import (
    Curvature,
    Eigenpair,
    Inertia,
    curvature,
    inertia,
    structured_inertia,
    zero_residual_inertia,
)
from linscape.landscape.diagram import PhaseDiagram, phase_diagram
from linscape.landscape.escape import Escape
from linscape.landscape.knobs import (
    CriticalDepth,
    CriticalDropout,
    CriticalSignal,
    critical_depth,
    critical_dropout,
    critical_signal,
)
from linscape.landscape.krylov import KrylovCertificate, krylov_minimum
from linscape.landscape.minimise import global_minimum
from linscape.landscape.minimum import GlobalMinimum
from linscape.landscape.outputs.path import ModePath, mode_path
from linscape.landscape.outputs.staircase import ModePhase, ModePhases, mode_phases
from linscape.landscape.phases import CriticalWeightDecay, Phase, critical_weight_decay, phase
from linscape.landscape.search import SearchedMinimum, search_minimum
from linscape.landscape.solutions import Solution, energy_curve, solutions
from linscape.landscape.solver import global_minima
from linscape.landscape.trap import InTrap, TrapRadius, in_trap, trap_radius
from linscape.landscape.unregularised.classes import ModeClass
from linscape.landscape.unregularised.points import critical_point
from linscape.landscape.unregularised.regression import ReducedRank, reduced_rank
from linscape.landscape.unregularised.theorems import TheoremReport, theorem_report
from linscape.landscape.unregularised.values import CriticalValue, CriticalValues, critical_values

__all__ = [
    "BiasState",
    "BiasedCriticalWeightDecay",
    "BiasedMinimum",
    "BiasedSolution",
    "Branch",
    "Branches",
    "Certificate",
    "Classification",
    "CriticalDepth",
    "CriticalDropout",
    "CriticalSignal",
    "CriticalValue",
    "CriticalValues",
    "CriticalWeightDecay",
    "Curvature",
    "Eigenpair",
    "Escape",
    "GlobalMinimum",
    "InTrap",
    "Inertia",
    "KrylovCertificate",
    "ModeClass",
    "ModePath",
    "ModePhase",
    "ModePhases",
    "Phase",
    "PhaseDiagram",
    "ReducedRank",
    "SearchedMinimum",
    "Solution",
    "SubnetworkClass",
    "TheoremReport",
    "TrapRadius",
    "bias_only_states",
    "branches",
    "classify",
    "convex_trap_radius",
    "critical_depth",
    "critical_dropout",
    "critical_point",
    "critical_points",
    "critical_signal",
    "critical_values",
    "critical_weight_decay",
    "cross_entropy_moment",
    "curvature",
    "decayed_critical_points",
    "energy_curve",
    "global_minima",
    "global_minimum",
    "in_trap",
    "inertia",
    "krylov_minimum",
    "mode_path",
    "mode_phases",
    "phase",
    "phase_diagram",
    "reduced_rank",
    "relu_trap_radius",
    "search_minimum",
    "solutions",
    "square_loss_moment",
    "structured_inertia",
    "theorem_report",
    "trap_radius",
    "trivial_state",
    "zero_residual_inertia",
]
