"""What an initialisation did."""

from dataclasses import dataclass
from typing import Any, Literal

from linscape.landscape.interval import json_value
from linscape.torch.initialising.barrier import Barrier

Scheme = Literal["random", "aligned"]
Basis = Literal["proven", "numerical", "approximation"]


@dataclass(frozen=True)
class Initialisation:
    """What :func:`initialize_` wrote, and why descent from there learns.

    Losses and energies are those of PyTorch's loss (data term times α, decays λ/2); of a nonlinear
    model they are those of the linear net in its place.

    Attributes
    ----------
    scheme : str
        "random" or "aligned".
    basis : str
        "proven": descent on the noise-averaged loss cannot end at zero, by `barrier`; "numerical":
        it was followed and does not; "approximation": one of these for the linear net in the place
        of a nonlinear one.
    gain : float
        What the layers were multiplied by over the norms they have at the target: 1 for "aligned".
    critical_gain : float or None
        The gain below which this draw collapses, numerical; None where it was not looked for,
        because half of the weights learn already, or the scheme is "aligned".
    loss : float
        At the start, averaged over dropout.
    barrier : Barrier
        What descent would have to climb over.
    energies : tuple of float
        (λ/2)‖W‖² of each layer at the start, biases left out.
    corrections : tuple of float
        For each hidden layer what its activation takes off or adds on one batch; the next layer is
        divided by it. 1 without an activation.
    source : str
        What it rests on, in a sentence.
    """

    scheme: Scheme
    basis: Basis
    gain: float
    critical_gain: float | None
    loss: float
    barrier: Barrier
    energies: tuple[float, ...]
    corrections: tuple[float, ...]
    source: str

    def to_dict(self) -> dict[str, Any]:
        """Return the result ready for JSON."""
        plain = {key: json_value(value) for key, value in vars(self).items()}
        return {**plain, "barrier": self.barrier.to_dict()}
