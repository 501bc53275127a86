"""One sweep at a time on a store."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from linscape.errors import UnreadableFile

if sys.platform == "win32":
    import msvcrt

    def _claim(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _claim(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


_HELD = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)


@contextmanager
def locked(store: Path) -> Iterator[None]:
    """Hold the lock of a store; the system lets go of it when the process ends, however it ends.

    Raises
    ------
    UnreadableFile
        If another sweep holds it, or the file cannot be written.
    """
    path = store / "lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise UnreadableFile(
            f"cannot write {path}: {error.strerror}; give a --store that is writable"
        ) from None
    try:
        try:
            _claim(descriptor)
        except OSError as error:
            if error.errno not in _HELD:
                raise UnreadableFile(
                    f"cannot lock {path}: {error.strerror}; give a store on a disk of this machine"
                ) from None
            raise UnreadableFile(
                f"another sweep is running on {store}; wait until it ends, or give another store"
            ) from None
        yield
    finally:
        os.close(descriptor)
