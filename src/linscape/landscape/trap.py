"""The trap: sets of weights around zero that provably flow to it. Proofs are in docs/trap.md."""

import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from linscape.arguments import guarded
from linscape.errors import InvalidWeights, NoExactSolution
from linscape.landscape.interval import exponential, json_value
from linscape.problem import Problem, Weights
from linscape.scaling import largest_exponent
from linscape.spectrum import linear_moments

Array = NDArray[np.float64]
Set = Literal["layers", "energies", "ball"]

SOURCE = "norms under descent, docs/trap.md; suggested by Ziyin, Li & Meng (2022), inequality (16)"
_ROUNDING = 1e-9  # more than the rounding of a norm over 10⁶ entries; taken against the claim


@dataclass(frozen=True)
class TrapSet:
    """One forward-invariant set {W: size(W) < radius} whose every point flows to zero.

    Attributes
    ----------
    radius : float
        Infinity if every start flows to zero, 0 if nothing is proven.
    largest_step : float
        Gradient descent with steps up to this, even varying ones, stays in the set and goes to
        zero from every point of it. 0 if the radius is 0, or if it is infinite (no one step then
        serves weights of every size; :func:`in_trap` gives one for its own).
    """

    radius: float
    largest_step: float


@dataclass(frozen=True)
class TrapRadius:
    """What is proven to flow to zero. A start outside may collapse as well: see `critical_gain`.

    Attributes
    ----------
    zero_attracts : bool or None
        Whether some neighbourhood of zero flows to it; None where 64-bit floats cannot decide (one
        hidden layer, at the transition).
    layers : TrapSet
        Size max_k ‖W_k‖_F, radius R = (γ/α‖C‖₂)^{1/(D−1)} with the smallest decay γ; α is the
        factor of the data term, C = E[xyᵀ].
    energies : TrapSet
        Size max_k √(γ_k/γ̄) ‖W_k‖_F, radius (γ̄/α‖C‖₂)^{1/(D−1)} with the geometric mean γ̄ of the
        decays: all energies γ_k‖W_k‖² below one level. Equal decays make it `layers`.
    ball : TrapSet
        Size √Σ‖W_k‖_F², radius √(D + 1)·R. Contains `layers`.
    source : str
        What the sets rest on.
    """

    zero_attracts: bool | None
    layers: TrapSet
    energies: TrapSet
    ball: TrapSet
    _constants: "Constants" = field(repr=False)
    source: str = SOURCE

    @property
    def radius(self) -> float:
        """Radius R of `layers`: max_k ‖W_k‖_F < R flows to zero."""
        return self.layers.radius

    @property
    def largest_step(self) -> float:
        """Largest step of gradient descent for `layers`."""
        return self.layers.largest_step

    def margin(self, weights: Sequence[Array]) -> Array:
        """Return radius over size, that of the best set, over the batch axes of `weights`.

        It is the factor up to which all weights can be multiplied and still be proven to collapse.
        """
        margins = self._constants.margins(self._constants.sizes(weights))
        largest: Array = np.max(list(margins.values()), axis=0)
        return largest

    def to_dict(self) -> dict[str, Any]:
        """Return the sets ready for JSON, infinities as the string "inf"."""
        sets = {kind: json_value(asdict(getattr(self, kind))) for kind in get_args(Set)}
        return {"zero_attracts": self.zero_attracts, **sets, "source": self.source}


@dataclass(frozen=True)
class InTrap:
    """Whether weights are proven to flow to zero.

    Attributes
    ----------
    proven : bool
        True: gradient flow from these weights ends at zero. False means not proven, not that it
        learns.
    sets : tuple of str
        Those of "layers", "energies", "ball" that the weights lie in.
    margins : dict of str to float
        Radius over size for each set: the factor by which all weights could be multiplied.
    largest_step : float
        Gradient descent from these weights with steps up to this, even varying ones, goes to zero;
        0 if not proven.
    source : str
        What the answer rests on.
    """

    proven: bool
    sets: tuple[Set, ...]
    margins: dict[Set, float]
    largest_step: float
    source: str = SOURCE

    def to_dict(self) -> dict[str, Any]:
        """Return the answer ready for JSON, infinities as the string "inf"."""
        return {key: json_value(value) for key, value in asdict(self).items()}


