r"""Every critical point whose layers are alive, or dead from some layer down, at any depth.

The loss of any weights is at least the loss of the chain at their V_k, and rank-one layers attain
it there. So the Hessian of the loss is that of the chain's, as a function of the weights, plus a
part that is not negative and vanishes along the rank-one layers: the two have the same number of
negative eigenvalues. Where layers 1, …, k are dead, each unit of layer k adds one more where the
force on what feeds it exceeds its threshold, because W_{k+1} and [W_k β_k] then grow together:

    θ² > γ_k z_{k+1} for k ≥ 2,  and  ‖c + θμ‖² + θ² > γ_1 z_2 for k = 1,

θ the current into layer k + 1.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.landscape.biases.attained import Point
from linscape.landscape.biases.chain import Chain
from linscape.landscape.biases.critical import CriticalPoint, critical_points
from linscape.landscape.biases.setting import Setting, setting
from linscape.problem import Problem
from linscape.spectrum import Spectrum

Array = NDArray[np.float64]

_ROUNDING = 2.0**10 * UNIT_ROUNDOFF  # of the two sides that are compared, Newton's included


class Push(NamedTuple):
    """What pulls the layer below the first living one up, and what it must exceed."""

    force: float
    threshold: float
    error: float

    @property
    def holds(self) -> bool | None:
        """Say whether the layer stays dead: force ≤ threshold; None within rounding."""
        if self.force == 0 or self.force + self.error <= self.threshold:
            return True
        return False if self.force - self.error > self.threshold else None


class Place(NamedTuple):
    """A critical point of a problem.

    Attributes
    ----------
    point : Point
        Its ridge parameters, and the number of its dead layers.
    gain : float
        In the units of the setting.
    morse_index : int or None
        Number of negative eigenvalues of the loss's Hessian; None where it is undecided.
    uses_inputs : bool
        Whether its predictor is not zero.
    push : Push
        On the dead layer next to the living ones.
    """

    point: Point
    gain: float
    morse_index: int | None
    uses_inputs: bool
    push: Push


def enumerated(problem: Problem, measure: Spectrum) -> tuple[Setting, list[Place]]:
    """Return every critical point but the trivial state, for hidden layers and one output.

    Parameters
    ----------
    problem : Problem
        With decayed biases.
    measure : Spectrum
        The spectrum of the centred moments.

    Raises
    ------
    NoExactSolution
        If there are too many boxes to exhaust.
    """
    found = setting(problem, measure)
    places = [
        _place(problem, found.chain, dead, point)
        for dead in range(problem.network.depth)
        for point in critical_points(found.chain.above(dead) if dead else found.chain)
    ]
    return found, places


def sees_inputs(problem: Problem) -> bool:
    """Say whether the inputs can matter: where Cov(x, y) = 0 and E[x] = 0, nothing feeds them."""
    return bool(np.any(problem.moments.covariance_xy) or np.any(problem.moments.mean_x))


def _place(problem: Problem, chain: Chain, dead: int, point: CriticalPoint) -> Place:
    push, index = Push(0.0, 0.0, 0.0), point.morse_index
    if dead:
        push = _push(chain, dead, point)
        if index is not None:
            units = {True: 0, False: problem.network.hidden[dead - 1], None: None}[push.holds]
            index = None if units is None else index + units
    uses = dead == 0 and sees_inputs(problem)
    return Place(Point(point.ridges, dead), point.gain, index, uses, push)


def _push(chain: Chain, dead: int, point: CriticalPoint) -> Push:
    state = chain.above(dead).state(point.ridges[:, None])
    current = float(state.currents[0, 0])
    threshold = math.sqrt(chain.decays[dead - 1]) * math.sqrt(point.ridges[0])
    force = size = current
    if dead == 1:
        signal = chain.signals + current * chain.means
        force = math.hypot(current, float(np.linalg.norm(signal)))
        size += float(np.linalg.norm(chain.signals) + current * np.linalg.norm(chain.means))
    return Push(force, threshold, _ROUNDING * (size + threshold))
