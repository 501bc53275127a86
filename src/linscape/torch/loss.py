"""What a loss function is, found by asking it for numbers and not for its name."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch.nn import functional

from linscape.errors import InvalidData, LinscapeError, NoExactSolution

Loss = Callable[[Any, Any], Any]
Kind = Literal["square", "cross-entropy", "binary cross-entropy", "Huber"]

_ROWS = (6, 15)  # two sizes of batches, to see whether the loss averages over rows
_SIZES = (1e-3, 1.0, 1e3)
_TOLERANCE = 1e-9  # relative, of a loss computed in float64
_SINGLE = 1e-4  # the same for losses that insist on float32


class UnknownLoss(NoExactSolution):
    """A loss that no statement covers."""


@dataclass(frozen=True)
class DataTerm:
    """A loss as PyTorch averages it: α times the mean over the rows of a loss of each row.

    Attributes
    ----------
    kind : str
        "square", ‖f − y‖²; or a convex loss of each row, summed over the outputs: "cross-entropy",
        "binary cross-entropy" (of logits), "Huber".
    alpha : float
        The factor α, at `batch_size` where the loss adds up the batch.
    reduction : "mean" or "sum"
        Whether the loss averages over the rows of a batch or adds them up.
    batch_size : int
        Rows of a batch.
    threshold : float or None
        Where "Huber" turns from square to linear.
    """

    kind: Kind
    alpha: float
    reduction: Literal["mean", "sum"]
    batch_size: int
    threshold: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes, ready for JSON."""
        return dict(vars(self))


def data_term(loss: Loss, output: torch.Tensor, target: torch.Tensor) -> DataTerm:
    """Find which loss a function computes and its factor α, by evaluating it on random tensors.

    It is compared with each known loss over two sizes of batches and three scales; the ratio must
    be the same number throughout, up to a factor of the batch size. The class of the loss, its
    options and its name play no part.

    Parameters
    ----------
    loss : callable
        Of outputs and targets, with a scalar result.
    output : tensor, shape (B, m) or (B,)
        Outputs of a batch; only shape and dtype matter.
    target : tensor, shape (B, m), or (B,) of classes
        Targets of that batch; shape and dtype matter, and for classes how many there are.

    Returns
    -------
    DataTerm
        The loss and its factor.

    Raises
    ------
    NoExactSolution
        If it is none of the known ones, so that no statement covers it; or random, or weighted.
    InvalidData
        If it fails on such tensors, or does not return a finite scalar.

    Examples
    --------
    >>> import torch
    >>> from linscape.torch import data_term
    >>> f, y = torch.zeros(8, 4), torch.zeros(8, 4)
    >>> data_term(torch.nn.MSELoss(), f, y).alpha
    0.25
    >>> data_term(torch.nn.MSELoss(reduction="sum"), f, y).alpha
    8.0
    """
    for name, part in (("output", output), ("target", target)):
        usable = isinstance(part, torch.Tensor) and not part.is_meta and part.ndim > 0
        if not usable or not len(part):
            shown = tuple(part.shape) if isinstance(part, torch.Tensor) else type(part).__name__
            raise InvalidData(f"expected {name} to be a tensor with one row or more, got {shown}")
    try:
        return _matched(loss, output, target)
    except (InvalidData, NoExactSolution):
        if target.is_floating_point() and _takes_classes(loss):
            raise UnknownLoss(
                f"the loss {_name(loss)} is cross-entropy, which wants targets (n,) of integer "
                "classes, with an output for each class, or (n, m) of probabilities for m ≥ 2 "
                f"outputs; got {target.dtype} of shape {tuple(target.shape)} for outputs of shape "
                f"{tuple(output.shape)}"
            ) from None
        raise


