"""Step sizes from which gradient descent is proven to converge."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.arguments import guarded
from linscape.dynamics.balance import balancedness
from linscape.errors import InvalidOption, NoExactSolution, OutOfRange
from linscape.landscape.interval import json_value
from linscape.problem import Problem

Array = NDArray[np.float64]

SOURCE = "Nguegnang, Rauhut & Terstiege (2021), Theorem 2.4, with M = (√(2L_0) + ‖Y‖₂)/σ_min(X)"


@dataclass(frozen=True, eq=False)
class SafeStepSize:
    """A step size proven safe, with every constant of the proof.

    X and Y are the data in units in which L = ½‖Y − UW_D⋯W_1X‖_F². All fields but `layers`,
    `input_norm`, `least_singular_value`, `output_norm`, `cross_norm` and `source` are floats, or
    arrays over the batch axes of the weights.

    Attributes
    ----------
    step_size : float or ndarray
        η = 2(1 − α)δ/(4L_0 + (1 − α)δB).
    delta : float or ndarray
        δ, as given or as it makes η largest.
    alpha : float or ndarray
        α = balancedness/δ, 0 ≤ α < 1.
    balancedness : float or ndarray
        max_j ‖Δ_j‖₂ at the start.
    loss : float or ndarray
        L_0, the loss at the start.
    layers : int
        N.
    product_bound : float or ndarray
        M, a bound on ‖U W_D ⋯ W_1‖₂ as long as the loss does not rise.
    layer_bound : float or ndarray
        K = M^{2/N} + (N + 1)²δ, a bound on ‖W_j‖₂².
    curvature_bound : float or ndarray
        B = 2eN K^{N−1}‖X‖² + √e N K^{N/2−1}‖XYᵀ‖, a bound on the Hessian along the steps.
    suggested_delta : float or ndarray
        M^{2/N}/(N(N + 1)²), the choice suggested with the theorem.
    suggested_step_size : float or ndarray
        η for it; 0 where the start is not balanced enough for it.
    input_norm, least_singular_value, output_norm, cross_norm : float
        ‖X‖₂, σ_min(X) (lowered by its rounding error), ‖Y‖₂ and ‖XYᵀ‖₂.
    source : str
        The theorem.
    """

    step_size: float | Array
    delta: float | Array
    alpha: float | Array
    balancedness: float | Array
    loss: float | Array
    layers: int
    product_bound: float | Array
    layer_bound: float | Array
    curvature_bound: float | Array
    suggested_delta: float | Array
    suggested_step_size: float | Array
    input_norm: float
    least_singular_value: float
    output_norm: float
    cross_norm: float
    source: str = SOURCE

    def to_dict(self) -> dict[str, Any]:
        """Return all constants ready for JSON."""
        plain = {name: np.asarray(value).tolist() for name, value in vars(self).items()}
        result: dict[str, Any] = json_value(plain)
        return result


@dataclass(frozen=True)
class _Theorem:
    """The constants that are the same for every start."""

    layers: int
    input_norm: float
    least_singular_value: float
    output_norm: float
    cross_norm: float

    def product_bound(self, loss: Array) -> Array:
        bound: Array = (np.sqrt(2 * loss) + self.output_norm) / self.least_singular_value
        return bound

    def layer_bound(self, M: Array, delta: Array) -> Array:
        bound: Array = M ** (2 / self.layers) + (self.layers + 1) ** 2 * delta
        return bound

    def curvature_bound(self, K: Array) -> Array:
        N = self.layers
        quadratic = 2 * math.e * N * K ** (N - 1) * self.input_norm**2
        bound: Array = quadratic + math.sqrt(math.e) * N * K ** (N / 2 - 1) * self.cross_norm
        return bound

    def step_size(self, M: Array, loss: Array, start: Array, delta: Array) -> Array:
        """Return the largest step of the theorem, 0 where α ≥ 1."""
        spare = np.maximum(delta - start, 0)  # (1 − α)δ
        bound = 4 * loss + spare * self.curvature_bound(self.layer_bound(M, delta))
        zero = np.zeros_like(spare)
        return np.asarray(np.divide(2 * spare, bound, out=zero, where=spare > 0))

    def best_delta(self, M: Array, loss: Array, start: Array) -> Array:
        """Return the δ of the largest step, for one net.

        1/η = 2L_0/x + B/2 in x = δ − start has one minimum: x²B′(x) grows with x.
        """
        from scipy.optimize import brentq

        N, slope = self.layers, (self.layers + 1) ** 2
        # the scale of x: from where on x alone makes K grow
        unit = float(M ** (2 / N) + slope * start) / slope

        def rise(log_x: float) -> float:
            x = np.exp(log_x)
            K = slope * (unit + x)
            first = 2 * math.e * N * (N - 1) * K ** (N - 2) * self.input_norm**2
            second = math.sqrt(math.e) * N * (N / 2 - 1) * K ** (N / 2 - 2) * self.cross_norm
            return float(x * x * slope * (first + second) / (4 * loss) - 1)

        if loss == 0:  # a minimum: the largest step is the limit x → 0
            return np.asarray(start + 1e-9 * unit)
        low = high = math.log(unit)
        while rise(low) > 0:
            low -= 4
        while rise(high) < 0:
            high += 4
        best = start + math.exp(brentq(rise, low, high)) if low < high else start + unit
        return np.asarray(best)


@guarded
def safe_step_size(
    problem: Problem, weights: Sequence[ArrayLike], *, delta: float | None = None
) -> SafeStepSize:
    r"""Return a constant step size from which descent provably converges to a critical point.

    Let L = ½‖Y − UW_D⋯W_1X‖_F², N = D + 1 ≥ 2 layers, XXᵀ of full rank, and start from weights
    with max_j ‖Δ_j‖₂ = αδ for some δ > 0, 0 ≤ α < 1. If

    .. math:: η ≤ \frac{2(1−α)δ}{4L_0 + (1−α)δB},  B = 2eN K^{N−1}‖X‖² + √e N K^{N/2−1}‖XYᵀ‖,
              K = M^{2/N} + (N+1)²δ,  M = \frac{\sqrt{2L_0} + ‖Y‖}{σ_{\min}(X)},

    (spectral norms), the loss falls at every step of gradient descent, the balancedness stays
    below δ, and the weights converge to a critical point; for N = 2, to a global minimum from
    almost every start.

    δ is free. Given, it is used; else it is the one that makes η largest, found from
    1/η = 2L_0/(δ − αδ) + B(δ)/2, which has one minimum. So every start has a safe step, which
    shrinks as the start gets less balanced. Sums and means of any factor are the same theorem:
    for the data term c E‖f − y‖² over n rows X and Y are scaled by √(2c/n), and only E[xxᵀ],
    E[xyᵀ], E[yyᵀ] enter. The printed M of a later account, √(2‖Y − WX‖ + ‖Y‖)/σ_min, is unsafe:
    N = 3, x = 1, y = 10⁴, W_j = 0.999·y^{1/3} diverges.

    Parameters
    ----------
    problem : Problem
        At least one hidden layer; no noise on hidden units, no decay, no biases.
    weights : sequence of array_like
        The start; batch axes in front for several.
    delta : float, optional
        δ > 0.

    Returns
    -------
    SafeStepSize
        η and every constant.

    Raises
    ------
    NoExactSolution
        If a hypothesis fails: the message names it.
    InvalidWeights
        If the weights do not fit the network.
    OutOfRange
        If a bound is too large for a 64-bit float.
    InvalidOption
        If `delta` is not a positive finite number.

    References
    ----------
    Nguegnang, Rauhut & Terstiege (2021), *Convergence of gradient descent for learning linear
    neural networks*, Theorem 2.4.

    Examples
    --------
    x = y = 1, N = 2 and the minimum w = u = 1: L_0 = 0, M = 1, and as δ → 0 the bound goes to
    2/B = 2/(4e + 2√e); the Hessian 2/λ_max allows 1.

    >>> import linscape as ls
    >>> moments, network = ls.Moments([[1.0]], [1.0], 1.0, n=1), ls.Network(hidden=(1,))
    >>> problem = ls.Problem(moments, network, reduction="half_sum")
    >>> safe = safe_step_size(problem, [[[1.0]], [[1.0]]], delta=1e-9)
    >>> math.isclose(safe.step_size, 2 / (4 * math.e + 2 * math.sqrt(math.e)), rel_tol=1e-6)
    True
    """
    if delta is not None and not 0 < delta < math.inf:
        raise InvalidOption(f"delta must be a positive finite number, got {delta!r}")
    theorem = _theorem(problem)
    loss = np.maximum(problem.loss(weights), 0.0)  # of a perfect fit, rounding may be below zero
    start = np.asarray(balancedness(weights))
    with np.errstate(over="ignore"):
        M = theorem.product_bound(loss)
        suggested = M ** (2 / theorem.layers) / (theorem.layers * (theorem.layers + 1) ** 2)
        chosen = _deltas(theorem, M, loss, start, delta)
        K = theorem.layer_bound(M, chosen)
        B = theorem.curvature_bound(K)
        step = theorem.step_size(M, loss, start, chosen)
        simple = theorem.step_size(M, loss, start, suggested)
    if not (np.isfinite(B).all() and np.isfinite(step).all()):
        raise OutOfRange(
            "the bounds of the theorem are too large for a 64-bit float; rescale data or weights"
        )
    return SafeStepSize(
        step_size=_plain(step),
        delta=_plain(chosen),
        alpha=_plain(start / chosen),
        balancedness=_plain(start),
        loss=_plain(loss),
        product_bound=_plain(M),
        layer_bound=_plain(K),
        curvature_bound=_plain(B),
        suggested_delta=_plain(suggested),
        suggested_step_size=_plain(simple),
        **asdict(theorem),
    )


def _plain(values: Array) -> float | Array:
    return float(values) if np.ndim(values) == 0 else np.asarray(values)


def _deltas(theorem: _Theorem, M: Array, loss: Array, start: Array, delta: float | None) -> Array:
    if delta is not None:
        if np.any(start >= delta):
            raise NoExactSolution(
                f"the theorem needs a start of balancedness below delta={delta:g}, got "
                f"{float(start.max()):.6g}; give a larger delta, or none"
            )
        return np.full(loss.shape, delta)
    best = np.empty(loss.shape)
    for net in np.ndindex(loss.shape):
        best[net] = theorem.best_delta(M[net], loss[net], start[net])
    return best


def _theorem(problem: Problem) -> _Theorem:
    """Return the constants of a problem, or refuse it by the hypothesis that fails."""
    network, moments = problem.network, problem.moments
    refused = {
        "noise on hidden units": any(network.noise),
        "weight decay": any(network.weight_decay),
        "biases": network.bias is not False,
    }
    for hypothesis, fails in refused.items():
        if fails:
            raise NoExactSolution(
                f"the step size of the theorem does not cover {hypothesis}; measure "
                "divergence_step_size, or take a step well below 2/sharpness"
            )
    A = np.array(moments.A) * (2 * problem.data_factor)
    A += np.diag(network.input_noise * np.diagonal(A))
    C = np.reshape(moments.C, (len(A), -1)) * (2 * problem.data_factor)
    yy = np.reshape(moments.yy, (moments.outputs,) * 2) * (2 * problem.data_factor)
    values = np.linalg.eigvalsh(A)
    rounding = 4 * len(A) * np.finfo(np.float64).eps * values[-1]
    if values[0] <= 2 * rounding:
        raise NoExactSolution(
            "the theorem needs inputs of full rank, and E[xxᵀ] has eigenvalues from "
            f"{values[0]:.3g} to {values[-1]:.3g}: singular up to rounding; drop dependent inputs"
        )
    if network.depth == 0:
        raise NoExactSolution(
            "the theorem is for at least one hidden layer; a linear model converges for every "
            f"step below 2/λ_max = {2 / values[-1]:.6g}"
        )
    return _Theorem(
        layers=network.depth + 1,
        input_norm=math.sqrt(values[-1]),
        least_singular_value=math.sqrt(values[0] - rounding),
        output_norm=math.sqrt(np.linalg.norm(yy, ord=2)),
        cross_norm=float(np.linalg.norm(C, ord=2)),
    )
