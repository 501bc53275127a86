"""What a certificate states, read strictly: nothing is guessed, converted or filled in."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linscape.errors import UnreadableFile

FORMAT = "linscape certificate"
VERSION = 1

Rows = list[list[float]]


@dataclass(frozen=True)
class Statement:
    """The numbers of a certificate, in the shapes and ranges they must have.

    With d inputs, m outputs and D hidden layers: `second_moment_x` (d, d), `cross_moment` (m, d),
    `second_moment_y` (m,), `input_variances` (d,), `noise` and `hidden` (D,), `weight_decay`
    (D + 1,), `predictor` (m, d), `directions` (r, d) or None for all.
    """

    second_moment_x: Rows
    cross_moment: Rows
    second_moment_y: list[float]
    input_variances: list[float]
    data_factor: float
    hidden: list[int]
    noise: list[float]
    weight_decay: list[float]
    input_noise: float
    directions: Rows | None
    lower: float
    upper: float
    gain_lower: float
    gain_upper: float
    is_trivial: bool | None
    predictor: Rows


def read_certificate(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the JSON of a certificate; :func:`verify` says what it is worth.

    Parameters
    ----------
    path : path-like
        The file.

    Raises
    ------
    UnreadableFile
        If the file is missing, truncated, or not strict JSON (NaN, infinity, a repeated key).

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "certificate.json"
    >>> _ = path.write_text('{"schema": "linscape.certificate"}')
    >>> read_certificate(path)
    {'schema': 'linscape.certificate'}
    """
    try:
        document = json.loads(
            Path(path).read_text(encoding="utf-8"),
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique,
        )
    except OSError as error:
        reason = error.strerror or error
        raise UnreadableFile(
            f"cannot read {path}: {reason}; give the file of a certificate"
        ) from error
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(
            f"{path} is not strict JSON: {error}; the file may be cut short, "
            "write the certificate again"
        ) from error
    if not isinstance(document, dict):
        raise _foreign(f"its JSON is a {type(document).__name__}")
    return document


def read(document: Mapping[str, Any]) -> Statement:
    """Return the statement of a document.

    Raises
    ------
    UnreadableFile
        If the document is no certificate, one of a newer version, or a part of it is missing, of
        the wrong kind or shape, or outside its range.
    """
    if not isinstance(document, Mapping) or document.get("format") != FORMAT:
        raise _foreign(f'it has no "format": "{FORMAT}"')
    if document.get("version") != VERSION:
        raise UnreadableFile(
            f"expected a certificate of version {VERSION}, got {document.get('version')!r}; "
            "it takes the linscape that wrote it, or a newer one, to verify it"
        )
    moments, network = _part(document, "moments"), _part(document, "network")
    minimum = _part(document, "minimum")
    d = len(_list(_item(moments, "second_moment_x"), "second_moment_x"))
    A = _rows(moments, "second_moment_x", rows=d, columns=d)
    C = _rows(moments, "cross_moment", columns=d)
    hidden = _widths(network)
    _check_covered(network, hidden, outputs=len(C))
    return Statement(
        second_moment_x=A,
        cross_moment=C,
        second_moment_y=_vector(moments, "second_moment_y", len(C), least=0.0),
        input_variances=_input_variances(moments, network, A),
        data_factor=_positive(document, "data_factor"),
        hidden=hidden,
        noise=_vector(network, "noise", len(hidden), least=0.0),
        weight_decay=_vector(network, "weight_decay", len(hidden) + 1, least=0.0),
        input_noise=_number(_item(network, "input_noise"), "input_noise", least=0.0),
        directions=_directions(document, d),
        lower=_number(_item(minimum, "lower"), "lower"),
        upper=_number(_item(minimum, "upper"), "upper"),
        gain_lower=_number(_item(minimum, "gain_lower"), "gain_lower"),
        gain_upper=_number(_item(minimum, "gain_upper"), "gain_upper"),
        is_trivial=_answer(minimum, "is_trivial"),
        predictor=_rows(minimum, "predictor", rows=len(C), columns=d),
    )


