"""The smallest eigenvalue of the Hessian of a large net, against the curvature tools of PyTorch.

64 inputs, three hidden layers of 512 units, 10 outputs: 562,176 weights, at random weights, without
noise and decay, which the others do not know. All in float64, to a residual of 1e-6 of the
eigenvalue. hessian-eigenthings does not stop by itself: it is given the steps that linscape needed.
"""

import time
from collections.abc import Callable

import numpy as np
import torch
from curvlinops import HessianLinearOperator
from hessian_eigenthings import HessianOperator, lanczos, supervised_loss
from scipy.sparse.linalg import eigsh

import linscape as ls
from linscape.landscape.curvature import Curvature, curvature

TOLERANCE = 1e-6
_MARGIN = 0.1  # linscape's tolerance is relative to the largest |eigenvalue|: the same or stricter


def run(
    rows: int = 1000, inputs: int = 64, hidden: tuple[int, ...] = (512, 512, 512), outputs: int = 10
) -> dict[str, float]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, inputs))
    Y = X @ rng.standard_normal((inputs, outputs)) / 8 + rng.standard_normal((rows, outputs))
    problem = ls.Problem(ls.Moments.from_arrays(X, Y), ls.Network(hidden))
    weights = ls.random_weights(problem, scheme="lecun", rng=0)
    model, data = _model(weights), (torch.from_numpy(X), torch.from_numpy(Y))
    found: list[Curvature] = []

    def ours() -> float:
        fresh = ls.Problem(ls.Moments.from_arrays(X, Y), ls.Network(hidden))
        found[:] = [curvature(fresh, weights, tolerance=_MARGIN * TOLERANCE)]
        return found[0].smallest.value

    def through_curvlinops() -> float:
        parameters = [p for p in model.parameters() if p.requires_grad]
        operator = HessianLinearOperator(
            model, torch.nn.MSELoss(), parameters, [data], check_deterministic=False
        )
        values = eigsh(operator.to_scipy(), k=1, which="SA", tol=TOLERANCE)[0]
        return outputs * float(values[0])  # its loss is the mean over outputs as well

    def through_eigenthings() -> float:
        operator = HessianOperator(model, [data], supervised_loss(torch.nn.MSELoss()))
        result = lanczos(
            operator,
            k=1,
            which="SA",
            max_iter=found[0].iterations,
            tol=TOLERANCE,
            reorthogonalize=True,
            seed=0,
        )
        print(f"  hessian-eigenthings: converged {bool(result.converged[0])}")
        return outputs * float(result.eigenvalues[0])

    curvature(problem, weights, max_iterations=5)
    contenders = {
        "linscape: curvature (both ends)": ours,
        "curvlinops + scipy eigsh": through_curvlinops,
        "hessian-eigenthings: lanczos": through_eigenthings,
    }
    return _timed(contenders)


def _model(weights: list[np.ndarray]) -> torch.nn.Sequential:
    layers = []
    for W in weights:
        layer = torch.nn.Linear(W.shape[1], W.shape[0], bias=False, dtype=torch.float64)
        layer.weight.data = torch.from_numpy(W.copy())
        layers.append(layer)
    return torch.nn.Sequential(*layers)


def _timed(contenders: dict[str, Callable[[], float]]) -> dict[str, float]:
    """Return seconds of one run each: the others take a minute and more."""
    times, values = {}, {}
    for name, contender in contenders.items():
        start = time.perf_counter()
        values[name] = contender()
        times[name] = time.perf_counter() - start
    reference = next(iter(values.values()))
    worst = max(abs(value / reference - 1) for value in values.values())
    print(f"  smallest eigenvalue {reference:.10g}; the three differ by {worst:.1e} of it")
    return times
