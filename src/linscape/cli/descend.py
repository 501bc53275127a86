"""`linscape descend`: gradient descent on the exact loss, and what happened on the way."""

import math
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer

from linscape.atomic import write_together
from linscape.cli import arguments

if TYPE_CHECKING:
    from linscape.cli.source import Source
    from linscape.dynamics.trajectory import Trajectory
    from linscape.initialisation import Scheme
    from linscape.problem import Problem

EXAMPLE = (
    "  linscape descend examples/data/diabetes.csv --target progression --target bp \\\n"
    "      --target s5 --hidden 4,4 --gain 0.05 --steps 20000 --plot curves.svg"
)
_TOLERANCE = 1e-9  # of the gradient at the start
_RECORDS = 500
_MOST = 2**24  # recorded numbers up to which weights are kept to name plateaus by


def descend(
    paths: arguments.Files,
    target: arguments.Target,
    hidden: arguments.Hidden,
    weight_decay: arguments.WeightDecay = "0",
    dropout: arguments.Dropout = None,
    noise: arguments.Noise = None,
    input_dropout: arguments.InputDropout = None,
    scheme: Annotated[
        str, typer.Option(metavar="NAME", help="kaiming, xavier, lecun, orthogonal, normal, …")
    ] = "kaiming",
    gain: Annotated[float, typer.Option(metavar="G", help="Factor on all layers.")] = 1.0,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed of the starts.")] = 0,
    starts: Annotated[int, typer.Option(metavar="N", min=1, help="Number of starts.")] = 1,
    steps: Annotated[int, typer.Option(metavar="N", min=1, help="Steps of each.")] = 5000,
    step_size: Annotated[
        str,
        typer.Option(
            metavar="ETA",
            help="η, or 'auto': half of the reciprocal sharpness of start and minimum.",
        ),
    ] = "auto",
    sample_weight: arguments.SampleWeight = None,
    drop: arguments.Drop = None,
    one_hot: arguments.OneHot = False,
    raw: arguments.Raw = False,
    as_json: arguments.AsJson = False,
    plot: Annotated[
        str | None, typer.Option(metavar="FILE", help="Draw the losses: .png, .svg or .pdf.")
    ] = None,
    save: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write the trajectory: .npz, for Trajectory.load."),
    ] = None,
) -> None:
    """Run gradient descent on the exact loss, and say where it went and what is known of that."""
    from linscape.cli.descent_page import print_descent
    from linscape.cli.document import as_text
    from linscape.cli.options import network_of
    from linscape.cli.outputs import Outputs
    from linscape.cli.source import read
    from linscape.initialisation import random_weights
    from linscape.problem import Problem

    network = network_of(
        hidden,
        dropout_rates=dropout,
        noise=noise,
        input_dropout=input_dropout,
        weight_decay=weight_decay,
    )
    name, size = _scheme(scheme, gain), _step_size(step_size)
    outputs = Outputs.of(plot, save)
    source, moments = read(
        paths, target, sample_weight=sample_weight, drop=drop or [], one_hot=one_hot, raw=raw
    )
    outputs.spare(source.files)
    problem = Problem(moments, network)
    weights = random_weights(problem, scheme=name, gain=gain, rng=seed, batch=starts)
    trajectory, sizes = _run(problem, weights, size, steps, progress=_shows(as_json))
    facts = {
        **_head(source, target, problem),
        "start": {"scheme": name, "gain": gain, "seed": seed, "starts": starts},
        "steps": steps,
        "step_size": sizes,
        **_known(problem, weights, trajectory),
        **_outcome(problem, trajectory),
    }
    contents = []
    if outputs.plot:
        suffix = outputs.plot.suffix.lower()
        contents.append((outputs.plot, _image(problem, source, trajectory, facts, suffix)))
    if outputs.save:
        contents.append((outputs.save, _archive(trajectory)))
    write_together(contents)
    if as_json:
        typer.echo(as_text(facts))
    else:
        print_descent(source, problem, facts)


def _scheme(name: str, gain: float) -> "Scheme":
    from linscape.initialisation import Scheme

    if name not in get_args(Scheme):
        known = ", ".join(get_args(Scheme))
        raise typer.BadParameter(f"--scheme must be one of {known}, got {name!r}")
    if not 0 <= gain < math.inf:
        raise typer.BadParameter(f"--gain must be a finite number of at least 0, got {gain!r}")
    return cast("Scheme", name)


def _step_size(text: str) -> float | None:
    """Return η, or None for "auto"."""
    if text.strip().lower() == "auto":
        return None
    try:
        size = float(text)
    except ValueError:
        size = math.nan
    if not 0 < size < math.inf:
        raise typer.BadParameter(f"--step-size must be 'auto' or a positive number, got {text!r}")
    return size


