"""Whether zero, or one constant, is the global minimum: any convex loss, and ReLU."""

import math

import numpy as np

from linscape.torch.answer import Answer
from linscape.torch.setting import Setting

PROOF = "convexity at the best constant, docs/torch.md, for any convex loss"
SUFFICIENT = "convexity and the loss being at least zero, docs/torch.md; sufficient only"

_EDGE = 1e-6  # relative: what float32 data leave undecided


def covers(setting: Setting) -> bool:
    """Return whether the statements of this file say more than those about moments.

    They do for every loss but the square, for ReLU with one hidden layer, for an output bias
    beside dropout, which the centred moments do not describe, and for several outputs with one
    hidden layer and biases that decay.
    """
    reading = setting.reading
    if reading.decoupled:
        return False
    if not setting.is_square or setting.unit_signal is not None or _decays_to_several(setting):
        return True
    return setting.refusal is not None and reading.depth == 1


def _decays_to_several(setting: Setting) -> bool:
    reading = setting.reading
    linear = reading.depth == 1 and reading.kind == "linear"
    return linear and reading.bias == "decayed" and reading.widths[-1] > 1


def convex_phase(setting: Setting) -> Answer:
    """Return (a) for a convex loss: exact with one hidden layer, one-sided with more."""
    reading, kind = setting.reading, setting.term.kind
    if setting.unit_signal is not None:
        return _kinked_units(setting)
    if reading.kind != "linear":
        return _not_covered(
            f"For a {kind} loss the phase is known for linear nets, and for ReLU with one hidden "
            "layer without hidden biases, noise on the inputs or too many rows."
        )
    if setting.constant is None:
        return _not_covered(
            "There is no best constant output (a class never occurs), or too many rows to find it."
        )
    if reading.depth == 0:
        name = "learning" if setting.constant.signal > 0 else "collapsed"
        statement = "Without a hidden layer the loss is convex: it learns iff B ≠ 0."
        return Answer(name, statement, PROOF)
    if reading.depth > 1:
        return _deep(setting)
    level, signal = _level(setting), setting.constant.signal
    numbers = {"signal": signal, "level": level, "constant": setting.constant.value.tolist()}
    if _biases_suffice(setting):
        statement = (
            "One constant, all weights zero, is not the global minimum, but biases alone make "
            "another that is, up to rounding."
        )
        return Answer("undecided", statement, PROOF, numbers)
    if abs(signal - level) <= _EDGE * level:
        return Answer("undecided", "‖B‖₂ equals 2√(γ_uγ_w) up to rounding.", PROOF, numbers)
    learns = signal > level
    sign, name = (">", "learning") if learns else ("<", "collapsed")
    return Answer(
        name,
        f"‖B‖₂ = {signal:.4g} {sign} 2√(γ_uγ_w) = {level:.4g}, B = {_moment(setting)}: "
        f"{_state(setting)} is {'not ' if learns else ''}the global minimum.",
        f"{PROOF} and one hidden layer",
        numbers,
    )


def _kinked_units(setting: Setting) -> Answer:
    """Compare sup ‖E[∇ℓφ(w·x)]‖ over unit w, between two bounds, with 2√(γ_uγ_w)."""
    assert setting.unit_signal is not None
    low, high = setting.unit_signal
    level = _level(setting)
    numbers = {"lower": low, "upper": high, "level": level}
    basis = f"{PROOF} and one hidden layer of ReLU or LeakyReLU"
    what = "S = sup ‖E[∇ℓ(b, y)φ(w·x)]‖ over ‖w‖ = 1"
    state = _state(setting)
    if low > level * (1 + _EDGE):
        return Answer(
            "learning",
            f"{what} is at least {low:.4g} > 2√(γ_uγ_w) = {level:.4g}, seen at a w that was found: "
            f"{state} is not the global minimum, but a saddle.",
            basis,
            numbers,
        )
    if high < level * (1 - _EDGE):
        return Answer(
            "collapsed",
            f"{what} is at most {high:.4g} < 2√(γ_uγ_w) = {level:.4g}: {state} is the global "
            "minimum.",
            basis,
            numbers,
        )
    return Answer(
        "undecided",
        f"{state[0].upper()}{state[1:]} is the global minimum iff {what} is at most 2√(γ_uγ_w) = "
        f"{level:.4g}; S lies between {low:.4g}, the largest found, and {high:.4g}, a bound.",
        basis,
        numbers,
    )


def _deep(setting: Setting) -> Answer:
    """Say that zero is global where the penalty exceeds all that any net could gain."""
    reading, kind, signal = setting.reading, setting.term.kind, setting.signal
    layers = reading.depth + 1
    if reading.bias is False and min(setting.decays) > 0:
        gain = setting.gathered.loss_at_zero
        decays = math.fsum(map(math.log, setting.decays))
        needed = -math.inf
        if signal > 0 and gain > 0:
            needed = (layers - 2) * math.log(gain) + 2 * math.log(signal)
            needed -= layers * math.log(layers)
        if decays > needed + _EDGE:
            return Answer(
                "collapsed or metastable",
                f"The decay costs more than any net could gain of the loss at zero, {gain:.4g}: "
                "zero is the global minimum. Whether there are others is not known.",
                SUFFICIENT,
                {"signal": signal, "loss_at_zero": gain},
            )
    zero = "Zero is a strict local minimum; w" if reading.bias is False else "W"
    return _not_covered(
        f"{zero}hether it is the global one is known exactly for one hidden layer only, for a "
        f"{kind} loss."
    )


def _biases_suffice(setting: Setting) -> bool:
    """Whether hidden biases, without inputs, do best, of a square loss; within rounding.

    Where ‖E[y]‖ > (1 + γ_u)√(γ_w/γ_u) they make a constant c along E[y] with ‖∇E ℓ(c, y)‖ at the
    level; it is optimal iff ‖E[∇ℓ(c, y)(x, 1)ᵀ]‖₂ is no larger.
    """
    constant, moments = setting.constant, setting.gathered.moments
    if not setting.is_square or setting.reading.bias != "decayed" or constant is None:
        return False
    level, slope = _level(setting), constant.moment[:, -1]
    size = float(np.linalg.norm(slope))
    if size <= level:
        return False
    covariance = np.reshape(moments.covariance_xy, (moments.inputs, moments.outputs))
    slope = slope * (level / size)
    inputs = np.outer(slope, np.asarray(moments.mean_x)) - 2 * covariance.T
    signal = float(np.linalg.norm(np.column_stack([inputs, slope]), 2))
    return signal <= level * (1 + _EDGE)


def _level(setting: Setting) -> float:
    first, last = setting.decays
    return 2 * math.sqrt(first) * math.sqrt(last)


def _moment(setting: Setting) -> str:
    return {
        False: "E[∇ℓ(0, y)xᵀ]",
        "output": "E[∇ℓ(b, y)xᵀ] at the best constant b",
        "free": "E[∇ℓ(b, y)xᵀ] at the best constant b",
        "decayed": "E[∇ℓ(b, y)(x, 1)ᵀ] at the best constant b",
    }[setting.reading.bias]


def _state(setting: Setting) -> str:
    return "zero" if setting.reading.bias is False else "one constant, all weights zero,"


def _not_covered(statement: str) -> Answer:
    return Answer("not covered", statement, "not covered")
