"""Residual trainings: repeatable, taken up again, and trivial at a large decay."""

from dataclasses import replace

import pytest
import torch

from linscape.figures.residual_network import many
from linscape.figures.residual_network.many import Training, train_all
from linscape.figures.residual_network.stopping import Stopping

TRAINING = Training(2, 0.01, 0.001, Stopping(window=1, tolerance=-1.0, epochs=2), seed=3)


def test_deterministic_by_seed_and_leaves_the_global_generator_alone(make_images):
    images = make_images(40, 8, padding=1)
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    ended = TRAINING.on(images)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(8)
    assert TRAINING.on(images) == ended
    assert replace(TRAINING, seed=4).on(images) != ended
    assert (ended.epochs, ended.rested) == (2, False)


def test_learns_at_a_small_decay_and_not_at_a_huge_one(make_images):
    images = make_images(200, 8)
    stopping = Stopping(window=5, tolerance=1e-5, epochs=200)
    small = replace(TRAINING, stopping=replace(stopping, epochs=40)).on(images)
    huge = replace(TRAINING, stopping=stopping, weight_decay=2.0).on(images)
    assert small.accuracy > 0.5
    assert huge.rested
    assert huge.epochs < 200
    # outputs tend to zero, the loss to log 10, to the tolerance of a plateau
    assert huge.loss == pytest.approx(1, rel=1e-4)
    assert huge.accuracy < 0.2
    assert huge.norm < small.norm


def test_goes_on_where_it_stopped(make_images, tmp_path, monkeypatch):
    images = make_images(20, 8)
    trainings = [replace(TRAINING, seed=seed) for seed in range(3)]
    told = []

    def train(some, tell=lambda _: None):
        return train_all(some, images, processes=1, partial=tmp_path, advance=tell)

    first = train(trainings[:2])
    begun = []
    real = many.train_residual
    monkeypatch.setattr(
        many, "train_residual", lambda *a, **k: begun.append(k["seed"]) or real(*a, **k)
    )
    everything = train(trainings, told.append)
    assert begun == [2]
    assert everything[:2] == first
    assert told == [1.0]
    # other images or another rule are other trainings
    train_all(trainings[:1], make_images(21, 8), processes=1, partial=tmp_path, advance=told.append)
    train([replace(trainings[0], stopping=Stopping(1, -1.0, 1))])
    assert begun == [2, 0, 0]


@pytest.mark.slow
def test_processes_change_nothing(make_images):
    images = make_images(20, 8)
    trainings = [replace(TRAINING, seed=seed) for seed in range(3)]
    told = []
    alone = train_all(trainings, images, processes=1, partial=None, advance=told.append)
    together = train_all(trainings, images, processes=2, partial=None, advance=told.append)
    assert alone == together
    assert told == pytest.approx([1 / 3, 2 / 3, 1] * 2)
