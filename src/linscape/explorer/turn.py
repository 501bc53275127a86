"""One at a time, and only the newest: what a slider has left behind is not computed."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

_PAGES = 64
_WAIT = 0.01


class Turn:
    """Lets the newest request of each page through, and tells the others that they are late.

    Requests are ordered by the page's own clock: threads may begin in another order than the page
    sent.

    Examples
    --------
    >>> turn = Turn()
    >>> with turn.taken("page", 2) as mine:
    ...     mine
    True
    >>> with turn.taken("page", 1) as mine:
    ...     mine
    False
    """

    def __init__(self) -> None:
        self._newest: OrderedDict[str, int] = OrderedDict()
        self._guard = threading.Lock()
        self._busy = threading.Lock()

    def _announce(self, page: str, stamp: int) -> None:
        with self._guard:
            self._newest[page] = max(stamp, self._newest.get(page, 0))
            self._newest.move_to_end(page)
            while len(self._newest) > _PAGES:
                self._newest.popitem(last=False)

    @contextmanager
    def taken(self, page: str, stamp: int) -> Iterator[bool]:
        """Wait for the turn; False, at once, if a newer request of the page has come meanwhile."""
        self._announce(page, stamp)
        while not self._late(page, stamp):
            if self._busy.acquire(timeout=_WAIT):
                try:
                    yield not self._late(page, stamp)
                finally:
                    self._busy.release()
                return
        yield False

    def _late(self, page: str, stamp: int) -> bool:
        with self._guard:
            return stamp < self._newest.get(page, 0)
