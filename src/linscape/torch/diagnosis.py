"""Will this model collapse? One pass over the data, three answers, and what to do."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from linscape.dynamics.collapse import critical_gain
from linscape.torch import culprits
from linscape.torch.advice import advice, constant_output, explanation, trust
from linscape.torch.answer import Answer
from linscape.torch.answers import ending_answer, phase_answer
from linscape.torch.gathering import check_model
from linscape.torch.limits import limits
from linscape.torch.loss import Loss
from linscape.torch.operations import kept_random_state
from linscape.torch.result import Diagnosis
from linscape.torch.setting import Setting
from linscape.torch.survey import survey
from linscape.torch.trap import trap_answer

_SMALL = 20_000  # weights up to which fresh starts are simulated
_STARTS, _SHARE = 8, 0.875


def diagnose(
    model: nn.Module,
    loader: Iterable[Any],
    *,
    loss: Loss,
    optimizer: torch.optim.Optimizer | None = None,
) -> Diagnosis:
    r"""Say whether a model will collapse, by theorem where there is one, and what to do about it.

    The model is read (:func:`read`), the loss is probed (:func:`data_term`), and one pass over the
    loader gathers second moments. Three questions are then kept apart: (a) is zero the global
    minimum; (b) are the current weights proven to flow to zero; (c) where does descent on the exact
    loss, averaged over dropout, end from these very weights. (a) speaks of the minimum and (c) of
    training: in the learning phase training can collapse, in the metastable one it can fit.

    Nothing changes: no weight, no mode, no gradient, no random state of torch.

    Parameters
    ----------
    model : torch.nn.Module
        As it is about to be trained, or trained.
    loader : iterable
        Yields pairs (inputs, targets) of tensors; gone through once, and a first batch is taken
        from a second iterator.
    loss : callable
        Of outputs and targets.
    optimizer : torch.optim.Optimizer, optional
        Gives the weight decays and the learning rate; no decay without.

    Returns
    -------
    Diagnosis
        Text by ``print``, ``to_html()``, ``to_dict()``.

    Raises
    ------
    NoExactSolution
        If a part of model, loss or optimiser cannot be read; the message names it.
    InvalidData
        If the loader is empty or its batches do not fit, or the model is on the meta device or in
        half precision.

    References
    ----------
    Ziyin, Li & Meng (2022), *Exact solutions of a deep linear network*.

    Examples
    --------
    Two hidden layers on y = x, E[x²] = 1: learning below γ* = (1/16)^{1/3} = 0.397, λ* = 0.794.

    >>> import torch
    >>> from torch import nn
    >>> from linscape.torch import diagnose
    >>> x = torch.tensor([[-1.0], [1.0]])
    >>> layers = [nn.Linear(1, 4, bias=False), nn.Linear(4, 4, bias=False)]
    >>> model = nn.Sequential(*layers, nn.Linear(4, 1, bias=False))
    >>> sgd = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.9)
    >>> found = diagnose(model, [(x, x)], loss=nn.MSELoss(), optimizer=sgd)
    >>> found.phase.verdict, round(found.limits.weight_decay, 3)
    ('metastable', 0.794)
    """
    check_model(model)
    with kept_random_state(model):  # a loader that shuffles draws from it
        return _diagnosed(*survey(model, loader, loss, optimizer), optimizer)


def _diagnosed(
    setting: Setting, mistakes: list[str], optimizer: torch.optim.Optimizer | None
) -> Diagnosis:
    found = culprits.usual_culprits(mistakes, setting.gathered, square=setting.is_square)
    if setting.refusal is None and setting.is_square:
        found += culprits.step_size(setting.problem, setting.weights, setting.reading, optimizer)
    phase, ending = phase_answer(setting), ending_answer(setting)
    extent = limits(setting)
    gain = _restart_gain(setting, phase) if constant_output(setting) else None
    return Diagnosis(
        reading=setting.reading,
        term=setting.term,
        rows=setting.gathered.rows,
        batches=setting.gathered.batches,
        culprits=tuple(found),
        phase=phase,
        trap=trap_answer(setting, phase),
        ending=ending,
        limits=extent,
        constant=explanation(setting, phase, gain),
        advice=advice(setting, phase, ending, extent),
        trust=trust(setting, optimizer),
    )


def _restart_gain(setting: Setting, phase: Answer) -> float | None:
    """Return a gain at which most simulated starts from PyTorch's default weights learn."""
    problem = None if setting.refusal is not None else setting.problem
    if problem is None or not setting.is_square or phase.verdict != "learning":
        return None
    network = problem.network
    size = sum(rows * columns for rows, columns in problem.shapes)
    if network.bias is not False or network.depth < 2 or size > _SMALL:
        return None
    if not all(network.weight_decay):
        return None
    found = critical_gain(problem, scheme="pytorch", rng=0, starts=_STARTS).quantile(_SHARE)
    return None if found is None or found in (0.0, float("inf")) else max(1.0, 1.1 * found)