@guarded
def trap_radius(problem: Problem) -> TrapRadius:
    r"""Return sets around zero that gradient flow and small-step descent provably take to zero.

    For D ≥ 2 hidden layers, positive decays, no biases, any number of outputs, any noise:

    .. math:: \max_k ‖W_k‖_F < R = (γ/α‖C‖₂)^{1/(D−1)}, \quad γ = \min_k γ_k

    is forward-invariant under gradient flow of the noise-averaged loss and flows to zero, and so do
    the ball and the set of small energies of :class:`TrapRadius`. Gradient descent does the same if

    .. math:: η (2 \max_k γ_k + α a_{max} R^{2D} Π_j (1 + σ_j²)) ≤ 1

    with a_max the largest eigenvalue of E[xxᵀ], noise on the inputs included. (In the ball R^{2D}
    grows by (1 + 1/D)^D, in the set of energies it is that set's radius^{2D} max γ_k/γ̄.)

    Elsewhere: with C = 0 every start flows to zero and the radii are infinite. With one hidden
    layer they are infinite if α‖C‖₂ < √(γ_uγ_w), where zero is the only critical point; beyond that
    it is a saddle, nothing is trapped and they are 0. With none they are 0. If a layer has no
    decay they are 0: that layer keeps its weights while the others vanish.

    Parameters
    ----------
    problem : Problem
        Without biases.

    Returns
    -------
    TrapRadius
        Radii in the units of the weights, which depend on the problem's reduction as the decays do.

    Raises
    ------
    NoExactSolution
        For networks with biases.

    References
    ----------
    Proven in docs/trap.md; suggested by Ziyin, Li & Meng (2022), inequality (16).

    Examples
    --------
    Two hidden layers, γ = 0.1, ‖C‖ = 1: the radius is γ/‖C‖.

    >>> import linscape as ls
    >>> network = ls.Network(hidden=(8, 8), weight_decay=0.1)
    >>> trap = trap_radius(ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), network))
    >>> round(trap.radius, 12), round(trap.ball.radius**2, 12)      # R, and (D + 1) R²
    (0.1, 0.03)
    >>> round(1 / trap.largest_step, 12)                            # 2γ + R⁴
    0.2001
    """
    constants = Constants.of(problem)
    return TrapRadius(
        zero_attracts=constants.zero_attracts(),
        layers=constants.trap_set("layers"),
        energies=constants.trap_set("energies"),
        ball=constants.trap_set("ball"),
        _constants=constants,
    )


@guarded
def in_trap(problem: Problem, weights: Weights) -> InTrap:
    """Return whether `weights` lie in one of the sets of :func:`trap_radius`.

    Rounding is taken against the claim: a start within 1e-9 of the edge is not proven.

    Parameters
    ----------
    problem : Problem
        Without biases.
    weights : sequence of array
        W_1, …, W_D, U, without batch axes.

    Raises
    ------
    NoExactSolution
        For networks with biases.
    InvalidWeights
        If the weights do not fit the network, or have batch axes.

    Examples
    --------
    >>> import linscape as ls
    >>> network = ls.Network(hidden=(1, 1), weight_decay=0.1)
    >>> problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), network)
    >>> in_trap(problem, [[[0.09]], [[0.09]], [[0.09]]]).proven
    True
    >>> in_trap(problem, [[[0.12]], [[0.05]], [[0.05]]]).sets      # .0144 + .005 < .03
    ('ball',)
    """
    constants = Constants.of(problem)
    flat = problem.flatten(weights)
    if flat.ndim > 1:
        raise InvalidWeights(
            f"in_trap needs one set of weights, got batch axes {flat.shape[:-1]}; "
            "ask for one member at a time"
        )
    sizes = constants.sizes(problem.unflatten(flat))
    margins = {kind: float(margin) for kind, margin in constants.margins(sizes).items()}
    sets = tuple(kind for kind in get_args(Set) if margins[kind] > 1 + _ROUNDING)
    steps = [constants.largest_step(kind, float(sizes[kind])) for kind in sets]
    return InTrap(bool(sets), sets, margins, max(steps, default=0.0))


