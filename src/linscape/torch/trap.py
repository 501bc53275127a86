"""The proven trap of a model: how far its weights' norms are from a set that flows to zero."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from linscape.landscape.convex_trap import convex_trap_radius, relu_trap_radius
from linscape.landscape.trap import TrapRadius, in_trap, trap_radius
from linscape.torch.answer import Answer
from linscape.torch.setting import Setting

TRAP = "norms under gradient flow, docs/trap.md"
WITH_BIAS = "norms under gradient flow with a bias at the output, docs/torch.md"

_ROUNDING = 1e-9  # of a norm in 64-bit floats, taken against the claim
_CENTRED = 1e-10  # of E[x]²/E[x²], as in reading.py


@dataclass(frozen=True)
class Trap:
    """Sets of weights that gradient flow of the averaged loss takes to zero.

    Attributes
    ----------
    radius : float
        max_k ‖W_k‖_F below it flows to zero; infinity if everything does, 0 if nothing is proven.
    basis : str
        What that rests on.
    """

    radius: float
    basis: str
    _margin: Callable[[Sequence[float]], float] | None = None

    def margin(self, norms: Sequence[float]) -> float:
        """Return the factor up to which layers of these norms are in the trap; above 1 they are."""
        if self._margin is not None:
            return self._margin(norms)
        largest = max(norms)
        if self.radius == math.inf:
            return math.inf
        return math.inf if largest == 0 and self.radius > 0 else self.radius / (largest or 1.0)


def proven_trap(setting: Setting) -> Trap | str:
    """Return the trap of a model at its data, or the reason why none is proven."""
    reading = setting.reading
    if reading.decoupled:
        return str(setting.refusal)
    if reading.depth == 0:
        return "without a hidden layer the loss is convex, and nothing is trapped"
    if reading.bias in ("decayed", "free"):
        return "no trap is proven for nets with hidden biases"
    if reading.kind in ("smooth", "mixed"):
        names = ", ".join(sorted({one.name for one in reading.activations if one is not None}))
        return f"no trap is proven for {names}"
    if reading.kind == "homogeneous":
        return _homogeneous(setting)
    if reading.bias == "output":
        return _beside_a_bias(setting)
    if setting.is_square:
        found = trap_radius(setting.problem)
        return Trap(found.radius, TRAP, lambda norms: _square_margin(found, norms))
    return _convex(setting, setting.signal, TRAP)


def trap_answer(setting: Setting, phase: Answer) -> Answer:
    """Return (b): whether these weights are proven to flow to zero, beside (a)."""
    found = proven_trap(setting)
    if isinstance(found, str):
        verdict = "not applicable" if setting.reading.decoupled else "not proven"
        basis = verdict if setting.reading.decoupled else "not covered"
        return Answer(verdict, f"{found[0].upper()}{found[1:]}.", basis)
    slopes = (*setting.reading.slopes, 1.0)
    pairs = zip(setting.weights, slopes, strict=True)
    norms = [float(np.linalg.norm(W)) / slope for W, slope in pairs]
    margin = found.margin(norms)
    numbers: dict[str, Any] = {"margin": margin, "radius": found.radius, "largest_norm": max(norms)}
    if setting.is_square and setting.reading.kind == "linear" and setting.reading.bias is False:
        numbers["margins"] = in_trap(setting.problem, setting.weights).margins
    if margin > 1 + _ROUNDING:
        statement = "These weights are in the proven trap: gradient flow from them ends at zero."
        if setting.reading.bias == "output":
            statement = (
                "These weights are in the proven trap: gradient flow takes them to zero, whatever "
                "the output bias does; the output ends at one constant."
            )
        return Answer("yes", statement, found.basis, numbers)
    return Answer("not proven", _unproven(setting, phase, margin), found.basis, numbers)


def _unproven(setting: Setting, phase: Answer, margin: float) -> str:
    if margin > 0:
        return (
            f"Weights up to {margin:.3g} times these are proven to collapse; of these nothing is "
            "proven (which does not mean that they learn)."
        )
    # with a kink (a) is about the model itself only where the bounds of claim 3 are known
    exact = setting.reading.kind == "linear" or setting.unit_signal is not None
    if setting.reading.depth == 1 and exact and phase.verdict == "learning":
        zero = "zero" if setting.reading.bias is False else "zero, beside the best output bias,"
        return f"No trap: where one hidden layer learns, {zero} is a saddle."
    return "No weights but zero are proven to collapse (which does not mean that they learn)."


def _square_margin(found: TrapRadius, norms: Sequence[float]) -> float:
    """Return the margin of the best of the three sets, which know the weights by their norms."""
    return float(found.margin([np.array([[norm]]) for norm in norms]))


def _convex(setting: Setting, bound: float, basis: str) -> Trap:
    radius = convex_trap_radius(bound, weight_decay=setting.decays, depth=setting.reading.depth)
    return Trap(radius, basis)


def _homogeneous(setting: Setting) -> Trap | str:
    reading = setting.reading
    if not all(one is None or one.bounded_by_identity for one in reading.activations):
        return "|φ(z)| ≤ |z| fails for an activation"
    if reading.bias == "output":
        slope = steepest(setting)
        if slope is None:
            return "beside an output bias the gradient of the square loss has no bound"
        bound, basis = slope * math.sqrt(setting.largest_eigenvalue), WITH_BIAS
    else:
        input_noise = math.sqrt(1 + reading.input_noise)
        bound, basis = setting.gathered.product_of_norms * input_noise, TRAP
    bound *= math.sqrt(1 + reading.output_noise)
    radius = relu_trap_radius(
        bound, weight_decay=setting.decays, depth=reading.depth, noise=reading.noise
    )
    if reading.depth == 1 and setting.unit_signal is not None:
        # sharper with one hidden layer: nothing learns below the transition itself
        radius = max(
            radius,
            convex_trap_radius(setting.unit_signal.upper, weight_decay=setting.decays, depth=1),
        )
    return Trap(radius, basis)


def _beside_a_bias(setting: Setting) -> Trap | str:
    """Take the largest ‖B(b)‖₂, B(b) = E[∇ℓ(b, y)xᵀ], over all the bias may come to be."""
    moments = setting.gathered.moments
    mean = np.asarray(moments.mean_x)
    centred = bool(np.all(mean**2 <= _CENTRED * np.diagonal(moments.A)))
    slope = steepest(setting)
    bounds = [] if slope is None else [slope * math.sqrt(setting.largest_eigenvalue)]
    if setting.term.kind != "Huber" and (centred or slope is not None):
        # ∇ℓ(b, y) is a function of b less one of y, so b moves B by a multiple of E[x] only
        away = 0.0 if centred or slope is None else slope * float(np.linalg.norm(mean))
        covariance = np.reshape(moments.covariance_xy, (moments.inputs, moments.outputs))
        bounds.append(2 * float(np.linalg.norm(covariance, 2)) + away)
    if not bounds:
        return "beside an output bias the trap of the square loss is proven where E[x] = 0 only"
    return _convex(setting, min(bounds), WITH_BIAS)


def steepest(setting: Setting) -> float | None:
    """Return the largest ‖∇ℓ(f, y)‖ over all outputs; None for the square loss, which has none."""
    outputs = setting.gathered.moments.outputs
    return {
        "square": None,
        "cross-entropy": math.sqrt(2),
        "binary cross-entropy": math.sqrt(outputs),
        "Huber": float(setting.term.threshold or 0) * math.sqrt(outputs),
    }[setting.term.kind]
