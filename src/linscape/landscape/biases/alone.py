"""The states that biases alone make: critical points with a constant output."""

import math

from linscape.arguments import guarded
from linscape.landscape.biases.attained import attained, best_fit, layers
from linscape.landscape.biases.enumeration import Place, enumerated
from linscape.landscape.biases.free import with_free_biases
from linscape.landscape.biases.setting import Setting
from linscape.landscape.biases.states import BiasState, loss_of_trivial_state, require_decay
from linscape.problem import Problem
from linscape.spectrum import spectra


@guarded
def bias_only_states(problem: Problem) -> list[BiasState]:
    r"""Return every state in which hidden biases add to a constant output, the lowest loss first.

    In such a state layers 1, …, k are dead (weights and biases zero, and W_{k+1} too) and the
    layers above live on their biases β_{k+1}, …, β_D. It is a critical point in the space of all
    weights. For each k there is at most one that we have seen; all are found, by exhaustion of
    boxes in interval arithmetic. With one hidden layer there are none, unless nothing feeds the
    inputs (Cov(x, y) = 0 and E[x] = 0), and these may then be counted among the dead.

    For k = D − 1 it exists iff the trivial state is no minimum, |r| > √(γ_uγ_D)/α there. In units
    in which the factor α of the data term is 1, with κ = γ_u/(1 + γ_u) and ρ = σ_D²/d_D, the last
    hidden layer adds s = (κ|ȳ| − √(γ_uγ_D))/(κ + ρ) to |output|, which gains (κ + ρ)s², and
    ‖U‖² = s√(γ_D/γ_u).

    A state is a local minimum iff it is one for the layers that live, and the layer below stays
    dead. With θ the current that feeds that layer (θ = √(γ_uγ_D) for k = D − 1), `force` ≤
    `threshold`:

    ==========  ===========================  ============================================
    dead        force                        threshold
    ==========  ===========================  ============================================
    k ≥ 2       αθ                           α√(γ_kγ_{k+1}/V), V = ‖U‖²⋯‖W_{k+2}‖²
    1           α√(‖Cov(x, y) ± θE[x]‖²      the same
                + θ²), the sign that of ȳ
    ==========  ===========================  ============================================

    Parameters
    ----------
    problem : Problem
        One output, decayed biases, every decay positive.

    Returns
    -------
    list of BiasState
        Empty without hidden layers, or where E[y] = 0.

    Raises
    ------
    InvalidNetwork
        If the network has no decayed biases, or a decay is zero.
    NoExactSolution
        For several outputs, or critical points too close to each other to be told apart.

    References
    ----------
    Not in Ziyin, Li & Meng (2022).

    Examples
    --------
    E[y] = 3, no signal and γ = ½: the last layer adds s = (1 − ½)/⅓ = 1½ with ‖U‖² = 1½, and
    θ² = ¼ > ⅓·½, so the first layer's bias lowers the loss further.

    >>> import linscape as ls
    >>> from linscape.landscape.biases import bias_only_states
    >>> moments = ls.Moments.from_arrays([[-1.0], [1.0]], [3.0, 3.0])
    >>> network = ls.Network(hidden=(2, 2), weight_decay=0.5, bias="decayed")
    >>> for state in bias_only_states(ls.Problem(moments, network)):
    ...     print(f"{state.output:.4f} {state.loss:.4f} {state.is_minimum}", state.dead_layers)
    2.5856 2.1991 True 0
    2.5000 2.2500 False 1
    """
    require_decay(problem)
    if problem.network.depth == 0:
        return []
    (measure,) = spectra(with_free_biases(problem))
    found, places = enumerated(problem, measure)
    states = [_state(problem, found, place) for place in places if not place.uses_inputs]
    return sorted(states, key=lambda state: state.loss)


def _state(problem: Problem, found: Setting, place: Place) -> BiasState:
    values = best_fit(problem, found, place.point)
    weights = layers(problem, found, place.point, values)
    gain = attained(problem, found, place.point, values)[0]
    unit = problem.data_factor * 4.0**found.exponent
    offset = math.ldexp(math.fsum(values.offsets), found.exponent)
    size = math.ldexp(problem.data_factor, found.exponent)
    return BiasState(
        loss=loss_of_trivial_state(problem) - unit * gain,
        output=offset + float(weights[-1][0, -1]),
        is_minimum=None if place.morse_index is None else place.morse_index == 0,
        index=place.morse_index,
        force=size * place.push.force,
        threshold=size * place.push.threshold,
        dead_layers=place.point.dead,
        layers=weights,
    )
