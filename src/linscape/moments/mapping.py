"""Files mapped into memory, of which only the part in use stays there."""

import mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def mapped(file: Path) -> mmap.mmap:
    """Map a file for reading.

    Raises
    ------
    OSError
        If it cannot be opened, or is empty.
    """
    if not file.stat().st_size:
        raise OSError("the file is empty")
    with file.open("rb") as stream:
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)


def mapping_of(array: Any) -> mmap.mmap | None:
    """Return what lies behind an array that is mapped for reading only, else None."""
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    if array is None or array.mode != "r":  # pages changed in memory alone would be lost
        return None
    behind = array.base
    while behind is not None and not isinstance(behind, mmap.mmap):
        behind = getattr(behind, "base", None)
    return behind


def offset_in(mapping: mmap.mmap, array: NDArray[np.generic]) -> int:
    """Return at which byte of a mapping the first entry of an array lies."""
    return int(array.ctypes.data - np.frombuffer(mapping, np.uint8).ctypes.data)


def expect(mapping: mmap.mmap, start: int, stop: int) -> None:
    """Have the system read bytes into its cache, where it allows it, while others are looked at."""
    first = max(start, 0) // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
    stop = min(stop, len(mapping))
    if first < stop and hasattr(mmap, "MADV_WILLNEED"):
        mapping.madvise(mmap.MADV_WILLNEED, first, stop - first)


def release(mapping: mmap.mmap) -> None:
    """Give the pages back, where the system allows it; they are read again when asked for."""
    if hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)
