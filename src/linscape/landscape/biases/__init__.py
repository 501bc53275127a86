"""Biases that decay with their layers (Ziyin, Li & Meng, 2022, Appendix D, corrected).

================  ===============================================================================
minimum.py        which theorem covers a problem, and its global minimum
convex.py         at most one hidden layer: a problem without biases (Theorem 5)
chain.py          any depth and means: the exact reduction to one number a layer
search.py         its largest gain, by branch and bound
sweep.py          how a box of the search is narrowed
ranges.py         interval arithmetic
setting.py        from a problem to its chain, and the errors on the way
attained.py       from a point of the chain back to weights
deep.py           the global minimum by way of the chain
states.py         the trivial state, and the state that biases alone make
result.py         the global minimum as a result
================  ===============================================================================
"""

from linscape.landscape.biases.minimum import decayed_bias_minimum
from linscape.landscape.biases.result import BiasedMinimum
from linscape.landscape.biases.states import BiasState, bias_only_state, trivial_state

__all__ = [
    "BiasState",
    "BiasedMinimum",
    "bias_only_state",
    "decayed_bias_minimum",
    "trivial_state",
]
