"""Random crops and mirror images of standardised images, drawn or all of them."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import pad

from linscape.figures.residual_network.images import Images


class Augmentation:
    """Standardised images that are padded with black, cropped to their size, perhaps mirrored.

    Each channel has its mean over all pixels of all images subtracted and is divided by their
    standard deviation, before any crop.

    Parameters
    ----------
    images : Images
        With what is random: the padding and whether to mirror.
    """

    def __init__(self, images: Images) -> None:
        raw = torch.from_numpy(images.pixels)
        mean = raw.mean(dim=(0, 2, 3), keepdim=True)
        deviation = raw.std(dim=(0, 2, 3), keepdim=True, correction=0)
        self.labels = torch.from_numpy(images.labels)
        self._padded = (pad(raw, [images.padding] * 4) - mean) / deviation
        self._size = images.pixels.shape[2:]
        self._places = 2 * images.padding + 1
        self._flip = images.flip

    def batches(self, size: int, rng: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield one epoch: every image once, in random order, each with a crop of its own.

        The images left over from batches of `size` wait for another epoch.
        """
        size = min(size, len(self.labels))
        order = torch.randperm(len(self.labels), generator=rng)
        for rows in order[: len(order) // size * size].view(-1, size):
            yield self._crop(rows, rng), self.labels[rows]

    def every_crop(self) -> Iterator[Tensor]:
        """Yield all images once for each crop and mirroring; all are equally likely."""
        height, width = self._size
        for i in range(self._places):
            for j in range(self._places):
                crop = self._padded[:, :, i : i + height, j : j + width]
                yield crop
                if self._flip:
                    yield crop.flip(3)

    def _crop(self, rows: Tensor, rng: torch.Generator) -> Tensor:
        height, width = self._size
        corner = torch.randint(self._places, (2, len(rows)), generator=rng)
        i = corner[0, :, None] + torch.arange(height)
        j = corner[1, :, None] + torch.arange(width)
        if self._flip:
            mirrored = torch.randint(2, (len(rows), 1), generator=rng) == 1
            j = torch.where(mirrored, j.flip(1), j)
        # index arrays on both sides of the channels' slice put these last
        crops = self._padded[rows[:, None, None], :, i[:, :, None], j[:, None, :]]
        return crops.permute(0, 3, 1, 2)
