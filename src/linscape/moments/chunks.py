"""Rows in the chunks of Dask arrays and the partitions of Dask data frames."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from linscape.errors import InvalidData, MissingDependency
from linscape.moments.arrays import Gathered, gather, read_outputs, read_weights
from linscape.moments.distribution import FAN_IN
from linscape.moments.partial import Partial, joined


def gather_chunks(X: Any, y: Any, sample_weight: Any) -> Gathered:
    """Go once through rows in chunks, by whatever scheduler Dask uses.

    Raises
    ------
    InvalidData
        If an argument is no Dask collection, or their chunks of rows do not fit; and as `gather`.
    MissingDependency
        If Dask is not installed.
    """
    dask = _dask()
    inputs, outputs = _chunks(X, "X"), _chunks(y, "y")
    weights: Sequence[Any] = [None] * len(inputs)
    if sample_weight is not None:
        weights = _chunks(sample_weight, "sample_weight")
    for what, chunks in (("y", outputs), ("sample_weight", weights)):
        if len(chunks) != len(inputs):
            raise InvalidData(
                f"expected {what} in as many chunks of rows as X, got {len(chunks)} and "
                f"{len(inputs)}; rechunk one like the other"
            )
    read = dask.delayed(chunk, pure=False)
    tasks = [read(*rows) for rows in zip(inputs, outputs, weights, strict=True)]
    while len(tasks) > 1:
        groups = [tasks[start : start + FAN_IN] for start in range(0, len(tasks), FAN_IN)]
        tasks = [dask.delayed(joined, pure=False)(group) for group in groups]
    (total,) = dask.compute(*tasks)
    if total.centred is None:
        found = "only zero sample weights" if total.rows else "none"
        raise InvalidData(f"expected rows of positive weight in X, got {found}; check the source")
    single = y.ndim == 1
    names = tuple(map(str, X.columns)) if hasattr(X, "columns") else None
    width = len(names) if names is not None else int(X.shape[1])
    return Gathered(total.centred, total.rows, width, single, names, _targets(y))


def chunk(X: Any, y: Any, sample_weight: Any) -> Partial:
    """Go through one chunk; it may be empty, or without weight."""
    if len(y) == X.shape[0] == 0:
        return Partial(0, None)
    if sample_weight is not None and not read_weights(sample_weight, len(y)).any():
        read_outputs(y)
        return Partial(len(y), None)
    gathered = gather(X, y, sample_weight)
    return Partial(gathered.rows, gathered.centred)


def _dask() -> Any:
    """Return the module, or say what to install."""
    try:
        import dask
    except ImportError:
        raise MissingDependency(
            "from_dask needs Dask, which is not installed; "
            'install it with pip install "linscape[dask]"'
        ) from None
    return dask


def _chunks(collection: Any, what: str) -> list[Any]:
    """Return the chunks of rows, each a delayed value."""
    if not hasattr(collection, "to_delayed") or not hasattr(collection, "ndim"):
        raise InvalidData(
            f"expected a Dask array or data frame for {what}, got {type(collection).__name__}; "
            "use from_arrays for rows in memory"
        )
    if what == "X" and collection.ndim != 2:
        raise InvalidData(
            f"expected X of shape (n, d), got {collection.ndim} dimensions; "
            "pass a matrix with one row per sample"
        )
    if hasattr(collection, "rechunk") and collection.ndim == 2:
        collection = collection.rechunk({1: -1})
    return list(np.ravel(collection.to_delayed()))


def _targets(y: Any) -> tuple[str, ...] | None:
    """Return the names of outputs, where they have any."""
    if hasattr(y, "columns"):
        return tuple(map(str, y.columns))
    name = getattr(y, "name", None) if hasattr(y, "to_frame") else None
    return (name,) if isinstance(name, str) and name else None
