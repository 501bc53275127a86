"""One net and its step size, from below the proven bound, doubled until descent diverges."""

from typing import TYPE_CHECKING

import numpy as np

from linscape.dynamics.descent import descend
from linscape.figures.catalogue import CATALOGUE
from linscape.figures.claim import Claim
from linscape.figures.gradient_descent.panels import panels
from linscape.figures.gradient_descent.random_nets import (
    DEVIATION,
    NOISE,
    SIGNALS,
    Array,
    RandomNets,
    random_nets,
    suggested_bounds,
)
from linscape.figures.reproduction import Advance, Reproduction
from linscape.landscape.minimise import global_minimum
from linscape.moments import Moments
from linscape.network import Network
from linscape.plots.figure import ORANGE
from linscape.problem import Problem

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "step-doubling"
SOURCE = "experiment on Nguegnang, Rauhut & Terstiege (2021), Theorem 2.4, Figure 3"
THEOREM = "Nguegnang, Rauhut & Terstiege (2021), Theorem 2.4"
SHARE = 0.9
DOUBLINGS = 24
EPOCHS = 5000
_ARRIVED = 1e-6  # share of the excess loss that may be left


def run(*, quick: bool, seed: int, advance: Advance) -> Reproduction:
    """Descend with every step size at once."""
    net = _covered(np.random.default_rng(seed))
    problem = Problem(
        Moments.from_arrays(net.X[0].T, net.Y[0].T), Network((5, 5)), reduction="half_sum"
    )
    first = SHARE * float(suggested_bounds(net)[0])
    steps = first * 2.0 ** np.arange(DOUBLINGS)
    weights = [np.repeat(W, DOUBLINGS, axis=0) for W in net.weights]
    path = descend(problem, weights, step_size=steps, steps=EPOCHS, every=10)
    advance(1.0)
    arrays = {
        "step_sizes": steps,
        "at": path.at,
        "losses": path["loss"],
        "diverged": path.status == "diverged",
        "bound": np.array(first / SHARE),
        "minimum": np.array(global_minimum(problem).loss),
    }
    return Reproduction(
        NAME, CATALOGUE[NAME].title, CATALOGUE[NAME].source,
        {"hidden": [5, 5], "signals": list(SIGNALS), "noise": NOISE, "deviation": DEVIATION,
         "first": SHARE, "epochs": EPOCHS, "loss": "½‖Y − WX‖²", "delta": "suggested"},
        seed, arrays, _claims(arrays),
    )  # fmt: skip


def _covered(rng: np.random.Generator) -> RandomNets:
    """Return the first draw balanced enough for the suggested δ."""
    while True:
        net = random_nets((5, 5), 1, rng)
        if suggested_bounds(net)[0] > 0:
            return net


def _failing(arrays: dict[str, Array]) -> int:
    """Return the first doubling that diverges."""
    return int(np.argmax(arrays["diverged"]))


def _claims(arrays: dict[str, Array]) -> tuple[Claim, ...]:
    losses, minimum = arrays["losses"], float(arrays["minimum"])
    failing = _failing(arrays)
    factor = SHARE * 2.0**failing
    left = (losses[-1] - minimum) / (losses[0] - minimum)
    reached = np.flatnonzero(left[:failing] < _ARRIVED)
    return (
        Claim(
            "With a step below the bound the loss never rises.",
            THEOREM,
            computed=f"largest rise {max(float(np.diff(losses[:, 0]).max()), 0.0):.1g} "
            f"at {arrays['step_sizes'][0]:.3g}",
            holds=bool(np.all(np.diff(losses[:, 0]) <= 1e-12 * losses[0, 0])),
        ),
        Claim(
            "With a step below the bound descent converges to a critical point.",
            THEOREM,
            computed=f"{left[0]:.0%} of the excess loss is left after {EPOCHS} epochs at "
            f"{arrays['step_sizes'][0]:.3g}",
            holds=True if left[0] < _ARRIVED else None,
            note="What is left after a number of epochs refutes no limit.",
        ),
        Claim(
            "Doubling the step, descent diverges only far above the bound.",
            SOURCE,
            printed="first failure at 0.9·2⁷ = 115 times the bound",
            computed=f"first failure at 0.9·2^{failing} = {factor:.0f} times the bound",
            holds=bool(factor > 2),
            note="The factor depends on the data and the start, which are not printed; "
            "divergence-step-sizes shows its distribution.",
        ),
        Claim(
            "At every step size tried below, 5000 epochs reach the critical point.",
            SOURCE,
            computed=f"share of the excess loss left: {left[0]:.2g} at the first step, "
            f"{left[failing - 1]:.1g} at the last; below {_ARRIVED:g} in {len(reached)} of "
            f"{failing}",
            holds=bool(len(reached) == failing),
            note="At the first step 5000 epochs are too few: the time 5000η is a fraction of what "
            "the slowest mode needs.",
        ),
    )


def draw(found: Reproduction) -> "Figure":
    """Draw the excess loss over the epochs for each step size."""
    from matplotlib import colormaps

    figure, (axes,) = panels(1, height=4.6)
    arrays = {name: np.asarray(array) for name, array in found.arrays.items()}
    failing = _failing(arrays)
    shades = colormaps["viridis"](np.linspace(0.05, 0.9, failing))
    # what is left of the loss at rounding level says nothing
    floor = 1e-14 * arrays["losses"][0, 0]
    excess = np.maximum(arrays["losses"] - arrays["minimum"], floor)
    for k in range(failing):
        label = f"{arrays['step_sizes'][k]:.2g}"
        axes.plot(arrays["at"], excess[:, k], color=shades[k], label=label)
    bad = excess[:, failing]
    axes.plot(arrays["at"], bad, color=ORANGE, linestyle="--",
              label=f"{arrays['step_sizes'][failing]:.2g}: diverges")  # fmt: skip
    axes.set_yscale("log")
    axes.set_ylim(excess[:, :failing].min() / 3, 100 * excess[0, 0])
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss above the minimum")
    axes.set_title(f"proven bound {float(arrays['bound']):.3g}", loc="left", fontsize=10)
    figure.legend(loc="outside right center", frameon=False, fontsize=8, title="step size")
    return figure
