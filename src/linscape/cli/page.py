"""The result as a page that a stranger can read, in colour or not, on a screen or in a file."""

import math
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence

import typer

from linscape.cli.advice import advice
from linscape.cli.numbers import bounds, exponential, short
from linscape.cli.source import Source
from linscape.landscape import CriticalWeightDecay
from linscape.report import Report

_WIDEST = 100
_MARGIN = 18
Row = tuple[str, list[str]]


def print_page(source: Source, found: Report) -> None:
    """Print every fact about a problem."""
    print_rows(_rows(source, found))


def print_rows(rows: Iterable[Row]) -> None:
    """Print headings in a column of their own, a few plain lines beside each."""
    rows = list(rows)
    margin = max([_MARGIN, *(len(heading) + 2 for heading, _ in rows)])
    width = min(shutil.get_terminal_size((80, 24)).columns, _WIDEST) - margin
    for heading, lines in rows:
        wrapped = [part for line in lines for part in _wrapped(line, max(width, 40))]
        first, *rest = wrapped
        typer.echo(typer.style(heading.ljust(margin), bold=True) + first)
        for line in rest:
            typer.echo(" " * margin + line)
        typer.echo()


def _wrapped(line: str, width: int) -> list[str]:
    """Break a line at spaces; what follows a numbered item is indented as the item is."""
    indent = "   " if line[:1].isdigit() and line[1:3] == ". " else ""
    return textwrap.wrap(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    ) or [""]


def _rows(source: Source, found: Report) -> Iterator[Row]:
    yield "Data", data_lines(source)
    yield "Network", _network(source, found)
    yield "In three numbers", _three_numbers(found)
    yield "Phase", _phase(found)
    yield "Global minimum", _minimum(source, found)
    meaning = f"the mean of {source.unit}" if source.raw else "all of the variance"
    if found.problem.moments.outputs > 1 and not source.raw:
        meaning = "all of the variance, 1 for each target"
    yield "Loss at zero", [f"{found.loss_at_zero:.6g}: {meaning}"]
    yield "Ridge's loss", _ridge(found)
    yield "R² in-sample", _r_squared(found)
    yield "Critical decay", _critical(found)
    yield "What next", [f"{k}. {step}" for k, step in enumerate(advice(found), start=1)]


def data_lines(source: Source) -> list[str]:
    """Say which rows and columns were read, and in which units."""
    first, *others = map(str, source.files)
    files = f"{first} and {len(others)} more" if others else first
    word = "targets" if ", " in source.target else "target"
    rows = "an unknown number of" if source.rows is None else source.rows
    counts = f"{rows} rows, {source.inputs} inputs, {word} {source.target}"
    if source.sample_weight:
        counts += f", weighted by {source.sample_weight}"
    if source.raw:
        units = f"in the units of the file (--raw): losses are in {source.unit}"
    else:
        units = (
            f"every input and {'every' if word == 'targets' else 'the'} target centred and scaled "
            f"to variance 1: losses are {_plural(source.unit)}; predictions are in "
            f"{'their' if word == 'targets' else 'its'} own units"
        )
    return [files, counts, units]


def _plural(unit: str) -> str:
    return unit.replace("share of", "shares of") if unit.startswith("share of") else unit


def _network(source: Source, found: Report) -> list[str]:
    network, outputs = found.problem.network, found.problem.moments.outputs
    chain = " → ".join(map(str, (source.inputs, *network.hidden, outputs)))
    lines = [f"{chain}, linear, without biases"]
    if network.depth:
        lines.append(f"noise variance {_listed(network.noise)} in the hidden layers{_rates(found)}")
    if network.input_noise:
        lines.append(f"noise variance {short(network.input_noise)} on the inputs")
    # MSELoss() averages over the outputs too
    twice = [2 * decay / outputs for decay in network.weight_decay]
    kind = f"2γ/{outputs}" if outputs > 1 else "2γ"
    which = f"{outputs} outputs" if outputs > 1 else "one output"
    lines.append(
        f"weight decay γ = {_listed(network.weight_decay)}: γ‖W‖² per layer, no ½; PyTorch's "
        f"weight_decay is {kind} = {_listed(twice)} for MSELoss with {which}"
    )
    return lines


def _rates(found: Report) -> str:
    """Return the dropout rates p = σ²/(1 + σ²) that the noise is as much as."""
    variances = found.problem.network.noise
    if not any(variances):
        return " (no dropout)"
    return f" (as dropout {_listed([one / (1 + one) for one in variances])} has)"


