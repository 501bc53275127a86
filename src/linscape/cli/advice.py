"""What to do next, with the numbers it takes."""

import math

from linscape.cli.numbers import rounded_down, short
from linscape.landscape import CriticalWeightDecay, critical_weight_decay
from linscape.network import Network
from linscape.problem import Problem
from linscape.report import Report


def advice(found: Report) -> list[str]:
    """Return one to three suggestions for where a problem stands."""
    if found.critical.learning == 0:
        return [
            "No input is correlated with a target, so every linear network answers zero here: "
            "check --target, --drop and the data."
        ]
    if found.problem.network.depth == 0:
        return _linear(found)
    if not any(found.problem.network.weight_decay):
        return _undecayed(found)
    if found.phase.undecided:
        return [_lower_the_decay(found) if found.minimum.is_trivial else _undecided(found)]
    return {"learning": _learning, "metastable": _metastable, "collapsed": _collapsed}[
        found.phase.name
    ](found)


def _linear(found: Report) -> list[str]:
    (decay,) = found.problem.network.weight_decay
    critical = _one_layer(found).learning
    learns = "learns" if decay < critical else "no longer learns"
    return [
        f"See what depth changes: with --hidden 64 the same weight decay {learns} "
        f"(the critical one is γ* = {short(critical)} there, γ‖W‖² with no ½)."
    ]


def _undecayed(found: Report) -> list[str]:
    return [
        "Add weight decay to choose among the solutions, all of them least squares now: "
        f"--weight-decay {rounded_down(found.critical.learning / 100)} is a hundredth of the "
        "critical one (γ‖W‖², no ½)."
    ]


def _undecided(found: Report) -> str:
    return (
        "Move off the edge: multiply every weight decay by 0.99 to learn, or by 1.01 not to; "
        f"the critical decay is γ* = {found.critical.learning:.17g} (γ‖W‖², no ½)."
    )


def _learning(found: Report) -> list[str]:
    first = (
        _start_outside_the_trap(found)
        if found.zero_is_trap
        else "Training from small weights works: with one hidden layer zero is a saddle, and "
        "descent leaves it."
    )
    look = _look_at_the_curve(found) if found.has_energy_curve else _look_at_the_modes()
    return [first, _room_for_decay(found), look]


def _room_for_decay(found: Report) -> str:
    critical, factor = short(found.critical.learning), short(found.critical.learning_factor)
    if len(set(found.problem.network.weight_decay)) > 1:
        return f"Do not multiply the weight decays by {factor} or more: that ends learning."
    return f"Keep the weight decay below γ* = {critical}: {factor} times the present one."


def _start_outside_the_trap(found: Report) -> str:
    best = found.minimum.energy
    answer = (
        "Start training away from zero, or from the answer: linscape.global_minimum(problem)"
        ".weights(), which --save writes."
    )
    if not found.has_energy_curve:
        return answer
    barrier = max(
        (one.energy for one in found.solutions if 0 < one.energy < best * (1 - 1e-9)), default=0.0
    )
    decays = set(found.problem.network.weight_decay)
    norm = f" (‖W‖ = {short(math.sqrt(barrier / min(decays)))})" if len(decays) == 1 else ""
    return (
        f"{answer} Along the line of solutions the barrier before zero stands at energy "
        f"K = {short(barrier)} a layer{norm}, the minimum at {short(best)}."
    )


def _look_at_the_curve(found: Report) -> str:
    count = sum(one.kind == "minimum" for one in found.solutions)
    minima = f"{count} local minima" if count > 1 else "one local minimum"
    zero = ", zero among them" if found.zero_is_trap else ""
    return (
        f"Look at the loss over the energy with --plot landscape.png: it has {minima}{zero}; "
        "linscape.solutions(problem) lists every one."
    )


def _look_at_the_modes() -> str:
    return (
        "See which modes are learned at which decay with --plot modes.png; linscape.mode_path"
        "(problem, weight_decay=...) has the numbers."
    )


def _metastable(found: Report) -> list[str]:
    best = min(
        (one for one in found.solutions if one.kind == "minimum" and one.energy > 0),
        key=lambda one: one.loss,
        default=None,
    )
    steps = [_lower_the_decay(found)]
    if best is not None:
        steps.append(
            f"Do not take a trained network for the optimum: the best solution beside zero has "
            f"loss {best.loss:.6g}, above {found.loss_at_zero:.6g} at zero; "
            "linscape.solutions(problem) lists them all."
        )
    return steps


def _collapsed(found: Report) -> list[str]:
    steps = [_lower_the_decay(found)]
    critical = _one_layer(found).learning
    if found.problem.network.depth > 1 and found.mean_decay < critical:
        steps.append(
            "Or use one hidden layer instead: it learns with the present weight decay, up to "
            f"γ* = {short(critical)}."
        )
    return steps


def _lower_the_decay(found: Report) -> str:
    critical, factor = found.critical.learning, found.critical.learning_factor
    if len(set(found.problem.network.weight_decay)) > 1:
        return (
            f"Multiply every weight decay by less than {short(factor)}: below that the global "
            "minimum is not zero."
        )
    return (
        f"Lower the weight decay below γ* = {short(critical)}, for example to about half of it: "
        f"--weight-decay {rounded_down(critical / 2)}; the global minimum is then not zero."
    )


def _one_layer(found: Report) -> CriticalWeightDecay:
    """Return the thresholds with one hidden layer only."""
    network = found.problem.network
    shallow = Network(
        network.hidden[:1] or (64,),
        noise=network.noise[:1] or 0.0,
        weight_decay=found.mean_decay,
        input_noise=network.input_noise,
    )
    return critical_weight_decay(
        Problem(found.problem.moments, shallow, reduction=found.problem.reduction)
    )
