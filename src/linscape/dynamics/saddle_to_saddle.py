"""The plateaus that gradient flow from a small balanced start passes, predicted in closed form."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.arguments import guarded
from linscape.dynamics.closed_forms import aligned_flow, mode_time
from linscape.errors import InvalidOption, NoExactSolution
from linscape.initialisation import balanced_weights
from linscape.landscape.unregularised.modes import Modes, data_modes
from linscape.problem import Problem
from linscape.spectrum import linear_moments

Array = NDArray[np.float64]

SOURCE = "decoupled modes: Fukumizu (1998); Saxe, McClelland & Ganguli (2014)"


class _Mode(NamedTuple):
    """The course of one mode; signal and curvature in units of the loss."""

    signal: float
    curvature: float
    start: float
    layers: int

    @property
    def gain(self) -> float:
        return self.signal**2 / self.curvature

    def time(self, distance: float) -> float:
        """Return when 1 − a u/s has fallen to a distance; 0 if it starts nearer."""
        strength = self.signal / self.curvature * (1 - distance)
        if strength <= self.start:
            return 0.0
        return mode_time(
            strength,
            start=self.start,
            signal=self.signal,
            curvature=self.curvature,
            layers=self.layers,
        )

    def time_before(self, rest: float) -> float:
        """Return when all but `rest` has been gained."""
        return self.time(math.sqrt(min(rest / self.gain, 1.0)))

    def time_after(self, gained: float) -> float:
        """Return when as much has been gained, infinite if it never is."""
        share = gained / self.gain
        return self.time(math.sqrt(1 - share)) if share < 1 else math.inf


@dataclass(frozen=True)
class PredictedPlateau:
    """A plateau of the closed-form flow.

    Attributes
    ----------
    modes : tuple of int
        The modes learnt by then, ascending, numbered as by :func:`linscape.critical_values`.
    loss : float
        The critical value of these modes.
    entered : float
        When the last of them lacks no more than `tolerance` times the gap of the level (as in
        :func:`plateaus`); 0 for the first plateau.
    left : float
        When the next mode has gained that much; infinite for the last plateau.
    """

    modes: tuple[int, ...]
    loss: float
    entered: float
    left: float

    def to_dict(self) -> dict[str, Any]:
        """Return the plateau ready for JSON, an infinite time as the string "inf"."""
        return {
            "modes": list(self.modes),
            "loss": self.loss,
            "entered": self.entered,
            "left": "inf" if math.isinf(self.left) else self.left,
        }


@dataclass(frozen=True, eq=False)
class SaddleToSaddle:
    """What gradient flow does from a small balanced start along the modes of the data.

    Attributes
    ----------
    plateaus : tuple of PredictedPlateau
        In the order of time. Modes learnt at about the same time have none between them.
    order : tuple of int
        The modes in the order in which they are learnt.
    times : tuple of float
        When each of them, in that order, has half of its gain.
    strength : float
        The singular values of the product at time 0.
    product : ndarray, shape (m, d)
        The product at time 0; `balanced_weights(p, product=…)` are weights to start from.
    tolerance : float
        Share of the gap that counts as nothing.
    source : str
        Where the closed form comes from.
    """

    plateaus: tuple[PredictedPlateau, ...]
    order: tuple[int, ...]
    times: tuple[float, ...]
    strength: float
    product: Array
    tolerance: float
    source: str = SOURCE

    def to_dict(self) -> dict[str, Any]:
        """Return the prediction ready for JSON."""
        return {
            "plateaus": [plateau.to_dict() for plateau in self.plateaus],
            "order": list(self.order),
            "times": list(self.times),
            "strength": self.strength,
            "product": self.product.tolist(),
            "tolerance": self.tolerance,
            "source": self.source,
        }


@guarded
def saddle_to_saddle(
    problem: Problem, *, strength: float, tolerance: float = 0.05
) -> SaddleToSaddle:
    r"""Predict the plateaus of gradient flow from a small balanced start, with their times.

    Where every mode's direction r_i is an eigenvector of E[xxᵀ] (white inputs, say), a balanced
    start with product u_0 Σ_i l_i r_iᵀ keeps that form, and the gain of mode i rises as

    .. math:: α(2 s_i u_i − a_i u_i²) = λ_i [1 − (1 − a_i u_i/s_i)²], \qquad
              \dot u_i = 2αN u_i^{2−2/N}(s_i − a_i u_i)

    (:func:`mode_time`). A plateau lasts from when the last of its modes lacks the share `tolerance`
    of the gap of :func:`plateaus` until the next mode has gained as much: when the loss enters and
    leaves the band that is looked at there, up to what other modes gain meanwhile.

    From a start small enough t_i is proportional to 1/s_i for any N: the modes come in the order
    of their signals s_i = l_iᵀE[yxᵀ]r_i. For white inputs this is the order of the gains λ_i; in
    general it is not, and the flow then passes critical values that are not the lowest of their
    rank. Those are saddles from which exchanging a mode for a better one leads down, so that the
    least deviation from the aligned path, even rounding, makes the flow leave earlier than
    predicted, by way of the exchange: there the prediction holds up to `entered` only.

    Parameters
    ----------
    problem : Problem
        At least one hidden layer; no decay, no hidden noise, no biases; modes along eigenvectors of
        E[xxᵀ] (to 1e-11).
    strength : float
        u_0 > 0, in units of y/x; below every s_i/a_i.
    tolerance : float, default 0.05
        ε, between 0 and 0.5.

    Returns
    -------
    SaddleToSaddle
        Closed-form for the given moments. The time of gradient flow is the number of steps of
        descent times the step size, for small steps.

    Raises
    ------
    NoExactSolution
        If a hypothesis fails; the message names it.
    InvalidOption
        If `strength` or `tolerance` is out of its range.

    References
    ----------
    Saxe, McClelland & Ganguli (2014), *Exact solutions to the nonlinear dynamics of learning in
    deep linear neural networks*.

    Examples
    --------
    Two layers, y = diag(2, 1)x: both modes are logistic, with rates 8 and 4, and the strengths
    s_i(1 − √½) of half a gain lie at times log[u(s − u_0)/(u_0(s − u))]/4s.

    >>> import linscape as ls
    >>> moments = ls.Moments(np.eye(2), np.diag([2.0, 1.0]), np.diag([4.0, 1.0]))
    >>> problem = ls.Problem(moments, ls.Network(hidden=(2,)))
    >>> found = saddle_to_saddle(problem, strength=1e-6)
    >>> [(one.modes, round(one.loss, 12)) for one in found.plateaus]
    [((), 5.0), ((0,), 1.0), ((0, 1), 0.0)]
    >>> u = 1 - math.sqrt(0.5)
    >>> math.isclose(found.times[1], math.log(u * (1 - 1e-6) / (1e-6 * (1 - u))) / 4)
    True
    """
    if not 0 < tolerance < 0.5:
        raise InvalidOption(f"tolerance must lie between 0 and 0.5, got {tolerance!r}")
    if not 0 < strength < math.inf:
        raise InvalidOption(f"strength must be a positive finite number, got {strength!r}")
    modes = data_modes(problem)
    if modes.learned == 0:
        raise NoExactSolution("x and y do not covary: there is no mode to learn")
    product, signals, curvatures = _start(problem, modes, strength)
    limit = float(np.min(signals / curvatures))
    if strength >= limit:
        raise InvalidOption(
            f"strength must be below that of every mode at the minimum, the least of which is "
            f"{limit:.6g}; got {strength!r}"
        )

    course = [
        _Mode(problem.data_factor * s, problem.data_factor * a, strength, problem.network.depth + 1)
        for s, a in zip(signals.tolist(), curvatures.tolist(), strict=True)
    ]
    half = [mode.time_before(mode.gain / 2) for mode in course]
    order = sorted(range(modes.learned), key=lambda mode: (half[mode], mode))
    return SaddleToSaddle(
        plateaus=_plateaus(modes, order, course, tolerance),
        order=tuple(order),
        times=tuple(half[mode] for mode in order),
        strength=strength,
        product=product,
        tolerance=tolerance,
    )


def _start(problem: Problem, modes: Modes, strength: float) -> tuple[Array, Array, Array]:
    """Return the product at time 0, and the signals and curvatures of its modes."""
    left = modes.directions[:, : modes.learned]
    right = modes.regression.T @ left
    right /= np.linalg.norm(right, axis=0)
    product = strength * left @ right.T
    # refuses what the closed form does not cover, and says why; its modes are in another order
    start = [np.asarray(W) for W in balanced_weights(problem, product=product, rng=0)]
    aligned_flow(problem, start, [0.0])
    A, C, _ = linear_moments(problem)
    curvatures = np.einsum("di,de,ei->i", right, A, right)
    return product, np.einsum("dm,di,mi->i", C, right, left), curvatures


def _plateaus(
    modes: Modes, order: list[int], course: list[_Mode], tolerance: float
) -> tuple[PredictedPlateau, ...]:
    """Return the plateaus between modes that do not overlap."""
    ladder = np.array([modes.loss(range(rank)) for rank in range(modes.learned + 1)])
    error = 4 * modes.data_factor * modes.value_error
    found = []
    for count in range(len(order) + 1):
        learnt, loss = tuple(sorted(order[:count])), modes.loss(order[:count])
        distances = np.abs(ladder - loss)
        near = tolerance * float(distances[distances > error].min())
        entered = max((course[mode].time_before(near) for mode in learnt), default=0.0)
        left = min((course[mode].time_after(near) for mode in order[count:]), default=math.inf)
        if entered < left:
            found.append(PredictedPlateau(learnt, loss, entered, left))
    return tuple(found)
