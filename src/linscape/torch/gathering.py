"""One pass over a loader: moments of what the first trained layer sees, and a few facts beside."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from linscape.errors import InvalidData
from linscape.moments import Moments
from linscape.torch.loss import DataTerm, row_gradients
from linscape.torch.operations import mode
from linscape.torch.reading import Reading

Array = NDArray[np.float64]

_BLOCK = 4096  # rows whose moments are computed at once
_KEPT = 1_000_000  # numbers up to which rows are kept


@dataclass(frozen=True, eq=False)
class Gathered:
    """What one pass over the data found.

    Attributes
    ----------
    moments : Moments
        Of the features and of y; for a loss other than the square, of −∇ℓ(0, y)/2 in place of y:
        the targets of the square loss with the same gradient at zero.
    outputs : Moments or None
        Of the features and the model's outputs without noise, as it stands.
    batches, rows : int
        How many.
    product_of_norms : float
        E[‖∇ℓ(0, y)‖‖x‖], that of 2y for the square loss.
    loss_at_zero : float
        E ℓ(0, y), of the loss of a row without its α.
    features : ndarray or None
    targets : tensor or None
        x and y of every row, where moments do not say enough and the data are small: one hidden
        layer with a kink at zero, or Huber's loss beside biases.
    dead : dict of str to float
        For each ReLU the share of its units that are at most zero on every row.
    preactivations : dict of str to float
        For each activation the root mean square of what enters it.
    """

    moments: Moments
    outputs: Moments
    batches: int
    rows: int
    product_of_norms: float
    loss_at_zero: float
    features: Array | None
    targets: torch.Tensor | None
    dead: dict[str, float]
    preactivations: dict[str, float]


def batch_of(item: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Return inputs and targets of what a loader yields.

    Raises
    ------
    InvalidData
        If it is not a pair of tensors with as many rows each.
    """
    pair = isinstance(item, list | tuple) and len(item) == 2
    if not pair or not all(isinstance(part, torch.Tensor) for part in item):
        shown = type(item).__name__
        if isinstance(item, list | tuple):
            shown += f" of {len(item)} ({', '.join(type(part).__name__ for part in item)})"
        raise InvalidData(
            f"expected the loader to yield pairs of tensors (inputs, targets), got {shown}"
        )
    x, y = item
    if any(part.is_meta or part.is_complex() or part.layout != torch.strided for part in item):
        raise InvalidData(
            f"expected dense tensors of real numbers that are in memory, got {_kinds(x)} and "
            f"{_kinds(y)}"
        )
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y) or not len(x):
        raise InvalidData(
            f"expected as many inputs as targets, at least one, got shapes {tuple(x.shape)} and "
            f"{tuple(y.shape)}"
        )
    return x, y


def _kinds(part: torch.Tensor) -> str:
    return f"{part.dtype} ({part.layout}, on {part.device})"


def gather(reading: Reading, term: DataTerm, loader: Iterable[Any]) -> Gathered:
    """Go through a loader once, on the model's device; sums are in float64.

    Raises
    ------
    InvalidData
        If the loader is empty, an entry is not finite, or shapes do not fit the model.
    """
    return _Pass(reading, term).over(loader)


