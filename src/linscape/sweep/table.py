"""The table of a sweep: what each cell is, and what was found."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from linscape.sweep.cells import Cell

SCHEMA = 1  # of tables, chunks and manifests

_TEXT, _REAL, _WHOLE, _LOGICAL = pa.string(), pa.float64(), pa.int64(), pa.bool_()

LABELS = pa.schema(
    {
        "data": _TEXT,
        "depth": _WHOLE,
        "hidden": pa.list_(_WHOLE),
        "noise": pa.list_(_REAL),
        "weight_decay": pa.list_(_REAL),
        "bias": _TEXT,
        "input_noise": _REAL,
        "scheme": _TEXT,
        "gain_of_start": _REAL,
        "start": _WHOLE,
        "step_size": _REAL,
        "steps": _WHOLE,
    }
)
RESULTS = pa.schema(
    {
        "key": _TEXT,
        "error": _TEXT,
        "message": _TEXT,
        "loss": _REAL,
        "lower": _REAL,
        "upper": _REAL,
        "gain": _REAL,
        "gain_lower": _REAL,
        "gain_upper": _REAL,
        "is_trivial": _LOGICAL,
        "energy": _REAL,
        "source": _TEXT,
        "phase": _TEXT,
        "zero_is_minimum": _LOGICAL,
        "critical_learning": _REAL,
        "critical_existence": _REAL,
        "learning_factor": _REAL,
        "existence_factor": _REAL,
        "end_loss": _REAL,
        "end_status": _TEXT,
        "end_steps": _WHOLE,
        "end_step_size": _REAL,
        "collapsed": _LOGICAL,
    }
)


def results(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rows of results as a table; what a row does not have is null."""
    columns = {
        field.name: pa.array([row.get(field.name) for row in rows], field.type) for field in RESULTS
    }
    return pa.Table.from_pydict(columns, schema=RESULTS)


def latest(found: pa.Table) -> dict[str, int]:
    """Return the last row of each key: a cell that was computed again counts as it is now."""
    return {key: row for row, key in enumerate(found["key"].to_pylist())}


def labelled(cells: Sequence[Cell], found: pa.Table) -> pa.Table:
    """Return one row a cell, in their order: key, status, labels, results (null where pending)."""
    rows = latest(found)
    where = [rows.get(cell.key) for cell in cells]
    taken = found.take(pa.array(where, pa.int64())).combine_chunks()
    failed = taken["error"].is_valid().to_pylist()
    status = [
        "pending" if row is None else "failed" if wrong else "done"
        for row, wrong in zip(where, failed, strict=True)
    ]
    columns = {
        "key": pa.array([cell.key for cell in cells], _TEXT),
        "status": pa.array(status, _TEXT),
        **_labels(cells),
        **{name: taken[name] for name in RESULTS.names if name != "key"},
    }
    metadata = {"linscape.sweep": str(SCHEMA)}
    return pa.table(columns).replace_schema_metadata(metadata).combine_chunks()


def _labels(cells: Sequence[Cell]) -> dict[str, pa.Array]:
    rows = [_label(cell) for cell in cells]
    return {field.name: pa.array([row[field.name] for row in rows], field.type) for field in LABELS}


def _label(cell: Cell) -> dict[str, Any]:
    network, run = cell.network, cell.descent
    return {
        "data": cell.data,
        "depth": network.depth,
        **network.to_dict(),
        "bias": network.bias or "none",
        "scheme": None if run is None else run.scheme,
        "gain_of_start": None if run is None else run.gain,
        "start": None if run is None else run.seed,
        "step_size": None if run is None else run.step_size,
        "steps": None if run is None else run.steps,
    }