def _matched(loss: Loss, output: torch.Tensor, target: torch.Tensor) -> DataTerm:
    probe = _Probe(loss, output, target)
    size = len(output)
    for kind, reference in _REFERENCES.items():
        found = probe.ratio(reference, classes=kind == "cross-entropy")
        if found is not None:
            return DataTerm(kind, found[0] * (size if found[1] == "sum" else 1), found[1], size)
    huber = probe.huber()
    if huber is not None:
        alpha, reduction, threshold = huber
        return DataTerm(
            "Huber", alpha * (size if reduction == "sum" else 1), reduction, size, threshold
        )
    raise UnknownLoss(
        f"the loss {_name(loss)} is a multiple of none of: square, cross-entropy, binary "
        "cross-entropy of logits, Huber (weights, label smoothing and added penalties make "
        "another loss); nothing is proven for it"
    )


def _takes_classes(loss: Loss) -> bool:
    try:
        term = _matched(loss, torch.zeros(2, 3), torch.zeros(2, dtype=torch.long))
    except LinscapeError:
        return False
    return term.kind == "cross-entropy"


def compares_all_pairs(loss: Loss, output: torch.Tensor, target: torch.Tensor) -> bool:
    """Return whether shapes (n, 1) and (n,) make a loss compare each row with every other one.

    Found by two calls: as the shapes are, and with the outputs in the shape of the targets.
    """
    if output.shape == target.shape or output.numel() != target.numel() or len(target) < 2:
        return False
    if not target.is_floating_point():
        return False
    f = torch.linspace(-1, 1, target.numel(), dtype=torch.float64, device=output.device)
    y = ((f + 1) / 2).reshape(target.shape)
    try:
        as_it_is = _value(loss, f.reshape(output.shape), y)
        matched = _value(loss, f.reshape(target.shape), y)
    except (RuntimeError, ValueError, IndexError, TypeError):
        return False  # the loss insists on one of the two, so that it knows what it does
    return abs(as_it_is - matched) > _TOLERANCE * abs(matched)


def row_gradients(
    term: DataTerm, target: torch.Tensor, outputs: int, constant: Any = 0.0
) -> tuple[float, torch.Tensor]:
    """Return Σ ℓ(b, y) over the rows, and ∇ℓ(b, y) of each, (B, m), at one constant output b.

    Both are of the loss of a row without its α, in float64.
    """
    start = torch.zeros(len(target), outputs, dtype=torch.float64) + torch.as_tensor(constant)
    start.requires_grad_(True)
    target = target.detach().cpu()
    if target.is_floating_point():
        target = target.to(torch.float64).reshape(start.shape)
    if term.kind == "Huber":
        total = _huber(start, target, float(term.threshold or 0))
    else:
        total = _REFERENCES[term.kind](start, target)
    (gradient,) = torch.autograd.grad(total, start)
    return float(total.detach()), gradient.detach()


