"""The ResNet-18 against a count by formula and torch's functions."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from linscape.figures.residual_network.model import ResNet18


def parameters(width, channels, classes):
    """Kernels of 3×3 and 1×1, two numbers a filter of normalisation, the readout with bias."""
    kernels, filters = 9 * channels * width, width
    for stage in range(4):
        here = width * 2**stage
        before = here // 2 if stage else width
        kernels += 9 * (before * here + 3 * here**2)
        filters += 4 * here
        if stage:
            kernels += before * here
            filters += here
    return kernels + 2 * filters + 8 * width * classes + classes


@pytest.mark.parametrize(("width", "channels", "classes"), [(64, 3, 10), (8, 1, 10), (3, 2, 7)])
def test_number_of_parameters(width, channels, classes):
    model = ResNet18(width, channels, classes)
    counted = sum(weights.numel() for weights in model.parameters())
    assert counted == parameters(width, channels, classes)


def test_standard_number():
    assert parameters(64, 3, 10) == 11_173_962


def by_hand(model, x):
    """The network from torch's functions and the model's tensors, in the order of creation."""
    tensors = iter(model.parameters())

    def convolve(x, stride, padding):
        x = F.conv2d(x, next(tensors), stride=stride, padding=padding)
        return F.batch_norm(x, None, None, next(tensors), next(tensors), training=True)

    x = F.relu(convolve(x, 1, 1))
    for stride in (1, 1, 2, 1, 2, 1, 2, 1):
        y = F.relu(convolve(x, stride, 1))
        y = convolve(y, 1, 1)
        x = F.relu(y + (convolve(x, stride, 0) if stride == 2 else x))
    return F.linear(F.adaptive_avg_pool2d(x, 1).flatten(1), next(tensors), next(tensors))


@pytest.mark.parametrize(("side", "channels"), [(8, 1), (32, 3)])
def test_forward_against_torch_functions(side, channels):
    torch.manual_seed(1)
    model = ResNet18(4, channels).double()
    x = torch.randn(6, channels, side, side, dtype=torch.float64)
    assert model(x).shape == (6, 10)
    torch.testing.assert_close(model(x), by_hand(model, x), rtol=1e-10, atol=1e-12)


def test_eighteen_layers():
    kernels = [w for w in ResNet18(2).parameters() if w.ndim > 1]
    shortcuts = [w for w in kernels if w.shape[2:] == (1, 1)]
    assert len(kernels) - len(shortcuts) == 18
    assert len(shortcuts) == 3
