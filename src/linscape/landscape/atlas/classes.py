"""A class of critical points: those that differ in the choice of units and signs only."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linscape.landscape.atlas.subnetwork import representative
from linscape.landscape.solutions import Kind
from linscape.problem import Problem

Array = NDArray[np.float64]
SOURCE = (
    "proven in docs/atlas.md: every critical point is a solution of a sub-network in the sense of "
    "Ziyin, Li & Meng (2022), Theorem 2"
)


@dataclass(frozen=True, eq=False)
class SubnetworkClass:
    """Critical points of the loss with the same number of live units and the same energy.

    Attributes
    ----------
    active : tuple of int
        Units alive in each hidden layer, (k_1, …, k_D); the others have all weights zero, in and
        out. All zero for the trivial point. In a layer without noise the live units are not
        determined and its full width stands here.
    branch : int
        Which solution of the sub-network, by energy: 0 is zero; from two hidden layers on saddles
        (odd) and minima (even) of its one-dimensional function F alternate, unless two meet.
    energy : float
        K = γ‖W‖² of every layer.
    loss : float
        The loss there, in the units of the problem.
    gain : float
        Loss at zero minus `loss`, without cancellation.
    kind : "minimum", "saddle" or "fold"
        A local minimum; a strict saddle; or a point where two solutions of the sub-network meet,
        or cannot be told apart in 64-bit floats.
    index : int or None
        Number of negative eigenvalues of the Hessian over all weights: the dead units, plus one on
        a saddle of the sub-network. At zero none, or all units where one hidden layer learns. None
        at a fold.
    nullity : int or None
        Number of its zero eigenvalues: `dimension`, the tangents of the class. None at a fold.
    dimension : int
        0 where every layer is noisy: the points are isolated. A layer of d units without noise
        adds a sphere of d − 1 dimensions.
    multiplicity : int
        How many points of weight space the class has, or connected components if it has a
        dimension.
    predictor : (d,) ndarray
        p with E[f(x) | x] = p·x.
    problem : Problem
        What they are critical points of.
    """

    active: tuple[int, ...]
    branch: int
    energy: float
    loss: float
    gain: float
    kind: Kind
    index: int | None
    nullity: int | None
    dimension: int
    multiplicity: int
    predictor: Array
    problem: Problem = field(repr=False)

    @property
    def source(self) -> str:
        """Return what the class rests on."""
        return SOURCE

    def weights(self, rng: np.random.Generator | int | None = None) -> list[Array]:
        """Return weights of one point of the class.

        Parameters
        ----------
        rng : numpy.random.Generator or int, optional
            Draws the live units and their signs, each point of the class being as likely; by
            default the first units are alive and all signs are plus.

        Raises
        ------
        OutOfRange
            If a weight does not fit a 64-bit float.
        """
        generator = None if rng is None else np.random.default_rng(rng)
        return representative(self.problem, self.active, self.predictor, generator)

    def to_dict(self) -> dict[str, Any]:
        """Return the class ready for JSON."""
        return {
            "active": list(self.active),
            "branch": self.branch,
            "energy": self.energy,
            "loss": self.loss,
            "gain": self.gain,
            "kind": self.kind,
            "index": self.index,
            "nullity": self.nullity,
            "dimension": self.dimension,
            "multiplicity": self.multiplicity,
            "predictor": self.predictor.tolist(),
            "source": self.source,
        }