@dataclass(frozen=True)
class Constants:
    """What the inequalities need to know: D, the γ_k, log α‖C‖₂, log α a_max Π(1 + σ_j²)."""

    depth: int
    decays: tuple[float, ...]
    log_signal: float
    log_curvature: float

    @classmethod
    def of(cls, problem: Problem) -> "Constants":
        """Read them off a problem without biases."""
        network = problem.network
        if network.bias is not False:
            raise NoExactSolution(
                f"no trap is proven for a network with biases (bias={network.bias!r}): they move "
                "with E[f − y], whatever the layers' norms; if E[x] = 0 and E[y] = 0, biases that "
                "start at zero stay there, and the same problem with bias=False gives the trap"
            )
        A, C, _ = linear_moments(problem)
        factor = math.log(problem.data_factor)
        noise = math.fsum(map(math.log1p, network.noise))
        largest = np.asarray(np.linalg.eigvalsh(A)[-1:, None], dtype=np.float64)
        curvature = factor + _log_norm(largest) + noise
        return cls(network.depth, network.weight_decay, factor + _log_norm(C), curvature)

    def zero_attracts(self) -> bool | None:
        """Say whether every start near zero flows to it; None at the transition of D = 1."""
        if min(self.decays) == 0:
            return False
        if self.log_signal == -math.inf or self.depth > 1:
            return True
        margin = self.log_decay("energies") - self.log_signal
        return None if abs(margin) <= _ROUNDING and self.depth else margin > 0 and self.depth == 1

    def trap_set(self, kind: Set) -> TrapSet:
        """Return one of the three proven sets."""
        radius = self.radius(kind)
        step = self.largest_step(kind, radius) if 0 < radius < math.inf else 0.0
        return TrapSet(radius, step)

    def radius(self, kind: Set) -> float:
        """Return the radius of one of the three proven sets."""
        if not self.zero_attracts():
            return 0.0
        if self.log_signal == -math.inf or self.depth <= 1:
            return math.inf
        log_radius = (self.log_decay(kind) - self.log_signal) / (self.depth - 1)
        stretch = math.sqrt(self.depth + 1) if kind == "ball" else 1.0
        # never infinite by overflow: infinity is a claim about every start
        return min(stretch * exponential(log_radius), sys.float_info.max)

    def largest_step(self, kind: Set, size: float) -> float:
        """Return the largest step for the points of the set that are no larger than `size`."""
        if self.depth == 1 and self.log_signal >= self.log_decay(kind):
            return 0.0  # all flows end at zero here, but only the energies shrink at every step
        spread = {
            "layers": 0.0,
            "energies": math.log(max(self.decays)) - self.log_decay("energies"),
            "ball": -self.depth * math.log(max(self.depth, 1)),
        }[kind]
        log_others = (2 * self.depth * log(size) if self.depth else 0.0) + spread
        curvature = exponential(self.log_curvature + log_others)
        return 1 / (2 * max(self.decays) + curvature)

    def log_decay(self, kind: Set) -> float:
        """Return the logarithm of the decay that governs a set: the smallest, or γ̄."""
        logs = [log(decay) for decay in self.decays]
        return math.fsum(logs) / len(logs) if kind == "energies" else min(logs)

    def sizes(self, weights: Sequence[Array]) -> dict[Set, Array]:
        """Return the size of weights, over their batch axes, that each set bounds."""
        norms = np.stack([_frobenius(matrix) for matrix in weights], axis=-1)
        largest = norms.max(axis=-1)
        unit = np.where(largest > 0, largest, 1.0)
        middle = self.log_decay("energies") if min(self.decays) > 0 else 0.0
        scales = [exponential((log(decay) - middle) / 2) for decay in self.decays]
        return {
            "layers": largest,
            "energies": (norms * scales).max(axis=-1),
            "ball": unit * np.linalg.norm(norms / unit[..., None], axis=-1),
        }

    def margins(self, sizes: dict[Set, Array]) -> dict[Set, Array]:
        """Return radius/size; zero weights have margin infinity where there is a trap at all."""
        margins = {}
        for kind, size in sizes.items():
            radius = self.radius(kind)
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                margins[kind] = np.where(radius == 0, 0.0, np.divide(radius, size))
        return margins


def _log_norm(matrix: Array) -> float:
    """Return log ‖matrix‖₂ without over- or underflow."""
    exponent = int(largest_exponent(matrix))
    norm = float(np.linalg.norm(np.ldexp(matrix, -exponent), 2))
    return log(norm) + exponent * math.log(2)


def _frobenius(matrix: Array) -> Array:
    exponent = largest_exponent(matrix)
    unit = np.ldexp(matrix, -exponent[..., None, None])
    norm: Array = np.ldexp(np.linalg.norm(unit, axis=(-2, -1)), exponent)
    return norm


def log(value: float) -> float:
    """Return the logarithm, −inf at zero."""
    return math.log(value) if value > 0 else -math.inf
