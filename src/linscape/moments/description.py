"""What moments know of their rows and columns beside the second moments."""

import numpy as np
from numpy.typing import NDArray

from linscape.moments.operator import OperatorState
from linscape.moments.state import State
from linscape.moments.transform import Affine


class Description:
    """Means, counts, names and units of moments; immutable."""

    _state: State | OperatorState

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse changes."""
        raise AttributeError(f"Moments are immutable: cannot set {name}; make new ones")

    @property
    def mean_x(self) -> NDArray[np.float64] | None:
        """E[x], ndarray of shape (d,), or None if unknown."""
        mean = self._state.mean
        return None if mean is None else mean[: self.inputs]

    @property
    def mean_y(self) -> float | NDArray[np.float64] | None:
        """E[y], a float or ndarray of shape (m,), or None if unknown."""
        mean = self._state.mean
        if mean is None:
            return None
        return float(mean[-1]) if self._state.single else mean[self.inputs :]

    @property
    def n(self) -> int | None:
        """Number of rows, or None if unknown."""
        return self._state.n

    @property
    def weight(self) -> float | None:
        """Total sample weight, ``n`` without sample weights, or None if unknown."""
        return self._state.weight

    @property
    def inputs(self) -> int:
        """Number d of inputs."""
        return self._state.inputs

    @property
    def outputs(self) -> int:
        """Number m of outputs."""
        return self._state.columns - self.inputs

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of the inputs, or None."""
        return self._state.names

    @property
    def targets(self) -> tuple[str, ...] | None:
        """Names of the outputs, or None."""
        return self._state.targets

    @property
    def transform(self) -> Affine:
        """The change from original units to those of these moments."""
        return self._state.transform

    @property
    def is_operator(self) -> bool:
        """Whether E[xxᵀ] is kept as an operator: what needs the matrix raises an error."""
        return isinstance(self._state, OperatorState)

    @property
    def _dense(self) -> State:
        """The state with its matrices; `NeedsDenseMoments` if there are none."""
        if isinstance(self._state, OperatorState):
            raise self._state.refusal()
        return self._state

    def __repr__(self) -> str:
        """Describe rows, inputs, outputs and units in a few words."""
        rows = "unknown number of rows" if self.n is None else _counted(self.n, "row")
        parts = [rows, _counted(self.inputs, "input"), _counted(self.outputs, "output")]
        return f"Moments({', '.join(parts + self._units())})"

    def _units(self) -> list[str]:
        """Name the units, for the repr."""
        if isinstance(self._state, OperatorState):
            centred = [] if self._state.mean.any() else ["centred"]
            return [*centred, "E[xxᵀ] kept as an operator"]
        mean, covariance = self._state.mean, self._state.covariance
        if mean is None or covariance is None:
            return ["means unknown"]
        if mean.any():
            return []
        return ["standardised" if np.all(covariance.diagonal() == 1.0) else "centred"]


def _counted(count: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it is due."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
