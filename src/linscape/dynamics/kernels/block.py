"""Text of matrix algebra on interleaved nets: loops with literal bounds, a net to a lane.

The nets are interleaved, `LANES` to a block, with the index of the net innermost, so that every
operation of the algebra is one vector instruction for several nets. All matrices of a block stand
in one array t, because a compiler knows where its parts overlap and where not: entry (i, j) of a
matrix with c columns that starts at m is t[(m + i·c + j)·LANES + l] for net l.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

LANES = 16

# products in the body of an innermost loop: more gain nothing and compile slowly
_TILE = 32

Lines = list[str]
Store = Callable[[str, str, str], Lines]


class Matrix(NamedTuple):
    """A matrix in the array of the block, or its transpose."""

    start: int
    rows: int
    columns: int
    transposed: bool = False

    @property
    def T(self) -> "Matrix":
        """The transpose, at the same place."""
        return Matrix(self.start, self.columns, self.rows, not self.transposed)

    def at(self, i: int | str, j: int | str) -> str:
        """Return the text of entry (i, j)."""
        row, column, width = (j, i, self.rows) if self.transposed else (i, j, self.columns)
        return f"t[({self.start} + {row}*{width} + {column})*{LANES} + l]"


class Block:
    """The array t, handed out matrix by matrix."""

    def __init__(self) -> None:
        self.size = 0

    def matrix(self, rows: int, columns: int) -> Matrix:
        """Return the next free place."""
        start, self.size = self.size, self.size + rows * columns
        return Matrix(start, rows, columns)


def into(target: Matrix) -> Store:
    """Store values as entries of a matrix."""
    return lambda value, i, j: [f"{target.at(i, j)} = {value}"]


def product(
    a: Matrix, b: Matrix, store: Store, before: Sequence[str] = (), after: Sequence[str] = ()
) -> Lines:
    """Multiply two matrices, a row of `a` and a tile of columns of `b` at a time."""
    width = max(1, _TILE // a.columns)
    whole = b.columns // width * width

    def tile(first: str, columns: int) -> Lines:
        body = [f"a{k} = {a.at('i', k)}" for k in range(a.columns)]
        for offset in range(columns):
            column = f"({first} + {offset})"
            value = " + ".join(f"a{k}*{b.at(k, column)}" for k in range(a.columns))
            body += store(f"({value})", "i", column)
        return each_lane([*before, *body, *after])

    lines = [f"for i in range({a.rows}):"]
    if whole:
        lines.append(f"    for j in range(0, {whole}, {width}):")
        lines += indented(tile("j", width), 2)
    if whole < b.columns:
        lines += indented(tile(str(whole), b.columns - whole))
    return lines


def each_lane(body: Lines) -> Lines:
    """Do it for every net of the block."""
    return [f"for l in range({LANES}):", *indented(body)]


def each_entry(matrix: Matrix, body: Lines) -> Lines:
    """Do it for every entry (i, j) of a matrix, net by net."""
    return [
        f"for i in range({matrix.rows}):",
        f"    for j in range({matrix.columns}):",
        *indented(each_lane(body), 2),
    ]


def indented(lines: Lines, depth: int = 1) -> Lines:
    """Return the lines further to the right."""
    return ["    " * depth + line for line in lines]
