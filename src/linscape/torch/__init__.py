"""PyTorch models: read as networks, and told before training whether they will collapse."""

from linscape.errors import MissingDependency

try:
    import torch as _  # noqa: F401
except ImportError as error:
    raise MissingDependency(
        'linscape.torch needs PyTorch, which is not installed; pip install "linscape[torch]"'
    ) from error

from linscape.torch.conventions import optimizer_weight_decay, weight_decay
from linscape.torch.diagnosis import diagnose
from linscape.torch.initialising import Initialisation, initialize_
from linscape.torch.lines import SolutionLine, solution_line
from linscape.torch.loss import DataTerm, data_term
from linscape.torch.monitoring import CollapseWarning, Monitor
from linscape.torch.reading import Reading, read
from linscape.torch.result import Diagnosis

__all__ = [
    "CollapseWarning",
    "DataTerm",
    "Diagnosis",
    "Initialisation",
    "Monitor",
    "Reading",
    "SolutionLine",
    "data_term",
    "diagnose",
    "initialize_",
    "optimizer_weight_decay",
    "read",
    "solution_line",
    "weight_decay",
]
