"""The data sets of a sweep: files, saved moments, or rows drawn from a seed."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from linscape.errors import UnreadableFile
from linscape.moments import Moments, read_moments
from linscape.moments.storage import holds_moments
from linscape.sweep.values import Table, Where, choice, each, flag, integer, number, text

_MOST = 2**30  # numbers drawn for one data set: 8 GiB


@dataclass(frozen=True)
class FileData:
    """Rows of files, as :func:`linscape.read_moments` takes them."""

    files: tuple[str, ...]
    target: tuple[str, ...]
    sample_weight: str | None = None
    drop: tuple[str, ...] = ()
    one_hot: bool = False
    raw: bool = False

    def moments(self) -> Moments:
        """Return the moments, standardised unless `raw`."""
        moments = read_moments(
            list(self.files),
            target=self.target[0] if len(self.target) == 1 else self.target,
            sample_weight=self.sample_weight,
            drop=self.drop,
            one_hot=self.one_hot,
        )
        return moments if self.raw else moments.standardized()


@dataclass(frozen=True)
class SavedData:
    """Moments that `Moments.save` wrote, taken as they are."""

    moments_file: str

    def moments(self) -> Moments:
        """Return the moments."""
        file = Path(self.moments_file)
        if file.is_file() and not holds_moments(file):
            raise UnreadableFile(
                f"expected {file} to be a readable file of Moments.save; "
                "for data files use 'files' and 'target'"
            )
        return Moments.load(self.moments_file)


@dataclass(frozen=True)
class SyntheticData:
    """Rows drawn from a linear model, y = Bx + residual·e, all entries normal.

    Input i = 1, 2, … has standard deviation i^(−exponent/2); the entries of B have variance 1 over
    the number of inputs. X is drawn first, row by row, then B, then the residuals, from
    numpy.random.default_rng(seed).
    """

    rows: int
    inputs: int
    outputs: int = 1
    exponent: float = 0.0
    residual: float = 0.1
    seed: int = 0
    raw: bool = False

    def moments(self) -> Moments:
        """Return the moments, standardised unless `raw`."""
        rng = np.random.default_rng(self.seed)
        scale = np.arange(1, self.inputs + 1) ** (-self.exponent / 2)
        X = rng.standard_normal((self.rows, self.inputs)) * scale
        B = rng.standard_normal((self.outputs, self.inputs)) / np.sqrt(self.inputs)
        Y = X @ B.T + self.residual * rng.standard_normal((self.rows, self.outputs))
        moments = Moments.from_arrays(X, Y[:, 0] if self.outputs == 1 else Y)
        return moments if self.raw else moments.standardized()


DataSet = FileData | SavedData | SyntheticData


def read_data(values: Any, where: Where, folder: Path) -> DataSet:
    """Return one data set from its table; paths are relative to `folder`."""
    table = Table(values, where)
    kinds = [kind for kind in ("files", "moments", "synthetic") if table.has(kind)]
    if len(kinds) != 1:
        given = " and ".join(kinds) or "none of them"
        raise where.wrong(f"give one of 'files', 'moments' and 'synthetic', got {given}")
    readers: dict[str, Callable[[Table, Path], DataSet]] = {
        "files": _file_data,
        "moments": _saved_data,
        "synthetic": _synthetic_data,
    }
    data = readers[kinds[0]](table, folder)
    table.finish()
    return data


def data_dict(data: DataSet) -> dict[str, Any]:
    """Return the table that `read_data` reads, with every default written out."""
    values = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in asdict(data).items()
        if value is not None
    }
    if isinstance(data, SavedData):
        return {"moments": data.moments_file}
    return {"synthetic": "normal", **values} if isinstance(data, SyntheticData) else values


def fingerprint(moments: Moments) -> str:
    """Return a hash of all that an answer depends on: second moments, means, number of rows."""
    digest = hashlib.sha256()
    for value in (moments.A, moments.C, moments.yy, moments.mean_x, moments.mean_y, moments.weight):
        part = np.asarray([] if value is None else value, dtype=np.float64)
        digest.update(repr(part.shape).encode())
        digest.update(part.tobytes())
    return digest.hexdigest()


def _file_data(table: Table, folder: Path) -> FileData:
    return FileData(
        files=tuple(_inside(folder, file) for file in table.take("files", _texts)),
        target=table.take("target", _texts),
        sample_weight=table.take("sample_weight", text) if table.has("sample_weight") else None,
        drop=table.take("drop", _names, ()),
        one_hot=table.take("one_hot", flag, False),
        raw=table.take("raw", flag, False),
    )


def _saved_data(table: Table, folder: Path) -> SavedData:
    return SavedData(_inside(folder, table.take("moments", text)))


def _synthetic_data(table: Table, _: Path) -> SyntheticData:
    table.take("synthetic", choice("normal"))
    data = SyntheticData(
        rows=table.take("rows", integer(2)),
        inputs=table.take("inputs", integer(1)),
        outputs=table.take("outputs", integer(1), 1),
        exponent=table.take("exponent", number, 0.0),
        residual=table.take("residual", number, 0.1),
        seed=table.take("seed", integer(0), 0),
        raw=table.take("raw", flag, False),
    )
    if data.rows * (data.inputs + data.outputs) > _MOST:
        raise table.where.wrong(
            f"{data.rows} rows of {data.inputs + data.outputs} columns are more than {_MOST} "
            "numbers; give fewer, or write files"
        )
    return data


def _texts(value: Any, where: Where) -> tuple[str, ...]:
    """Return one string or several, at least one."""
    strings = _names(value, where)
    if not strings:
        raise where.wrong("expected a string or a list of strings, got an empty list")
    return strings


def _names(value: Any, where: Where) -> tuple[str, ...]:
    """Return one string or a list of them."""
    return each(text)([value] if isinstance(value, str) else value, where)


def _inside(folder: Path, file: str) -> str:
    return str(folder / file)
