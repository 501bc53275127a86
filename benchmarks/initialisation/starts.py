"""The models before training, by every scheme."""

import itertools
from collections.abc import Callable

import torch
from lsuv import lsuv_with_singlebatch
from torch import nn

from linscape.errors import LinscapeError
from linscape.torch import initialize_

INPUTS, WIDTH = 6, 16
ACTIVATIONS = {"linear": nn.Identity, "tanh": nn.Tanh, "relu": nn.ReLU}

Weights = list[torch.Tensor]
Start = Callable[[nn.Sequential, str, torch.Tensor, torch.Tensor, float], None]


def model(activation: str, depth: int, rate: float) -> nn.Sequential:
    widths = [INPUTS, *[WIDTH] * depth, 1]
    steps: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        steps += [nn.Linear(before, after, bias=False), ACTIVATIONS[activation](), nn.Dropout(rate)]
    return nn.Sequential(*steps[:-2])


def started(
    scheme: str,
    activation: str,
    depth: int,
    rate: float,
    data: tuple[torch.Tensor, torch.Tensor],
    decay: float,
    seed: int,
) -> Weights | None:
    """Return the weights that a scheme starts from, or None if it refuses."""
    torch.manual_seed(seed)
    net = model(activation, depth, rate)
    try:
        SCHEMES[scheme](net, activation, *data, decay)
    except LinscapeError:
        return None
    return [one.weight.detach().clone() for one in _linears(net)]


def learning_rates(scheme: str, depth: int) -> list[float]:
    """Return what the common learning rate is multiplied by, layer by layer."""
    return (
        [float(WIDTH), *[1.0] * (depth - 1), 1 / WIDTH] if scheme == "μP" else [1.0] * (depth + 1)
    )


def _linears(net: nn.Sequential) -> list[nn.Linear]:
    return [one for one in net if isinstance(one, nn.Linear)]


def _by_torch(initializer: Callable[..., torch.Tensor]) -> Start:
    def start(net: nn.Sequential, activation: str, *_: object) -> None:
        *hidden, last = _linears(net)
        for one in hidden:
            initializer(one.weight, nn.init.calculate_gain(activation))
        initializer(last.weight, 1.0)

    return start


def _kaiming(weight: torch.Tensor, gain: float) -> torch.Tensor:
    return nn.init.normal_(weight, std=gain / weight.shape[1] ** 0.5)


def _lsuv(net: nn.Sequential, _: str, x: torch.Tensor, *__: object) -> None:
    lsuv_with_singlebatch(net, x, verbose=False)


def _mup(net: nn.Sequential, *_: object) -> None:
    *hidden, last = _linears(net)
    for one in hidden:
        nn.init.normal_(one.weight, std=one.in_features**-0.5)
    nn.init.normal_(last.weight, std=1 / last.in_features)


def _ours(scheme: str) -> Start:
    def start(net: nn.Sequential, _: str, x: torch.Tensor, y: torch.Tensor, decay: float) -> None:
        sgd = torch.optim.SGD(net.parameters(), weight_decay=decay)
        initialize_(net, [(x, y)], loss=nn.MSELoss(), optimizer=sgd, scheme=scheme)

    return start


SCHEMES: dict[str, Start] = {
    "PyTorch default": lambda *_: None,
    "Kaiming": _by_torch(_kaiming),
    "Xavier": _by_torch(nn.init.xavier_normal_),
    "orthogonal": _by_torch(nn.init.orthogonal_),
    "LSUV": _lsuv,
    "μP": _mup,
    "initialize_ random": _ours("random"),
    "initialize_ aligned": _ours("aligned"),
}
