"""`linscape phase`: which phase a network is in, and how far each knob is from changing it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from linscape.atomic import write_together
from linscape.cli import arguments

if TYPE_CHECKING:
    from linscape.cli.source import Source
    from linscape.problem import Problem

EXAMPLE = (
    "  linscape phase examples/data/diabetes.csv --target progression \\\n"
    "      --hidden 64,64 --dropout 0.2 --weight-decay 0.1 --plot phases.png"
)
_NOT_ASKED = "not asked: this needs one target, a hidden layer, and decay on every layer"
_DEPTHS = 12
_POINTS = 160


def phase(
    paths: arguments.Files,
    target: arguments.Target,
    hidden: arguments.Hidden,
    weight_decay: arguments.WeightDecay,
    dropout: arguments.Dropout = None,
    noise: arguments.Noise = None,
    input_dropout: arguments.InputDropout = None,
    sample_weight: arguments.SampleWeight = None,
    drop: arguments.Drop = None,
    one_hot: arguments.OneHot = False,
    raw: arguments.Raw = False,
    as_json: arguments.AsJson = False,
    plot: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Draw phases over decay and depth: .png, .svg or .pdf."),
    ] = None,
) -> None:
    """Say whether a network learns, and how far decay, signal, dropout and depth are from that."""
    from linscape.cli.document import as_text
    from linscape.cli.options import network_of
    from linscape.cli.outputs import Outputs
    from linscape.cli.page import data_lines, print_rows
    from linscape.cli.source import read
    from linscape.problem import Problem

    network = network_of(
        hidden,
        dropout_rates=dropout,
        noise=noise,
        input_dropout=input_dropout,
        weight_decay=weight_decay,
    )
    outputs = Outputs.of(plot)
    source, moments = read(
        paths, target, sample_weight=sample_weight, drop=drop or [], one_hot=one_hot, raw=raw
    )
    outputs.spare(source.files)
    problem = Problem(moments, network)
    facts = _facts(problem)
    if outputs.plot:
        write_together([(outputs.plot, _image(problem, source, outputs.plot.suffix.lower()))])
    if as_json:
        typer.echo(as_text(facts))
        return
    print_rows([("Data", data_lines(source)), *_rows(facts)])


def _facts(problem: "Problem") -> dict[str, Any]:
    """Ask the library for the phase and for every knob that the network has."""
    import linscape as ls
    from linscape.errors import InvalidNetwork, NoExactSolution

    facts: dict[str, Any] = {
        "schema": "linscape.phase",
        "version": 1,
        "linscape": ls.__version__,
        "phase": ls.phase(problem).to_dict(),
        "critical_weight_decay": ls.critical_weight_decay(problem).to_dict(),
    }
    for name in ("critical_signal", "critical_dropout", "critical_depth"):
        try:
            facts[name] = getattr(ls, name)(problem).to_dict()
        except (InvalidNetwork, NoExactSolution) as error:
            facts[name] = {"not_asked": str(error)}
    return facts


def _rows(facts: dict[str, Any]) -> list[tuple[str, list[str]]]:
    decay, signal = facts["critical_weight_decay"], facts["critical_signal"]
    dropout, depth = facts["critical_dropout"], facts["critical_depth"]
    words = {
        "learning": "learning: the global minimum is not zero",
        "metastable": "metastable: other minima exist, but zero is the global one",
        "collapsed": "collapsed: zero is the only solution",
        "undecided": "undecided: too near an edge for 64-bit floats, or several targets for which "
        "it is not known whether other solutions exist",
    }
    zero = {True: "zero is a local minimum", False: "zero is no local minimum", None: ""}
    rows = [
        ("Phase", [words[facts["phase"]["name"]], zero[facts["phase"]["zero_is_minimum"]]]),
        ("Weight decay", _decay(decay)),
        ("Signal", [_signal(signal)]),
        ("Dropout", [_dropout(dropout)]),
        ("Depth", [_depth(depth)]),
    ]
    return [(heading, [line for line in lines if line]) for heading, lines in rows]


def _decay(facts: dict[str, Any]) -> list[str]:
    if facts["learning"] == "inf":
        return ["none is too large: the network has no hidden layer"]
    return [
        f"learning ends at γ = {_number(facts['learning'])} (γ‖W‖², no ½), "
        f"{_number(facts['learning_factor'])} times the present one",
        _existence(facts),
    ]


def _existence(facts: dict[str, Any]) -> str:
    if facts["existence"] is not None:
        return f"solutions beside zero end at γ = {_number(facts['existence'])}"
    lower, upper = map(_number, facts["existence_interval"])
    return f"solutions beside zero end between γ = {lower} and {upper}"


def _signal(facts: dict[str, Any]) -> str:
    if "not_asked" in facts:
        return _NOT_ASKED
    return f"learning needs {_number(facts['factor'])} times the present ‖E[xy]‖"


def _dropout(facts: dict[str, Any]) -> str:
    if "not_asked" in facts:
        return _NOT_ASKED
    if facts["rate"] is None:
        return "none is small enough: the network does not learn without dropout either"
    if facts["rate"] == 1.0:
        return "none is too large: with one hidden layer it does not decide whether zero is optimal"
    return f"learning ends at a common rate of {_number(facts['rate'])}"


def _depth(facts: dict[str, Any]) -> str:
    if "not_asked" in facts:
        return "not asked: this needs one target, and hidden layers of one width, noise and decay"
    runs: list[list[int]] = []
    for depth in facts["learning"]:
        if runs and depth == runs[-1][1] + 1:
            runs[-1][1] = depth
        else:
            runs.append([depth, depth])
    listed = ", ".join(f"{first}–{last}" if first < last else f"{first}" for first, last in runs)
    more = "no deeper one" if facts["complete"] else f"deeper than {facts['searched']} not searched"
    return f"hidden layers that learn: {listed or 'none'}; {more}"


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"


def _image(problem: "Problem", source: "Source", suffix: str) -> bytes:
    """Draw phases over decay and depth, with the network's own width and noise."""
    import numpy as np

    import linscape as ls
    from linscape import plots
    from linscape.errors import NoExactSolution

    network = problem.network
    if network.depth == 0 or len({*network.hidden}) > 1 or len({*network.noise}) > 1:
        raise NoExactSolution(
            "--plot draws phases over decay and depth: that needs hidden layers of one width and "
            "one dropout rate"
        )
    if network.input_noise:
        raise NoExactSolution("--plot draws phases without input dropout; leave it out")
    critical = ls.critical_weight_decay(problem).learning or 1.0
    diagram = ls.phase_diagram(
        problem.moments,
        depth=np.arange(1, _DEPTHS + 1),
        weight_decay=critical * np.geomspace(1 / 64, 16, _POINTS),
        noise=network.noise[0],
        width=network.hidden[0],
    )
    title = f"{source.target}: width {network.hidden[0]}, noise variance {network.noise[0]:.4g}"
    figure = plots.phase_diagram(diagram, x="weight_decay", y="depth", title=title)
    return plots.rendered(figure, suffix)


phase.__doc__ = f"{phase.__doc__}\n\n\b\nExample:\n{EXAMPLE}"
