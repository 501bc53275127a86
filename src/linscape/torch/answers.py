"""Two of three answers: the phase, and where descent really ends; trap.py has the third."""

import math

from linscape.errors import NoExactSolution
from linscape.landscape.phases import phase
from linscape.torch.answer import Answer
from linscape.torch.convex_phase import convex_phase, covers
from linscape.torch.ending import ending
from linscape.torch.setting import Setting

ZLM = "Ziyin, Li & Meng (2022), section 4; docs/outputs.md for several outputs"

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


def phase_answer(setting: Setting) -> Answer:
    """Return (a): which minimum is the global one."""
    if covers(setting):
        return convex_phase(setting)
    if setting.refusal is not None:
        return _refused(setting)
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


def _refused(setting: Setting) -> Answer:
    verdict = "not applicable" if setting.reading.decoupled else "not covered"
    return Answer(verdict, f"{setting.refusal}.", verdict)
