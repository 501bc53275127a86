"""What a reproduced figure is: its numbers, its claims, and how it was made."""

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linscape.figures.claim import Claim

# told the fraction done, from 0 to 1
Advance = Callable[[float], None]

_PACKAGES = ("linscape", "numpy", "scipy", "numba", "torch", "matplotlib")


@dataclass(frozen=True, eq=False)
class Reproduction:
    """The numbers of one figure or worked example, and what they say of its source's claims.

    Attributes
    ----------
    name : str
        The name in ``linscape reproduce NAME``.
    title : str
        What is shown, in a line.
    source : str
        The paper and its figure, example or section.
    parameters : mapping
        All that fixes the numbers: sizes, rates, numbers of runs.
    seed : int
        From which all random numbers come.
    arrays : mapping of str to ndarray
        The numbers drawn; no objects.
    claims : tuple of Claim
        The statements checked.
    quick : bool
        Whether fewer runs and coarser grids were asked for.

    Examples
    --------
    >>> import numpy as np
    >>> found = Reproduction("square", "x²", "nowhere", {"points": 2}, 0, {"x": np.arange(2.0)})
    >>> found.to_dict()["parameters"]
    {'points': 2}
    """

    name: str
    title: str
    source: str
    parameters: Mapping[str, Any]
    seed: int
    arrays: Mapping[str, NDArray[Any]] = field(repr=False)
    claims: tuple[Claim, ...] = ()
    quick: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return all but the arrays as JSON-ready values, with the versions used."""
        return {
            "schema": "linscape.reproduction",
            "version": 1,
            "name": self.name,
            "title": self.title,
            "source": self.source,
            "quick": self.quick,
            "parameters": dict(self.parameters),
            "seed": self.seed,
            "versions": _versions(),
            "arrays": {name: list(np.shape(array)) for name, array in self.arrays.items()},
            "claims": [claim.to_dict() for claim in self.claims],
        }


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # an extra that this figure did without
            continue
    return found
