"""The global minimum of a network without decay or noise: reduced-rank regression."""

import math

from linscape.landscape.assembly import GainBounds, assembled
from linscape.landscape.minimum import GlobalMinimum
from linscape.landscape.unregularised.modes import Modes
from linscape.problem import Problem


def reduced_rank_minimum(problem: Problem, modes: Modes, theorem: str) -> GlobalMinimum:
    """Return the minimum c(E‖y‖² − Σ_{i<r} λ_i), r the least width, at U_rU_rᵀR.

    The interval: for stored moments A within the spectrum's error of O diag(a)Oᵀ, Σ moves between
    T diag(a/(a ± e))Tᵀ, and by Ky Fan's theorem a sum of largest eigenvalues moves by no more than
    the trace of the change. What is left is the rounding of one decomposition, bounded afterwards.
    """
    count = modes.learned
    factor = problem.data_factor
    gain = factor * math.fsum(modes.values[:count])
    most = factor * math.fsum(modes.values[: modes.rank_limit])
    error = factor * modes.value_error
    return assembled(
        problem,
        GainBounds(
            lower=max(gain - error, 0.0),
            value=gain,
            upper=most + error,
            rounding=factor * modes.rounding,
            spectral=factor * modes.spectral,
            truncation=factor * modes.truncation,
        ),
        predictor=modes.product(range(count)),
        is_trivial=_is_trivial(modes),
        null_directions=modes.null_directions,
        theorem=theorem,
    )


def _is_trivial(modes: Modes) -> bool | None:
    """Zero is the minimum only if y and x are not correlated at all."""
    if modes.rank:
        return False
    return None if modes.values.any() else True
