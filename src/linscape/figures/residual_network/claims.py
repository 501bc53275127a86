"""The source's statements about the figure, and the theorem that its linear nets must obey."""

from collections.abc import Sequence

import numpy as np

from linscape.figures.claim import Claim
from linscape.figures.residual_network.results import LinearResults, Results

_FIGURE = "Ziyin, Li & Meng (2022), Figure 1 (right)"
_OUTSIDE = (
    "An observation: batch normalisation and ReLU lie outside the theory, the images are not the "
    "source's unless CIFAR-10 is given, and where the drop lies depends on learning rate and loss."
)
_MEAN = (
    "The last direction that a linear net gives up answers nearly the same for all images, since "
    "their mean is not zero: accuracy is lost at a smaller decay than λ*."
)


def claims(linear: Sequence[LinearResults], residual: Results) -> tuple[Claim, ...]:
    """Return the claims checked, the theorem's first.

    Parameters
    ----------
    linear : sequence of LinearResults
        One for each depth, the linear regressor (depth 0) first.
    residual : Results
        Of the ResNet-18.
    """
    regressor, *deep = linear
    return (
        *(_transition(found) for found in deep),
        _never_trivial(regressor),
        *(_drops(found, f"Linear net of depth {found.depth}", _MEAN) for found in deep),
        _drops(residual, "ResNet-18", _OUTSIDE),
        _like(residual, deep[-1]),
    )


def _transition(found: LinearResults) -> Claim:
    """Nothing may be better than zero above λ*, and something must be just below.

    The objective of given weights grows with the decay: a net better than zero at one decay is so
    at every smaller one, whether or not the training there came to its end.
    """
    best = found.objective.min(axis=1)
    better = best < 1
    below = found.weight_decay < found.learning_ends
    # rounding of the exact objective; a net above λ* that is better refutes the theorem
    refuted = bool(np.any(best[~below] < 1 - 1e-12))
    shown = found.weight_decay[below & better].max(initial=0.0)
    nearest = found.weight_decay[below].max(initial=0.0)
    at_most = found.weight_decay[~below].min(initial=np.inf)
    note = "PyTorch's decay λ = 2γ/m, m = 10 outputs; the lowest objective of the seeds."
    unfinished = found.weight_decay[below & ~better]
    if unfinished.size:
        note += (
            f" At λ = {_list(unfinished)} the trainings ended above zero's objective, "
            "their weights still too large or at zero, a local minimum at this depth."
        )
    return Claim(
        f"Depth {found.depth}: zero is the global minimum if and only if the decay is at least "
        f"λ* = {found.learning_ends:.4g}; trained nets reach a lower objective than zero below it "
        "and none above",
        f"{_FIGURE}, section 4, extended to ten outputs",
        computed=f"lower than zero's at λ = {shown:.4g}, never from {at_most:.4g} on",
        holds=False if refuted else True if 0 < shown == nearest else None,
        note=note,
    )


def _never_trivial(found: LinearResults) -> Claim:
    accuracy = found.accuracy.mean(axis=1)
    return Claim(
        "The performance of a linear regressor never drops to that of a trivial model",
        _FIGURE,
        computed=f"lowest mean accuracy {accuracy.min():.3f}, at λ = "
        f"{found.weight_decay[accuracy.argmin()]:g}",
        holds=not found.trivial().any(),
        note="On the decays tried; the outputs shrink with the decay, their order hardly.",
    )


def _drops(found: Results, model: str, note: str = "") -> Claim:
    trivial = found.trivial()
    rested = f"{found.rested.mean():.0%} of the trainings came to a plateau."
    dropped = bool(trivial[-1] and not trivial[0])
    return Claim(
        f"{model}: the training accuracy drops to a trivial model's as the decay grows",
        _FIGURE,
        computed=_drop(found),
        holds=dropped if dropped or found.rested.all() else None,
        note=f"{rested} {note}".strip(),
    )


def _like(residual: Results, deep: LinearResults) -> Claim:
    return Claim(
        "ResNet-18 drops to a trivial model's level like a deep linear net of similar depth",
        _FIGURE,
        computed=f"ResNet-18: {_drop(residual)}; depth {deep.depth}: {_drop(deep)}",
        note="The source draws both and gives no criterion of likeness, so none is checked; the "
        "losses differ (cross-entropy and square loss), and with them the scale of the decay.",
    )


def _drop(found: Results) -> str:
    """Between which decays the model becomes trivial."""
    trivial = found.trivial()
    if not trivial.any():
        return f"never, up to λ = {found.weight_decay[-1]:g}"
    first = int(trivial.argmax())
    start = f"{found.weight_decay[first - 1]:.4g}" if first else "0"
    again = "" if trivial[first:].all() else ", but not at all larger decays"
    return f"between λ = {start} and {found.weight_decay[first]:.4g}{again}"


def _list(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> str:
    return ", ".join(f"{value:.4g}" for value in values)
