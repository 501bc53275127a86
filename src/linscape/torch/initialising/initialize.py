"""Weights from the data, in place, from which descent learns."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from linscape.errors import InvalidOption, NoExactSolution, OutOfRange
from linscape.torch.gathering import check_model
from linscape.torch.initialising.barrier import SOURCE, Pass
from linscape.torch.initialising.learning import LearningStart, learning_start
from linscape.torch.initialising.result import Initialisation, Scheme
from linscape.torch.initialising.slopes import corrected
from linscape.torch.loss import Loss, UnknownLoss
from linscape.torch.operations import kept_random_state
from linscape.torch.reading import Reading
from linscape.torch.setting import Setting
from linscape.torch.survey import first_batch, survey

Array = NDArray[np.float64]


_SOURCES: dict[str, str] = {
    "proven": SOURCE,
    "numerical": "gradient descent on the loss averaged over dropout, followed until it learned",
    "approximation": "the linear net in the place of this model learns from there",
}


def initialize_(
    model: nn.Module,
    loader: Iterable[Any],
    *,
    loss: Loss,
    optimizer: torch.optim.Optimizer | None = None,
    scheme: Scheme = "random",
    generator: torch.Generator | None = None,
) -> Initialisation:
    r"""Write weights into a model from which training learns, by the data, decay and dropout.

    The model is read (:func:`read`) and the data are gone through once, as :func:`diagnose` does.
    The target is the best minimum of the linear net (in place of a nonlinear model) other than
    zero, with layers of energy K.

    "random"
        Matrices of orthonormal rows or columns, layer k of the norm √(K/γ_k) that it has at the
        target, the last with the sign for which E⟨f, y⟩ ≥ 0. If descent on the loss averaged over
        dropout collapses from half of these weights, they are multiplied by 2g, g the gain below
        which this draw collapses. Scale and that sign are all that is taken from the data.
    "aligned"
        The target itself, U = b_u r_D, W_k = b_k r_k r_{k−1}ᵀ, W_1 = r_1 vᵀ with random signs r,
        half of each kind, and normal noise of a tenth of its norm on every layer, because equal
        units would stay equal. Direction and scale are taken from the data. For a linear model
        that is the answer of the training, up to the noise.

    Biases, where the model has them, centre the inputs, −W_1 E[x], and return E[y]; others are 0.
    Behind an activation the next layer is divided by what the activation takes off on one batch.
    Frozen layers stay as they are.

    A start is kept only if descent from it does not end at zero: proven by :func:`barrier`, or
    followed numerically. Otherwise nothing is written, and an error says why.

    Parameters
    ----------
    model : torch.nn.Module
        Changed in place: weights and biases of its trained layers.
    loader : iterable
        As for :func:`diagnose`.
    loss : callable
        Of outputs and targets; a multiple of the square loss.
    optimizer : torch.optim.Optimizer, optional
        Gives the weight decays; no decay without. Its state is not touched.
    scheme : "random" or "aligned", default "random"
        As above.
    generator : torch.Generator, optional
        On the CPU; torch's global one by default. The same state gives the same weights.

    Returns
    -------
    Initialisation
        What was done and what it rests on.

    Raises
    ------
    NoExactSolution
        If the model, loss or optimiser cannot be read, as :func:`read` says; if the loss is not a
        square loss; if zero is the only minimum known, with the largest decay that learns; if this
        draw ends at zero.
    InvalidData
        As :func:`diagnose`; or if an activation returns nothing on the first batch.
    OutOfRange
        If a weight does not fit the model's floats.
    InvalidOption
        If the scheme or the generator is not one of the above.

    References
    ----------
    Ziyin, Li & Meng (2022), Theorem 2, for the target; Saxe, McClelland & Ganguli (2014) for
    orthogonal weights; Balduzzi et al. (2017) for pairs of signs behind ReLU.

    Examples
    --------
    One unit a layer on y = x, γ = λ/2 = 0.1: at the minimum every weight is ±w, where w − w⁴ = 0.1.

    >>> import torch
    >>> from torch import nn
    >>> from linscape.torch import initialize_
    >>> x = torch.tensor([[-1.0], [1.0]])
    >>> model = nn.Sequential(*[nn.Linear(1, 1, bias=False) for _ in range(3)])
    >>> sgd = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.2)
    >>> done = initialize_(model, [(x, x)], loss=nn.MSELoss(), optimizer=sgd)
    >>> done.basis, [round(abs(layer.weight.item()), 4) for layer in model]
    ('proven', [0.9642, 0.9642, 0.9642])
    """
    rng = _numpy_generator(scheme, generator)
    check_model(model)
    with kept_random_state(model):
        # a loader that shuffles draws from it, and the same weights shall come of the same state
        torch.default_generator.manual_seed(0)
        setting = _setting(model, loader, loss, optimizer)
        inputs = first_batch(loader)[0].to(next(model.parameters()).device)
        found = learning_start(setting, scheme, rng)
        reading = setting.reading
        matrices, ratios = corrected(
            reading, _of_model(setting, found.weights), reading.features(inputs)
        )
    written = _in_precision(reading, matrices)
    with torch.no_grad():
        for parameter, values in written:
            parameter.copy_(values)
    return _result(setting, scheme, found, ratios)


def _numpy_generator(scheme: str, generator: torch.Generator | None) -> np.random.Generator:
    if scheme not in get_args(Scheme):
        choices = " or ".join(map(repr, get_args(Scheme)))
        raise InvalidOption(f"scheme must be {choices}, got {scheme!r}")
    if generator is not None and not isinstance(generator, torch.Generator):
        raise InvalidOption(
            f"generator must be a torch.Generator, got {type(generator).__name__}; "
            "torch.Generator().manual_seed(0) makes one"
        )
    if generator is not None and generator.device.type != "cpu":
        raise InvalidOption(
            f"generator must be on the CPU, where the weights are drawn, got {generator.device}"
        )
    return np.random.default_rng(int(torch.randint(2**63 - 1, (), generator=generator)))


def _setting(
    model: nn.Module, loader: Iterable[Any], loss: Loss, optimizer: torch.optim.Optimizer | None
) -> Setting:
    try:
        setting, _ = survey(model, loader, loss, optimizer)
    except UnknownLoss as error:
        raise NoExactSolution(f"initialize_ needs a square loss: {error}") from None
    if not setting.is_square:
        raise NoExactSolution(
            f"initialize_ needs a square loss, got {setting.term.kind}: where descent ends is no "
            "function of second moments for others; diagnose(...) says what is proven for them"
        )
    return setting


def _of_model(setting: Setting, weights: list[Array]) -> list[Array]:
    """Return weights of the model from those of its linear part: W/s, beside β/s."""
    reading = setting.reading
    slopes = (*reading.slopes, 1.0)
    matrices = [W / slope for W, slope in zip(weights, slopes, strict=True)]
    if reading.bias == "output":
        moments = setting.gathered.moments
        predictor = np.reshape(setting.problem.predictor(weights), (moments.outputs, -1))
        mean_y = np.atleast_1d(np.asarray(moments.mean_y))
        constant = mean_y - predictor @ np.asarray(moments.mean_x)
        matrices[-1] = np.column_stack([matrices[-1], constant])
    return matrices


def _in_precision(
    reading: Reading, matrices: list[Array]
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return what goes into which parameter.

    Raises
    ------
    OutOfRange
        If an entry would become infinite, or a matrix zero.
    """
    pairs = []
    for layer, matrix in zip(reading.layers, matrices, strict=True):
        weight, bias = layer.module.weight, layer.module.bias
        inputs = weight.shape[1]
        values = torch.from_numpy(matrix).to(weight.dtype)
        if not values.isfinite().all() or (matrix.any() and not values[:, :inputs].any()):
            raise OutOfRange(
                f"the weights of {layer.where} do not fit {weight.dtype}; rescale the data, or use "
                "model.double()"
            )
        pairs.append((weight, values[:, :inputs]))
        if bias is not None and matrix.shape[1] > inputs:
            pairs.append((bias, values[:, inputs]))
    return pairs


def _result(
    setting: Setting, scheme: Scheme, found: LearningStart, ratios: tuple[float, ...]
) -> Initialisation:
    reading, alpha, wall = setting.reading, setting.reading.alpha, found.barrier
    passes = tuple(Pass(one.size, alpha * one.loss) for one in wall.passes)
    norms = [float(layer.module.weight.detach().double().norm()) for layer in reading.layers]
    return Initialisation(
        scheme=scheme,
        basis=found.basis,
        gain=found.gain,
        critical_gain=found.critical_gain,
        loss=alpha * float(np.ravel(setting.problem.loss(found.weights))[0]),
        barrier=replace(wall, loss_at_zero=alpha * wall.loss_at_zero, passes=passes),
        energies=tuple(
            lam / 2 * norm**2 for lam, norm in zip(reading.weight_decay, norms, strict=True)
        ),
        corrections=ratios,
        source=_SOURCES[found.basis],
    )
