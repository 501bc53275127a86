"""When a training counts as at rest."""

import numpy as np
import pytest

from linscape.figures.residual_network.stopping import Stopping

STOPPING = Stopping(window=2, tolerance=0.25, epochs=9)


@pytest.mark.parametrize(
    ("losses", "rests"),
    [
        ([], False),
        ([1.0, 1.0, 1.0], False),
        ([1.0, 1.0, 1.0, 1.0], True),
        ([9.0, 1.0, 1.0, 0.75, 0.75], True),  # a difference of exactly the tolerance
        ([1.0, 1.0, 0.75, 0.5], False),
        ([0.5, 0.5, 1.0, 1.0], False),  # a loss that rises is no plateau either
        ([1.0, 1.0, np.nan, 1.0], False),
    ],
)
def test_plateau(losses, rests):
    assert STOPPING.plateau(losses) is rests


def test_all_need_a_plateau():
    flat, falling = np.ones(5), np.linspace(3, 1, 5)
    assert STOPPING.all_plateau(list(np.stack([flat, flat], axis=1)))
    assert not STOPPING.all_plateau(list(np.stack([flat, falling], axis=1)))
    assert not STOPPING.all_plateau([np.ones(2)] * 3)
