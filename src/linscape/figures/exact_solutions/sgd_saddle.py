"""Footnote 8: descent on mini-batches that ends at zero where zero is a saddle, D = 1.

One input. Near zero a step on a row multiplies every u_j + w_j by 1 − 2ηγ + 2ηxy and every
u_j − w_j by 1 − 2ηγ − 2ηxy: small weights vanish almost surely if the means of the logarithms of
both factors over the rows are negative, and grow almost surely if one is positive. The data are the
simplest on which both happen: two rows, x = 1, y = m ± r. They were chosen by these means.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from linscape.dynamics import descend, descend_stochastic
from linscape.figures.catalogue import CATALOGUE
from linscape.figures.claim import Claim
from linscape.figures.reproduction import Advance, Reproduction
from linscape.initialisation import random_weights
from linscape.landscape import phase
from linscape.landscape.bounds.bound import SOURCE
from linscape.moments import Moments
from linscape.network import Network
from linscape.plots.figure import BLUE, GREY, ORANGE, SKY, figure_class
from linscape.problem import Problem

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

NAME = "sgd-saddle"
MEAN, SPREAD, DECAY, WIDTH = 0.3, 1.0, 0.1, 8  # y = m ± r
GAIN = 0.1  # of Kaiming's start: at gain 1 these step sizes are too long for its weights
COLLAPSED = 1e-8  # of the norm at the start: near enough to zero for the linear law to rule


def run(*, quick: bool, seed: int, advance: Advance) -> Reproduction:
    """Run descent from Kaiming starts at many step sizes, on single rows and on all of them."""
    step_sizes = np.geomspace(0.05, 0.8, 9 if quick else 25)
    starts, steps = (4, 3000) if quick else (12, 10_000)
    X, y = data()
    problem = problem_of(X, y)
    rates = exponents(X[:, 0] * y, step_sizes)
    batch = np.repeat(step_sizes, starts)
    weights = random_weights(problem, gain=GAIN, rng=seed, batch=len(batch))
    ends: dict[str, list[Array]] = {"rows": [], "all": []}
    pieces = np.array_split(np.arange(len(batch)), 1 if quick else 8)
    for at, piece in enumerate(pieces, start=1):
        given: dict[str, Any] = {"step_size": batch[piece], "steps": steps, "every": steps}
        start = [matrix[piece] for matrix in weights]
        single = descend_stochastic(
            X, y, problem.network, start, batch_size=1, rng=seed + at, **given
        )
        whole = descend(problem, start, **given)
        for name, trajectory in (("rows", single), ("all", whole)):
            ends[name].append(ending(problem, start, trajectory.weights, trajectory.status))
        advance(at / len(pieces))
    shape = (len(step_sizes), starts)
    arrays = {
        "step_size": step_sizes,
        "rate_sum": rates[0],
        "rate_difference": rates[1],
        **{f"end_{name}": np.concatenate(parts).reshape(shape) for name, parts in ends.items()},
    }
    return Reproduction(
        name=NAME,
        title=CATALOGUE[NAME].title,
        source=CATALOGUE[NAME].source,
        parameters={
            "rows": "x = 1, y = 0.3 + 1 and 0.3 − 1",
            "weight_decay": DECAY,
            "width": WIDTH,
            "starts": starts,
            "steps": steps,
            "batch_size": 1,
            "scheme": "kaiming",
            "gain": GAIN,
        },
        seed=seed,
        arrays=arrays,
        claims=_claims(problem, arrays, steps),
    )


def data() -> tuple[Array, Array]:
    """Return two rows whose mean product is above the decay, and whose products spread widely."""
    return np.ones((2, 1)), np.array([MEAN + SPREAD, MEAN - SPREAD])


def problem_of(X: Array, y: Array) -> Problem:
    """Return the problem, one hidden layer without noise."""
    return Problem(Moments.from_arrays(X, y), Network((WIDTH,), weight_decay=DECAY))


def exponents(products: Array, step_sizes: Array) -> tuple[Array, Array]:
    """Return the mean logarithms of the factors of u + w and u − w, for mini-batches of one row."""
    eta = step_sizes[:, None]
    with np.errstate(divide="ignore"):
        plus = np.log(np.abs(1 - 2 * eta * DECAY + 2 * eta * products)).mean(axis=1)
        minus = np.log(np.abs(1 - 2 * eta * DECAY - 2 * eta * products)).mean(axis=1)
    return plus, minus


def ending(problem: Problem, start: list[Array], end: list[Array], status: Any) -> Array:
    """Return how each run ended: 0 at zero, 1 elsewhere, 2 diverged."""
    before = np.linalg.norm(problem.flatten(start), axis=-1)
    after = np.linalg.norm(problem.flatten(end), axis=-1)
    ended = np.where(after <= COLLAPSED * before, 0.0, 1.0)
    ended[np.asarray(status) == "diverged"] = 2.0
    return ended


def _claims(problem: Problem, arrays: dict[str, Array], steps: int) -> tuple[Claim, ...]:
    zeros = [np.zeros(shape) for shape in problem.shapes]
    slowest = -np.log(COLLAPSED) / (steps / 2)  # vanishes within half of the steps
    rate = np.maximum(arrays["rate_sum"], arrays["rate_difference"])
    share = (arrays["end_rows"] == 0).mean(axis=1)
    sure, escaping = rate < -slowest, rate > slowest
    whole = float((arrays["end_all"] == 0).mean())
    saddle = phase(problem).name == "learning" and phase(problem).zero_is_minimum is False
    least = float(np.linalg.eigvalsh(problem.hessian(zeros))[0])
    return (
        Claim(
            "descent on mini-batches can end at zero although zero is a saddle",
            f"{SOURCE}, section 5, footnote 8",
            computed=f"{int((arrays['end_rows'] == 0).sum())} of {arrays['end_rows'].size} runs "
            f"on single rows, {whole:.0%} of those on all rows; smallest curvature at zero "
            f"{least:.3f}",
            holds=saddle and bool((arrays["end_rows"] == 0).any()),
            note="‖E[xy]‖ is three times the decay, so that the global minimum learns",
        ),
        Claim(
            "mini-batches decide that, not the landscape: on all rows no run ends at zero",
            f"{SOURCE}, section 5, footnote 8",
            computed=f"{whole:.0%}",
            holds=whole == 0,
        ),
        Claim(
            "runs end at zero at step sizes where the mean logarithms of both factors are "
            "negative, and only there",
            "not in the paper: products of random factors, footnote 8 made quantitative",
            computed=f"some do at {int((share[sure] > 0).sum())} of {int(sure.sum())} step sizes "
            f"where the larger mean is below −{slowest:.1g}, at {int((share[escaping] > 0).sum())} "
            f"of {int(escaping.sum())} where it is above {slowest:.1g}",
            holds=bool(np.any(share[sure] > 0) and not np.any(share[escaping] > 0)),
            note="the law is that of small weights: where it lets them vanish a run may still "
            "diverge before it comes near zero",
        ),
    )


def draw(found: Reproduction) -> "Figure":
    """Draw how the runs end over the step size, above the two exponents that predict it."""
    figure = figure_class()(figsize=(7.6, 5.6), layout="constrained")
    shares, rates = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    arrays = found.arrays
    eta, ends = arrays["step_size"], arrays["end_rows"]
    parts = [(ends == kind).mean(axis=1) for kind in (0, 1, 2)]
    shares.stackplot(
        eta,
        parts,
        colors=[GREY, SKY, "#FFFFFF"],
        labels=["at zero", "elsewhere", "diverged"],
        edgecolor="#00000055",
    )
    whole = (arrays["end_all"] == 0).mean(axis=1)
    shares.plot(eta, whole, "o-", color=BLUE, markersize=4, label="at zero, on all rows")
    shares.set_ylim(-0.02, 1.02)
    shares.set_ylabel("share of runs on single rows")
    shares.set_title(
        f"One hidden layer of {WIDTH}, γ = {DECAY}, xy = {MEAN:g} ± {SPREAD:g}: zero is a saddle",
        loc="left",
        fontsize=10,
    )
    rates.axhline(0, color="#00000055", linewidth=0.8)
    rates.plot(eta, arrays["rate_sum"], color=ORANGE, label="u + w")
    rates.plot(eta, arrays["rate_difference"], "--", color=BLUE, label="u − w")
    rates.set_ylabel("growth of log\na step, near zero")
    rates.set_xlabel("step size η")
    rates.set_xscale("log")
    ticks = [0.05, 0.1, 0.2, 0.4, 0.8]
    rates.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
    rates.set_xticks([], minor=True)
    rates.legend(frameon=False, fontsize=9)
    for axes in (shares, rates):
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = shares.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure
