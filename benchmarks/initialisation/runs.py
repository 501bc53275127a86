"""The grid, and training of all its nets at once."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import torch

import linscape as ls
from benchmarks.initialisation.starts import (
    INPUTS,
    SCHEMES,
    WIDTH,
    Weights,
    learning_rates,
    started,
)

TARGETS, SHARES, RATES = ("weak", "strong", "even"), (0.1, 0.5, 0.9), (0.0, 0.3)
SIGNALS = {"weak": 0.3, "strong": 0.9}
ROWS, STEPS, MOMENTUM = 32, 1000, 0.9
LEARNING_RATES = (0.003, 0.01, 0.03, 0.1, 0.3)
TUNING, SEEDS = (100,), (0, 1, 2, 3, 4, 5)
WORST = 2.0

Data = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Run:
    """One net to train: where it stands in the grid, its data, start and decay."""

    scheme: str
    target: str
    share: float
    rate: float
    seed: int
    data: Data
    decay: float
    start: Weights | None


def data(target: str, seed: int) -> Data:
    """Draw rows; the inputs and the noise depend on the seed alone."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(ROWS, INPUTS, generator=generator)
    w = torch.randn(INPUTS, generator=generator)
    noise = torch.randn(ROWS, generator=generator)
    z = x @ (w / w.norm())
    signal = SIGNALS.get(target, 0.9)
    if target == "even":
        z = (z.abs() - math.sqrt(2 / math.pi)) / math.sqrt(1 - 2 / math.pi)
    return x, (signal * z + math.sqrt(1 - signal**2) * noise)[:, None]


def critical_decay(activation: str, depth: int, rate: float, rows: Data) -> float:
    """Return λ*; a slope ½ of D hidden layers divides γ* by 4^{D/(D+1)}."""
    moments = ls.Moments.from_arrays(rows[0].double().numpy(), rows[1].double().numpy()[:, 0])
    network = ls.Network((WIDTH,) * depth, noise=ls.dropout(rate))
    slope = 0.5 if activation == "relu" else 1.0
    level = ls.critical_weight_decay(ls.Problem(moments, network)).learning
    return float(2 * level * slope ** (2 * depth / (depth + 1)))


def runs(activation: str, depth: int, seeds: tuple[int, ...]) -> list[Run]:
    """Return every run of a net over cells, seeds and schemes."""
    result = []
    targets = TARGETS[:2] if activation == "linear" else TARGETS
    for target, rate, seed in itertools.product(targets, RATES, seeds):
        rows = data(target, seed)
        linear = data("strong", seed) if target == "even" else rows
        critical = critical_decay(activation, depth, rate, linear)
        for share, scheme in itertools.product(SHARES, SCHEMES):
            decay = share * critical
            start = started(scheme, activation, depth, rate, rows, decay, seed)
            result.append(Run(scheme, target, share, rate, seed, rows, decay, start))
    return result


def final_losses(members: list[Run], rates: list[float], activation: str, depth: int) -> np.ndarray:
    """Train all runs at their learning rates; return their final losses, 1 where refused."""
    losses = np.ones(len(members))
    alive = [k for k, run in enumerate(members) if run.start is not None]
    nets = [members[k] for k in alive]
    weights = _trained(nets, [rates[k] for k in alive], activation, depth)
    x, y = (torch.stack([run.data[k] for run in nets]) for k in (0, 1))
    with torch.no_grad():
        error = (_forward(weights, x, activation, None, None) - y).square().mean(dim=(1, 2))
        relative = (error / y.square().mean(dim=(1, 2))).numpy()
    losses[alive] = np.minimum(np.nan_to_num(relative, nan=WORST, posinf=WORST), WORST)
    return losses


def _trained(nets: list[Run], rates: list[float], activation: str, depth: int) -> Weights:
    x, y = (torch.stack([run.data[k] for run in nets]) for k in (0, 1))
    dropout = _column([run.rate for run in nets])
    decay = _column([run.decay for run in nets])
    factors = [learning_rates(run.scheme, depth) for run in nets]
    steps = [
        _column([rate * factor[k] for rate, factor in zip(rates, factors, strict=True)])
        for k in range(depth + 1)
    ]
    starts = [run.start or [] for run in nets]
    weights = [torch.stack([start[k] for start in starts]) for k in range(depth + 1)]
    velocity = [torch.zeros_like(W) for W in weights]
    generator = torch.Generator().manual_seed(42)
    for _ in range(STEPS):
        for W in weights:
            W.requires_grad_(True)
        f = _forward(weights, x, activation, dropout, generator)
        gradients = torch.autograd.grad((f - y).square().mean(dim=(1, 2)).sum(), weights)
        with torch.no_grad():
            for k, gradient in enumerate(gradients):
                velocity[k] = MOMENTUM * velocity[k] + gradient + decay * weights[k]
                weights[k] = weights[k] - steps[k] * velocity[k]
    return [W.detach() for W in weights]


def _forward(
    weights: Weights,
    x: torch.Tensor,
    activation: str,
    dropout: torch.Tensor | None,
    generator: torch.Generator | None,
) -> torch.Tensor:
    values = x
    for W in weights[:-1]:
        values = torch.bmm(values, W.mT)
        if activation != "linear":
            values = getattr(torch, activation)(values)
        if dropout is not None:
            kept = torch.rand(values.shape, generator=generator) >= dropout
            values = values * kept / (1 - dropout)
    return torch.bmm(values, weights[-1].mT)


def _column(values: list[float]) -> torch.Tensor:
    return torch.tensor(values)[:, None, None]