def _listed(values: Sequence[float]) -> str:
    """Return one number where all are equal."""
    return ", ".join(short(value) for value in (values if len(set(values)) > 1 else values[:1]))


def _three_numbers(found: Report) -> list[str]:
    network = found.problem.network
    return [
        f"D = {network.depth}: hidden layers",
        f"τ = {exponential(network.log_inflation)}: inflation of the output's second moment by "
        "the hidden noise (1 is no noise)",
        f"P = {exponential(network.log_decay_product)}: product of the weight decays of the "
        f"{network.depth + 1} layers"
        if network.depth
        else f"P = {exponential(network.log_decay_product)}: the weight decay of the only layer",
    ]


def _phase(found: Report) -> list[str]:
    return [f"{found.phase.name}: {_phase_words(found)}"]


def _phase_words(found: Report) -> str:
    name = found.phase.name
    if found.phase.undecided and found.minimum.is_trivial:
        return (
            "zero is the global minimum; whether the loss has other critical points is not known "
            "for several outputs at this weight decay"
        )
    if found.phase.undecided:
        low, high = bounds(*found.critical.learning_interval)
        return (
            "the weight decay is too near its critical value, proven to lie between "
            f"{low} and {high}, for 64-bit floats to tell the phase"
        )
    if name == "collapsed":
        return "zero is the only solution, so the network learns nothing"
    if name == "metastable":
        return "zero is the global minimum, and there are other local minima, all of them worse"
    if found.zero_is_trap:
        return (
            "the global minimum is not zero, but zero is a local minimum, a trap: training that "
            "starts too close to zero ends there"
        )
    return "the global minimum is not zero, and zero is no local minimum, so no trap"


def _minimum(source: Source, found: Report) -> list[str]:
    minimum = found.minimum
    low, high = bounds(minimum.lower, minimum.upper)
    width = minimum.upper - minimum.lower
    lines = [f"between {low} and {high}, proven (width {width:.1e}), {source.unit}"]
    if minimum.is_trivial is None:
        low, high = bounds(minimum.gain_lower, minimum.gain_upper)
        lines.append(f"undecided whether zero: its gain over zero is between {low} and {high}")
    elif minimum.is_trivial:
        answer = "zero" if source.raw else f"the mean of {source.target}"
        if not source.raw and found.problem.moments.outputs > 1:
            answer = "the mean of each target"
        lines.append(f"at zero: every weight is zero, and every prediction is {answer}")
    elif minimum.energy > 0 and found.problem.network.depth:
        lines.append(f"every layer carries the energy K = γ‖W‖² = {short(minimum.energy)}")
    return [*lines, f"by {minimum.source}"]


def _ridge(found: Report) -> list[str]:
    which = f"the same γ = {short(found.mean_decay)}"
    if len(set(found.problem.network.weight_decay)) > 1:
        which = f"γ = {short(found.mean_decay)}, the geometric mean of the decays"
    if found.problem.network.depth == 0:
        return [f"{found.ridge.loss:.6g}: this network is ridge regression"]
    return [f"{found.ridge.loss:.6g}: the same objective with no hidden layer and {which} (no ½)"]


def _r_squared(found: Report) -> list[str]:
    if found.r_squared is None:
        return ["not defined: the target does not vary"]
    value = found.r_squared or 0.0
    return [f"{value:.4f}: of the mean prediction, without the noise, on the rows it was fitted to"]


def _critical(found: Report) -> list[str]:
    critical, network = found.critical, found.problem.network
    if network.depth == 0:
        return ["none: with no hidden layer no weight decay is too large"]
    if critical.learning == 0:
        return ["γ* = 0: no input is correlated with the target"]
    if not any(network.weight_decay):
        return [f"γ* = {short(critical.learning)} (γ‖W‖², no ½); the present decay is zero"]
    equal = len(set(network.weight_decay)) == 1
    name = "γ*" if equal else "geometric mean"
    return [
        f"{name} = {short(critical.learning)} (γ‖W‖², no ½): {_distance(critical.learning_factor)}",
        _existence(critical),
    ]


def _existence(critical: CriticalWeightDecay) -> str:
    if critical.existence is not None:
        return f"solutions beside zero exist up to {short(critical.existence)}"
    lower, upper = critical.existence_interval
    return f"solutions beside zero end between {short(lower)} and {short(upper)}"


def _distance(factor: float) -> str:
    if factor > 1:
        return f"multiplying every decay by {short(factor)} ends learning"
    if math.isclose(factor, 1):
        return "the present decay is at it to all digits"
    return f"every decay must be divided by {short(1 / factor)} to learn"
