"""ResNet-18 for small images (He, Zhang, Ren & Sun 2016), with any width and number of channels."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import relu


class Block(nn.Module):
    """Two 3×3 convolutions and what they are added to: the identity, or a 1×1 convolution.

    Parameters
    ----------
    channels, filters : int
        Channels that come in and go out.
    stride : int
        Of the first convolution and of the shortcut.
    """

    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.first = _convolution(channels, filters, size=3, stride=stride)
        self.second = _convolution(filters, filters, size=3, stride=1)
        unchanged = stride == 1 and channels == filters
        self.shortcut: nn.Module = (
            nn.Identity() if unchanged else _convolution(channels, filters, size=1, stride=stride)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, after the last ReLU."""
        return relu(self.second(relu(self.first(x))) + self.shortcut(x))


class ResNet18(nn.Module):
    """The residual network of 18 layers: a stem, four stages of two blocks each, a linear readout.

    The stem is one 3×3 convolution of stride 1, as is usual for images of 32×32; the stages have
    1, 2, 4 and 8 times `width` filters, and all but the first halve height and width. Every
    convolution is without bias and followed by batch normalisation.

    Parameters
    ----------
    width : int, default 64
        Filters of the stem.
    channels : int, default 3
        Of the images.
    classes : int, default 10
        Outputs.

    Examples
    --------
    >>> sum(weights.numel() for weights in ResNet18().parameters())
    11173962
    """

    def __init__(self, width: int = 64, channels: int = 3, classes: int = 10) -> None:
        super().__init__()
        filters = [width, width, 2 * width, 4 * width, 8 * width]
        self.stem = _convolution(channels, width, size=3, stride=1)
        self.stages = nn.Sequential(
            *(
                nn.Sequential(Block(a, b, stride), Block(b, b, 1))
                for (a, b), stride in zip(pairwise(filters), (1, 2, 2, 2), strict=True)
            )
        )
        self.readout = nn.Linear(filters[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the outputs (n, classes) for images (n, channels, height, width)."""
        features: Tensor = self.stages(relu(self.stem(images)))
        outputs: Tensor = self.readout(features.mean(dim=(2, 3)))
        return outputs


def _convolution(channels: int, filters: int, *, size: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(channels, filters, size, stride, padding=size // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(filters))
