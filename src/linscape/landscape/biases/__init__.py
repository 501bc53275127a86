"""Biases that decay with their layers (Ziyin, Li & Meng, 2022, Appendix D, corrected).

================  ===============================================================================
minimum.py        which theorem covers a problem, and its global minimum
free.py           the problem with free biases, and when that is the same
convex.py         at most one hidden layer: a problem without biases (Theorem 5)
windows.py        one hidden layer: the decays that learn, exactly
chain.py          any depth and means: the exact reduction to one number a layer
search.py         its largest gain, by branch and bound
critical.py       all its critical points, by exhaustion
boxes.py          boxes of ridge parameters, narrowed and divided
sweep.py          how a box is narrowed
ranges.py         interval arithmetic
setting.py        from a problem to its chain, and the errors on the way
attained.py       from a point of the chain back to weights
deep.py           the global minimum by way of the chain
enumeration.py    all critical points of a problem, with their Morse indices
phases.py         the phase and the critical decays
solutions.py      every solution with its weights
states.py         the trivial state, and when it is a minimum
alone.py          the states that biases alone make
result.py         the global minimum as a result
================  ===============================================================================
"""

from linscape.landscape.biases.alone import bias_only_states
from linscape.landscape.biases.minimum import decayed_bias_minimum
from linscape.landscape.biases.phases import BiasedCriticalWeightDecay
from linscape.landscape.biases.result import BiasedMinimum
from linscape.landscape.biases.solutions import BiasedSolution
from linscape.landscape.biases.states import BiasState, trivial_state

__all__ = [
    "BiasState",
    "BiasedCriticalWeightDecay",
    "BiasedMinimum",
    "BiasedSolution",
    "bias_only_states",
    "decayed_bias_minimum",
    "trivial_state",
]
