"""Linear residual nets: f = (I + A_l) ⋯ (I + A_1) x."""

from linscape.residual.descent import ResidualDescent, residual_descend
from linscape.residual.factors import ResidualFactors, residual_factors
from linscape.residual.gradient import ResidualGradientBound, residual_gradient_bound
from linscape.residual.norm import ResidualNormBound, residual_norm_bound
from linscape.residual.objective import residual_problem

__all__ = [
    "ResidualDescent",
    "ResidualFactors",
    "ResidualGradientBound",
    "ResidualNormBound",
    "residual_descend",
    "residual_factors",
    "residual_gradient_bound",
    "residual_norm_bound",
    "residual_problem",
]
