"""The result as JSON."""

import json
import math
from typing import Any

from linscape import __version__
from linscape.cli.advice import advice
from linscape.cli.source import Source
from linscape.network import Network
from linscape.report import Report

SCHEMA = "linscape.solve"
VERSION = 1
CONVENTION = (
    "E(f - y)^2 + sum of gamma*||W||^2 over the layers, no 1/2; "
    "PyTorch's weight_decay is 2*gamma for MSELoss with one output"
)


def document(source: Source, found: Report) -> dict[str, Any]:
    """Return every fact of the page as numbers, lists and words that JSON has."""
    ridge = found.ridge
    facts = {
        "schema": SCHEMA,
        "version": VERSION,
        "linscape": __version__,
        "objective": CONVENTION,
        "data": _data(source),
        "network": _network(found.problem.network, source.inputs),
        "phase": {**found.phase.to_dict(), "zero_is_trap": found.zero_is_trap},
        "minimum": found.minimum.to_dict(),
        "loss_at_zero": found.loss_at_zero,
        "ridge": {
            "weight_decay": found.mean_decay,
            "loss": ridge.loss,
            "lower": ridge.lower,
            "upper": ridge.upper,
        },
        "r_squared_in_sample": found.r_squared,
        "critical_weight_decay": found.critical.to_dict(),
        "solutions": [solution.to_dict() for solution in found.solutions],
        "next": advice(found),
    }
    plain: dict[str, Any] = _plain(facts)
    return plain


def as_text(facts: dict[str, Any]) -> str:
    """Return strict JSON."""
    return json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False)


def _data(source: Source) -> dict[str, Any]:
    return {
        "files": [str(file) for file in source.files],
        "rows": source.rows,
        "inputs": source.inputs,
        "names": source.names,
        "target": source.target,
        "sample_weight": source.sample_weight,
        "dropped": source.dropped,
        "standardized": not source.raw,
        "loss_unit": source.unit,
    }


def _network(network: Network, inputs: int) -> dict[str, Any]:
    return {
        **network.to_dict(),
        "widths": [inputs, *network.hidden, 1],
        "depth": network.depth,
        "log_inflation": network.log_inflation,
        "log_decay_product": network.log_decay_product,
    }


def _plain(value: Any) -> Any:
    """Return tuples as lists, infinities as "inf" and "-inf", and what is no number as null."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value
