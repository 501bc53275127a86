"""The file format of moments: an .npz archive with a JSON header, no pickle."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from linscape.atomic import write_atomically
from linscape.errors import UnreadableFile
from linscape.moments.archives import DAMAGE, archive, reason_of
from linscape.moments.state import State, affine

FORMAT = "linscape moments"
SCHEMA = 1
# Arrays that every file of moments has; data have the array X.
_SIGN = {"header.npy", "shift.npy", "scale.npy"}


def save_state(path: str | os.PathLike[str], state: State) -> None:
    """Write a state, replacing the file at `path` only when all is written.

    Raises
    ------
    UnreadableFile
        If the file cannot be written.
    """
    header = {
        "format": FORMAT,
        "schema": SCHEMA,
        "n": state.n,
        "inputs": state.inputs,
        "single": state.single,
        "names": state.names,
        "targets": state.targets,
    }
    arrays: dict[str, Any] = {
        "header": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
        "shift": np.append(state.transform.shift_x, state.transform.shift_y),
        "scale": np.append(state.transform.scale_x, state.transform.scale_y),
    }
    for name in ("raw", "covariance", "mean", "weight"):
        value = getattr(state, name)
        if value is not None:
            arrays[name] = np.asarray(value, dtype=np.float64)

    def write(file: BinaryIO) -> None:
        np.savez(file, **arrays)

    write_atomically(path, write)


def holds_moments(file: Path) -> bool:
    """Whether the arrays in a file have the names that `save_state` gives them."""
    if not zipfile.is_zipfile(file):
        return False
    with archive(file) as opened:
        names = set(opened.namelist())
    return names >= _SIGN and "X.npy" not in names


def load_state(path: str | os.PathLike[str]) -> State:
    """Read a state back, bit for bit.

    Raises
    ------
    UnreadableFile
        If the file is missing, damaged, not one of moments, or of a newer schema.
    """
    file = Path(path)
    try:
        with file.open("rb") as stream:
            arrays = _arrays(stream)
        header = json.loads(arrays.pop("header").tobytes())
        schema = int(header["schema"])
        state = _state(header, arrays) if schema <= SCHEMA else None
    except OSError as error:
        raise UnreadableFile(
            f"cannot read moments from {file}: {error.strerror or 'not an .npz file'}; "
            "give a file written by Moments.save"
        ) from None
    except DAMAGE as error:
        raise _foreign(file, error) from None
    if state is None:
        raise UnreadableFile(
            f"expected {file} in schema {SCHEMA} or older, got the newer schema {schema}; "
            "install a newer linscape"
        )
    return state


def _arrays(stream: BinaryIO) -> dict[str, Any]:
    """Read all arrays of an archive."""
    if not zipfile.is_zipfile(stream):
        raise ValueError("no .npz file")
    stream.seek(0)
    with np.load(stream, allow_pickle=False) as opened:
        return {name: opened[name] for name in opened.files}


def _foreign(file: Path, error: Exception) -> UnreadableFile:
    """Return the error for a file that does not hold moments."""
    return UnreadableFile(
        f"expected {file} to be written by Moments.save, got a damaged or foreign file "
        f"({reason_of(error)}); save the moments again, or read rows with read_moments"
    )


def _state(header: dict[str, Any], arrays: dict[str, Any]) -> State:
    """Put a state together, with `ValueError` if its parts do not fit."""
    if header["format"] != FORMAT:
        raise ValueError(f"format {header['format']!r}")
    inputs, single = int(header["inputs"]), bool(header["single"])
    shift, scale = arrays["shift"], arrays["scale"]
    columns = len(shift)
    shapes = {"shift": 1, "scale": 1, "mean": 1, "raw": 2, "covariance": 2, "weight": 0}
    for name, array in arrays.items():
        fits = array.shape == (columns,) * shapes[name] and array.dtype == np.float64
        if not (fits and np.isfinite(array).all()):
            raise ValueError(f"array {name!r} of shape {array.shape}")
    if not (scale > 0).all():
        raise ValueError("a scale that is not positive")
    if not 1 <= inputs < columns or (single and columns != inputs + 1):
        raise ValueError(f"{inputs} inputs of {columns} columns")
    if "raw" not in arrays and ("covariance" not in arrays or "mean" not in arrays):
        raise ValueError("no second moments")
    names, targets = header["names"], header["targets"]
    for given, count in ((names, inputs), (targets, columns - inputs)):
        if given is not None and len(given) != count:
            raise ValueError(f"{len(given)} names for {count} columns")
    weight, n = arrays.get("weight"), header["n"]
    return State(
        arrays.get("raw"),
        arrays.get("covariance"),
        arrays.get("mean"),
        None if weight is None else float(weight),
        None if n is None else int(n),
        inputs,
        single,
        None if names is None else tuple(map(str, names)),
        None if targets is None else tuple(map(str, targets)),
        affine(shift, scale, inputs, single),
    )
