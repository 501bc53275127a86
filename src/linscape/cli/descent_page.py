"""What `linscape descend` says of a descent, for a reader."""

import statistics
from collections import Counter
from typing import Any

from linscape.cli.numbers import bounds, short
from linscape.cli.page import data_lines, print_rows
from linscape.cli.source import Source
from linscape.plots.ladder import runs
from linscape.problem import Problem

_MOST = 12  # plateaus listed


def print_descent(source: Source, problem: Problem, facts: dict[str, Any]) -> None:
    """Print where descent went, beside what is known of the landscape."""
    print_rows(
        [
            ("Data", data_lines(source)),
            ("Network", [f"{chain(source, problem)}, linear, no biases", _knobs(problem)]),
            ("Start", _start(facts)),
            ("Descent", _descent(facts)),
            ("Loss", _loss(source, problem, facts)),
            ("Phase", [_phase(facts["phase"])]),
            ("Trap", _trap(problem, facts)),
            ("Plateaus", _plateaus(facts)),
        ]
    )


def chain(source: Source, problem: Problem) -> str:
    """Return the widths from inputs to outputs."""
    widths = (source.inputs, *problem.network.hidden, problem.moments.outputs)
    return " → ".join(map(str, widths))


def loss_unit(source: Source, problem: Problem) -> str:
    """Return what losses are measured in."""
    outputs = problem.moments.outputs
    return source.unit if outputs == 1 else f"summed over {outputs} targets"


def _knobs(problem: Problem) -> str:
    network = problem.network
    decays = ", ".join(map(short, sorted({*network.weight_decay})))
    noise = ", ".join(map(short, sorted({*network.noise, network.input_noise})))
    return f"weight decay γ = {decays} (γ‖W‖², no ½); noise variance {noise}"


def _start(facts: dict[str, Any]) -> list[str]:
    start, sizes = facts["start"], facts["step_size"]
    low, high = short(min(sizes)), short(max(sizes))
    return [
        f"{start['starts']} × {start['scheme']}, gain {short(start['gain'])}, seed {start['seed']}",
        f"step size {low if low == high else f'{low} to {high}'}, at most {facts['steps']} steps",
    ]


def _descent(facts: dict[str, Any]) -> list[str]:
    words = {
        "converged": "stopped, the gradient a billionth of that at the start",
        "running": "not stopped by the last step",
        "diverged": "diverged: try a smaller --step-size",
    }
    counts = Counter(facts["status"])
    lines = [f"{counts[status]} {text}" for status, text in words.items() if counts[status]]
    return [*lines, f"gradient at the end: {_range(facts['gradient_norm'])}"]


def _loss(source: Source, problem: Problem, facts: dict[str, Any]) -> list[str]:
    lines = [
        f"from {_range(facts['loss_at_start'])} to {_range(facts['loss'])}, "
        + loss_unit(source, problem)
    ]
    minimum = facts["minimum"]
    if "not_asked" in minimum:
        return [*lines, f"no certified global minimum: {minimum['not_asked']}"]
    low, high = bounds(minimum["lower"], minimum["upper"])
    above = max(min(map(float, facts["loss"])) - minimum["loss"], 0.0)
    return [
        *lines,
        f"global minimum between {low} and {high}, proven; the best end is {above:.3g} above it",
    ]


def _range(values: list[float | str]) -> str:
    """Return one number, or the least, the median and the largest of several."""
    numbers = sorted(float(value) for value in values)
    if len(numbers) == 1:
        return f"{numbers[0]:.6g}"
    middle = statistics.median(numbers)
    return f"{numbers[0]:.6g} … {middle:.6g} … {numbers[-1]:.6g} (least, median, largest)"


def _phase(facts: dict[str, Any]) -> str:
    if "not_asked" in facts:
        return f"not known: {facts['not_asked']}"
    zero = {True: "zero is a local minimum", False: "zero is no local minimum", None: ""}
    return ": ".join(filter(None, (facts["name"], zero[facts["zero_is_minimum"]])))


def _trap(problem: Problem, facts: dict[str, Any]) -> list[str]:
    if not all(problem.network.weight_decay):
        return ["none: without weight decay on every layer nothing is trapped at zero"]
    starts, ends = facts["trap"]["starts_inside"], facts["trap"]["ends_inside"]
    return [
        f"{sum(starts)} of {len(starts)} starts are inside, proven to collapse under gradient flow",
        f"{sum(ends)} of {len(ends)} ends are inside: "
        + ("these runs collapse to zero" if any(ends) else "none collapses"),
    ]


def _plateaus(facts: dict[str, Any]) -> list[str]:
    found = facts["plateaus"]
    if "not_asked" in found:
        return ["looked for without weight decay and noise only"]
    listed = [_plateau(one, facts) for one in found["plateaus"][:_MOST]]
    more = len(found["plateaus"]) - _MOST
    return [*listed, *([f"… and {more} more: --json lists them"] if more > 0 else [])] or ["none"]


def _plateau(one: dict[str, Any], facts: dict[str, Any]) -> str:
    which = f"start {one['net'][0]}: " if facts["start"]["starts"] > 1 else ""
    end = "" if one["ended"] else ", to the end"
    return (
        f"{which}steps {one['entered']}–{one['left']}{end}: loss {one['value']:.6g}, {_modes(one)}"
    )


def _modes(one: dict[str, Any]) -> str:
    if one["modes"] is None:
        names = " or ".join(runs(candidate["modes"]) for candidate in one["candidates"])
        return f"modes {names}"
    return f"modes {runs(one['modes'])}" if one["modes"] else "no mode learnt"
