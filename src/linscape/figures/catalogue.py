"""The figures that can be reproduced, by name; none is imported before it is asked for."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from threadpoolctl import threadpool_limits

from linscape.errors import InvalidOption
from linscape.figures.reproduction import Advance, Reproduction

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Entry:
    """A figure of the catalogue.

    Attributes
    ----------
    module : str
        Below ``linscape.figures``; it has the functions `run` and `draw`.
    title : str
        What is shown, in a line.
    source : str
        The paper and its figure, example or section.
    data : str
        What a folder of data given to it holds; empty if it takes none.
    """

    module: str
    title: str
    source: str
    data: str = ""


CATALOGUE: dict[str, Entry] = {
    # the exact-solutions paper
    "regimes": Entry(
        "exact_solutions.regimes",
        "The regimes that weight decay runs through, at every depth",
        "Ziyin, Li & Meng (2022), Figure 1 (left)",
    ),
    "b-curves": Entry(
        "exact_solutions.b_curves",
        "The loss along the line of the solutions: linear, ReLU, Tanh and Swish",
        "Ziyin, Li & Meng (2022), Figure 2",
    ),
    "training-loss": Entry(
        "exact_solutions.training_loss",
        "Training loss of ReLU and Tanh networks against the signal, over a range of weight decays",
        "Ziyin, Li & Meng (2022), Figure 3",
    ),
    "width-law": Entry(
        "exact_solutions.width_law",
        "Share of Kaiming starts that collapse, against the signal and the width",
        "Ziyin, Li & Meng (2022), section 5, on initialisation",
    ),
    "signal-needed": Entry(
        "exact_solutions.signal_needed",
        "The signal that a network needs, over depth and width",
        "Ziyin, Li & Meng (2022), (20)",
    ),
    "prediction-variance": Entry(
        "exact_solutions.prediction_variance",
        "The variance of a stochastic network's prediction in three limits",
        "Ziyin, Li & Meng (2022), Theorem 4",
    ),
    "sgd-saddle": Entry(
        "exact_solutions.sgd_saddle",
        "Mini-batch descent that ends at a saddle, one hidden layer",
        "Ziyin, Li & Meng (2022), section 5, footnote 8",
    ),
    # gradient descent
    "plateaus": Entry(
        "gradient_descent.plateaus",
        "Descent from random weights rests at the predicted critical values",
        "Achour, Malgouyres & Gerchinovitz (2021), experiment, Figure 1",
    ),
    "saddle-escape": Entry(
        "gradient_descent.saddle_escape",
        "How long descent stays at strict and non-strict saddles",
        "Achour, Malgouyres & Gerchinovitz (2021), experiment, Figure 2",
    ),
    "critical-values": Entry(
        "gradient_descent.critical_values",
        "The minimiser of rank four beside diag(5, 4, 3, 2), and all critical values",
        "Achour, Malgouyres & Gerchinovitz (2021), Theorem 1, experiment",
    ),
    "step-doubling": Entry(
        "gradient_descent.step_doubling",
        "Step sizes doubled from below the proven bound until descent diverges",
        "Nguegnang, Rauhut & Terstiege (2021), experiment, Figure 3",
    ),
    "safe-step-sizes": Entry(
        "gradient_descent.safe_step_sizes",
        "Proven step sizes of random nets with two, three and four layers",
        "Nguegnang, Rauhut & Terstiege (2021), experiment, Figures 4 and 5",
    ),
    "divergence-step-sizes": Entry(
        "gradient_descent.divergence_step_sizes",
        "The doubled step sizes at which random nets first diverge",
        "Nguegnang, Rauhut & Terstiege (2021), experiment, Figure 6",
    ),
    "norm-inequality": Entry(
        "gradient_descent.norm_inequality",
        "How far layers can outgrow their product, in units of balancedness",
        "Nguegnang, Rauhut & Terstiege (2021), Proposition 3.2, equation (29)",
    ),
    "step-size-example": Entry(
        "gradient_descent.step_size_example",
        "A worked step size, and which of its numbers agree",
        "Nguegnang, Rauhut & Terstiege (2021), Theorem 2.4, worked example",
    ),
    # no poor local minima
    "small-net": Entry(
        "no_poor_minima.small_net",
        "Critical points of two layers of width two, and their curvatures",
        "Kawaguchi (2016), Theorem 2.3, example 1.3.1",
    ),
    "one-layer-convexity": Entry(
        "no_poor_minima.one_layer_convexity",
        "Convex in one layer with the others held fixed, not in all together",
        "Baldi & Lu (2012); Kawaguchi (2016), Theorem 2.3 (i)",
    ),
    "deficient-data": Entry(
        "no_poor_minima.deficient_data",
        "Equal eigenvalues, deficient XYᵀ, and what disturbing the data does",
        "Kawaguchi (2016), Theorem 2.3, remark 1.3.1",
    ),
    "residual-counterexamples": Entry(
        "no_poor_minima.residual_counterexamples",
        "Two maps given as counterexamples to the bound on residual layers",
        "Hardt & Ma (2017), Theorem 2.1, counterexamples 2.3.1 and 2.3.2",
    ),
    "residual-one-layer": Entry(
        "no_poor_minima.residual_one_layer",
        "The strengthened bound for one residual layer, and its tightness",
        "Hardt & Ma (2017), Theorem 2.1 at l = 1",
    ),
    "residual-norms": Entry(
        "no_poor_minima.residual_norms",
        "Norms of residual layers over their number, beside (4π + 3γ)/l",
        "Hardt & Ma (2017), Theorem 2.1",
    ),
    "residual-descents": Entry(
        "no_poor_minima.residual_descents",
        "The share of descents from the identity that stay in the ball",
        "Hardt & Ma (2017), Theorem 2.2",
    ),
    # a residual network beside them
    "resnet-weight-decay": Entry(
        "residual_network.weight_decay",
        "ResNet-18, a linear regressor and deep linear nets under weight decay",
        "Ziyin, Li & Meng (2022), Figure 1 (right)",
        data="CIFAR-10's binary version: data_batch_1.bin to data_batch_5.bin",
    ),
}


def reproduce(
    name: str,
    *,
    quick: bool = False,
    seed: int = 0,
    data: Path | None = None,
    advance: Advance | None = None,
) -> Reproduction:
    """Compute the numbers of a figure and check its source's claims.

    Parameters
    ----------
    name : str
        A key of `CATALOGUE`.
    quick : bool, default False
        Fewer runs and coarser grids, for a look in seconds; the claims are then checked on those.
    seed : int, default 0
        From which all random numbers come.
    data : Path, optional
        A folder of data, for the figures whose entry says that they take one.
    advance : callable, optional
        Told the fraction done, from 0 to 1.

    Returns
    -------
    Reproduction
        Computed with one BLAS thread.

    Raises
    ------
    InvalidOption
        If the catalogue has no such name, or the figure takes no data.
    MissingDependency
        If the figure needs an extra that is not installed.
    """
    run = cast(Callable[..., Reproduction], _part(name, "run"))
    options: dict[str, Any] = {"quick": quick, "seed": seed, "advance": advance or _ignore}
    if data is not None:
        if not CATALOGUE[name].data:
            raise InvalidOption(f"the figure {name!r} takes no data; leave data out")
        options["data"] = data
    with threadpool_limits(limits=1):  # small matrices: threads that wait for each other cost more
        return replace(run(**options), quick=quick)


def draw(found: Reproduction) -> "Figure":
    """Draw a reproduction as its source does, and what was computed beside it.

    Parameters
    ----------
    found : Reproduction
        Of :func:`reproduce`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    MissingDependency
        If matplotlib is not installed.
    """
    return cast("Callable[[Reproduction], Figure]", _part(found.name, "draw"))(found)


def _part(name: str, part: str) -> object:
    if name not in CATALOGUE:
        raise InvalidOption(
            f"no figure is called {name!r}; the names are {', '.join(sorted(CATALOGUE))}"
        )
    return getattr(importlib.import_module(f"linscape.figures.{CATALOGUE[name].module}"), part)


def _ignore(_: float) -> None:
    pass
