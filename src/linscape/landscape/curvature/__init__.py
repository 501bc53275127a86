"""The Hessian's spectrum: its ends for large networks, its signs for small ones."""

from linscape.landscape.curvature.curvature import Curvature, Eigenpair, curvature
from linscape.landscape.curvature.inertia import Inertia, inertia
from linscape.landscape.curvature.structured import structured_inertia, zero_residual_inertia

__all__ = [
    "Curvature",
    "Eigenpair",
    "Inertia",
    "curvature",
    "inertia",
    "structured_inertia",
    "zero_residual_inertia",
]
