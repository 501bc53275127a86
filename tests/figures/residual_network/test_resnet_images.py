"""The digits, and files in the format of CIFAR-10: whole, cut, missing, wrong."""

import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits

from linscape.errors import InvalidData, MissingDependency, UnreadableFile
from linscape.figures.residual_network.images import cifar10, cifar10_records, digits


def test_cifar_pixels_and_labels(cifar_folder):
    folder, records = cifar_folder
    images = cifar10(folder)
    assert images.pixels.shape == (20, 3, 32, 32)
    assert images.labels.tolist() == records[:, 0].tolist()
    # row 5, column 7 of the green plane of record 11: byte 1 + 1024 + 5 · 32 + 7
    assert images.pixels[11, 1, 5, 7] == np.float32(records[11, 1192]) / np.float32(255)
    assert (images.padding, images.flip) == (4, True)


def test_cifar_test_file_is_read_alike(tmp_path, cifar_folder):
    _, records = cifar_folder
    (tmp_path / "test_batch.bin").write_bytes(records[:2].tobytes())
    np.testing.assert_array_equal(cifar10_records(tmp_path / "test_batch.bin"), records[:2])


@pytest.mark.parametrize("size", [0, 1, 3072, 3074, 2 * 3073 - 1])
def test_cut_file(cifar_folder, size):
    folder, records = cifar_folder
    (folder / "data_batch_3.bin").write_bytes(records[:3].tobytes()[:size])
    with pytest.raises(UnreadableFile, match=rf"data_batch_3\.bin has {size} bytes.*cut short"):
        cifar10(folder)


def test_missing_file(cifar_folder):
    folder, _ = cifar_folder
    (folder / "data_batch_5.bin").unlink()
    with pytest.raises(UnreadableFile, match=r"cannot read .*data_batch_5\.bin: No such file"):
        cifar10(folder)


def test_missing_folder(tmp_path):
    with pytest.raises(UnreadableFile, match=r"nowhere is no folder; give .*data_batch_1\.bin"):
        cifar10(tmp_path / "nowhere")


def test_labels_of_another_format(cifar_folder):
    folder, records = cifar_folder
    records = records.copy()
    records[1, 0] = 10
    (folder / "data_batch_1.bin").write_bytes(records[:2].tobytes())
    with pytest.raises(InvalidData, match=r"record 1 of .*data_batch_1\.bin has the label 10"):
        cifar10(folder)


def test_digits():
    images, source = digits(), load_digits()
    assert images.pixels.min() == 0
    assert images.pixels.max() == 1
    np.testing.assert_array_equal(images.pixels.reshape(-1, 64) * 16, source.data)
    np.testing.assert_array_equal(images.one_hot().argmax(axis=1), source.target)
    np.testing.assert_array_equal(images.one_hot().sum(axis=1), 1)
    assert not images.flip


def test_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingDependency, match=r"pip install \"linscape\[sklearn\]\""):
        digits()
