from linscape import errors as errors
from linscape.landscape import Branch as Branch
from linscape.landscape import Branches as Branches
from linscape.landscape import CriticalDepth as CriticalDepth
from linscape.landscape import CriticalDropout as CriticalDropout
from linscape.landscape import CriticalSignal as CriticalSignal
from linscape.landscape import CriticalWeightDecay as CriticalWeightDecay
from linscape.landscape import GlobalMinimum as GlobalMinimum
from linscape.landscape import Phase as Phase
from linscape.landscape import PhaseDiagram as PhaseDiagram
from linscape.landscape import Solution as Solution
from linscape.landscape import branches as branches
from linscape.landscape import critical_depth as critical_depth
from linscape.landscape import critical_dropout as critical_dropout
from linscape.landscape import critical_signal as critical_signal
from linscape.landscape import critical_weight_decay as critical_weight_decay
from linscape.landscape import energy_curve as energy_curve
from linscape.landscape import global_minimum as global_minimum
from linscape.landscape import phase as phase
from linscape.landscape import phase_diagram as phase_diagram
from linscape.landscape import solutions as solutions
from linscape.moments import Moments as Moments
from linscape.moments import read_moments as read_moments
from linscape.network import Network as Network
from linscape.network import dropout as dropout
from linscape.problem import Problem as Problem

__version__: str
