"""The state that predicts one constant through the output bias alone, and when it is a minimum."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linscape.arguments import guarded
from linscape.enclosure import UNIT_ROUNDOFF
from linscape.errors import InvalidNetwork
from linscape.landscape.biases.windows import is_nontrivial
from linscape.landscape.theorems import require_one_output
from linscape.problem import Problem

Array = NDArray[np.float64]

_ROUNDING = 64 * UNIT_ROUNDOFF  # of what the two sides that are compared are made of


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
    index : int or None
        Number of negative eigenvalues of the loss's Hessian there (Morse index); None where 64-bit
        floats cannot decide.
    force, threshold : float
        What pulls the dead layer next to the living ones up, and what it must exceed to do so.
    dead_layers : int
        Number of hidden layers, from the input on, whose weights and biases are zero.
    layers : tuple of ndarray
        Its weights [W β].
    """

    loss: float
    output: float
    is_minimum: bool | None
    index: int | None
    force: float
    threshold: float
    dead_layers: int
    layers: tuple[Array, ...] = field(repr=False)

    def weights(self) -> list[Array]:
        """Return weights as :meth:`linscape.Problem.loss` takes them."""
        return [layer.copy() for layer in self.layers]

    def to_dict(self) -> dict[str, Any]:
        """Return the state ready for JSON, without its weights."""
        names = ("loss", "output", "is_minimum", "index", "force", "threshold", "dead_layers")
        return {name: getattr(self, name) for name in names}


@guarded
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
    network, moments = problem.network, problem.moments
    require_decay(problem)
    factor, decay, mean_y = problem.data_factor, network.weight_decay[-1], _mean_y(problem)
    rest = decay / (factor + decay) * mean_y  # the product of both may overflow
    force = size = factor * abs(rest)
    if network.depth < 2:
        signal, mean = np.ravel(moments.covariance_xy), np.asarray(moments.mean_x)
        parts = np.append(signal + rest * mean, rest if network.depth else 0.0)
        force = factor * float(np.linalg.norm(parts))
        size += factor * float(np.linalg.norm(signal) + abs(rest) * np.linalg.norm(mean))
    threshold = math.sqrt(decay) * math.sqrt(network.weight_decay[-2]) if network.depth else 0.0
    if network.depth == 1:
        stays: bool | None = not is_nontrivial(problem)
    else:
        stays = _is_at_most(force, threshold, _ROUNDING * (size + threshold))
    output = factor / (factor + decay) * mean_y
    layers = [np.zeros(shape) for shape in problem.shapes]
    layers[-1][0, -1] = output
    return BiasState(
        loss=loss_of_trivial_state(problem),
        output=output,
        is_minimum=stays,
        index=_index(network.hidden, stays),
        force=force,
        threshold=threshold,
        dead_layers=network.depth,
        layers=tuple(layers),
    )


def loss_of_trivial_state(problem: Problem) -> float:
    """Return α(Var y + κȳ²), κ = γ_u/(α + γ_u)."""
    factor, decay, mean_y = problem.data_factor, problem.network.weight_decay[-1], _mean_y(problem)
    variance = float(np.reshape(np.asarray(problem.moments.covariance_y), ()))
    return factor * (variance + decay / (factor + decay) * mean_y * mean_y)


def require_decay(problem: Problem) -> None:
    """Raise unless a problem has one output, decayed biases and positive decays."""
    network = problem.network
    require_one_output(problem)
    if network.bias != "decayed" or not all(network.weight_decay):
        raise InvalidNetwork(
            "expected a network with bias='decayed' and positive decays, "
            f"got bias={network.bias!r}, weight_decay={network.weight_decay}"
        )


def _mean_y(problem: Problem) -> float:
    return float(np.reshape(np.asarray(problem.moments.mean_y), ()))


def _index(hidden: tuple[int, ...], stays: bool | None) -> int | None:
    """Each unit of the last hidden layer falls in one direction; without one the loss is convex."""
    if stays is None or not hidden:
        return 0 if stays else None
    return 0 if stays else hidden[-1]


def _is_at_most(force: float, threshold: float, error: float) -> bool | None:
    if force == 0 or force + error <= threshold:
        return True
    return False if force - error > threshold else None
