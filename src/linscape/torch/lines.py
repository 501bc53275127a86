"""The loss of any readable model along the line of the linear net's solutions: b-curves."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from linscape.errors import InvalidOption
from linscape.landscape.interval import real_numbers
from linscape.torch.gathering import batch_of, check_model
from linscape.torch.line_minima import LineMinimum, refined_minima
from linscape.torch.loss import Loss
from linscape.torch.operations import Operation, applied, kept_random_state, mode
from linscape.torch.setting import Setting
from linscape.torch.solution_form import SolutionForm
from linscape.torch.survey import survey

Array = NDArray[np.float64]

_POINTS = 401
_REACH = 2.0  # the line is shown to this many times its outermost minimum
_FORM = "the solutions' form, Ziyin, Li & Meng (2022), Theorem 2 (Theorem 1 with one hidden layer)"
_SAMPLED = "numerical: the model's own loss on the rows of the loader, dropout off"


@dataclass(frozen=True, eq=False)
class SolutionLine:
    r"""Losses along b, of the model and of the linear net of its widths.

    Attributes
    ----------
    b : (n,) ndarray
        The line's coordinate: every weight of the last layer is b.
    model : (n,) ndarray
        The model's loss, decay included, in units of E‖f − y‖² (PyTorch's divided by α), sampled
        over the rows of the loader; dropout is off.
    linear : (n,) ndarray
        That of the linear net without noise, from second moments.
    model_minima, linear_minima : tuple of LineMinimum
        Local minima of the two curves on the range of b; those of the linear one are exact.
    loss_at_zero : float
        E y².
    activations : tuple of str
        Of the hidden layers, "linear" without one.
    source : str
        What the line is.
    basis : str
        What the model's curve rests on.
    """

    b: Array
    model: Array
    linear: Array
    model_minima: tuple[LineMinimum, ...]
    linear_minima: tuple[LineMinimum, ...]
    loss_at_zero: float
    activations: tuple[str, ...]
    source: str = _FORM
    basis: str = _SAMPLED
    _weights: Callable[[float], list[Array]] = field(repr=False, default=lambda _: [])

    def weights(self, b: float) -> list[Array]:
        """Return W_1, …, W_D, U at a point of the line."""
        return self._weights(b)

    def to_dict(self) -> dict[str, Any]:
        """Return the curves ready for JSON."""
        return {
            "b": self.b.tolist(),
            "model": self.model.tolist(),
            "linear": self.linear.tolist(),
            "model_minima": [one.to_dict() for one in self.model_minima],
            "linear_minima": [one.to_dict() for one in self.linear_minima],
            "loss_at_zero": self.loss_at_zero,
            "activations": list(self.activations),
            "source": self.source,
            "basis": self.basis,
        }


def solution_line(
    model: nn.Module,
    loader: Iterable[Any],
    *,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    b: ArrayLike | None = None,
) -> SolutionLine:
    r"""Return the loss of a model with its weights on the line of the linear net's solutions.

    The line is that of the theorem, without noise: every weight of the last layer is b, the layers
    between are b_i r_i r_{i−1}ᵀ of the same energy, r a vector of ones, and the first is r vᵀ with
    the v that is best for the *linear* net,

    .. math:: v(b) = βμ [β²μ²d_1 A + γ_1 I]^{-1} E[xy], \quad
              b_i^2 = \frac{γ_u d_D}{γ_i d_i d_{i−1}} b^2, \quad
              β = b Π_{i≥2} b_i, \quad μ = Π_{i≥2} d_i,

    so that W_1 = r_1 b [b²d_1A + γ_wI]⁻¹E[xy] with one hidden layer. On that line the linear net's
    loss is a function of b whose minima are those of the theorem. The model has the same weights
    (no slope is put in) and its own activations. For b < 0 both the last layer and v change sign,
    so that the linear net's curve is even.

    Parameters
    ----------
    model : torch.nn.Module
        As :func:`read` takes it: one output, one hidden layer at least, no biases. Its weights are
        not used and not changed.
    loader : iterable
        Yields pairs (inputs, targets); held in memory.
    loss : callable
        A multiple of the square loss.
    optimizer : torch.optim.Optimizer
        Gives positive weight decays.
    b : array_like, optional
        Where; 401 points on both sides of zero, to twice the outermost minimum, by default.

    Returns
    -------
    SolutionLine

    Raises
    ------
    NoExactSolution
        For biases, several outputs, another loss, no hidden layer, or a layer without decay.
    InvalidOption
        If b is not a list of finite, increasing numbers, or the default range has nothing to show.
    InvalidData
        As :func:`diagnose`.

    References
    ----------
    Ziyin, Li & Meng (2022), Theorems 1 and 2, and Figure 2, which draws D = 1.

    Examples
    --------
    One unit, A = E[xy] = E[y²] = 1, γ = λ/2 = 0.25: K = γb² = 0.25·(1 − 0.25) at the minimum.

    >>> import torch
    >>> from torch import nn
    >>> from linscape.torch.lines import solution_line
    >>> x = torch.tensor([[-1.0], [1.0]])
    >>> layers = [nn.Linear(1, 1, bias=False), nn.Tanh(), nn.Linear(1, 1, bias=False)]
    >>> sgd = torch.optim.SGD(nn.Sequential(*layers).parameters(), weight_decay=0.5)
    >>> line = solution_line(nn.Sequential(*layers), [(x, x)], loss=nn.MSELoss(), optimizer=sgd)
    >>> [round(one.b, 6) for one in line.linear_minima]
    [-0.866025, 0.866025]
    >>> len(line.model_minima)
    2
    """
    check_model(model)
    with kept_random_state(model):
        setting, _ = survey(model, loader, loss, optimizer)
        rows = [batch_of(item) for item in loader]
    line = SolutionForm.of(setting)
    minima = line.exact_minima()
    points = _points(b, minima)
    device = next(model.parameters()).device
    with mode(model, training=False), torch.no_grad():
        front = setting.reading.frozen
        x = torch.cat([applied(front, part.to(device)) for part, _ in rows]).to(torch.float64)
        y = torch.cat([target for _, target in rows]).to(device, torch.float64)
        sampled = _Sampled(setting, line, x, y.reshape(len(x), 1))
        curve = np.array([sampled(point) for point in points])
        found = refined_minima(sampled, points, curve)
    names = ["linear" if one is None else one.name for one in setting.reading.activations]
    return SolutionLine(
        b=points,
        model=curve,
        linear=np.array([line.linear_loss(point) for point in points]),
        model_minima=found,
        linear_minima=tuple(one for one in minima if points[0] <= one.b <= points[-1]),
        loss_at_zero=float(line.problem.moments.yy),
        activations=tuple(names),
        _weights=line.weights,
    )


@dataclass(frozen=True, eq=False)
class _Sampled:
    """The model's loss at points of the line, over all rows, in float64."""

    setting: Setting
    line: SolutionForm
    x: torch.Tensor
    y: torch.Tensor

    def __call__(self, b: float) -> float:
        matrices = self.line.weights(b)
        values, steps = self.x, self.setting.reading.operations
        waiting = iter(matrices)
        for step in steps[len(self.setting.reading.frozen) :]:
            values = _stepped(step, values, waiting)
        data = float(((values - self.y) ** 2).mean())
        pairs = zip(self.setting.decays, matrices, strict=True)
        return data + sum(gamma * float(np.sum(W**2)) for gamma, W in pairs)


def _stepped(step: Operation, values: torch.Tensor, waiting: Any) -> torch.Tensor:
    if step.kind == "linear":
        W = torch.from_numpy(next(waiting)).to(values.device)
        return values @ W.T
    if step.kind == "dropout":
        return values
    return step(values, training=False)


def _points(b: ArrayLike | None, minima: Sequence[LineMinimum]) -> Array:
    if b is None:
        reach = _REACH * max(one.b for one in minima)
        if not reach > 0:
            raise InvalidOption(
                "the linear net has no minimum beside zero at this decay, so that nothing says how "
                "far to look; give b, or lower weight_decay"
            )
        return np.linspace(-reach, reach, _POINTS)
    points = real_numbers(b)
    if points.ndim != 1 or len(points) < 3 or not np.isfinite(points).all():
        raise InvalidOption(f"b must be at least three finite numbers, got shape {points.shape}")
    if np.any(np.diff(points) <= 0):
        raise InvalidOption("b must increase from each point to the next")
    return points
