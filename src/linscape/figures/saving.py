"""A reproduction on the disk: its picture twice, its numbers, and how they were made."""

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from linscape.atomic import write_together
from linscape.errors import UnreadableFile
from linscape.figures.catalogue import draw
from linscape.figures.reproduction import Reproduction
from linscape.plots import rendered


def save(found: Reproduction, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Write NAME.svg, NAME.png, NAME.npz and NAME.json: all of them, or none.

    Parameters
    ----------
    found : Reproduction
        Of :func:`linscape.figures.reproduce`.
    folder : path-like
        Made if it does not exist.

    Returns
    -------
    tuple of Path
        The files written.

    Raises
    ------
    UnreadableFile
        If the folder cannot be made or written to; files of an earlier run are then unchanged.
    MissingDependency
        If matplotlib is not installed.
    """
    base = _folder(Path(folder)) / found.name
    figure = draw(found)
    contents = [
        (base.with_suffix(".svg"), rendered(figure, ".svg")),
        (base.with_suffix(".png"), rendered(figure, ".png")),
        (base.with_suffix(".npz"), _archive(found)),
        (base.with_suffix(".json"), _document(found)),
    ]
    write_together(contents)
    return tuple(path for path, _ in contents)


def _folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnreadableFile(
            f"cannot make the folder {folder}: {error.strerror}; give another with --out"
        ) from error
    return folder


def _archive(found: Reproduction) -> bytes:
    arrays: dict[str, Any] = dict(found.arrays)
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def _document(found: Reproduction) -> bytes:
    text = json.dumps(found.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()
