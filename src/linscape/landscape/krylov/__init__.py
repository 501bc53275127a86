"""Very many inputs: what the theory needs of E[xxᵀ], from its products with vectors alone."""

from linscape.landscape.krylov.minimum import krylov_minimum
from linscape.landscape.krylov.result import KrylovCertificate
from linscape.landscape.krylov.thresholds import krylov_critical_weight_decay, krylov_phase

__all__ = [
    "KrylovCertificate",
    "krylov_critical_weight_decay",
    "krylov_minimum",
    "krylov_phase",
]
