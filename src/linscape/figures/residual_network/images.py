"""Images to classify: scikit-learn's digits, or CIFAR-10 from files in its published format."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from linscape.errors import InvalidData, MissingDependency, UnreadableFile

CLASSES = 10
_SHAPE = (3, 32, 32)
_RECORD = 1 + 3 * 32 * 32  # a label, then the red, green and blue planes row by row
_FILES = tuple(f"data_batch_{k}.bin" for k in range(1, 6))


@dataclass(frozen=True, eq=False)
class Images:
    """Labelled images, and the random changes under which their labels stay what they are.

    Attributes
    ----------
    name : str
        Of the data set.
    pixels : ndarray of float32, shape (n, channels, height, width)
        In [0, 1], 0 black.
    labels : ndarray of int64, shape (n,)
        From 0 to 9.
    padding : int
        Black pixels added on every side before a crop of the old size is drawn.
    flip : bool
        Whether half of the images are mirrored.
    """

    name: str
    pixels: NDArray[np.float32] = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)
    padding: int
    flip: bool

    def one_hot(self) -> NDArray[np.float64]:
        """Return the targets (n, 10): 1 at the label, 0 elsewhere."""
        return np.eye(CLASSES)[self.labels]


def digits() -> Images:
    """Return scikit-learn's 1,797 handwritten digits of 8×8 pixels, which come with the library.

    Padding is 1, the share of the side that 4 is of 32. Digits are never mirrored: a mirrored 2 is
    no 2, while 0, 1 and 8 hardly change.

    Raises
    ------
    MissingDependency
        If scikit-learn is not installed.

    Examples
    --------
    >>> digits().pixels.shape
    (1797, 1, 8, 8)
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingDependency(
            "the digits come with scikit-learn, which is not installed; "
            'pip install "linscape[sklearn]", or give a folder of CIFAR-10 with --data'
        ) from error
    found = load_digits()
    pixels = found.images.astype(np.float32)[:, None] / np.float32(16)
    return Images("digits", pixels, found.target.astype(np.int64), padding=1, flip=False)


def cifar10(folder: Path) -> Images:
    """Read the training images of CIFAR-10 (Krizhevsky 2009) in its binary version.

    Parameters
    ----------
    folder : Path
        Where data_batch_1.bin to data_batch_5.bin are; any number of records in each.

    Raises
    ------
    UnreadableFile
        If a file is missing, cannot be read, or ends within a record.
    InvalidData
        If a label is not from 0 to 9.
    """
    if not folder.is_dir():
        raise UnreadableFile(f"{folder} is no folder; give the one that holds {_FILES[0]}")
    records = np.concatenate([cifar10_records(folder / name) for name in _FILES])
    pixels = records[:, 1:].reshape(-1, *_SHAPE).astype(np.float32)
    pixels /= np.float32(255)
    return Images("CIFAR-10", pixels, records[:, 0].astype(np.int64), padding=4, flip=True)


def cifar10_records(path: Path) -> NDArray[np.uint8]:
    """Read one file of CIFAR-10's binary version, of training or test images.

    Parameters
    ----------
    path : Path
        A file of records of 3,073 bytes.

    Returns
    -------
    ndarray of uint8, shape (n, 3073)
        Each row a label and 3 × 32 × 32 pixels.

    Raises
    ------
    UnreadableFile
        If the file is missing, empty, cannot be read, or ends within a record.
    InvalidData
        If a label is not from 0 to 9.
    """
    try:
        content = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    except OSError as error:
        raise UnreadableFile(
            f"cannot read {path}: {error.strerror}; CIFAR-10's binary version has the files "
            f"{_FILES[0]} to {_FILES[-1]} and test_batch.bin"
        ) from error
    if not content.size or content.size % _RECORD:
        raise UnreadableFile(
            f"{path} has {content.size} bytes, expected a multiple of {_RECORD} (a label and "
            "3 × 32 × 32 pixels a record): it is cut short or not CIFAR-10's binary version; "
            "fetch it anew"
        )
    records = content.reshape(-1, _RECORD)
    wrong = np.flatnonzero(records[:, 0] >= CLASSES)
    if wrong.size:
        raise InvalidData(
            f"record {wrong[0]} of {path} has the label {records[wrong[0], 0]}, expected 0 to 9: "
            "this is not CIFAR-10's binary version; fetch it anew"
        )
    return records
