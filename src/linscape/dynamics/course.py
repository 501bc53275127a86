"""What every descent does besides its steps: read its options, record, and show progress."""

import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.dynamics.recording import Measure
from linscape.errors import InvalidOption, InvalidWeights
from linscape.problem import Problem

Array = NDArray[np.float64]
Steps = NDArray[np.int64]
Every = int | Sequence[int] | NDArray[np.integer[Any]] | None

# a run is taken in so many pieces, between which progress shows and it can be interrupted
_PIECES = 10


def follow(
    at: Steps,
    measures: Mapping[str, Measure],
    weights: Callable[[], list[Array]],
    advance: Callable[[int], None],
    *,
    progress: bool,
) -> dict[str, Array]:
    """Advance from each step of `at` to the next, and return what was measured there."""
    rows: dict[str, list[Array]] = {name: [] for name in measures}
    here, piece = 0, max(200, int(at[-1]) // _PIECES)
    with _bar(int(at[-1]), progress) as done:
        for target in at.tolist():
            while here < target:
                count = min(piece, target - here)
                advance(count)
                here += count
                done(count)
            current = weights()
            for name, measure in measures.items():
                rows[name].append(measure(current))
    return {name: np.stack(row) for name, row in rows.items()}


@contextmanager
def _bar(steps: int, progress: bool) -> Iterator[Callable[[int], None]]:
    if not progress:
        yield lambda count: None
        return
    from rich.progress import Progress

    with Progress() as bar:
        task = bar.add_task("descent", total=steps)
        yield lambda count: bar.advance(task, count)


def flat_start(
    problem: Problem, weights: Sequence[ArrayLike]
) -> tuple[list[Array], tuple[int, ...]]:
    """Return copies of the weights with one batch axis, and the batch axes they came with."""
    if any(np.size(matrix) == 0 for matrix in weights):
        shapes = [np.shape(matrix) for matrix in weights]
        raise InvalidWeights(f"expected the weights of at least one net, got shapes {shapes}")
    vectors = problem.flatten(weights)
    *batch, size = vectors.shape
    return problem.unflatten(vectors.reshape(-1, size)), tuple(batch)


def record_steps(steps: int, every: Every) -> Steps:
    """Return the steps to record at, the first and the last among them."""
    if every is None:
        every = max(1, steps // 100)
    chosen = np.asarray(every)
    if chosen.ndim == 0 and chosen.dtype.kind in "iu" and chosen >= 1:
        chosen = np.arange(0, steps + 1, int(chosen))
    whole = chosen.ndim == 1 and (chosen.dtype.kind in "iu" or not chosen.size)
    if not whole or np.any(chosen < 0) or np.any(chosen > steps):
        raise InvalidOption(
            f"every must be a number of steps of at least 1, or a list of steps from 0 to {steps}, "
            f"got {every!r}"
        )
    return np.unique(np.append(chosen, [0, steps])).astype(np.int64)


def whole_number(value: Any, name: str, least: int) -> int:
    """Return an option that counts something."""
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least or isinstance(value, bool):
        raise InvalidOption(f"{name} must be a whole number of at least {least}, got {value!r}")
    return number


def step_sizes(step_size: ArrayLike, batch: tuple[int, ...]) -> Array:
    """Return the step size of every net, in one axis."""
    sizes = np.asarray(step_size)
    number = sizes.dtype.kind in "fiu" and sizes.shape in ((), batch)
    if not number or not np.all(np.isfinite(sizes) & (sizes > 0)):
        raise InvalidOption(
            f"step_size must be a positive number, or one for each net in an array of shape "
            f"{batch}, got {step_size!r}"
        )
    return np.broadcast_to(sizes.astype(np.float64), batch).reshape(-1)


def check_momentum(momentum: float, nesterov: bool) -> None:
    """Check what PyTorch checks, and that momentum is below 1."""
    if not (isinstance(momentum, (int, float)) and 0 <= momentum < 1):
        raise InvalidOption(f"momentum must be at least 0 and below 1, got {momentum!r}")
    if nesterov and momentum == 0:
        raise InvalidOption("nesterov=True needs a momentum above 0; give momentum=0.9, say")


def check_loss_limit(loss_limit: float) -> None:
    """Check the factor of the loss beyond which a net counts as diverged."""
    if not (isinstance(loss_limit, (int, float)) and loss_limit > 1):
        raise InvalidOption(f"loss_limit must be above 1, math.inf for none, got {loss_limit!r}")


def check_tolerance(tolerance: float) -> None:
    """Check the share of the first gradient at which a net has converged."""
    if not (isinstance(tolerance, (int, float)) and 0 <= tolerance < math.inf):
        raise InvalidOption(f"tolerance must be a number of at least 0, got {tolerance!r}")
