"""What is trained and for how long: on the digits, on CIFAR-10, and for a quick look."""

from dataclasses import dataclass

from linscape.figures.residual_network.stopping import Stopping

RATES = (0.001, 0.002, 0.005, 0.01)


@dataclass(frozen=True)
class Plan:
    """All that fixes a run but the seed and the images.

    Attributes
    ----------
    width : int
        Of the ResNet's stem; 64 is the standard one.
    seeds : int
        Trainings for each weight decay.
    weight_decays : tuple of float
        Of the ResNet, PyTorch's λ.
    stopping : Stopping
        Of the ResNet.
    linear_weight_decays : tuple of float
        Of the linear nets.
    linear_factors : tuple of float
        Further decays of each linear net, in units of its predicted transition.
    linear_stopping : Stopping
        Of the linear nets.
    depths : tuple of int
        Hidden layers of the linear nets.
    rates : tuple of float
        Learning rates searched.
    search_epochs : int
        How long each is tried, at the smallest decay.
    processes : int
        In which residual networks are trained.
    """

    width: int
    seeds: int
    weight_decays: tuple[float, ...]
    stopping: Stopping
    linear_weight_decays: tuple[float, ...]
    linear_factors: tuple[float, ...]
    linear_stopping: Stopping
    depths: tuple[int, ...]
    rates: tuple[float, ...]
    search_epochs: int
    processes: int


DIGITS = Plan(
    width=8,
    seeds=10,
    weight_decays=(0.01, 0.1, 0.3, 0.5, 0.7, 1.0),
    stopping=Stopping(window=10, tolerance=0.005, epochs=60),
    linear_weight_decays=(0.001, 0.01, 0.1, 1.0),
    linear_factors=(0.5, 0.9, 1.1, 2.0),
    linear_stopping=Stopping(window=50, tolerance=0.001, epochs=800),
    depths=(0, 1, 5),
    rates=RATES,
    search_epochs=20,
    processes=2,
)

# never run by us: weeks on a CPU
CIFAR = Plan(
    width=64,
    seeds=1,
    weight_decays=DIGITS.weight_decays,
    stopping=Stopping(window=5, tolerance=0.005, epochs=100),
    linear_weight_decays=DIGITS.linear_weight_decays,
    linear_factors=DIGITS.linear_factors,
    linear_stopping=Stopping(window=5, tolerance=0.001, epochs=100),
    depths=DIGITS.depths,
    rates=RATES,
    search_epochs=2,
    processes=1,
)

# both ends of the decays and next to no training: shows that all parts work, proves nothing
QUICK = Plan(
    width=4,
    seeds=2,
    weight_decays=(0.001, 1.0),
    stopping=Stopping(window=2, tolerance=0.005, epochs=6),
    linear_weight_decays=(0.001, 1.0),
    linear_factors=(0.5, 2.0),
    linear_stopping=Stopping(window=10, tolerance=0.001, epochs=60),
    depths=DIGITS.depths,
    rates=(0.01,),
    search_epochs=1,
    processes=1,
)
