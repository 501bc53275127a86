"""The tables of docs/initialise.md, from the results."""

import math
from collections.abc import Callable
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

PAGE = Path(__file__).parents[2] / "docs" / "initialise.md"
BEGIN, END = "<!-- begin initialisation -->", "<!-- end initialisation -->"
OURS = ("initialize_ random", "initialize_ aligned")

_Z = NormalDist().inv_cdf(0.975)
Row = list[Any]  # scheme, target, decay share, dropout, seed, final loss, refused
Table = list[str]


def written(document: dict[str, Any]) -> Path:
    """Write the tables between their marks, and return the page."""
    text = PAGE.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    lines = [*_lost(document), *_kinds(document), *_targets(document), *_tuned(document)]
    PAGE.write_text("\n".join([before + BEGIN, "", *lines, "", END]) + after)
    return PAGE


def wilson(count: int, total: int) -> tuple[float, float]:
    share = count / total
    middle = share + _Z**2 / (2 * total)
    spread = _Z * math.sqrt(share * (1 - share) / total + _Z**2 / (4 * total**2))
    norm = 1 + _Z**2 / total
    return max(0.0, (middle - spread) / norm), min(1.0, (middle + spread) / norm)


def _schemes(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(row[0] for row in rows))


def _losses(rows: list[Row]) -> np.ndarray:
    return np.array([row[5] for row in rows])


def _cell(rows: list[Row]) -> str:
    losses = _losses(rows)
    learned = int(np.sum(losses < 0.99))
    low, high = wilson(learned, len(rows))
    error = _Z * losses.std(ddof=1) / math.sqrt(len(rows))
    share = f"{learned / len(rows):.0%} ({low:.0%}–{high:.0%})"
    return f"{share}, {losses.mean():.3f} ± {error:.3f}"


def _table(head: list[str], columns: list[list[Row]]) -> Table:
    """Return one line a scheme, one column a set of rows."""
    lines = ["| | " + " | ".join(head) + " |", "|---" * (len(head) + 1) + "|"]
    for scheme in _schemes([row for column in columns for row in column]):
        cells = [_cell([row for row in rows if row[0] == scheme]) for rows in columns]
        lines.append(f"| {scheme} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def _lost(document: dict[str, Any]) -> Table:
    """List where one of ours is behind the best other by more than both standard errors."""
    lines: Table = []
    for one in document["groups"]:
        for label, choose in _SETTINGS.items():
            rows = [row for row in one["runs"] if choose(row)]
            if rows:
                lines += _behind(f"{one['activation']}, D = {one['depth']}, {label}", rows)
    head = "**Where ours lose.** Mean final loss behind the best other scheme by more than two "
    head += "standard errors of the difference over the same seeds and cells"
    if not lines:
        return [head + ": nowhere.", ""]
    count = sum(
        len(OURS)
        for one in document["groups"]
        for c in _SETTINGS.values()
        if any(map(c, one["runs"]))
    )
    table = ["| where | ours | the best other |", "|---|---|---|", *lines, ""]
    return [f"{head} ({len(lines)} of {count} comparisons):", "", *table]


def _behind(where: str, rows: list[Row]) -> Table:
    losses = {s: _losses([row for row in rows if row[0] == s]) for s in _schemes(rows)}
    others = {scheme: v for scheme, v in losses.items() if scheme not in OURS}
    best = min(others, key=lambda scheme: others[scheme].mean())
    lines = []
    for ours in OURS:
        difference = losses[ours] - losses[best]
        error = difference.std(ddof=1) / math.sqrt(len(difference))
        if difference.mean() > 2 * error:
            mean, other = losses[ours].mean(), losses[best].mean()
            lines.append(f"| {where} | {ours}: {mean:.3f} | {best}: {other:.3f} |")
    return lines


_SETTINGS: dict[str, Callable[[Row], bool]] = {
    "weak": lambda row: row[1] == "weak",
    "strong": lambda row: row[1] == "strong",
    "even": lambda row: row[1] == "even",
    "decay 0.1 λ*": lambda row: row[2] == 0.1 and row[1] != "even",
    "decay 0.5 λ*": lambda row: row[2] == 0.5 and row[1] != "even",
    "decay 0.9 λ*": lambda row: row[2] == 0.9 and row[1] != "even",
    "dropout 0": lambda row: row[3] == 0.0 and row[1] != "even",
    "dropout 0.3": lambda row: row[3] == 0.3 and row[1] != "even",
}


def _kinds(document: dict[str, Any]) -> Table:
    """Return a table an activation: depths and decays, linear targets."""
    lines: Table = []
    for activation in dict.fromkeys(one["activation"] for one in document["groups"]):
        groups = [one for one in document["groups"] if one["activation"] == activation]
        lines += [f"**{activation}, linear targets**, share that learned and mean final loss:", ""]
        rows = {one["depth"]: [r for r in one["runs"] if r[1] != "even"] for one in groups}
        lines += _table([f"D = {depth}" for depth in rows], list(rows.values()))
        everything = [row for part in rows.values() for row in part]
        for k, head in ((2, "decay {} λ*"), (3, "dropout {}"), (1, "{}")):
            values = dict.fromkeys(row[k] for row in everything)
            columns = [[row for row in everything if row[k] == value] for value in values]
            lines += _table([head.format(value) for value in values], columns)
    return lines


def _targets(document: dict[str, Any]) -> Table:
    groups = [one for one in document["groups"] if any(row[1] == "even" for row in one["runs"])]
    head = [f"{one['activation']}, D = {one['depth']}" for one in groups]
    columns = [[row for row in one["runs"] if row[1] == "even"] for one in groups]
    return ["**Even targets**, where E[xy] is nothing but chance:", "", *_table(head, columns)]


def _tuned(document: dict[str, Any]) -> Table:
    head = [f"{one['activation']}, D = {one['depth']}" for one in document["groups"]]
    lines = ["**Learning rates** chosen:", "", "| | " + " | ".join(head) + " |"]
    lines.append("|---" * (len(head) + 1) + "|")
    for scheme in document["groups"][0]["learning_rates"]:
        rates = [f"{one['learning_rates'][scheme]:g}" for one in document["groups"]]
        lines.append(f"| {scheme} | " + " | ".join(rates) + " |")
    return lines
