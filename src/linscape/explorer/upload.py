"""A CSV file that the page sends: read into moments, its rows forgotten."""

import base64
import binascii
import tempfile
from pathlib import Path

import numpy as np

from linscape.errors import InvalidData, LinscapeError
from linscape.explorer.table import Code, Table
from linscape.moments import Moments, read_moments
from linscape.moments.files import column_kinds

LIMIT = 2**24  # bytes of a request; base64 takes 4 for 3 of the file
MOST_COLUMNS = 64
_NAME = 60  # letters of a file name that are shown


def decoded(contents: str) -> bytes:
    """Return the bytes of a file from the data URL that a browser makes of it.

    Raises
    ------
    InvalidData
        If it is no such URL.
    """
    head, _, body = contents.partition(",")
    try:
        content = base64.b64decode(body, validate=True)
    except (ValueError, binascii.Error):
        content = b""
    if not head.startswith("data:") or (body and not content):
        raise InvalidData("the file did not arrive whole; choose it again")
    return content


def table_of(content: bytes, filename: str) -> tuple[Table, str]:
    """Return the table of a CSV file, and what was left out of it in words.

    Columns of text and constant ones are left out, and named. The last column is the target until
    another is chosen.

    Raises
    ------
    LinscapeError
        If no table of numbers can be read; the message names the file as the sender does.
    """
    name = Path(filename.replace("\\", "/")).name[:_NAME] or "upload.csv"
    if not name.lower().endswith(".csv"):
        raise InvalidData(f"expected a .csv file, got {name}; save the table as CSV")
    with tempfile.TemporaryDirectory() as folder:
        # a fixed name: the sender's could be anything
        file = Path(folder) / "upload.csv"
        file.write_bytes(content)
        try:
            return _read(file, name)
        except LinscapeError as error:
            raise InvalidData(_without(folder, file, name, str(error))) from None


def _read(file: Path, name: str) -> tuple[Table, str]:
    kinds = column_kinds(file)
    if all(map(_is_number, kinds)):
        raise InvalidData(
            f"expected names of columns in the first line of {name}, got numbers: "
            f"{', '.join(list(kinds)[:4])}; put a line with names above them"
        )
    text = [column for column, kind in kinds.items() if kind not in ("numeric", "boolean")]
    numbers = [column for column in kinds if column not in text]
    _check_count(len(numbers), name)
    joint = read_moments(file, target=numbers[-1], drop=text)
    constant = _constant(joint, numbers)
    kept = [column for column in numbers if column not in constant]
    _check_count(len(kept), name)
    dropped = [*text, *constant]
    moments = read_moments(file, target=kept[-1], drop=dropped) if constant else joint
    table = Table.of(moments, title=name, standardized=True, code=_code(name, dropped))
    # one that cannot be standardised says so now, not at the first move of a slider
    table.moments(table.targets)
    return table, _what_was_read(table, text, constant)


def _code(name: str, dropped: list[str]) -> Code:
    drop = f", drop={dropped!r}" if dropped else ""

    def code(targets: list[str]) -> str:
        target = targets[0] if len(targets) == 1 else targets
        return f"moments = ls.read_moments({name!r}, target={target!r}{drop}).standardized()"

    return code


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def _check_count(count: int, name: str) -> None:
    if count < 2:
        raise InvalidData(
            f"expected at least two columns of numbers that vary in {name}, got {count}; "
            "its first line must name the columns"
        )
    if count > MOST_COLUMNS:
        raise InvalidData(
            f"expected at most {MOST_COLUMNS} columns of numbers in {name}, got {count}; "
            "`linscape solve` takes any number"
        )


def _constant(moments: Moments, columns: list[str]) -> list[str]:
    """Return the columns that do not vary, as `Moments.standardized` judges."""
    spread = np.sqrt([*moments.covariance_x.diagonal(), np.asarray(moments.covariance_y).item()])
    mean = np.abs([*np.asarray(moments.mean_x), np.asarray(moments.mean_y).item()])
    flat = spread <= 8 * np.spacing(mean)
    return [column for column, still in zip(columns, flat, strict=True) if still]


def _what_was_read(table: Table, text: list[str], constant: list[str]) -> str:
    words = f"{table.title}: {table.rows} rows, {len(table.columns)} columns."
    for columns, kind in ((text, "text"), (constant, "constant")):
        if columns:
            words += f" Left out, {kind}: {', '.join(columns[:5])}"
            words += f" and {len(columns) - 5} more." if len(columns) > 5 else "."
    return words


def _without(folder: str, file: Path, name: str, message: str) -> str:
    """Return a message that names the upload, and no path of this machine."""
    return message.replace(str(file), name).replace(folder, "").replace(file.name, name)