def _input_variances(
    moments: Mapping[str, Any], network: Mapping[str, Any], A: Rows
) -> list[float]:
    """Return the diagonal of E[xxᵀ] about zero; A is about the means if biases are free."""
    if network["bias"] == "free":
        return _vector(moments, "input_variances", len(A), least=0.0)
    if _item(moments, "input_variances") is not None:
        raise _unusable("input_variances", "null without biases", "something else")
    return [A[i][i] for i in range(len(A))]


def _check_covered(network: Mapping[str, Any], hidden: list[int], outputs: int) -> None:
    bias = _item(network, "bias")
    if not (bias is False or bias == "free"):
        raise _unusable("bias", "false or 'free', which the theorem covers", bias)
    if hidden and outputs > 1:
        raise _unusable("cross_moment", "one output where there are hidden layers", outputs)


def _directions(document: Mapping[str, Any], inputs: int) -> Rows | None:
    if _item(document, "directions") is None:
        return None
    rows = _rows(document, "directions", columns=inputs, empty=True)
    if len(rows) > inputs:
        raise _unusable("directions", f"at most {inputs} rows", len(rows))
    return rows


def _widths(network: Mapping[str, Any]) -> list[int]:
    widths = _list(_item(network, "hidden"), "hidden")
    for width in widths:
        if not isinstance(width, int) or isinstance(width, bool) or width < 1:
            raise _unusable("hidden", "whole numbers of at least 1", width)
    return widths


def _rows(
    part: Mapping[str, Any],
    name: str,
    *,
    rows: int | None = None,
    columns: int | None = None,
    empty: bool = False,
) -> Rows:
    matrix = [
        [_number(entry, name) for entry in _list(row, name)]
        for row in _list(_item(part, name), name)
    ]
    shape = (len(matrix), len(matrix[0]) if matrix else 0)
    wanted = (shape[0] if rows is None else rows, shape[1] if columns is None else columns)
    if not matrix and not empty:
        raise _unusable(name, "at least one row", matrix)
    if matrix and (shape != wanted or any(len(row) != shape[1] for row in matrix)):
        lengths = sorted({len(row) for row in matrix})
        raise _unusable(name, f"shape {wanted}", f"{len(matrix)} rows of lengths {lengths}")
    return matrix


def _vector(
    part: Mapping[str, Any], name: str, length: int, *, least: float = -math.inf
) -> list[float]:
    values = [_number(value, name, least=least) for value in _list(_item(part, name), name)]
    if len(values) != length:
        raise _unusable(name, f"{length} numbers", len(values))
    return values


def _positive(part: Mapping[str, Any], name: str) -> float:
    value = _number(_item(part, name), name)
    if value <= 0:
        raise _unusable(name, "a positive number", value)
    return value


def _number(value: Any, name: str, *, least: float = -math.inf) -> float:
    """Return a finite float64; an integer must be one exactly."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    number = math.nan
    if is_number:
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
    if not math.isfinite(number) or number != value or number < least:
        wanted = "a finite 64-bit float" + (" of at least 0" if least == 0 else "")
        raise _unusable(name, wanted, value)
    return number


def _answer(part: Mapping[str, Any], name: str) -> bool | None:
    value = _item(part, name)
    if not (value is None or isinstance(value, bool)):
        raise _unusable(name, "true, false or null", value)
    return value


def _part(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = _item(document, name)
    if not isinstance(part, Mapping):
        raise _unusable(name, "an object", part)
    return part


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise _unusable(name, "a list", value)
    return value


def _item(part: Mapping[str, Any], name: str) -> Any:
    if name not in part:
        raise _unusable(name, "there", "nothing")
    return part[name]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    parts = dict(pairs)
    if len(parts) < len(pairs):
        raise ValueError("a key is given twice")
    return parts


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _unusable(name: str, wanted: str, got: object) -> UnreadableFile:
    return UnreadableFile(
        f"{name!r} of the certificate must be {wanted}, got {str(got)[:80]}; "
        "write the certificate again"
    )


def _foreign(reason: str) -> UnreadableFile:
    return UnreadableFile(
        f"not a certificate of linscape: {reason}; linscape.certificate_document writes one"
    )
