"""The bounds of Ziyin, Li & Meng (2022), corrected, beside what they print.

Numbers are those of the longer text. Each function takes a :class:`linscape.Problem` with one
output and returns a :class:`Bound`, which says whether its inequality is sufficient or necessary.

================================  ==========  ==============================================
function                          equation    states
================================  ==========  ==============================================
:func:`two_layer_energy`          (8)         range of the energy of the solution, D = 1
:func:`isotropic_energy`          (104)       that energy, where E[xxᵀ] = s²I
:func:`existence_necessary`       (14)        weight decays above it leave only zero
:func:`existence_sufficient`      (15)        weight decays up to it leave another solution
:func:`deep_energy`               (16)        range of the energy of every solution but zero
:func:`learning_sufficient`       (18)        weight decays up to it learn
:func:`learning_necessary`        not there   weight decays above it do not learn
:func:`signal_sufficient`         (20)        signals from it on leave another solution
:func:`signal_necessary`          not there   signals below it leave only zero
================================  ==========  ==============================================

The paper states most of them for layers of equal width, noise and decay. They hold for any, in
terms of the depth D, the inflation τ, the decay product P and the energy K = γ‖W‖² of each layer;
that is how they are stated here. For exact answers instead of bounds take
:func:`linscape.critical_weight_decay`, :func:`linscape.solutions` and :func:`linscape.phase`.

The extreme eigenvalues of E[xxᵀ] are moved outwards by the proven error of the eigendecomposition;
the formulas themselves are evaluated in float64, not enclosed.
"""

from linscape.landscape.bounds.bound import Bound
from linscape.landscape.bounds.decays import (
    existence_necessary,
    existence_sufficient,
    learning_necessary,
    learning_sufficient,
)
from linscape.landscape.bounds.energies import deep_energy, isotropic_energy, two_layer_energy
from linscape.landscape.bounds.signals import signal_necessary, signal_sufficient

__all__ = [
    "Bound",
    "deep_energy",
    "existence_necessary",
    "existence_sufficient",
    "isotropic_energy",
    "learning_necessary",
    "learning_sufficient",
    "signal_necessary",
    "signal_sufficient",
    "two_layer_energy",
]
