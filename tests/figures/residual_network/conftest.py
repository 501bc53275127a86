"""Small images on one thread: the suite shares its machine."""

import numpy as np
import pytest
import torch

from linscape.figures.residual_network.images import Images

torch.set_num_threads(1)


def random_images(rows, side, *, channels=1, padding=0, flip=False, seed=0):
    """Images whose brightness follows their label, and noise."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(rows) % 10)
    pixels = rng.random((rows, channels, side, side), dtype=np.float32) / 2
    pixels[np.arange(rows), 0, labels // side % side, labels % side] += np.float32(0.5)
    return Images("random", pixels, labels, padding, flip)


def write_cifar(folder, records=4, seed=0):
    """The five files of CIFAR-10's binary version, with few records each; returns these."""
    rng = np.random.default_rng(seed)
    written = rng.integers(0, 256, size=(5, records, 3073), dtype=np.uint8)
    written[:, :, 0] = np.arange(5 * records).reshape(5, records) % 10
    for k, part in enumerate(written, start=1):
        (folder / f"data_batch_{k}.bin").write_bytes(part.tobytes())
    return written.reshape(-1, 3073)


@pytest.fixture
def make_images():
    return random_images


@pytest.fixture
def cifar_folder(tmp_path):
    return tmp_path, write_cifar(tmp_path)
