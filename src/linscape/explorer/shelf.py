"""Uploaded tables, the last few: the oldest makes room."""

import hashlib
import threading
from collections import OrderedDict

from linscape.errors import InvalidOption
from linscape.explorer.bundled import NAMES, bundled
from linscape.explorer.table import Table

PREFIX = "upload:"


class Shelf:
    """A bounded store of tables by the hash of what was uploaded; moments only, never rows.

    Parameters
    ----------
    size : int, default 8
        How many tables are kept; the one not used for longest goes first.

    Examples
    --------
    >>> shelf = Shelf(size=1)
    >>> first = shelf.put(b"a", bundled("textbook"))
    >>> shelf.get(first).title
    'Textbook, y = x'
    >>> _ = shelf.put(b"b", bundled("staircase"))
    >>> shelf.get(first)
    Traceback (most recent call last):
    ...
    linscape.errors.InvalidOption: this upload is no longer kept; choose the file again
    """

    def __init__(self, size: int = 8) -> None:
        self._size = size
        self._tables: OrderedDict[str, Table] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, content: bytes, table: Table) -> str:
        """Keep a table, and return its key."""
        key = PREFIX + hashlib.sha256(content).hexdigest()
        with self._lock:
            self._tables[key] = table
            self._tables.move_to_end(key)
            while len(self._tables) > self._size:
                self._tables.popitem(last=False)
        return key

    def get(self, key: str) -> Table:
        """Return a table: bundled, or uploaded and still kept.

        Raises
        ------
        InvalidOption
            If it is neither.
        """
        if key in NAMES:
            return bundled(key)
        with self._lock:
            if key in self._tables:
                self._tables.move_to_end(key)
                return self._tables[key]
        raise InvalidOption("this upload is no longer kept; choose the file again")
