"""ResNet-18, a linear regressor and deep linear nets as the weight decay grows.

After the right panel of Figure 1 of Ziyin, Li & Meng (2022), whose settings are in their Appendix
A. Here the images are scikit-learn's digits and the ResNet is narrow; CIFAR-10 and the full width
are for a machine that has them.

The plan, fixed on 2026-11-22 before the first full run
-------------------------------------------------------
- ResNet-18 with cross-entropy, all parameters decayed; linear nets of width 32 without biases with
  ``MSELoss`` on one-hot targets, which is the theory's loss: γ = 5λ, λ being PyTorch's decay. The
  source does not print its loss; the training that it cites uses cross-entropy.
- SGD, momentum 0.9, batches of 256, random crops (padding 1 of 8 pixels, as 4 of 32), no mirroring
  of digits. The learning rate is the one of .001, .002, .005, .01 whose training loss after a few
  epochs at the smallest decay is lowest, searched for each model apart.
- Ten seeds for every decay. Training stops when the means of the loss over the last two windows of
  epochs differ by at most the tolerance (`Stopping`), or after a largest number of epochs
  (`plan.DIGITS`; the source trains for 100). Loss and accuracy are the means over the last
  window, on the crops met in training.
- A model is called trivial where its mean accuracy over the seeds is below 0.15 (chance is 0.1).
- The depths are 0, 1 and 5: the source puts the effective depth of a ResNet-18 between its five
  bottlenecks and its 18 layers. Each linear net has, beside the common decays, four about its own
  predicted transition.
"""

from dataclasses import asdict
from functools import partial as partial_of
from pathlib import Path
from typing import Any

import numpy as np

from linscape.errors import MissingDependency

try:
    import torch
except ImportError as error:
    raise MissingDependency(
        "the figure resnet-weight-decay needs PyTorch, which is not installed; "
        'pip install "linscape[torch]"'
    ) from error

from linscape.figures.catalogue import CATALOGUE
from linscape.figures.reproduction import Advance, Reproduction
from linscape.figures.residual_network.arithmetic import flushed, on_threads
from linscape.figures.residual_network.claims import claims
from linscape.figures.residual_network.images import Images, cifar10, digits
from linscape.figures.residual_network.linear import WIDTH, train_linear
from linscape.figures.residual_network.many import Training, train_all
from linscape.figures.residual_network.picture import draw
from linscape.figures.residual_network.plan import CIFAR, DIGITS, QUICK, Plan
from linscape.figures.residual_network.prediction import (
    augmented_moments,
    learning_ends,
    objectives,
)
from linscape.figures.residual_network.results import LinearResults, Results
from linscape.figures.residual_network.stopping import Stopping
from linscape.moments import Moments

__all__ = ["draw", "run"]

NAME = "resnet-weight-decay"
_LINEAR_SHARE = 0.2  # of the time


def run(
    *,
    quick: bool = False,
    seed: int = 0,
    data: Path | None = None,
    partial: Path | None = None,
    advance: Advance = lambda _: None,
) -> Reproduction:
    """Train all models at all weight decays.

    Parameters
    ----------
    quick : bool, default False
        A look in seconds, in which no model is trained to its end.
    seed : int, default 0
        From which all random numbers come.
    data : Path, optional
        A folder with CIFAR-10's binary version, instead of the digits.
    partial : Path, optional
        A folder in which the residual networks' endings are kept as they come, so that a run that
        was stopped goes on.
    advance : callable
        Told the fraction done.

    Raises
    ------
    MissingDependency
        Without PyTorch, or without scikit-learn if no data are given.
    UnreadableFile, InvalidData
        If the folder does not hold CIFAR-10's files.
    """
    images = digits() if data is None else cifar10(Path(data))
    plan = QUICK if quick else DIGITS if data is None else CIFAR
    moments = augmented_moments(images)
    seeds = np.random.SeedSequence(seed).generate_state(plan.seeds).tolist()
    linear = []
    threads = 1 if data is None else torch.get_num_threads()
    with flushed(), on_threads(threads):
        for k, depth in enumerate(plan.depths):
            linear.append(_linear(plan, images, moments, depth, seeds))
            advance(_LINEAR_SHARE * (k + 1) / len(plan.depths))
        residual = _residual(
            plan,
            images,
            seeds,
            partial,
            lambda done: advance(_LINEAR_SHARE + (1 - _LINEAR_SHARE) * done),
        )
    rates = {f"linear_{found.depth}": found.learning_rate for found in linear}
    rates["resnet"] = residual.learning_rate
    named = {f"linear_{found.depth}": found.arrays() for found in linear}
    named["resnet"] = residual.arrays()
    return Reproduction(
        NAME,
        CATALOGUE[NAME].title,
        CATALOGUE[NAME].source,
        {"images": images.name, "rows": len(images.labels), **asdict(plan), "rate": rates},
        seed,
        {f"{model}_{key}": array for model, part in named.items() for key, array in part.items()},
        claims(linear, residual),
    )