def _square(f: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return ((f - y) ** 2).sum()


def _cross_entropy(f: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(f, y, reduction="sum")


def _binary(f: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return functional.binary_cross_entropy_with_logits(f, y, reduction="sum")


def _huber(f: torch.Tensor, y: torch.Tensor, threshold: float) -> torch.Tensor:
    return functional.huber_loss(f, y, reduction="sum", delta=threshold)


_REFERENCES: dict[Kind, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "square": _square,
    "cross-entropy": _cross_entropy,
    "binary cross-entropy": _binary,
}


class _Probe:
    """A loss, and random tensors of the kind it takes."""

    def __init__(self, loss: Loss, output: torch.Tensor, target: torch.Tensor) -> None:
        self.loss = loss
        self.outputs = math.prod(output.shape[1:])
        self.target_shape = tuple(target.shape[1:])
        mended = compares_all_pairs(loss, output, target)
        self.output_shape = self.target_shape if mended else tuple(output.shape[1:])
        self.classes = not target.is_floating_point()
        if self.classes and target.ndim != 1:
            raise InvalidData(
                f"expected targets of floating point (B, m), or classes (B,), got {target.dtype} "
                f"of shape {tuple(target.shape)}; make them float"
            )
        self.dtype, self.tolerance, self.device = torch.float64, _TOLERANCE, output.device
        self.generator = torch.Generator().manual_seed(0)
        try:
            self(*self.draw(_ROWS[0], 1.0))
        except (
            RuntimeError,
            TypeError,
            ValueError,
            IndexError,
        ):  # some losses carry float32 tensors of their own
            self.dtype, self.tolerance = torch.float32, _SINGLE

    def draw(self, rows: int, size: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Return outputs and targets of a batch; the targets lie in [0, 1]."""
        f = size * torch.randn(rows, self.outputs, generator=self.generator, dtype=self.dtype)
        if self.classes:
            return f, torch.randint(self.outputs, (rows,), generator=self.generator)
        return f, torch.rand(rows, self.outputs, generator=self.generator, dtype=self.dtype)

    def __call__(self, f: torch.Tensor, y: torch.Tensor) -> float:
        """Return the loss's value."""
        target = y if self.classes else y.reshape(len(y), *self.target_shape)
        f = f.reshape(len(f), *self.output_shape)
        return _value(self.loss, f.to(self.device), target.to(self.device))

    def ratio(
        self, reference: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], *, classes: bool
    ) -> tuple[float, Literal["mean", "sum"]] | None:
        """Return the loss over the reference, if that is one positive number per batch size."""
        if classes and not self.classes and self.outputs < 2:
            return None
        if self.classes and not classes:
            return None

        def quotient(rows: int, size: float) -> float:
            return self._quotient(*self.draw(rows, size), reference)

        return self._constant(quotient)

    def _quotient(
        self,
        f: torch.Tensor,
        y: torch.Tensor,
        reference: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    ) -> float:
        try:
            value = self(f, y)
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            line = str(error).splitlines()[0]
            raise InvalidData(
                f"the loss fails on outputs {tuple(f.shape)} and targets of this loader: {line}; "
                "call it on a batch by hand"
            ) from None
        known = float(reference(f.double(), y if self.classes else y.double()))
        return value / known if known else math.nan

    def _constant(
        self, quotient: Callable[[int, float], float]
    ) -> tuple[float, Literal["mean", "sum"]] | None:
        values = {rows: [quotient(rows, size) for size in _SIZES for _ in "ab"] for rows in _ROWS}
        if not all(max(v) - min(v) <= self.tolerance * min(v) for v in values.values()):
            return None
        if not all(min(v) > 0 for v in values.values()):  # of a loss that is always zero
            return None
        few, many = (sum(values[rows]) / len(values[rows]) for rows in _ROWS)
        if abs(few - many) <= self.tolerance * few:
            return few, "sum"
        if abs(few * _ROWS[0] - many * _ROWS[1]) <= self.tolerance * few * _ROWS[0]:
            return few * _ROWS[0], "mean"
        return None

    def huber(self) -> tuple[float, Literal["mean", "sum"], float] | None:
        """Return the factor and the threshold of a loss that is Huber's."""
        if self.classes:
            return None
        zero = torch.zeros(_ROWS[0], self.outputs, dtype=self.dtype)
        one = torch.zeros_like(zero)
        one[0, 0] = 1
        small, far = 1e-3, 1e4
        square = 2 * self(small * one, zero) / small**2
        slope = (self(2 * far * one, zero) - self(far * one, zero)) / far
        if not (0 < square < float("inf") and 0 < slope < float("inf")):
            return None
        threshold = slope / square
        if not 2 * small < threshold < far / 2:
            return None
        reference = lambda f, y: _huber(f, y, threshold)  # noqa: E731
        saved, self.tolerance = self.tolerance, max(self.tolerance, 1e-7)
        found = self.ratio(reference, classes=False)
        self.tolerance = saved
        return None if found is None else (*found, threshold)


def _value(loss: Loss, f: torch.Tensor, y: torch.Tensor) -> float:
    """Return what a loss returns, without PyTorch's warnings about shapes: they are looked at."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = loss(f, y)
    if not isinstance(value, torch.Tensor) or value.numel() != 1:
        shape = tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
        raise InvalidData(
            f"the loss must return one number, got {shape}; use reduction='mean' or 'sum'"
        )
    return float(value)


def _name(loss: Loss) -> str:
    return getattr(loss, "__name__", type(loss).__name__)
