"""The global minimum, against training: L-BFGS restarts of the same averaged loss in PyTorch.

Two hidden layers of 128 units, 100 inputs, dropout 0.2, decay a tenth of the critical one. The
restarts try ten scales of Gaussian weights between 0.1 and 3 times Kaiming's.
"""

import time

import numpy as np
import torch

import linscape as ls

SHARES = (1e-3, 1e-6, 1e-9)
HIDDEN = (128, 128)
NOISE = ls.dropout(0.2)


def run(inputs: int = 100, restarts: int = 10) -> dict[str, float]:
    problem = _problem(inputs)
    start = time.perf_counter()
    minimum = ls.global_minimum(problem)
    ours = time.perf_counter() - start
    generator = torch.Generator().manual_seed(0)
    scales = np.geomspace(0.1, 3.0, restarts)
    histories = [_descend(problem, float(scale), generator) for scale in scales]
    second_moment = float(problem.moments.yy)
    ends = [(history[-1][1] - minimum.lower) / second_moment for history in histories]
    collapsed = sum(abs(history[-1][1] - second_moment) < 1e-9 for history in histories)
    print(f"  {collapsed} of {restarts} restarts ended at zero; best end {min(ends):.1e} above")
    result = {"linscape: exact, to 1e-12": ours}
    total = sum(history[-1][0] for history in histories)
    for share in SHARES:
        bound = minimum.lower + share * second_moment
        times = [t for t in (_reached(history, bound) for history in histories) if t is not None]
        if times:
            result[f"L-BFGS: fastest restart within {share:.0e}"] = min(times)
    result[f"L-BFGS: all {restarts} restarts"] = total
    return result


def _problem(inputs: int) -> ls.Problem:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((10 * inputs, inputs)) * np.geomspace(1, 0.1, inputs)
    y = X @ rng.standard_normal(inputs) + rng.standard_normal(len(X))
    moments = ls.Moments.from_arrays(X, y).standardized()
    draft = ls.Problem(moments, ls.Network(HIDDEN, noise=NOISE, weight_decay=1.0))
    decay = 0.1 * ls.critical_weight_decay(draft).learning
    return ls.Problem(moments, ls.Network(HIDDEN, noise=NOISE, weight_decay=decay))


def _descend(
    problem: ls.Problem, scale: float, generator: torch.Generator
) -> list[tuple[float, float]]:
    """Return (seconds, loss) after each evaluation."""
    A, c = torch.tensor(np.array(problem.moments.A)), torch.tensor(np.array(problem.moments.C))
    yy, decay = float(problem.moments.yy), problem.network.weight_decay[0]
    weights = [
        torch.randn(shape, generator=generator, dtype=torch.float64) * scale * (2 / shape[1]) ** 0.5
        for shape in problem.shapes
    ]
    for weight in weights:
        weight.requires_grad_(True)
    optimizer = torch.optim.LBFGS(
        weights,
        max_iter=5000,
        max_eval=10_000,
        history_size=20,
        tolerance_grad=1e-9,
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )
    history: list[tuple[float, float]] = []
    start = time.perf_counter()

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        S, cross = A, c
        for W in weights[:-1]:
            N = W @ S @ W.T
            S, cross = N + NOISE * torch.diag(torch.diagonal(N)), W @ cross
        U = weights[-1]
        loss = (U @ S @ U.T).squeeze() - 2 * (U @ cross).squeeze() + yy
        loss = loss + decay * sum((W**2).sum() for W in weights)
        loss.backward()
        history.append((time.perf_counter() - start, float(loss.detach())))
        return loss

    optimizer.step(closure)
    return history


def _reached(history: list[tuple[float, float]], bound: float) -> float | None:
    return next((seconds for seconds, loss in history if loss <= bound), None)
