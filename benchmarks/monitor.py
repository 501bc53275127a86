"""The training monitor: what it costs, and how often it is wrong.

Cost: 5,000 steps of SGD on a net of three 512-unit layers, ReLU between them, batches of 64,
cross-entropy, with and without a monitor, in alternating blocks of 100 steps.

Errors: 200 runs of small nets (5-16-16-1; linear, linear with dropout 0.2, ReLU, tanh; 50 each),
256 rows of a noisy linear target, batches of 32, a step of 0.02, half of the decay that `diagnose`
names as the largest that learns, from PyTorch's default weights at 1/2 to 2 times the critical gain
of that start, 6,000 steps. A run has collapsed if its largest norm came below a hundredth of its
start, has learned if its loss in evaluation is below 0.9 of that at zero, and is open otherwise. A
miss is a collapse without a warning, a false alarm a warning in a run that learned. All of this was
written down before the first run.
"""

import collections
import math
import statistics
import time
import warnings

import torch
from torch import nn

from linscape.torch import diagnose
from linscape.torch.monitoring import CollapseWarning, Monitor

STEPS, BLOCK, BATCH = 5000, 100, 64
RUNS, ROWS, LONG, RATE = 50, 256, 6000, 0.02
KINDS = ("linear", "linear, dropout 0.2", "ReLU", "tanh")


def run(steps: int = STEPS, runs: int = RUNS) -> dict[str, float]:
    """Print the errors, and return the seconds of the steps without and with the monitor."""
    torch.set_num_threads(1)
    errors(runs)
    return overhead(steps)


def overhead(steps: int = STEPS) -> dict[str, float]:
    """Train two copies of a net by turns, one of them watched."""
    x, y = torch.randn(4096, 512), torch.randint(10, (4096,))
    nets = [_net() for _ in range(2)]
    optimizers = [_sgd(net, 0.05, 1e-3) for net in nets]
    loss = nn.CrossEntropyLoss()
    monitor = Monitor(nets[1], [(x, y)], loss=loss, optimizer=optimizers[1])
    blocks: tuple[list[float], list[float]] = ([], [])
    inside = 0.0

    def block(which: int, first: int) -> float:
        nonlocal inside
        begin = time.perf_counter()
        for k in range(first, first + BLOCK):
            rows = slice(BATCH * k % 4096, BATCH * k % 4096 + BATCH)
            _step(nets[which], x[rows], y[rows], loss, optimizers[which])
            if which:
                entered = time.perf_counter()
                monitor.step()
                inside += time.perf_counter() - entered
        return time.perf_counter() - begin

    for which in (0, 1):  # warm up
        block(which, 0)
        blocks[which].clear()
    inside = 0.0
    for turn, first in enumerate(range(0, steps, BLOCK)):
        for which in (0, 1) if turn % 2 else (1, 0):
            blocks[which].append(block(which, first))
    ratios = [watched / plain for plain, watched in zip(*blocks, strict=True)]
    plain, watched = map(sum, blocks)
    print(
        f"  {steps} steps: {watched / plain - 1:+.2%} in all, {statistics.median(ratios) - 1:+.2%} "
        f"in the median pair of blocks; {inside / watched:.2%} of the time inside monitor.step()"
    )
    return {"torch: steps of SGD": plain, "torch: the same steps, watched": watched}


def errors(runs: int = RUNS) -> dict[str, dict[str, int]]:
    """Count misses and false alarms around the critical gain."""
    table = {}
    for kind in KINDS:
        counts: collections.Counter[str] = collections.Counter()
        leads: dict[str, list[float]] = {"proven": [], "numerical": []}
        for seed in range(runs):
            end, monitor, gone = _watched(kind, seed)
            found = monitor.warning
            word = "no warning" if found is None else "proven" if found.proven else "numerical"
            counts[f"{end}, {word}"] += 1
            if end == "collapsed" and found is not None:
                leads[word].append(found.step / gone)
        table[kind] = dict(counts)
        print(f"  {kind}: {dict(sorted(counts.items()))}")
        for word, shares in leads.items():
            if shares:
                print(
                    f"    {word}: warned after {statistics.median(shares):.0%} of the steps to "
                    "collapse (median)"
                )
    return table


def _watched(kind: str, seed: int) -> tuple[str, Monitor, int]:
    """Train one small net; return its end, its monitor, and when its norms were gone."""
    torch.manual_seed(seed)
    x = torch.randn(ROWS, 5)
    y = x @ torch.randn(5, 1) / 5**0.5 + 0.3 * torch.randn(ROWS, 1)
    net, loss, data = _small(kind), nn.MSELoss(), [(x, y)]
    level = diagnose(net, data, loss=loss, optimizer=_sgd(net, RATE, 0.1)).limits.weight_decay
    optimizer = _sgd(net, RATE, level / 2)
    gain = diagnose(net, data, loss=loss, optimizer=optimizer).ending.numbers["critical_gain"]
    factor = 2 ** float(2 * torch.rand(()) - 1)
    with torch.no_grad():
        for layer in _layers(net):
            layer.weight *= factor * (gain if gain and math.isfinite(float(gain)) else 1.0)
    monitor = Monitor(net, data, loss=loss, optimizer=optimizer)
    before, gone = _largest(net), LONG
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)
        for step in range(LONG):
            rows = torch.randint(ROWS, (32,))
            _step(net, x[rows], y[rows], loss, optimizer)
            monitor.step()
            if step % 100 == 99 and _largest(net) < 1e-2 * before:
                gone = step + 1
                break
    net.eval()
    with torch.no_grad():
        learned = float(loss(net(x), y)) < 0.9 * float(y.square().mean())
    end = "collapsed" if _largest(net) < 1e-2 * before else "learned" if learned else "open"
    return end, monitor, gone


def _step(
    net: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    loss: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> None:
    optimizer.zero_grad()
    loss(net(x), y).backward()
    optimizer.step()


def _net() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(512, 512, bias=False),
        nn.ReLU(),
        nn.Linear(512, 512, bias=False),
        nn.ReLU(),
        nn.Linear(512, 512, bias=False),
        nn.ReLU(),
        nn.Linear(512, 10, bias=False),
    )


def _small(kind: str) -> nn.Sequential:
    steps: list[nn.Module] = []
    for before, after in ((5, 16), (16, 16), (16, 1)):
        steps.append(nn.Linear(before, after, bias=False))
        if after > 1 and kind != "linear":
            steps.append({"ReLU": nn.ReLU, "tanh": nn.Tanh}.get(kind, lambda: nn.Dropout(0.2))())
    return nn.Sequential(*steps)


def _sgd(net: nn.Module, rate: float, decay: float) -> torch.optim.SGD:
    return torch.optim.SGD(net.parameters(), lr=rate, weight_decay=decay)


def _layers(net: nn.Module) -> list[nn.Linear]:
    return [module for module in net.modules() if isinstance(module, nn.Linear)]


def _largest(net: nn.Module) -> float:
    return max(float(layer.weight.detach().norm()) for layer in _layers(net))
