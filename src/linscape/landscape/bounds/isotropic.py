"""The two critical decay products where E[xxᵀ] = s²I, in closed form.

    P_e = ‖c‖^{2D} ((D−1)/((D+1)τs²))^{D−1} ((D+1)/(2D))^{2D}      a nontrivial solution exists
    P*  = ‖c‖^{2D} (D−1)^{D−1}/(D^{2D} (τs²)^{D−1})                it is a global minimum

Both fall with s². Since the solutions of a general E[xxᵀ] depend on each eigenvalue monotonically,
s² = a_max bounds its thresholds from below and s² = a_min from above: the step from exact to bound
in (14), (15), (18) and (20). For D = 1 both are ‖c‖².
"""

import math

from linscape.landscape.bounds.extremes import Extremes


def log_existence(extremes: Extremes, log_square: float) -> float:
    """Return log P_e for s² = exp(log_square)."""
    return 2 * extremes.depth * extremes.log_signal + existence_share(extremes, log_square)


def existence_share(extremes: Extremes, log_square: float) -> float:
    """Return log P_e for s² = exp(log_square) and ‖c‖ = 1."""
    D = extremes.depth
    if D == 1:
        return 0.0
    ratio = math.log((D - 1) / (D + 1)) - extremes.log_inflation - log_square
    return (D - 1) * ratio + 2 * D * math.log((D + 1) / (2 * D))


def log_learning(extremes: Extremes, log_square: float) -> float:
    """Return log P* for s² = exp(log_square)."""
    D = extremes.depth
    signal = 2 * D * extremes.log_signal
    if D == 1:
        return signal
    ratio = math.log(D - 1) - extremes.log_inflation - log_square
    return signal + (D - 1) * ratio - 2 * D * math.log(D)
