"""Crops drawn and counted, against slicing by hand."""

import numpy as np
import pytest
import torch

from linscape.figures.residual_network.augmentation import Augmentation
from linscape.figures.residual_network.prediction import augmented_moments


def standardised(images):
    mean = images.pixels.mean(axis=(0, 2, 3), keepdims=True, dtype=np.float64)
    deviation = images.pixels.std(axis=(0, 2, 3), keepdims=True, dtype=np.float64)
    return (np.pad(images.pixels, [(0, 0)] * 2 + [(images.padding,) * 2] * 2) - mean) / deviation


def all_crops(images):
    """Every crop and mirror image by slicing, shape (crops, n, channels, side, side)."""
    padded, side = standardised(images), images.pixels.shape[2]
    places = range(2 * images.padding + 1)
    crops = [padded[:, :, i : i + side, j : j + side] for i in places for j in places]
    return np.stack(crops + [crop[..., ::-1] for crop in crops] if images.flip else crops)


CASES = [(0, False, 1), (1, False, 9), (1, True, 18), (2, True, 50)]


@pytest.mark.parametrize(("padding", "flip", "count"), CASES)
def test_moments_over_all_crops(make_images, padding, flip, count):
    images = make_images(13, 4, channels=2, padding=padding, flip=flip)
    crops = all_crops(images)
    assert len(crops) == count
    X = crops.reshape(-1, 32)
    Y = np.tile(images.one_hot(), (count, 1))
    moments = augmented_moments(images)
    # the images are float32: 1e-6 of the largest entry
    np.testing.assert_allclose(moments.A, X.T @ X / len(X), rtol=0, atol=1e-6 * 4)
    np.testing.assert_allclose(moments.C, X.T @ Y / len(X), rtol=0, atol=1e-6)
    np.testing.assert_allclose(moments.yy, Y.T @ Y / len(Y), rtol=1e-12)


@pytest.mark.parametrize(("padding", "flip", "count"), CASES)
def test_batches_are_crops_each_equally_likely(make_images, padding, flip, count):
    images = make_images(10, 4, channels=2, padding=padding, flip=flip)
    crops = all_crops(images)
    augmentation, rng = Augmentation(images), torch.Generator().manual_seed(0)
    met = np.zeros(len(crops))
    epochs = 100
    for _ in range(epochs):
        ((batch, labels),) = augmentation.batches(256, rng)
        assert sorted(labels.tolist()) == list(range(10))
        for x, label in zip(batch.numpy(), labels.tolist(), strict=True):
            row = int(np.flatnonzero(images.labels == label)[0])
            same = np.abs(crops[:, row] - x).max(axis=(1, 2, 3)) < 1e-5  # float32
            assert same.any()
            met += same / same.sum()
    expected = 10 * epochs / count
    # chi-square with count − 1 degrees: mean and six standard deviations
    statistic = np.square(met - expected).sum() / expected
    assert statistic <= count - 1 + 6 * np.sqrt(2 * (count - 1))


def test_an_epoch_drops_the_rest(make_images):
    augmentation = Augmentation(make_images(23, 4))
    sizes = [len(y) for _, y in augmentation.batches(10, torch.Generator().manual_seed(0))]
    assert sizes == [10, 10]
