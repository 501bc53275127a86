"""Three answers kept apart: the phase, the proven trap, and where descent really ends."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from linscape.errors import NoExactSolution
from linscape.landscape.convex_trap import convex_trap_radius, relu_trap_radius
from linscape.landscape.interval import json_value
from linscape.landscape.phases import phase
from linscape.landscape.trap import in_trap
from linscape.torch.ending import ending
from linscape.torch.setting import Setting

_EDGE = 1e-6  # relative: what float32 data leave undecided

ZLM = "Ziyin, Li & Meng (2022), section 4; docs/outputs.md for several outputs"
TRAP = "norms under gradient flow, docs/trap.md"

_PHASES = {
    "collapsed": "zero is the only minimum: no start and no training can learn",
    "metastable": "zero is the global minimum, though others exist: a start may end in one of them",
    "learning": "the global minimum is not zero",
    "undecided": "too near an edge for 64-bit floats, or not decided by a theorem",
}
_ENDS = {
    "collapsed": "descent from these very weights ends at zero",
    "learning": "descent from these very weights does not end at zero",
    "undecided": "descent from these weights was still on its way after the steps allowed",
}


@dataclass(frozen=True)
class Answer:
    """One answer, and what it rests on.

    Attributes
    ----------
    verdict : str
        In a word or two.
    statement : str
        In a sentence.
    basis : str
        The theorem, or "numerical", "approximation", "not covered", "not applicable".
    numbers : dict
        The numbers behind it.
    """

    verdict: str
    statement: str
    basis: str
    numbers: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the answer ready for JSON."""
        return {key: json_value(value) for key, value in vars(self).items()}


def phase_answer(setting: Setting) -> Answer:
    """Return (a): which minimum is the global one."""
    if setting.refusal is not None:
        return _refused(setting)
    if not setting.is_square:
        return _convex_phase(setting)
    try:
        found = phase(setting.problem)
    except NoExactSolution as error:
        return Answer("not covered", str(error), "not covered")
    numbers = {"zero_is_minimum": found.zero_is_minimum}
    statement = _PHASES[found.name]
    kind, depth = setting.reading.kind, setting.reading.depth
    if found.name == "learning" and found.zero_is_minimum:
        statement += "; zero is a local minimum beside it, in which training can be trapped"
    if kind == "linear":
        return Answer(found.name, f"{statement}.", ZLM, numbers)
    if kind == "smooth" and depth == 1:
        exact = "it is exact about whether zero is a minimum"
        return Answer(found.name, f"Of the linear part, {statement}; {exact}.", ZLM, numbers)
    part = "its linear part" if kind == "smooth" else "a linear net in its place, kinks averaged"
    return Answer(found.name, f"Of {part}: {statement}.", "approximation", numbers)


def trap_answer(setting: Setting) -> Answer:
    """Return (b): whether these weights are proven to flow to zero."""
    reading = setting.reading
    if reading.decoupled:
        return _refused(setting)
    if reading.bias is not False:
        return _unproven("no trap is proven for nets with biases")
    if reading.depth == 0:
        return _unproven("without a hidden layer the loss is convex, and nothing is trapped")
    if reading.kind in ("smooth", "mixed"):
        names = ", ".join(sorted({one.name for one in reading.activations if one is not None}))
        return _unproven(f"no trap is proven for {names}")
    if reading.kind == "homogeneous":
        return _homogeneous_trap(setting)
    if not setting.is_square:
        radius = convex_trap_radius(
            setting.signal, weight_decay=setting.decays, depth=reading.depth
        )
        return _by_radius(setting, radius)
    found = in_trap(setting.problem, setting.weights)
    margin = max(found.margins.values())
    return _trapped(found.proven, margin, {"margins": found.margins})


def ending_answer(setting: Setting) -> Answer:
    """Return (c): where the exact noise-averaged descent ends, and the critical gain."""
    if setting.refusal is not None:
        return _refused(setting)
    if not setting.is_square:
        return Answer(
            "not available",
            f"The average of a {setting.term.kind} loss is no function of second moments, so "
            "descent on it cannot be followed exactly.",
            "not covered",
        )
    found = ending(setting.problem, setting.weights)
    statement = _ENDS[found.end] + _about_gain(
        found.end, found.critical_gain, numerical=found.numerical
    )
    if setting.reading.bias == "output":
        statement += " (the output bias at its best throughout)"
    linear = setting.reading.kind == "linear"
    basis = "numerical" if found.numerical else "no run needed"
    if not linear:
        basis = f"approximation ({basis}, of the linear net in its place)"
    return Answer(found.end, f"{statement}.", basis, found.to_dict())


