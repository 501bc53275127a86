"""How torch computes here: on how many threads, and without denormal numbers."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def flushed() -> Iterator[None]:
    """Round denormal numbers to zero in this thread; a processor is many times slower on them."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@contextmanager
def on_threads(number: int) -> Iterator[None]:
    """Let torch use so many threads; for small images more than one only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def prepare_worker() -> None:
    """Set a process up that trains beside others: one thread, no denormal numbers."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
