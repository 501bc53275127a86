"""Many trainings of the residual network: in several processes, and taken up where they stopped."""

import json
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import BinaryIO

from linscape.atomic import write_atomically
from linscape.figures.reproduction import Advance
from linscape.figures.residual_network.arithmetic import prepare_worker
from linscape.figures.residual_network.images import Images
from linscape.figures.residual_network.residual import Ending, train_residual
from linscape.figures.residual_network.stopping import Stopping


@dataclass(frozen=True)
class Training:
    """All that fixes one training but the images."""

    width: int
    learning_rate: float
    weight_decay: float
    stopping: Stopping
    seed: int

    def on(self, images: Images) -> Ending:
        """Train on these images."""
        return train_residual(
            images,
            width=self.width,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            stopping=self.stopping,
            seed=self.seed,
        )


def train_all(
    trainings: Sequence[Training],
    images: Images,
    *,
    processes: int,
    partial: Path | None,
    advance: Advance,
) -> list[Ending]:
    """Return where each training ends, in their order.

    Parameters
    ----------
    trainings : sequence of Training
        Begun in this order.
    images : Images
        The same for all.
    processes : int
        With 1, all happens in this process.
    partial : Path, optional
        A folder that exists; each ending is written there as it comes, and not computed again by a
        later call with the same images.
    advance : callable
        Told the fraction done.
    """
    endings = [_kept(partial, images, training) for training in trainings]
    waiting = [k for k, ending in enumerate(endings) if ending is None]
    if processes == 1:
        for k in waiting:
            endings[k] = trainings[k].on(images)
            _keep(partial, images, trainings[k], endings[k])
            advance((k + 1) / len(trainings))
    elif waiting:
        # spawned, not forked: a fork of a process in which torch has run may hang
        with ProcessPoolExecutor(
            processes, get_context("spawn"), initializer=prepare_worker
        ) as pool:
            begun = _begin(pool, trainings, images, waiting)
            for future in as_completed(begun):
                k = begun[future]
                endings[k] = future.result()
                _keep(partial, images, trainings[k], endings[k])
                advance(sum(ending is not None for ending in endings) / len(trainings))
    return [ending for ending in endings if ending is not None]


def _begin(
    pool: Executor, trainings: Sequence[Training], images: Images, waiting: Sequence[int]
) -> dict[Future[Ending], int]:
    return {pool.submit(trainings[k].on, images): k for k in waiting}


def _place(partial: Path, images: Images, training: Training) -> Path:
    words = [
        images.name,
        f"{len(images.labels)}-images",
        f"width-{training.width}",
        f"rate-{training.learning_rate:g}",
        f"decay-{training.weight_decay:g}",
        "-".join(f"{value:g}" for value in asdict(training.stopping).values()),
        f"seed-{training.seed}",
    ]
    return partial / f"{'_'.join(words)}.json"


def _kept(partial: Path | None, images: Images, training: Training) -> Ending | None:
    if partial is None or not (place := _place(partial, images, training)).exists():
        return None
    return Ending(**json.loads(place.read_text()))


def _keep(partial: Path | None, images: Images, training: Training, ending: Ending | None) -> None:
    if partial is not None and ending is not None:
        content = json.dumps(asdict(ending)).encode()

        def write(file: BinaryIO) -> None:
            file.write(content)

        write_atomically(_place(partial, images, training), write)
