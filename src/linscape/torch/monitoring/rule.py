"""The numerical rule: the pull of the data falls with the weights. Fixed before it was measured."""

import math
import statistics
from collections.abc import Sequence

from linscape.torch.monitoring.observation import Observation

_FEWEST = 5  # observations that make a mean
_HALF = math.log(2)
_ERRORS = 2  # standard errors of each mean
_LARGEST = 700.0  # logarithm of a float


def fading(history: Sequence[Observation]) -> str | None:
    r"""Say that weights and pull fade together, or None.

    A net that collapses has a function of the size of the product Π‖W_k‖, and so has the pull of
    the data; one that learns keeps its pull while idle parts of its weights decay. The rule: look
    back until the product has halved, over five observations at least, and again as far; over both
    spans every layer's norm has fallen, and the mean of pull/√product, which falls in the first
    case and rises in the second, has fallen by more than two standard errors of each.
    """
    if not history or history[-1].pull is None or min(history[-1].norms) <= 0:
        return None
    recent, rest = _halving(history, len(history))
    earlier, start = _halving(history, rest)
    if not start or not (_fell(recent) and _fell(earlier)):
        return None
    level = _log_product(history[-1])
    now, error = _mean(recent, level)
    then, other = _mean(earlier, level)
    if not 0 < now + _ERRORS * error < then - _ERRORS * other:
        return None
    return (
        f"since step {earlier[0].step} the product of the layers' norms halved twice at least, "
        "every norm fell, and the pull of the data fell with them: the decay wins, and the weights "
        "are on their way to zero"
    )


def _halving(history: Sequence[Observation], end: int) -> tuple[Sequence[Observation], int]:
    """Return the observations before `end` back to twice the product, and where they start.

    Where that is not seen, none, and 0.
    """
    if end < _FEWEST:
        return (), 0
    level = _log_product(history[end - 1]) + _HALF
    for start in range(end - _FEWEST, 0, -1):
        if _log_product(history[start]) >= level:
            return history[start:end], start
    return (), 0


def _log_product(seen: Observation) -> float:
    return sum(math.log(norm) if norm > 0 else -math.inf for norm in seen.norms)


def _fell(part: Sequence[Observation]) -> bool:
    if not part:
        return False
    first, last = part[0].norms, part[-1].norms
    return all(after < before for before, after in zip(first, last, strict=True))


def _mean(part: Sequence[Observation], level: float) -> tuple[float, float]:
    """Return the mean of pull/√product, the product relative to a level, and its standard error."""
    values = [
        seen.pull * math.exp(min((level - _log_product(seen)) / 2, _LARGEST))
        for seen in part
        if seen.pull is not None
    ]
    if len(values) < _FEWEST:
        return math.nan, math.nan
    return statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values))
