"""Values of a TOML document, taken strictly: every mistake says which key, and on which line."""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from linscape.errors import InvalidOption

Part = str | int
T = TypeVar("T")

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')\s*=")
_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Where:
    """A place in a document: its name, its text if it has one, and the path of keys."""

    document: str
    text: str = ""
    path: tuple[Part, ...] = ()

    def at(self, part: Part) -> "Where":
        """Return the place of a key, or of an element of a list, below this one."""
        return Where(self.document, self.text, (*self.path, part))

    def wrong(self, message: str) -> InvalidOption:
        """Return the error for what stands here."""
        line = self._line()
        place = self.document if line is None else f"{self.document}, line {line}"
        name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path)
        return InvalidOption(": ".join(filter(None, (place, name.removeprefix("."), message))))

    def _line(self) -> int | None:
        """Return the line of the last key of the path that is written on one of its own."""
        best, deepest = None, 0
        for number, path in _written(self.text):
            if len(path) > deepest and path == self.path[: len(path)]:
                best, deepest = number, len(path)
        return best


def _written(text: str) -> Iterator[tuple[int, tuple[Part, ...]]]:
    """Yield line numbers and paths of the headers and keys of a TOML text."""
    table: tuple[Part, ...] = ()
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            name = header[2]
            table = tuple(part.strip().strip("\"'") for part in name.split("."))
            if header[1] == "[[":
                counts[name] = counts.get(name, -1) + 1
                table = (*table, counts[name])
            yield number, table
        elif key := _KEY.match(line):
            yield number, (*table, key[1].strip("\"'"))


class Table:
    """One table of a document, whose keys are taken one by one; none may be left over."""

    def __init__(self, values: Any, where: Where) -> None:
        if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
            raise where.wrong(f"expected a table of keys and values, got {shown(values)}")
        self.where = where
        self._left = dict(values)
        self._known: list[str] = []

    def take(self, key: str, read: Callable[[Any, Where], T], default: T | None = None) -> T:
        """Return a value as `read` understands it; without a default it must be there."""
        self._known.append(key)
        if key in self._left:
            return read(self._left.pop(key), self.where.at(key))
        if default is None:
            raise self.where.wrong(f"{key!r} is missing")
        return default

    def has(self, key: str) -> bool:
        """Return whether a key is still to be taken."""
        return key in self._left

    def finish(self) -> None:
        """Refuse the keys that nobody took."""
        for key in self._left:
            known = ", ".join(self._known)
            raise self.where.at(key).wrong(f"unknown key; those known here are {known}")


def shown(value: Any) -> str:
    """Return a value for a message, short."""
    try:
        words = repr(value)
    except (ValueError, RecursionError):  # whole numbers beyond the digits that Python prints
        return f"a {type(value).__name__} too large to print"
    return words if len(words) <= 60 else f"{words[:57]}…"


def text(value: Any, where: Where) -> str:
    """Return a string that is not empty, and that a file can hold."""
    good = isinstance(value, str) and value and "\0" not in value
    if not good or value.encode(errors="ignore").decode() != value:
        raise where.wrong(f"expected a string, got {shown(value)}")
    return str(value)


def flag(value: Any, where: Where) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise where.wrong(f"expected true or false, got {shown(value)}")
    return value


def integer(least: int) -> Callable[[Any, Where], int]:
    """Return a reader of whole numbers from `least` to 2⁶³ − 1."""

    def read(value: Any, where: Where) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _LARGEST:
            raise where.wrong(f"expected a whole number of at least {least}, got {shown(value)}")
        return value

    return read


def number(value: Any, where: Where) -> float:
    """Return a finite number that is zero or positive."""
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not 0 <= value < math.inf or (isinstance(value, int) and value > _LARGEST):
        raise where.wrong(f"expected a finite number, zero or positive, got {shown(value)}")
    return float(value) + 0.0  # −0.0 is 0.0


def choice(*names: Any) -> Callable[[Any, Where], Any]:
    """Return a reader of one of several words (or false)."""

    def read(value: Any, where: Where) -> Any:
        if not any(type(value) is type(name) and value == name for name in names):
            known = ", ".join("false" if name is False else repr(name) for name in names)
            raise where.wrong(f"expected one of {known}, got {shown(value)}")
        return value

    return read


def each(read: Callable[[Any, Where], T]) -> Callable[[Any, Where], tuple[T, ...]]:
    """Return a reader of lists."""

    def read_all(value: Any, where: Where) -> tuple[T, ...]:
        if not isinstance(value, list | tuple):
            raise where.wrong(f"expected a list, got {shown(value)}")
        return tuple(read(part, where.at(k)) for k, part in enumerate(value))

    return read_all


def grid(read: Callable[[Any, Where], T]) -> Callable[[Any, Where], tuple[T, ...]]:
    """Return a reader of one value or a list of different ones, at least one."""

    def read_grid(value: Any, where: Where) -> tuple[T, ...]:
        values = each(read)(value if isinstance(value, list | tuple) else [value], where)
        if not values:
            raise where.wrong("expected at least one value, got an empty list")
        seen: set[T] = set()
        for k, one in enumerate(values):
            if one in seen:
                raise where.at(k).wrong(f"{shown(one)} stands in this list twice; leave one out")
            seen.add(one)
        return values

    return read_grid
