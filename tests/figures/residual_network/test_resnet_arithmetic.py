"""Denormal numbers and threads: set inside, as before outside."""

import contextlib

import torch

from linscape.figures.residual_network.arithmetic import flushed, on_threads


def denormal_survives():
    return (torch.tensor([1e-30]) * torch.tensor([1e-10])).item() != 0


def test_denormal_numbers_are_zero_inside_only():
    assert denormal_survives()
    with flushed():
        assert not denormal_survives()
    assert denormal_survives()


def test_threads_are_as_before_after_an_error():
    before = torch.get_num_threads()
    with contextlib.suppress(KeyError), on_threads(before + 1):
        assert torch.get_num_threads() == before + 1
        raise KeyError
    assert torch.get_num_threads() == before