def _linear(
    plan: Plan, images: Images, moments: Moments, depth: int, seeds: list[int]
) -> LinearResults:
    """Search the learning rate for one depth, then train it at all decays."""
    hidden = (WIDTH,) * depth
    ends = learning_ends(moments, hidden)
    near = [factor * ends for factor in plan.linear_factors] if depth else []
    decays = np.sort([*plan.linear_weight_decays, *near])
    train = partial_of(train_linear, images, hidden=hidden)
    tried = {
        rate: train(
            learning_rate=rate,
            weight_decays=plan.linear_weight_decays[:1],
            stopping=_brief(plan),
            seeds=seeds[:1],
        ).loss.item()
        for rate in plan.rates
    }
    rate = _lowest(tried)
    endings = train(
        learning_rate=rate,
        weight_decays=decays.tolist(),
        stopping=plan.linear_stopping,
        seeds=seeds,
    )
    return LinearResults(
        learning_rate=rate,
        weight_decay=decays,
        loss=endings.loss,
        accuracy=endings.accuracy,
        epochs=np.full(endings.loss.shape, endings.epochs),
        rested=endings.rested,
        depth=depth,
        learning_ends=ends,
        objective=objectives(moments, endings.weights, decays),
    )


def _residual(
    plan: Plan, images: Images, seeds: list[int], partial: Path | None, advance: Advance
) -> Results:
    """Search the learning rate, then train: all decays of one seed before the next seed."""
    train = partial_of(train_all, images=images, processes=plan.processes, partial=partial)
    search = [
        Training(plan.width, rate, plan.weight_decays[0], _brief(plan), seeds[0])
        for rate in plan.rates
    ]
    tried = train(search, advance=lambda _: None)
    rate = _lowest({used: ending.loss for used, ending in zip(plan.rates, tried, strict=True)})
    trainings = [
        Training(plan.width, rate, decay, plan.stopping, seed)
        for seed in seeds
        for decay in plan.weight_decays
    ]
    endings = train(trainings, advance=advance)

    def table(name: str) -> np.ndarray[Any, Any]:
        values = np.array([getattr(ending, name) for ending in endings])
        return values.reshape(len(seeds), -1).T

    return Results(
        learning_rate=rate,
        weight_decay=np.array(plan.weight_decays),
        loss=table("loss"),
        accuracy=table("accuracy"),
        epochs=table("epochs"),
        rested=table("rested"),
    )


def _brief(plan: Plan) -> Stopping:
    """Never at rest: its loss is the mean over the later half of the search's epochs."""
    return Stopping(plan.search_epochs // 2 + 1, tolerance=0.0, epochs=plan.search_epochs)


def _lowest(losses: dict[float, float]) -> float:
    """Return the rate with the lowest loss; one that diverged is not a number."""
    return min(losses, key=lambda rate: np.nan_to_num(losses[rate], nan=np.inf))
