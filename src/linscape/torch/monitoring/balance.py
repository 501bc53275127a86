"""Balancedness of large layers, by power iteration on matrices that are never formed."""

import itertools
from collections.abc import Sequence

import torch

_ITERATIONS = 30


def balancedness_below(weights: Sequence[torch.Tensor]) -> float:
    """Return max_j ‖Δ_j‖₂, Δ_j = W_{j+1}ᵀW_{j+1} − W_jW_jᵀ, approached from below.

    Thirty steps of power iteration on each; ‖Δv‖/‖v‖ never exceeds the norm, and never falls from
    one step to the next. 0 without hidden layers.
    """
    pairs = itertools.pairwise(weights)
    return max((_norm(incoming, outgoing) for incoming, outgoing in pairs), default=0.0)


def _norm(incoming: torch.Tensor, outgoing: torch.Tensor) -> float:
    generator = torch.Generator().manual_seed(0)
    v = torch.randn(len(incoming), generator=generator, dtype=torch.float32)
    v = v.to(incoming.device, incoming.dtype)
    size = v.new_zeros(())
    for _ in range(_ITERATIONS):
        norm = v.norm()
        v = v / torch.where(norm > 0, norm, torch.ones_like(norm))
        v = outgoing.T @ (outgoing @ v) - incoming @ (incoming.T @ v)
        size = v.norm()
    return float(size)
