"""What a sweep is of: data sets, a grid of networks, descents; read strictly from TOML."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from linscape.errors import InvalidNetwork, InvalidOption, UnreadableFile
from linscape.initialisation import Scheme
from linscape.network import dropout
from linscape.problem import Reduction
from linscape.sweep.data import DataSet, data_dict, read_data
from linscape.sweep.values import Table, Where, choice, each, grid, integer, number, shown, text

PerLayer = float | tuple[float, ...]
_AUTO = "auto"


@dataclass(frozen=True)
class NetworkGrid:
    """Every combination of these; noise and decay are one number for all layers, or one each."""

    hidden: tuple[tuple[int, ...], ...]
    weight_decay: tuple[PerLayer, ...]
    noise: tuple[PerLayer, ...] = (0.0,)
    input_noise: tuple[float, ...] = (0.0,)
    bias: tuple[Any, ...] = (False,)


@dataclass(frozen=True)
class DescentGrid:
    """Every combination of these, from `seeds` starts each."""

    scheme: tuple[str, ...]
    gain: tuple[float, ...]
    seeds: int
    step_size: tuple[float | str, ...]
    steps: tuple[int, ...]


@dataclass(frozen=True)
class Spec:
    """A sweep.

    Attributes
    ----------
    seed : int
        What the random starts of descents are derived from, with the key of each cell.
    reduction : str
        That of :class:`linscape.Problem`.
    data : tuple of (str, data set)
        Named data sets.
    networks : tuple of NetworkGrid
        Grids of networks, taken together.
    descents : DescentGrid or None
        Descents run on every problem, if any.
    """

    seed: int
    reduction: Reduction
    data: tuple[tuple[str, DataSet], ...]
    networks: tuple[NetworkGrid, ...]
    descents: DescentGrid | None

    def to_dict(self) -> dict[str, Any]:
        """Return the document that :func:`read_spec` reads, with every default written out."""
        document = {
            "seed": self.seed,
            "reduction": self.reduction,
            "data": {name: data_dict(data) for name, data in self.data},
            "networks": [_plain(asdict(one)) for one in self.networks],
        }
        if self.descents is not None:
            document["descents"] = _plain(asdict(self.descents))
        return document


def read_spec(source: str | os.PathLike[str] | Mapping[str, Any]) -> Spec:
    """Read what to sweep over from a TOML file, or from the same as a dict.

    Parameters
    ----------
    source : path-like or dict
        The file, or its content. Paths in it are relative to the file, or to the current folder.

    Returns
    -------
    Spec
        Checked, but no data is read yet.

    Raises
    ------
    InvalidOption
        If a key is unknown or missing, a value has the wrong type or lies outside its range, or
        the grid is empty or holds a value twice; the message says which key and, for a file, which
        line.
    UnreadableFile
        If the file is missing or no TOML.

    Examples
    --------
    >>> spec = read_spec({
    ...     "data": {"drawn": {"synthetic": "normal", "rows": 50, "inputs": 3}},
    ...     "networks": [{"hidden": [[4], [4, 4]], "weight_decay": [0.01, 0.1]}],
    ... })
    >>> spec.networks[0].hidden, spec.seed, spec.descents
    (((4,), (4, 4)), 0, None)
    """
    if isinstance(source, Mapping):
        return _spec(dict(source), Where("spec"), Path.cwd())
    if not isinstance(source, str | os.PathLike):
        raise InvalidOption(f"a spec is a TOML file or a dict, got {type(source).__name__}")
    path = Path(source)
    try:
        content = path.read_text(encoding="utf-8")
        values = tomllib.loads(content)
    except OSError as error:
        raise UnreadableFile(
            f"cannot read {path}: {error.strerror or error}; give a TOML file"
        ) from None
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(f"expected {path} to be TOML: {error or 'nested too deep'}") from None
    return _spec(values, Where(str(path), content), path.absolute().parent)


def _spec(values: dict[str, Any], where: Where, folder: Path) -> Spec:
    table = Table(values, where)

    def data(value: Any, place: Where) -> tuple[tuple[str, DataSet], ...]:
        named = Table(value, place)
        sets = tuple(
            (text(name, place), named.take(name, lambda one, at: read_data(one, at, folder)))
            for name in value
        )
        if not sets:
            raise place.wrong("expected at least one data set, got none")
        return sets

    spec = Spec(
        seed=table.take("seed", integer(0), 0),
        reduction=table.take("reduction", choice(*get_args(Reduction)), "mean"),
        data=table.take("data", data),
        networks=table.take("networks", _network_grids),
        descents=table.take("descents", _descents) if table.has("descents") else None,
    )
    table.finish()
    return spec


def _network_grids(value: Any, where: Where) -> tuple[NetworkGrid, ...]:
    if isinstance(value, dict):
        raise where.wrong("expected a list of grids; write its header as [[networks]]")
    grids = each(_network_grid)(value, where)
    if not grids:
        raise where.wrong("expected at least one grid of networks, got none")
    return grids


def _network_grid(value: Any, where: Where) -> NetworkGrid:
    table = Table(value, where)
    if table.has("noise") and table.has("dropout"):
        raise where.wrong("give 'noise' (variances) or 'dropout' (rates), not both")
    noise = "dropout" if table.has("dropout") else "noise"
    found = NetworkGrid(
        hidden=table.take("hidden", _hidden),
        weight_decay=table.take("weight_decay", grid(_per_layer)),
        noise=table.take(noise, grid(_per_layer if noise == "noise" else _dropout), (0.0,)),
        input_noise=table.take("input_noise", grid(number), (0.0,)),
        bias=table.take("bias", grid(choice(False, "decayed", "free")), (False,)),
    )
    table.finish()
    return found


def _hidden(value: Any, where: Where) -> tuple[tuple[int, ...], ...]:
    if isinstance(value, list | tuple) and any(isinstance(one, int) for one in value):
        raise where.wrong(
            f"expected a list of architectures, each a list of widths, such as [[64, 64]], "
            f"got {shown(value)}"
        )
    return grid(each(integer(1)))(value, where)


def _per_layer(value: Any, where: Where) -> PerLayer:
    """Return one number for all layers, or a list of one each."""
    return each(number)(value, where) if isinstance(value, list | tuple) else number(value, where)


def _dropout(value: Any, where: Where) -> PerLayer:
    """Return the variances of dropout rates."""

    def variance(rate: Any, place: Where) -> float:
        try:
            return dropout(number(rate, place))
        except InvalidNetwork as error:
            raise place.wrong(str(error)) from None

    return (
        each(variance)(value, where) if isinstance(value, list | tuple) else variance(value, where)
    )


def _descents(value: Any, where: Where) -> DescentGrid:
    table = Table(value, where)
    found = DescentGrid(
        scheme=table.take("scheme", grid(choice(*get_args(Scheme))), ("kaiming",)),
        gain=table.take("gain", grid(number), (1.0,)),
        seeds=table.take("seeds", integer(1), 1),
        step_size=table.take("step_size", grid(_step_size), (_AUTO,)),
        steps=table.take("steps", grid(integer(1)), (5000,)),
    )
    table.finish()
    return found


def _step_size(value: Any, where: Where) -> float | str:
    if value == _AUTO:
        return _AUTO
    if isinstance(value, str) or number(value, where) == 0:
        raise where.wrong(f"expected 'auto' or a positive number, got {shown(value)}")
    return number(value, where)


def _plain(value: Any) -> Any:
    """Return tuples as lists."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, tuple) else value