class _Pass:
    """Sums over batches, of which blocks are turned into moments."""

    def __init__(self, reading: Reading, term: DataTerm) -> None:
        self.reading, self.term = reading, term
        self.device = next(reading.model.parameters()).device
        self.waiting: list[tuple[Array, Array, Array]] = []
        self.kept: list[tuple[Array, torch.Tensor]] | None = None
        if _needs_rows(reading, term):
            self.kept = []
        self.moments: list[Moments | None] = [None, None]
        self.rows = self.batches = 0
        self.product = self.loss = 0.0
        self.alive: dict[str, torch.Tensor] = {}
        self.squares: dict[str, float] = {}

    def over(self, loader: Iterable[Any]) -> Gathered:
        """Gather it all."""
        with mode(self.reading.model, training=False), torch.no_grad():
            for item in loader:
                x, y = batch_of(item)
                try:
                    self._batch(x, y)
                except RuntimeError as error:  # torch's
                    raise InvalidData(
                        f"the model fails on inputs of shape {tuple(x.shape)}, {x.dtype}, in batch "
                        f"{self.batches + 1}: {str(error).splitlines()[0]}"
                    ) from error
        if self.waiting:
            self._block()
        data, outputs = self.moments
        if data is None or outputs is None:
            raise InvalidData("expected a loader with at least one batch, got none")
        features = targets = None
        if self.kept is not None:
            features = np.concatenate([x for x, _ in self.kept])
            targets = torch.cat([y for _, y in self.kept])
        return Gathered(
            moments=data,
            outputs=outputs,
            batches=self.batches,
            rows=self.rows,
            product_of_norms=self.product / self.rows,
            loss_at_zero=self.loss / self.rows,
            features=features,
            targets=targets,
            dead={key: 1 - float(alive.double().mean()) for key, alive in self.alive.items()},
            preactivations={
                key: math.sqrt(total / self.rows) for key, total in self.squares.items()
            },
        )

    def _batch(self, inputs: torch.Tensor, target: torch.Tensor) -> None:
        values, features = inputs.to(self.device), None
        for step in self.reading.operations:
            if features is None and step.module is self.reading.layers[0].module:
                features = values
            if step.kind == "activation" and features is not None:
                self._look_at(step.where, step.name, values)
            values = step(values, training=False)
        assert features is not None
        values = values[:, None] if values.ndim == 1 else values
        if features.ndim != 2 or values.ndim != 2:
            raise InvalidData(
                f"expected one vector a row before the first trained layer, got shape "
                f"{tuple(features.shape)}; no statement covers layers that act on sequences"
            )
        x, f = _plain(features), _plain(values)
        y = self._targets(target, f.shape[1])
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            raise InvalidData(
                f"expected finite inputs and targets, got NaN or infinite ones in batch "
                f"{self.batches + 1}"
            )
        self.rows, self.batches = self.rows + len(x), self.batches + 1
        gradient = 2 * y  # of the square loss at zero, up to its sign
        self.product += float(np.linalg.norm(gradient, axis=1) @ np.linalg.norm(x, axis=1))
        self._keep(x, target.detach().cpu())
        self.waiting.append((x, y, f))
        if sum(len(part) for part, _, _ in self.waiting) >= _BLOCK:
            self._block()

    def _keep(self, x: Array, target: torch.Tensor) -> None:
        if self.kept is None:
            return
        self.kept.append((x, target))
        if self.rows * (x.shape[1] + target[0].numel()) > _KEPT:
            self.kept = None

    def _targets(self, target: torch.Tensor, outputs: int) -> Array:
        """Return the targets; of another loss, those of the square loss of the same ∇ℓ(0, y)."""
        if self.term.kind == "square":
            if target.numel() != len(target) * outputs:
                raise InvalidData(
                    f"expected targets of {outputs} values a row as the model returns, got shape "
                    f"{tuple(target.shape)}"
                )
            plain = _plain(target).reshape(len(target), outputs)
            self.loss += float(np.sum(plain**2))
            return plain
        if self.term.kind == "binary cross-entropy" and not ((target >= 0) & (target <= 1)).all():
            raise InvalidData("expected targets of binary cross-entropy from 0 to 1, got others")
        with torch.enable_grad():
            total, gradients = row_gradients(self.term, target, outputs)
        self.loss += total
        return _plain(gradients) / -2

    def _look_at(self, where: str, name: str, values: torch.Tensor) -> None:
        self.squares[where] = self.squares.get(where, 0.0) + float(
            values.double().square().mean(dim=-1).sum()
        )
        if name == "ReLU":
            alive = (values > 0).reshape(-1, values.shape[-1]).any(dim=0).cpu()
            self.alive[where] = alive | self.alive.get(where, torch.zeros_like(alive))

    def _block(self) -> None:
        x, y, f = (np.concatenate(parts) for parts in zip(*self.waiting, strict=True))
        self.waiting = []
        for k, targets in enumerate((y, f)):
            flat = targets[:, 0] if targets.shape[1] == 1 else targets
            new = Moments.from_arrays(x, flat)
            old = self.moments[k]
            self.moments[k] = new if old is None else old + new


def _needs_rows(reading: Reading, term: DataTerm) -> bool:
    kinked = reading.kind == "homogeneous" and reading.depth == 1
    return reading.depth == 1 and (kinked or (term.kind == "Huber" and reading.bias is not False))


def _plain(values: torch.Tensor) -> Array:
    """Return a tensor in float64, on the CPU because some devices have none."""
    result: Array = values.detach().to("cpu").to(torch.float64).numpy()
    return result


def check_model(model: nn.Module) -> None:
    """Refuse weights that are not there, or not precise enough to say anything of.

    Raises
    ------
    InvalidData
        For what is no model, and models without parameters, not initialised, on the meta device,
        in half precision, or with NaN.
    """
    if not isinstance(model, nn.Module):
        raise InvalidData(f"expected a model, a torch.nn.Module, got {model!r}"[:200])
    parameters = dict(model.named_parameters())
    if not parameters:
        raise InvalidData("expected a model with parameters, got none; nothing is to be trained")
    for name, parameter in parameters.items():
        if isinstance(parameter, nn.UninitializedParameter):
            raise InvalidData(f"{name} has no shape yet; call the model on a batch first")
        if parameter.is_meta:
            raise InvalidData(
                f"{name} is on the meta device, which holds no weights; make the model on a real "
                "one: model.to_empty(device='cpu'), then initialise"
            )
        if parameter.dtype not in (torch.float32, torch.float64):
            raise InvalidData(
                f"{name} is {parameter.dtype}; training in that precision loses small steps, which "
                "the theory does not: diagnose model.float()"
            )
        if not parameter.isfinite().all():
            raise InvalidData(
                f"{name} has entries that are NaN or infinite: training has diverged; start again "
                "with a smaller learning rate"
            )