def _about_gain(end: str, gain: float | None, *, numerical: bool) -> str:
    if gain is None:
        return "; the critical gain was not found"
    if gain == math.inf:
        return "; no multiple of them does otherwise" + (", up to 64 times" if numerical else "")
    if gain == 0:
        return "; nor from smaller ones" + (", down to a 64th" if numerical else "")
    if end == "collapsed":
        return f"; multiplied by more than the critical gain {gain:.3g} they would not"
    return f"; multiplied by less than the critical gain {gain:.3g} they would"


def _convex_phase(setting: Setting) -> Answer:
    reading, kind = setting.reading, setting.term.kind
    if reading.kind != "linear" or reading.bias is not False:
        return Answer(
            "not covered",
            f"For a {kind} loss the phase is known for linear nets without biases only.",
            "not covered",
        )
    if reading.depth == 0:
        name = "learning" if setting.signal > 0 else "collapsed"
        return Answer(name, "Without a hidden layer the loss is convex: it learns iff B ≠ 0.", TRAP)
    if reading.depth != 1:
        zero = "zero is a strict local minimum; " if reading.depth > 1 else ""
        return Answer(
            "not covered",
            f"For a {kind} loss {zero}whether it is the global one is known for one hidden layer "
            "only.",
            "not covered",
        )
    first, last = setting.decays
    level = 2 * math.sqrt(first * last)
    numbers = {"signal": setting.signal, "level": level}
    if abs(setting.signal - level) <= _EDGE * level:
        return Answer("undecided", "‖B‖₂ equals 2√(γ_uγ_w) up to rounding.", TRAP, numbers)
    learns = setting.signal > level
    sign, name = (">", "learning") if learns else ("<", "collapsed")
    return Answer(
        name,
        f"‖B‖₂ = {setting.signal:.4g} {sign} 2√(γ_uγ_w) = {level:.4g}, B = E[∇ℓ(0, y)xᵀ]: zero is "
        f"{'not ' if learns else ''}the global minimum.",
        f"{TRAP}, for any convex loss and one hidden layer",
        numbers,
    )


def _homogeneous_trap(setting: Setting) -> Answer:
    reading = setting.reading
    if not all(one is None or one.bounded_by_identity for one in reading.activations):
        return _unproven("|φ(z)| ≤ |z| fails for an activation")
    noise = (1 + reading.input_noise) * (1 + reading.output_noise)
    radius = relu_trap_radius(
        setting.gathered.product_of_norms * math.sqrt(noise),
        weight_decay=setting.decays,
        depth=reading.depth,
        noise=reading.noise,
    )
    return _by_radius(setting, radius)


def _by_radius(setting: Setting, radius: float) -> Answer:
    """Compare the largest norm of a layer, of its own weights, with a radius."""
    slopes = (*setting.reading.slopes, 1.0)
    pairs = zip(setting.weights, slopes, strict=True)
    largest = max(float(np.linalg.norm(W)) / slope for W, slope in pairs)
    margin = math.inf if largest == 0 and radius > 0 else radius / (largest or 1.0)
    return _trapped(margin > 1 + 1e-9, margin, {"radius": radius, "largest_norm": largest})


def _trapped(proven: bool, margin: float, numbers: dict[str, Any]) -> Answer:
    if proven:
        return Answer(
            "yes",
            "These weights are in the proven trap: gradient flow from them ends at zero.",
            TRAP,
            {"margin": margin, **numbers},
        )
    return Answer(
        "not proven",
        f"Weights up to {margin:.3g} times these are proven to collapse; of these nothing is "
        "proven (which does not mean that they learn).",
        TRAP,
        {"margin": margin, **numbers},
    )


def _unproven(reason: str) -> Answer:
    return Answer("not proven", f"{reason[0].upper()}{reason[1:]}.", "not covered")


def _refused(setting: Setting) -> Answer:
    verdict = "not applicable" if setting.reading.decoupled else "not covered"
    return Answer(verdict, f"{setting.refusal}.", verdict)
