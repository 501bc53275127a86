"""(20): the signals against the closed form for inputs of one variance, and against phases."""

import io

import numpy as np
import pytest

import linscape as ls
from linscape.figures import draw, reproduce
from linscape.figures.exact_solutions import signal_needed


@pytest.fixture(scope="module")
def found():
    return reproduce("signal-needed", quick=True)


def test_verdicts(found):
    assert [claim.verdict for claim in found.claims] == [
        "FAIL", "PASS", "FAIL", "PASS", "FAIL", "FAIL",
    ]  # fmt: skip


@pytest.mark.parametrize(("depth", "width"), [(1, 2), (2, 2), (3, 8), (20, 32)])
def test_needed_is_the_closed_form(found, depth, width):
    existence, learning, printed = (
        found.arrays[f"{name}_width_{width}"][depth - 1] for name in signal_needed.QUANTITIES
    )
    g, rho, D = signal_needed.DECAY, 1 + signal_needed.NOISE / width, depth
    # with A = I: P_e and P* solved for ‖c‖²; 0⁰ = 1
    exists = (g ** (D + 1) * (rho**D * (D + 1)) ** (D - 1) / max(D - 1, 1e-300) ** (D - 1)) ** (
        1 / D
    ) * (2 * D / (D + 1)) ** 2
    learns = (g ** (D + 1) * D ** (2 * D) * rho ** (D * (D - 1))) ** (1 / D)
    learns /= float(max(D - 1, 1)) ** ((D - 1) / D)
    np.testing.assert_allclose([existence, learning], [exists, learns], rtol=1e-9)
    np.testing.assert_allclose(printed, 4 * width**2 * g * rho**D, rtol=1e-10)


def test_phase_changes_at_the_signals(found):
    existence, learning = (found.arrays[f"{name}_depth_4"][2] for name in ("existence", "learning"))
    width = int(found.arrays["width"][2])
    network = ls.Network((width,) * 4, noise=1.0, weight_decay=signal_needed.DECAY)

    def name(square):
        c = np.sqrt(square)
        return ls.phase(ls.Problem(ls.Moments([[1.0]], [c], square), network)).name

    names = [name(f * edge) for edge in (existence, learning) for f in (0.999, 1.001)]
    assert names == ["collapsed", "metastable", "metastable", "learning"]


def test_no_noise_no_growth(monkeypatch):
    monkeypatch.setattr(signal_needed, "NOISE", 0.0)
    # then the widths do not matter at all
    np.testing.assert_allclose(
        signal_needed.needed(5, 2)[:2], signal_needed.needed(5, 64)[:2], rtol=1e-10
    )


def test_draws(found):
    figure = draw(found)
    figure.savefig(io.BytesIO(), format="png", dpi=20)
    assert len(figure.axes) == 2