def _shows(as_json: bool) -> bool:
    """Return whether a progress bar disturbs nothing."""
    return sys.stdout.isatty() and not as_json


def _run(
    problem: "Problem", weights: list[Any], size: float | None, steps: int, *, progress: bool
) -> tuple["Trajectory", list[float]]:
    """Return the trajectory, and the step size of every start."""
    import numpy as np

    from linscape.dynamics.descent import descend as run
    from linscape.dynamics.sharpness_step import sharpness_step_size

    starts = len(weights[0])
    sizes = np.full(starts, size) if size else np.asarray(sharpness_step_size(problem, weights))
    every = max(1, steps // _RECORDS)
    record = ["loss", "gradient_norm", "singular_values"]
    numbers = sum(matrix.size for matrix in weights) * (steps // every + 2)
    if _is_plain(problem) and numbers <= _MOST:
        record.append("weights")
    trajectory = run(
        problem,
        weights,
        step_size=sizes,
        steps=steps,
        record=record,
        every=every,
        tolerance=_TOLERANCE,
        progress=progress,
    )
    return trajectory, sizes.tolist()


def _is_plain(problem: "Problem") -> bool:
    """Return whether there is neither decay nor noise, so that critical values are known."""
    return not any(problem.network.weight_decay) and not any(problem.network.noise)


def _head(source: "Source", targets: list[str], problem: "Problem") -> dict[str, Any]:
    from linscape import __version__

    return {
        "schema": "linscape.descend",
        "version": 1,
        "linscape": __version__,
        "data": {
            "files": [str(file) for file in source.files],
            "rows": source.rows,
            "inputs": source.inputs,
            "targets": targets,
            "standardized": not source.raw,
        },
        "network": problem.network.to_dict(),
    }


def _known(problem: "Problem", weights: list[Any], trajectory: "Trajectory") -> dict[str, Any]:
    """Return what theory knows: the minimum, the phase, the trap."""
    import linscape as ls

    trap = ls.trap_radius(problem)
    return {
        "minimum": _asked(lambda: _minimum(problem)),
        "phase": _asked(lambda: ls.phase(problem).to_dict()),
        "trap": {
            **trap.to_dict(),
            "starts_inside": (trap.margin(weights) > 1).tolist(),
            "ends_inside": (trap.margin(trajectory.weights) > 1).tolist(),
        },
    }


def _minimum(problem: "Problem") -> dict[str, Any]:
    import linscape as ls

    found = ls.global_minimum(problem)
    return {
        "loss": found.loss,
        "lower": found.lower,
        "upper": found.upper,
        "source": found.source,
    }


def _asked(question: Any) -> dict[str, Any]:
    """Return the answer, or why there is none."""
    from linscape.errors import NoExactSolution, OutOfRange

    try:
        answer: dict[str, Any] = question()
    except (NoExactSolution, OutOfRange) as error:
        return {"not_asked": str(error)}
    return answer


def _outcome(problem: "Problem", trajectory: "Trajectory") -> dict[str, Any]:
    """Return how every start ended, and the plateaus that it passed."""
    from linscape.dynamics.plateaus import plateaus

    def numbers(values: Any) -> list[float | str]:
        return [value if math.isfinite(value) else "inf" for value in values.tolist()]

    return {
        "status": trajectory.status.tolist(),
        "stopped_at": trajectory.stopped_at.tolist(),
        "loss_at_start": numbers(trajectory["loss"][0]),
        "loss": numbers(trajectory["loss"][-1]),
        "gradient_norm": numbers(trajectory["gradient_norm"][-1]),
        "plateaus": _asked(lambda: plateaus(problem, trajectory).to_dict()),
    }


def _image(
    problem: "Problem",
    source: "Source",
    trajectory: "Trajectory",
    facts: dict[str, Any],
    suffix: str,
) -> bytes:
    from linscape import plots
    from linscape.cli.descent_page import chain, loss_unit
    from linscape.dynamics.plateaus import plateaus
    from linscape.landscape.unregularised.values import critical_values
    from linscape.plots.descent import descent

    values = critical_values(problem).descent if _is_plain(problem) else ()
    single = trajectory.status.size == 1 and "plateaus" in facts["plateaus"]
    picture = descent(
        trajectory,
        values=values,
        plateaus=plateaus(problem, trajectory) if single else (),
        minimum=facts["minimum"].get("loss"),
        unit=loss_unit(source, problem),
        title=f"{chain(source, problem)}: {facts['start']['scheme']}, "
        f"gain {facts['start']['gain']:g}",
    )
    return plots.rendered(picture, suffix)


def _archive(trajectory: "Trajectory") -> bytes:
    """Return the file that Trajectory.save writes."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trajectory.npz"
        trajectory.save(file)
        return file.read_bytes()


descend.__doc__ = f"{descend.__doc__}\n\n\b\nExample:\n{EXAMPLE}"
