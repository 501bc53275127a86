"""The staircase: at which weight decay each mode of several outputs is learned."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from linscape.arguments import guarded
from linscape.errors import NoExactSolution
from linscape.landscape.energy.energy import Energy, log_decay_unit
from linscape.landscape.energy.thresholds import existence_threshold, learning_threshold
from linscape.landscape.interval import Interval, exponential, json_value
from linscape.landscape.outputs.measure import OutputMeasure
from linscape.landscape.outputs.modes import (
    SingularMode,
    is_isotropic,
    rank_limit,
    singular_modes,
)
from linscape.landscape.theorems import require_free_biases
from linscape.problem import Problem


@dataclass(frozen=True)
class ModePhase:
    """One singular direction of E[xyᵀ] and when it is learned.

    Attributes
    ----------
    signal : float
        Its singular value σ_j.
    multiplicity : int
        How many modes share it, as far as floats can tell.
    phase : str
        "learning": part of the global minimum; "metastable": zero is better, but critical points
        with this mode exist; "collapsed": none does; "blocked": the narrowest layer has no unit
        left for it; "undecided" near an edge.
    learning, existence : float
        The common decay below which the mode belongs to the global minimum (if a unit is left for
        it), and up to which critical points with it exist.
    """

    signal: float
    multiplicity: int
    phase: str
    learning: float
    existence: float


@dataclass(frozen=True)
class ModePhases:
    """All modes, the first learned first, and the number of critical products.

    Attributes
    ----------
    modes : tuple of ModePhase
        By descending signal: as decay falls they are learned in this order.
    rank_limit : int
        How many the narrowest layer lets through.
    critical_products : int or None
        Number of products M at critical points; None where a continuum of them exists (a repeated
        singular value that has a nontrivial critical point) or an edge is undecided.
    continuum : bool or None
        Whether a repeated singular value makes them a continuum.
    source : str
        What the result rests on.
    """

    modes: tuple[ModePhase, ...]
    rank_limit: int
    critical_products: int | None
    continuum: bool | None
    source: str

    def to_dict(self) -> dict[str, Any]:
        """Return the result ready for JSON."""
        return {key: json_value(value) for key, value in asdict(self).items()} | {
            "modes": [json_value(asdict(mode)) for mode in self.modes]
        }


SOURCE = "separation over the singular values of E[xyᵀ] (inputs of one variance, no noise)"


@guarded
def mode_phases(problem: Problem) -> ModePhases:
    r"""Return the phase of every mode of several outputs, and the decays at which they change.

    Assumes E[xxᵀ] = s²I on its range (to a relative 1e-9) and no noise: then the loss over products
    separates over the singular values σ_j of E[xyᵀ], and each mode has the thresholds of one output
    with ‖c‖ = σ_j: with two hidden layers and more

    .. math:: P^* = σ^{2D}(D−1)^{D−1}/(D^{2D} s^{2(D−1)})

    and with one σ². A mode has two nontrivial critical values below existence (one for one hidden
    layer), so n distinct modes make 3ⁿ critical products (2ⁿ), fewer where the widths are short.

    Parameters
    ----------
    problem : Problem
        Any number of outputs, at least one hidden layer, every decay positive.

    Raises
    ------
    NoExactSolution
        If E[xxᵀ] is not s²I, or there is noise, no hidden layer, a decay of zero, or biases that
        decay.

    Examples
    --------
    One hidden layer, s = 1: σ_j is learned below the decay σ_j.

    >>> import linscape as ls
    >>> moments = ls.Moments([[1, 0], [0, 1]], [[3, 0], [0, 1]], [[9, 0], [0, 1]])
    >>> found = mode_phases(ls.Problem(moments, ls.Network((2,), weight_decay=2.0)))
    >>> [(round(mode.learning, 9), mode.phase) for mode in found.modes]
    [(3.0, 'learning'), (1.0, 'collapsed')]
    >>> found.critical_products
    2
    """
    measure = _isotropic_measure(problem)
    limit = rank_limit(problem)
    modes: list[ModePhase] = []
    taken = 0
    for group in _groups(singular_modes(measure)):
        found = _phase(problem, group)
        if found.phase == "learning" and taken >= limit:
            found = ModePhase(**{**asdict(found), "phase": "blocked"})
        taken += len(group) if found.phase == "learning" else 0
        modes.append(found)
    count, continuum = _count(modes, limit, problem.network.depth)
    return ModePhases(tuple(modes), limit, count, continuum, SOURCE)


def _isotropic_measure(problem: Problem) -> OutputMeasure:
    network = problem.network
    require_free_biases(problem)
    if network.depth == 0 or any(network.noise) or not all(network.weight_decay):
        raise NoExactSolution(
            "modes separate for networks with hidden layers, positive decays and no hidden noise, "
            f"got hidden={list(network.hidden)}, noise={list(network.noise)}, "
            f"weight_decay={list(network.weight_decay)}; ask phase or critical_weight_decay instead"
        )
    measure = OutputMeasure.of(problem)
    if not is_isotropic(measure):
        values = measure.spectrum.values
        spread = float(values[-1] / values[0]) if len(values) else math.inf
        raise NoExactSolution(
            "modes separate where E[xxᵀ] is a multiple of the identity on its range, and here its "
            f"eigenvalues differ by a factor of {spread:.6g}; whiten the inputs, or ask phase or "
            "critical_weight_decay instead"
        )
    return measure


def _groups(modes: list[SingularMode]) -> list[list[SingularMode]]:
    """Put singular values together that floats cannot tell apart."""
    groups: list[list[SingularMode]] = []
    for mode in modes:
        error = 4 * mode.spectrum.coefficient_error
        if groups and groups[-1][-1].signal - mode.signal <= error:
            groups[-1].append(mode)
        elif mode.signal > error:
            groups.append([mode])
    return groups


def _phase(problem: Problem, group: list[SingularMode]) -> ModePhase:
    spectrum, depth = group[0].spectrum, problem.network.depth
    energy = Energy.of(problem, spectrum)
    learning = learning_threshold(spectrum, depth, 0.0)
    existence = existence_threshold(spectrum, depth, 0.0)
    learns, exists = energy.is_below(learning), energy.is_below(existence)
    if learns:
        name = "learning"
    elif exists is False:
        name = "collapsed"
    else:
        name = "metastable" if learns is False and exists else "undecided"
    shift = log_decay_unit(problem, spectrum)
    exponent = spectrum.output_exponent + spectrum.input_exponent
    return ModePhase(
        signal=math.ldexp(group[0].signal, exponent),
        multiplicity=len(group),
        phase=name,
        learning=_decay(learning, shift, depth),
        existence=_decay(existence, shift, depth),
    )


def _decay(level: Interval, shift: float, depth: int) -> float:
    return exponential(((level.lower + level.upper) / 2 + shift) / (depth + 1))


def _count(modes: list[ModePhase], limit: int, depth: int) -> tuple[int | None, bool | None]:
    """Count the critical products, and say whether they form a continuum."""
    if any(mode.phase == "undecided" for mode in modes):
        return None, None
    existing = [mode for mode in modes if mode.phase != "collapsed"]
    if any(mode.multiplicity > 1 for mode in existing):
        return None, True
    roots = 1 if depth == 1 else 2
    chosen = range(min(limit, len(existing)) + 1)
    return sum(math.comb(len(existing), k) * roots**k for k in chosen), False
