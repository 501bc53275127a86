"""What a descent or a flow leaves behind: labelled values along the way, and how each net ended."""

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from linscape.atomic import write_atomically
from linscape.errors import UnreadableFile
from linscape.moments.archives import DAMAGE, reason_of

Array = NDArray[np.float64]
Coordinate = Literal["step", "time"]

STATUSES = ("running", "converged", "diverged")
FORMAT = "linscape trajectory"
SCHEMA = 1


@dataclass(frozen=True, eq=False)
class Trajectory:
    r"""Values recorded along the paths of one net or of a batch of nets, and how each net ended.

    ``trajectory["loss"]`` is the array recorded under that name: one row for each entry of `at`,
    then the batch axes of the weights, then the axes of the value itself. After a net has stopped,
    its rows repeat the values of its last weights.

    Attributes
    ----------
    coordinate : "step" or "time"
        What `at` counts.
    at : ndarray, shape (k,)
        Steps (whole numbers) or times at which values were recorded, ascending.
    values : dict of str to ndarray
        Arrays of shape (k, \*batch, …), by name.
    weights : list of ndarray
        The last weights W_1, …, W_D, U, with the batch axes in front; always finite.
    status : ndarray of str, shape batch
        "running" (steps or time were used up), "converged" or "diverged".
    stopped_at : ndarray, shape batch
        The step or time at which each net stopped: the end if it was still running.

    Examples
    --------
    >>> import numpy as np
    >>> trajectory = Trajectory(
    ...     coordinate="step",
    ...     at=np.array([0, 10]),
    ...     values={"loss": np.array([1.0, 0.25])},
    ...     weights=[np.array([[0.5]])],
    ...     status=np.array("running"),
    ...     stopped_at=np.array(10),
    ... )
    >>> trajectory["loss"]
    array([1.  , 0.25])
    >>> trajectory
    Trajectory(step 0 to 10, 2 recorded: loss; 1 net: 1 running)
    """

    coordinate: Coordinate
    at: NDArray[Any]
    values: dict[str, Array]
    weights: list[Array]
    status: NDArray[np.str_]
    stopped_at: NDArray[Any]

    def __getitem__(self, name: str) -> Array:
        """Return the array recorded under a name."""
        try:
            return self.values[name]
        except KeyError:
            known = ", ".join(self.values) or "nothing"
            raise KeyError(f"{name!r} was not recorded; recorded: {known}") from None

    def __repr__(self) -> str:
        """Return what was recorded, and how many nets ended in which way."""
        counts = [(int(np.sum(self.status == name)), name) for name in STATUSES]
        ends = ", ".join(f"{count} {name}" for count, name in counts if count)
        nets = f"{self.status.size} net{'' if self.status.size == 1 else 's'}"
        return (
            f"Trajectory({self.coordinate} {self.at[0]:g} to {self.at[-1]:g}, {len(self.at)} "
            f"recorded: {', '.join(self.values) or 'nothing'}; {nets}: {ends})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the trajectory as lists, ready for JSON: infinity is "inf", no number is null."""
        return {
            "coordinate": self.coordinate,
            "at": self.at.tolist(),
            "values": {name: _plain(value.tolist()) for name, value in self.values.items()},
            "weights": [matrix.tolist() for matrix in self.weights],
            "status": self.status.tolist(),
            "stopped_at": self.stopped_at.tolist(),
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an .npz archive without pickle, replacing `path` only when all is written.

        Raises
        ------
        UnreadableFile
            If the file cannot be written.
        """
        header = {
            "format": FORMAT,
            "schema": SCHEMA,
            "coordinate": self.coordinate,
            "values": list(self.values),
            "layers": len(self.weights),
        }
        arrays: dict[str, Any] = {
            "header": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
            "at": self.at,
            "status": self.status,
            "stopped_at": self.stopped_at,
        }
        arrays |= {f"value {k}": value for k, value in enumerate(self.values.values())}
        arrays |= {f"weights {k}": matrix for k, matrix in enumerate(self.weights)}

        def write(file: BinaryIO) -> None:
            np.savez(file, **arrays)

        write_atomically(path, write)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Trajectory":
        """Read a saved trajectory back, bit for bit.

        Raises
        ------
        UnreadableFile
            If the file is missing, damaged, not a trajectory, or of a newer schema.
        """
        file = Path(path)
        try:
            with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            header = json.loads(arrays.pop("header").tobytes())
            schema = int(header["schema"])
            trajectory = _assembled(header, arrays) if schema <= SCHEMA else None
        except OSError as error:
            raise UnreadableFile(
                f"cannot read a trajectory from {file}: {error.strerror or 'not an .npz file'}; "
                "give a file written by Trajectory.save"
            ) from None
        except DAMAGE as error:
            raise _foreign(file, error) from None
        if trajectory is None:
            raise UnreadableFile(
                f"expected {file} in schema {SCHEMA} or older, got the newer schema {schema}; "
                "install a newer linscape"
            )
        return trajectory


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if math.isfinite(value):
        return value
    return None if math.isnan(value) else "inf" if value > 0 else "-inf"


def _foreign(file: Path, error: Exception) -> UnreadableFile:
    """Return the error for a file that does not hold a trajectory."""
    return UnreadableFile(
        f"expected {file} to be written by Trajectory.save, got a damaged or foreign file "
        f"({reason_of(error)}); run the descent again and save it"
    )


def _assembled(header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Trajectory:
    """Put a trajectory together, with `ValueError` if its parts do not fit."""
    if header["format"] != FORMAT:
        raise ValueError(f"format {header['format']!r}")
    if header["coordinate"] not in get_args(Coordinate):
        raise ValueError(f"coordinate {header['coordinate']!r}")
    names = [str(name) for name in header["values"]]
    at, status, stopped_at = arrays["at"], arrays["status"], arrays["stopped_at"]
    values = {name: arrays[f"value {k}"] for k, name in enumerate(names)}
    weights = [arrays[f"weights {k}"] for k in range(int(header["layers"]))]
    batch = status.shape
    for name, value in values.items():
        if value.shape[: 1 + len(batch)] != (*at.shape, *batch) or value.dtype != np.float64:
            raise ValueError(f"{name} of shape {value.shape} for {at.shape} rows and batch {batch}")
    if any(matrix.shape[:-2] != batch or matrix.dtype != np.float64 for matrix in weights):
        raise ValueError(f"weights of shapes {[matrix.shape for matrix in weights]}")
    if not all(np.isfinite(array).all() for array in (*weights, at, stopped_at)):
        raise ValueError("weights, steps or ends that are not finite")
    known = status.dtype.kind == "U" and np.isin(status, STATUSES).all()
    if at.ndim != 1 or not len(at) or not known or stopped_at.shape != batch:
        raise ValueError("steps, status or ends of the wrong kind")
    return Trajectory(header["coordinate"], at, values, weights, status, stopped_at)
