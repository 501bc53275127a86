"""Arrays in .npz files, read row block by row block."""

import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from linscape.errors import InvalidData, LinscapeError, UnreadableFile
from linscape.moments.arrays import dense_dtype
from linscape.moments.tables import require_known

# Bytes of a row block.
BLOCK = 2**23
# What zipfile, zlib and numpy raise on a damaged archive; of headers, numpy parses the text.
DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    OverflowError,
    MemoryError,
    RuntimeError,
    NotImplementedError,
    SyntaxError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def reason_of(error: BaseException) -> str:
    """First line of what an error says, or its name."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


@contextmanager
def archive(file: Path) -> Iterator[zipfile.ZipFile]:
    """Open an .npz file; damage found while it is open becomes `UnreadableFile`."""
    try:
        with zipfile.ZipFile(file) as opened:
            yield opened
    except LinscapeError:
        raise
    except DAMAGE as error:
        reason = reason_of(error)
        raise UnreadableFile(
            f"cannot read {file} as .npz: {reason}; write the file again with numpy.savez"
        ) from None


def whole_array(opened: zipfile.ZipFile, name: str, file: Path) -> NDArray[np.generic]:
    """Read one array of real numbers at once."""
    _shape(opened, name, file)
    with opened.open(f"{name}.npy") as stream:
        return np.asarray(npy.read_array(stream, allow_pickle=False))


def matrix_shapes(
    opened: zipfile.ZipFile, target: str, file: Path
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shapes of the rows of X, (d,), and of the outputs, () or (m,).

    Raises
    ------
    InvalidData
        If an array is missing or has a wrong number of dimensions, or the lengths differ.
    """
    inputs, outputs = _shape(opened, "X", file), _shape(opened, target, file)
    if len(inputs) != 2 or len(outputs) not in (1, 2) or 0 in inputs[1:] + outputs[1:]:
        raise InvalidData(
            f"expected X of shape (n, d) and {target} of shape (n,) or (n, m) in {file}, "
            f"got {inputs} and {outputs}; save one row per sample"
        )
    if inputs[0] != outputs[0]:
        raise InvalidData(
            f"expected as many rows in {target} as in X in {file}, got {outputs[0]} and "
            f"{inputs[0]}; save one output per row of X"
        )
    return inputs[1:], outputs[1:]


def _shape(opened: zipfile.ZipFile, name: str, file: Path) -> tuple[int, ...]:
    """Shape of one array of real numbers, from its header."""
    require_known(name, [entry.removesuffix(".npy") for entry in opened.namelist()], "array", file)
    with opened.open(f"{name}.npy") as stream:
        shape, _, dtype = _header(stream)
    dense_dtype(dtype, f"array {name!r} of {file}")
    return shape


def row_blocks(opened: zipfile.ZipFile, name: str, file: Path) -> Iterator[NDArray[np.generic]]:
    """Yield the rows of a matrix, 8 MB at a time if they are stored row after row."""
    with opened.open(f"{name}.npy") as stream:
        shape, fortran, dtype = _header(stream)
        if fortran:  # columns one after the other: no row is complete before the end
            yield whole_array(opened, name, file)
            return
        row_bytes = prod(shape[1:]) * dtype.itemsize
        rows = max(BLOCK // row_bytes, 1)
        for start in range(0, shape[0], rows):
            count = min(rows, shape[0] - start)
            content = _exactly(stream, count * row_bytes)
            yield np.frombuffer(content, dtype=dtype).reshape(count, *shape[1:])


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, Fortran order and dtype of the array that follows."""
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    return shape, fortran, dtype


def _exactly(stream: IO[bytes], count: int) -> bytes:
    """Read so many bytes, or fail."""
    content = stream.read(count)
    if len(content) != count:
        raise EOFError(f"array ends {count - len(content)} bytes early")
    return content
