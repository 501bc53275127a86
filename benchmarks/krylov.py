"""Very many inputs: the global minimum by Lanczos, against LSQR and the eigendecomposition.

Sparse: 500,000 × 200,000 with 7·10⁶ entries, two hidden layers with dropout and free biases. The
peer gets the ridge parameter that the minimum turns out to have, which one does not know before,
and the centring as one dense column more; it solves one ridge problem and bounds nothing. Dense:
10,000 inputs from 12,000 rows, and 2,000 from their Gram matrix, where `eigh` is quick enough to
wait for. One thread each.
"""

import numpy as np
import scipy.sparse as sp
from scipy.linalg import eigh
from scipy.sparse.linalg import lsqr
from threadpoolctl import threadpool_limits

import linscape as ls
from benchmarks.timing import interleaved
from linscape.landscape.krylov import krylov_minimum

NETWORK = ls.Network(hidden=(64, 64), noise=ls.dropout(0.2), weight_decay=1e-3, bias="free")
DENSE = ls.Network(hidden=(64, 64), noise=ls.dropout(0.2), weight_decay=0.1)
TOLERANCE = 1e-7  # of LSQR, the largest power of ten that comes within 1e-8 of the loss


def sparse_rows(rows: int, inputs: int, entries: int) -> tuple[sp.csr_array, np.ndarray]:
    rng = np.random.default_rng(0)
    places = rng.integers(0, rows, entries), rng.integers(0, inputs, entries)
    X = sp.csr_array((rng.standard_normal(entries), places), shape=(rows, inputs))
    return X, X @ rng.standard_normal(inputs) + 5 * rng.standard_normal(rows) + 1


def sparse(
    rows: int = 500_000, inputs: int = 200_000, entries: int = 7_000_000
) -> dict[str, float]:
    X, y = sparse_rows(rows, inputs, entries)
    moments = ls.Moments.from_operator(X, y)
    problem = ls.Problem(moments, NETWORK)
    found = krylov_minimum(problem)
    ridge = NETWORK.decay_product * found.energy**-NETWORK.depth / NETWORK.inflation
    centred, rest = with_constant(X, moments, ridge), y - y.mean()

    def peer() -> np.ndarray:
        solution: np.ndarray = lsqr(
            centred, rest, damp=np.sqrt(rows * ridge), atol=TOLERANCE, btol=TOLERANCE
        )[0]
        return solution[:-1] / NETWORK.inflation

    vector = np.ones(inputs)
    steps = found.certificate.steps
    times = interleaved(
        {
            f"linscape: sparse, {steps} steps": lambda: krylov_minimum(problem),
            "scipy: lsqr, the ridge parameter given": peer,
            f"limit: {steps} products with the covariance": lambda: [
                moments.apply_covariance(vector) for _ in range(steps)
            ],
            "linscape: its moments": lambda: ls.Moments.from_operator(X, y),
        },
        rounds=3,
    )
    p = peer()
    excess = attained(problem, p) - found.lower
    print(
        f"  sparse: gap / loss {found.certificate.gap / found.loss:.1e} after {steps} steps; "
        f"lsqr ends {excess / found.loss:.1e} above the lower bound"
    )
    return times


def with_constant(X: sp.csr_array, moments: ls.Moments, ridge: float) -> sp.csr_array:
    """One column more, so large that its coefficient is not shrunk: it takes up the means."""
    size = 1e3 * np.sqrt(ridge)
    return sp.hstack([X, np.full((X.shape[0], 1), size)], format="csr")


def attained(problem: ls.Problem, p: np.ndarray) -> float:
    """Return the loss of the best network with this predictor."""
    moments, network = problem.moments, problem.network
    square = network.inflation * float(p @ moments.apply_covariance(p))
    layers = network.depth + 1
    penalty = layers * (network.decay_product * float(p @ p)) ** (1 / layers)
    linear = 2 * float(p @ moments.covariance_xy)
    return float(moments.covariance_y) + square - linear + penalty


def dense(inputs: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    rows = inputs + inputs // 5
    X = rng.standard_normal((rows, inputs)) * np.geomspace(1, 0.1, inputs)
    y = X @ rng.standard_normal(inputs) + rng.standard_normal(rows)
    return X, y


def run() -> dict[str, float]:
    with threadpool_limits(1):
        small = ls.Problem(ls.Moments.from_arrays(*dense(2_000)), DENSE)
        times = sparse() | interleaved(
            {
                "linscape: 2,000 dense, Lanczos": lambda: krylov_minimum(small),
                "linscape: 2,000 dense, certified": lambda: ls.global_minimum(small),
                "scipy: eigh of 2,000": lambda: eigh(small.moments.A),
            },
            rounds=1,
        )
        large = ls.Problem(ls.Moments.from_operator(*dense(10_000)), DENSE)
        times |= interleaved({"linscape: 10,000 dense, Lanczos": lambda: krylov_minimum(large)}, 1)
        found = krylov_minimum(large)
        print(
            f"  10,000 dense: gap / loss {found.certificate.gap / found.loss:.1e} "
            f"after {found.certificate.steps} steps"
        )
    return times
