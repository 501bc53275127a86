"""A PyTorch model read as a network of the theory, or refused by the name of what cannot be."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from linscape.errors import InvalidWeights, NoExactSolution
from linscape.moments import Moments
from linscape.network import Bias, Network
from linscape.problem import Problem
from linscape.torch.activations import Activation
from linscape.torch.layers import Layer, Parts, parts_of
from linscape.torch.loss import Loss, data_term
from linscape.torch.operations import Operation, applied, mode
from linscape.torch.optimisers import is_decoupled, parameter_decays
from linscape.torch.order import forward_order

Array = NDArray[np.float64]
Kind = Literal["linear", "smooth", "homogeneous", "mixed"]

_CENTRED = 1e-10  # of E[x]²/E[x²]: far below what float32 leaves of a mean that was subtracted


@dataclass(frozen=True, eq=False)
class Reading:
    """What a model is to the theory.

    Attributes
    ----------
    widths : tuple of int
        d, d_1, …, d_D, m: of the trained layers.
    weight_decay : tuple of float
        The optimiser's λ of each layer.
    alpha : float
        Factor α of the data term; γ = λ/(2α).
    input_noise, output_noise : float
        Noise variance before the first and after the last trained layer.
    noise : tuple of float
        Noise variance of each hidden layer: Π(1/(1 − p)) − 1 over its dropouts.
    activations : tuple of Activation or None
        Of each hidden layer.
    bias : False, "decayed", "free" or "output"
        As for :class:`linscape.Network`; "output": one bias at the output only, without decay.
    kind : str
        "linear"; "smooth" or "homogeneous" for activations all of that kind; "mixed".
    decoupled : bool
        Whether the optimiser's decay is decoupled (AdamW) and positive: then there is no γ.
    layers : tuple of Layer
        The trained layers.
    frozen : tuple of Operation
        What comes before the first of them, and acts on the data as a fixed map.
    operations : tuple of Operation
        The whole forward pass.
    """

    widths: tuple[int, ...]
    weight_decay: tuple[float, ...]
    alpha: float
    input_noise: float
    noise: tuple[float, ...]
    output_noise: float
    activations: tuple[Activation | None, ...]
    bias: Bias | Literal["output"]
    kind: Kind
    decoupled: bool
    layers: tuple[Layer, ...] = field(repr=False)
    frozen: tuple[Operation, ...] = field(repr=False)
    operations: tuple[Operation, ...] = field(repr=False)
    model: nn.Module = field(repr=False)

    @property
    def depth(self) -> int:
        """Number D of hidden layers."""
        return len(self.widths) - 2

    @property
    def slopes(self) -> tuple[float, ...]:
        """Slope of each hidden layer's activation at zero, 1 without one."""
        return tuple(1.0 if one is None else one.slope for one in self.activations)

    @property
    def network(self) -> Network:
        """The network; of a nonlinear model, its linear part.

        A slope s goes into the layer before it, whose weights become sW and whose decay γ/s².

        Raises
        ------
        NoExactSolution
            If the decay is decoupled.
        """
        if self.decoupled:
            raise NoExactSolution(
                "AdamW's decoupled decay is no L2 term of the loss, so there is no γ and no phase; "
                "SGD or Adam with weight_decay have one"
            )
        slopes = (*self.slopes, 1.0)
        return Network(
            self.widths[1:-1],
            noise=self.noise,
            weight_decay=[
                lam / (2 * self.alpha) / slope**2
                for lam, slope in zip(self.weight_decay, slopes, strict=True)
            ],
            bias=False if self.bias == "output" else self.bias,
            input_noise=self.input_noise,
        )

    def weights(self) -> list[Array]:
        """Return the weights of `network`: each sW, beside sβ where there are biases.

        Raises
        ------
        InvalidWeights
            If the model is on the meta device.
        """
        matrices = []
        for layer, slope in zip(self.layers, (*self.slopes, 1.0), strict=True):
            W, bias = layer.module.weight, layer.module.bias
            if W.is_meta:
                raise InvalidWeights(
                    f"{layer.where} is on the meta device, which holds no weights; make the model "
                    "on a real one (model.to_empty(device='cpu'), then initialise)"
                )
            parts = [W.detach()]
            if self.bias in ("decayed", "free"):
                parts.append(bias.detach()[:, None])
            matrix = torch.cat(parts, dim=1).to("cpu", torch.float64).numpy()
            matrices.append(slope * matrix)
        return matrices

    def problem(self, moments: Moments) -> Problem:
        """Return the problem of the network on moments of the features and targets.

        Noise on the output scales E[xxᵀ] by 1 + σ²; a free bias at the output alone centres.

        Raises
        ------
        NoExactSolution
            If an output bias stands alone beside dropout and E[x] ≠ 0, or noise on the output
            beside biases: no moments say that.
        """
        network = self.network
        if self.bias == "output":
            self._require_centred(moments)
            moments = moments.centered()
        if self.output_noise:
            moments = Moments((1 + self.output_noise) * moments.A, moments.C, moments.yy)
        return Problem(moments, network)

    def features(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return what the first trained layer sees of a batch, without noise."""
        with mode(self.model, training=False), torch.no_grad():
            return applied(self.frozen, inputs)

    def to_dict(self) -> dict[str, Any]:
        """Return what was read, ready for JSON."""
        return {
            "widths": list(self.widths),
            "layers": [layer.where for layer in self.layers],
            "frozen": [one.where for one in self.frozen],
            "pytorch_weight_decay": list(self.weight_decay),
            "alpha": self.alpha,
            "network": None if self.decoupled else self.network.to_dict(),
            "output_noise": self.output_noise,
            "activations": [one and one.name for one in self.activations],
            "slopes": list(self.slopes),
            "bias": self.bias,
            "kind": self.kind,
            "decoupled": self.decoupled,
        }

    def _require_centred(self, moments: Moments) -> None:
        noisy = any(self.noise) or self.input_noise
        if not noisy or moments.mean_x is None:
            return
        if np.all(moments.mean_x**2 <= _CENTRED * np.diagonal(moments.A)):
            return
        raise NoExactSolution(
            "a free bias at the output alone, beside dropout, is the centred problem only where "
            "E[x] = 0; centre the inputs, or give every layer a bias"
        )


def read(
    model: nn.Module,
    *,
    example: torch.Tensor | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    loss: Loss | None = None,
) -> Reading:
    """Read a model as a network: depth, widths, noise, decays, in the order of the forward pass.

    Linear, Dropout (anywhere), Identity, Flatten and activations are read, nested as they may be,
    as modules or as functions. Dropout of rate p is noise of variance p/(1 − p); one after another
    multiply, 1 + σ² = Π(1 + σ_i²); on the inputs, between layers and on the output. Before an
    activation it is read only if that is positively homogeneous. Frozen layers in front (no
    gradient, or not the optimiser's) are a fixed map of the data. Everything else is refused by
    name: normalisation, weight and spectral norm, skips, tied or partly frozen weights, other
    dropouts, rate 1, convolutions, activations with φ(0) ≠ 0, biases that decay unlike their layer.

    Parameters
    ----------
    model : torch.nn.Module
        The model; it is left as it was, modes of its modules included.
    example : tensor, optional
        A batch of inputs. With it the reading is checked to return what the model returns, with
        dropout on and off; a model with control flow cannot be read without.
    optimizer : torch.optim.Optimizer, optional
        Gives each layer's weight_decay λ and says what is trained; no decay without.
    loss : callable, optional
        Gives α, with outputs of the example as targets; for a loss of other targets, and its check,
        see :func:`data_term`. α = 1 without, so that γ = λ/2.

    Returns
    -------
    Reading
        With the :class:`linscape.Network` as `network`.

    Raises
    ------
    NoExactSolution
        If something cannot be read; the message names it and says why.
    InvalidData
        If the model fails on the example.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from linscape.torch import read
    >>> model = nn.Sequential(
    ...     nn.Linear(5, 8, bias=False), nn.Dropout(0.5), nn.Linear(8, 1, bias=False)
    ... )
    >>> reading = read(model, optimizer=torch.optim.SGD(model.parameters(), weight_decay=0.2))
    >>> reading.network
    Network(hidden=(8,), noise=(1.0,), weight_decay=(0.1, 0.1), bias=False, input_noise=0.0)
    """
    if not isinstance(model, nn.Module):
        raise NoExactSolution(
            f"expected a torch.nn.Module, got {type(model).__name__}; give the model itself"
        )
    operations = forward_order(model, example)
    decays = None if optimizer is None else parameter_decays(optimizer)
    decoupled = optimizer is not None and is_decoupled(optimizer)
    reading = _assembled(model, operations, parts_of(operations, decays), decoupled)
    if loss is None:
        return reading
    if example is None:
        raise NoExactSolution("to find α of a loss, give an example batch beside it")
    with mode(model, training=False), torch.no_grad():
        output = model(example)
    return replace(reading, alpha=data_term(loss, output, output).alpha)


def _assembled(
    model: nn.Module, operations: tuple[Operation, ...], parts: Parts, decoupled: bool
) -> Reading:
    linears = [layer.module for layer in parts.layers]
    lams = tuple(layer.decay for layer in parts.layers)
    return Reading(
        widths=(linears[0].in_features, *(one.out_features for one in linears)),
        weight_decay=lams,
        alpha=1.0,
        input_noise=parts.input_noise,
        noise=parts.noise[:-1],
        output_noise=parts.noise[-1],
        activations=parts.activations[:-1],
        bias=parts.bias,
        kind=_kind(parts.activations),
        decoupled=decoupled and any(lams),
        layers=parts.layers,
        frozen=parts.frozen,
        operations=operations,
        model=model,
    )


def _kind(found: Sequence[Activation | None]) -> Kind:
    kinds = {one.kind for one in found if one is not None}
    if not kinds:
        return "linear"
    if kinds == {"smooth"}:
        return "smooth"
    # a linear layer is homogeneous too
    return "homogeneous" if kinds == {"homogeneous"} else "mixed"
