"""A sweep as a result: one labelled table, and where it comes from."""

import math
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, eq=False)
class Sweep:
    """What a store holds.

    Attributes
    ----------
    table : pyarrow.Table
        One row for each cell, in the order of the spec; docs/sweep.md lists the columns. `status`
        is "done", "failed" (`error` and `message` say why) or "pending".
    manifest : dict
        The spec, the seed, versions, machines, fingerprints of the data.
    store : Path
        The folder.
    computed : int
        How many cells this call computed; the others were in the store.
    """

    table: "pa.Table" = field(repr=False)
    manifest: dict[str, Any] = field(repr=False)
    store: Path
    computed: int = 0

    @cached_property
    def counts(self) -> dict[str, int]:
        """Numbers of cells that are "done", "failed" and "pending"."""
        status = self.table["status"].to_pylist()
        return {name: status.count(name) for name in ("done", "failed", "pending")}

    def to_dict(self) -> dict[str, Any]:
        """Return manifest and rows for strict JSON, infinities as the string "inf"."""
        return {
            "schema": "linscape.sweep",
            "version": 1,
            "store": os.fspath(self.store),
            "computed": self.computed,
            **self.counts,
            "manifest": self.manifest,
            "cells": [
                {key: _plain(value) for key, value in row.items()} for row in self.table.to_pylist()
            ],
        }

    def __repr__(self) -> str:
        """Return how far it is."""
        counts = ", ".join(f"{count} {name}" for name, count in self.counts.items())
        return f"Sweep({self.table.num_rows} cells: {counts}; in {os.fspath(self.store)!r})"


def _plain(value: Any) -> Any:
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value
