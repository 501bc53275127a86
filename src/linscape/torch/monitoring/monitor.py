"""A monitor: looks at the weights every ten steps and warns once, early, with the reason."""

import warnings
from collections import deque
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from linscape.errors import InvalidOption
from linscape.torch.gathering import check_model
from linscape.torch.loss import Loss
from linscape.torch.monitoring.balance import balancedness_below
from linscape.torch.monitoring.observation import Collapse, Observation
from linscape.torch.monitoring.rule import fading
from linscape.torch.operations import kept_random_state
from linscape.torch.reading import Reading, read
from linscape.torch.survey import survey
from linscape.torch.trap import Trap, proven_trap

_EVERY = 10
_RULE_EVERY = 100
_BALANCE_EVERY = 1000
_KEPT = 10_000  # observations
_ROUNDING = 1e-9


class CollapseWarning(UserWarning):
    """Training is on its way to zero weights."""


class Monitor:
    r"""Watch training, and warn once that it collapses.

    Every 10 calls of :meth:`step` it notes the norms of the layers, their share in the loss, the
    pull of the data and the distance to the proven trap; every 1,000 the balancedness. It warns by
    ``warnings.warn`` (:class:`CollapseWarning`), once, of what comes first:

    *proven*: the norms have come inside a set that gradient flow of the loss, averaged over data
    and dropout, takes to zero (docs/trap.md). It needs a loader and a loss, and a model for which
    there is a trap: linear, ReLU or LeakyReLU layers, without hidden biases. Real steps are finite
    and their batches random, so it is a theorem about the descent, not about each of its runs.

    *numerical*: while the product of all norms halved, and halved again, every norm fell, and the
    pull of the data, −⟨U, ∂L_data/∂U⟩ of the last layer, fell with the product. It is a rule, with
    the errors that benchmarks/monitor.py counts.

    Parameters
    ----------
    model : torch.nn.Module
        As :func:`read` takes it.
    loader : iterable, optional
        Gone through once, now, for the trap. Without it only the rule watches.
    optimizer : torch.optim.Optimizer
        Gives the weight decays. With decoupled decay (AdamW) nothing is warned of.
    loss : callable, optional
        Of outputs and targets; beside a loader.

    Attributes
    ----------
    history : sequence of Observation
        The last 10,000.
    warning : Collapse or None
        What was warned of.
    no_trap : str or None
        Why no trap is proven for this model, if none is.

    Raises
    ------
    NoExactSolution
        If something of the model, loss or optimiser cannot be read; the message names it.
    InvalidData
        As :func:`diagnose`.
    InvalidOption
        If a loader comes without a loss, or a loss without a loader.

    References
    ----------
    docs/trap.md and docs/torch.md.

    Examples
    --------
    Three layers of one unit on y = x: the trap is max|w| < γ = λ/2 = 0.25.

    >>> import torch, warnings
    >>> from torch import nn
    >>> from linscape.torch.monitoring import Monitor
    >>> layers = [nn.Linear(1, 1, bias=False) for _ in range(3)]
    >>> _ = [layer.weight.data.fill_(0.2) for layer in layers]
    >>> model, x = nn.Sequential(*layers), torch.tensor([[-1.0], [1.0]])
    >>> sgd = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.5)
    >>> monitor = Monitor(model, [(x, x)], loss=nn.MSELoss(), optimizer=sgd)
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     for _ in range(20):
    ...         sgd.zero_grad()
    ...         nn.functional.mse_loss(model(x), x).backward()
    ...         sgd.step()
    ...         monitor.step()
    >>> monitor.warning.proven, monitor.warning.step
    (True, 10)
    """

    def __init__(
        self,
        model: nn.Module,
        loader: Iterable[Any] | None = None,
        *,
        optimizer: torch.optim.Optimizer,
        loss: Loss | None = None,
    ) -> None:
        if (loader is None) != (loss is None):
            raise InvalidOption(
                "the distance to the trap needs a loader and a loss; give both, or neither"
            )
        self.reading, self._trap, self.no_trap = _looked_at(model, loader, loss, optimizer)
        self._weights = [layer.module.weight for layer in self.reading.layers]
        self._names = [layer.where for layer in self.reading.layers]
        self._decoupled = self.reading.decoupled
        self.steps = 0
        self.history: deque[Observation] = deque(maxlen=_KEPT)
        self.warning: Collapse | None = None

    def step(self) -> None:
        """Count a step of the optimiser, and look at the weights at every tenth.

        To be called after ``optimizer.step()`` and before the next ``zero_grad()``.
        """
        self.steps += 1
        if self.steps % _EVERY:
            return
        with torch.no_grad():
            self.history.append(self._observed())
            if self.warning is None and not self._decoupled:
                self.warning = self._collapse()
        if self.warning is not None and self.warning.step == self.steps:
            warnings.warn(self._text(self.warning), CollapseWarning, stacklevel=2)

    def to_dict(self) -> dict[str, Any]:
        """Return what was last seen, by layer, and the warning, ready for JSON or any logger."""
        seen = self.history[-1].to_dict() if self.history else None
        if seen is not None:
            for key in ("norms", "energies"):
                seen[key] = dict(zip(self._names, seen[key], strict=True))
        return {
            "steps": self.steps,
            "last": seen,
            "warning": self.warning and self.warning.to_dict(),
            "no_trap": self.no_trap,
        }

    def _observed(self) -> Observation:
        stacked = torch.stack(torch._foreach_norm(self._weights))
        gradient = self._weights[-1].grad
        if gradient is not None:
            pull = -torch.sum(gradient * self._weights[-1])
            *norms, last = torch.cat([stacked, pull[None]]).tolist()
        else:
            norms, last = stacked.tolist(), None
        lams = self.reading.weight_decay
        balance = None
        if self.steps % _BALANCE_EVERY == 0:
            balance = balancedness_below(self._weights)
        return Observation(
            step=self.steps,
            norms=tuple(norms),
            energies=tuple(lam / 2 * norm**2 for lam, norm in zip(lams, norms, strict=True)),
            pull=last,
            margin=None if self._trap is None else self._trap.margin(norms),
            balancedness=balance,
        )

    def _collapse(self) -> Collapse | None:
        seen = self.history[-1]
        if seen.margin is not None and seen.margin > 1 and self._is_inside():
            reason = (
                f"the weights are inside the proven trap (largest norm {max(seen.norms):.3g}): "
                "gradient flow of the averaged loss takes them to zero"
            )
            return Collapse(self.steps, True, reason)
        if self.steps % _RULE_EVERY == 0:
            fades = fading(list(self.history))
            if fades is not None:
                return Collapse(self.steps, False, fades)
        return None

    def _is_inside(self) -> bool:
        """Look again in float64: sums in float32 prove nothing."""
        assert self._trap is not None
        norms = [float(weight.double().norm()) for weight in self._weights]
        return self._trap.margin(norms) > 1 + _ROUNDING

    def _text(self, found: Collapse) -> str:
        kind = "proven" if found.proven else "numerical"
        return (
            f"collapse at step {found.step} ({kind}): {found.reason}. Lower weight_decay, or "
            "restart from larger weights; linscape.torch.diagnose says how far."
        )


def _looked_at(
    model: nn.Module,
    loader: Iterable[Any] | None,
    loss: Loss | None,
    optimizer: torch.optim.Optimizer,
) -> tuple[Reading, Trap | None, str | None]:
    check_model(model)
    if loader is None or loss is None:
        return read(model, optimizer=optimizer), None, "no loader was given"
    with kept_random_state(model):
        setting, _ = survey(model, loader, loss, optimizer)
        found = proven_trap(setting)
    if isinstance(found, str):
        return setting.reading, None, found
    return setting.reading, found, None
