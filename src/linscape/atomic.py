"""Writing files so that the old ones survive every failure."""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from linscape.errors import UnreadableFile


def write_atomically(path: str | os.PathLike[str], write: Callable[[BinaryIO], None]) -> None:
    """Let `write` fill a temporary file beside `path`, then put it in the place of `path`.

    Parameters
    ----------
    path : path-like
        The file to create or to replace.
    write : callable
        Called once with a binary file object.

    Raises
    ------
    UnreadableFile
        If the file cannot be written; whatever stood at `path` is then unchanged.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> target = Path(tempfile.mkdtemp()) / "numbers.bin"
    >>> write_atomically(target, lambda file: file.write(b"42"))
    >>> target.read_bytes()
    b'42'
    """
    target = Path(path)
    temporary: str | None = None
    try:
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        Path(temporary).replace(target)
        temporary = None
    except OSError as error:
        reason = error.strerror or error
        raise UnreadableFile(
            f"cannot write {target}: {reason}; give a path in a folder that exists and is writable"
        ) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def write_together(contents: Sequence[tuple[Path, bytes]]) -> None:
    """Write all files, or leave every old one as it was.

    Parameters
    ----------
    contents : sequence of (Path, bytes)
        Each file is put in its place only when it and all after it are on the disk.

    Raises
    ------
    UnreadableFile
        If one cannot be written; the message names it.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_together([(folder / "a", b"1"), (folder / "b", b"2")])
    >>> (folder / "b").read_bytes()
    b'2'
    """
    try:
        _write_rest(contents)
    except UnreadableFile as error:
        # the innermost tells which file it was; the others only failed with it
        cause: BaseException = error
        while isinstance(cause.__cause__, UnreadableFile):
            cause = cause.__cause__
        raise cause from None


def _write_rest(contents: Sequence[tuple[Path, bytes]]) -> None:
    if not contents:
        return
    (path, content), *rest = contents

    def write(file: BinaryIO) -> None:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        _write_rest(rest)

    write_atomically(path, write)
