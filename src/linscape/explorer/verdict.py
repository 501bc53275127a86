"""What the settings come to, in two sentences for somebody who sees this for the first time."""

from typing import Any

from dash import html

from linscape.explorer.settings import Scene
from linscape.landscape import Phase, critical_weight_decay, phase


def verdict(scene: Scene) -> list[Any]:
    """Return the phase as a word, what it means, and how far the weight decay is from the edge.

    Raises
    ------
    LinscapeError
        Where no theorem covers the problem.
    """
    found = phase(scene.problem)
    ends = critical_weight_decay(scene.problem).learning
    network = scene.problem.network
    facts = (
        f"D = {network.depth} hidden layer{'s' * (network.depth > 1)} · "
        f"τ = {network.inflation:.4g} noise inflation · P = {network.decay_product:.3g} product "
        f"of all decays"
    )
    return [
        html.Strong(found.name, className=f"phase phase--{found.name}"),
        html.Span(f"{meaning(found)} {_distance(scene.settings.weight_decay, ends)}"),
        html.Small(facts),
    ]


def meaning(found: Phase) -> str:
    """Return what a phase means for training."""
    if found.name == "learning":
        trap = " Zero is a trap: a start too close to it falls back."
        return f"The best network uses the inputs.{trap if found.zero_is_minimum else ''}"
    if found.name == "metastable":
        return "The best network ignores its inputs, though others are stable too."
    if found.name == "collapsed":
        return "The decay is too strong: the only solution is the network that ignores its inputs."
    return "The best network ignores its inputs, or too near an edge for floats to say."


def _distance(decay: float, ends: float) -> str:
    if not ends:
        return "Nothing in the inputs points to the target."
    if decay < ends:
        return f"Learning ends at γ = {ends:.3g}, {ends / decay:.3g} × yours."
    return f"Learning needs γ below {ends:.3g}; yours is {decay:.4g}."
