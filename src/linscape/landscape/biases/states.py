"""The states whose output is constant: the trivial one, and one that biases alone make."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.errors import InvalidNetwork
from linscape.landscape.biases.chain import noise_to_earth
from linscape.landscape.theorems import require_one_output
from linscape.problem import Problem

Array = NDArray[np.float64]

_ROUNDING = 64 * UNIT_ROUNDOFF  # relative, of the two sides that are compared


@dataclass(frozen=True, eq=False)
class BiasState:
    """A critical point whose output does not depend on the input.

    Attributes
    ----------
    loss : float
        In the units of the problem's reduction.
    output : float
        The constant mean output.
    is_minimum : bool or None
        Whether it is a local minimum; None where 64-bit floats cannot decide.
    force, threshold : float
        It is a local minimum iff force ≤ threshold.
    layers : tuple of ndarray
        Its weights [W β].
    """

    loss: float
    output: float
    is_minimum: bool | None
    force: float
    threshold: float
    layers: tuple[Array, ...] = field(repr=False)

    def weights(self) -> list[Array]:
        """Return weights as :meth:`linscape.Problem.loss` takes them."""
        return [layer.copy() for layer in self.layers]

    def to_dict(self) -> dict[str, Any]:
        """Return the state ready for JSON, without its weights."""
        names = ("loss", "output", "is_minimum", "force", "threshold")
        return {name: getattr(self, name) for name in names}


def trivial_state(problem: Problem) -> BiasState:
    r"""Return the state in which everything but the output bias is zero.

    With α the factor of the data term and ȳ = E[y],

    .. math:: β_U = \frac{αȳ}{α + γ_u}, \quad L = α(E[y²] − ȳ²) + αγ_uȳ²/(α + γ_u).

    With r = γ_uȳ/(α + γ_u), what is left of ȳ, it is a local minimum iff `force` ≤ `threshold`:

    =============  ==========================  ==========  =======================================
    hidden layers  force                       threshold   and then
    =============  ==========================  ==========  =======================================
    0              α‖Cov(x, y) + rE[x]‖        0           it is the global minimum
    1              α√(‖Cov(x, y) + rE[x]‖²     √(γ_uγ_1)   it is the global minimum (Theorem 5)
                   + r²)
    2 or more      α|r|                        √(γ_uγ_D)   others can still lie below
    =============  ==========================  ==========  =======================================

    So with two hidden layers or more, and E[y] ≠ 0, zero need not be a minimum, as it always is
    without biases: the last hidden bias and U grow together.

    Raises
    ------
    InvalidNetwork
        If the network has no decayed biases, or a decay is zero.
    NoExactSolution
        For several outputs.

    References
    ----------
    Ziyin, Li & Meng (2022), Appendix D; the condition is not in the paper.

    Examples
    --------
    E[y] = 3 and γ = ½: β_U = 2 leaves r = 1, and r > γ, so that two hidden layers do not keep it.

    >>> import linscape as ls
    >>> from linscape.landscape.biases import trivial_state
    >>> moments = ls.Moments.from_arrays([[-1.0], [1.0]], [3.0, 3.0])
    >>> network = ls.Network(hidden=(2, 2), weight_decay=0.5, bias="decayed")
    >>> state = trivial_state(ls.Problem(moments, network))
    >>> round(state.output, 12), round(state.loss, 12), state.is_minimum
    (2.0, 3.0, False)
    """
    network, factor, mean_y, decay = _checked(problem)
    rest = decay * mean_y / (factor + decay)
    force = factor * abs(rest)
    if network.depth < 2:
        signal = np.ravel(problem.moments.covariance_xy) + rest * np.asarray(problem.moments.mean_x)
        parts = signal if network.depth == 0 else np.append(signal, rest)
        force = factor * float(np.linalg.norm(parts))
    threshold = math.sqrt(decay) * math.sqrt(network.weight_decay[-2]) if network.depth else 0.0
    output = factor * mean_y / (factor + decay)
    layers = [np.zeros(shape) for shape in problem.shapes]
    layers[-1][0, -1] = output
    return BiasState(
        loss=factor * (_variance(problem) + rest * mean_y),
        output=output,
        is_minimum=_is_at_most(force, threshold),
        force=force,
        threshold=threshold,
        layers=tuple(layers),
    )


def bias_only_state(problem: Problem) -> BiasState | None:
    r"""Return the state made by U, the last hidden bias and the output bias alone, if any.

    With two hidden layers or more it exists iff the trivial state is no minimum. In units in which
    the factor of the data term is 1, with κ = γ_u/(1 + γ_u) and ρ = σ_D²/d_D, the last hidden layer
    adds s = (κ|ȳ| − √(γ_uγ_D))/(κ + ρ) to |output|, which gains (κ + ρ)s², and ‖U‖² = s√(γ_D/γ_u).
    There the current θ = √(γ_uγ_D) feeds the layer below, and the state is a local minimum iff

    - D = 2: ‖Cov(x, y) ± θE[x]‖² + θ² ≤ γ_1γ_2/‖U‖² (the sign is that of ȳ);
    - D ≥ 3: θ² ≤ γ_{D−1}γ_D/‖U‖².

    `force` and `threshold` are the square roots of the two sides.

    Raises
    ------
    InvalidNetwork
        If the network has no decayed biases, fewer than two hidden layers, or a decay is zero.
    NoExactSolution
        For several outputs.

    References
    ----------
    Not in Ziyin, Li & Meng (2022).

    Examples
    --------
    E[y] = 3, no signal and γ = ½: s = (1 − ½)/⅓ = 1½ and ‖U‖² = 1½; θ² = ¼ > ⅓·½, so the first
    layer's bias lowers the loss further.

    >>> import linscape as ls
    >>> from linscape.landscape.biases import bias_only_state
    >>> moments = ls.Moments.from_arrays([[-1.0], [1.0]], [3.0, 3.0])
    >>> network = ls.Network(hidden=(2, 2), weight_decay=0.5, bias="decayed")
    >>> state = bias_only_state(ls.Problem(moments, network))
    >>> round(state.output, 12), round(state.loss, 12), state.is_minimum
    (2.5, 2.25, False)
    """
    network, factor, mean_y, own = _checked(problem)
    if network.depth < 2:
        raise InvalidNetwork(
            f"expected two hidden layers or more, got hidden={network.hidden}: with fewer, a state "
            "that biases alone make is not critical in general"
        )
    decays = np.array(network.weight_decay) / factor
    decay, last = own / factor, float(decays[-2])
    pull, noise = decay / (1 + decay), float(noise_to_earth(network)[-1])
    current = math.sqrt(decay) * math.sqrt(last)
    level = (pull * abs(mean_y) - current) / (pull + noise)
    if level <= 0:
        return None
    sign = math.copysign(1.0, mean_y)
    square = level * math.sqrt(last / decay)  # ‖U‖²
    force, threshold = current, math.sqrt(decays[-3] * last / square)
    if network.depth == 2:
        mean_x = np.asarray(problem.moments.mean_x)
        signal = np.ravel(problem.moments.covariance_xy) + sign * current * mean_x
        force = math.hypot(current, float(np.linalg.norm(signal)))
    layers = [np.zeros(shape) for shape in problem.shapes]
    root = math.sqrt(network.hidden[-1])
    layers[-1][0, :-1] = math.sqrt(square) / root
    layers[-2][:, -1] = sign * level / math.sqrt(square) / root
    layers[-1][0, -1] = (mean_y - sign * level) / (1 + decay)
    gain = (pull + noise) * level**2
    return BiasState(
        loss=factor * (_variance(problem) + pull * mean_y**2 - gain),
        output=sign * level + float(layers[-1][0, -1]),
        is_minimum=_is_at_most(force, threshold),
        force=force,
        threshold=threshold,
        layers=tuple(layers),
    )


def _checked(problem: Problem) -> tuple[Any, float, float, float]:
    """Return network, factor of the data term, E[y] and γ_u."""
    network = problem.network
    require_one_output(problem)
    if network.bias != "decayed" or not all(network.weight_decay):
        raise InvalidNetwork(
            "expected a network with bias='decayed' and positive decays, "
            f"got bias={network.bias!r}, weight_decay={network.weight_decay}"
        )
    mean_y = float(np.reshape(np.asarray(problem.moments.mean_y), ()))
    return network, problem.data_factor, mean_y, network.weight_decay[-1]


def _variance(problem: Problem) -> float:
    return float(np.reshape(np.asarray(problem.moments.covariance_y), ()))


def _is_at_most(force: float, threshold: float) -> bool | None:
    if force == 0 or force <= threshold * (1 - _ROUNDING):
        return True
    return False if force > threshold * (1 + _ROUNDING) else None
