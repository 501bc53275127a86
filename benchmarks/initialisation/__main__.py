"""Train the grid, keep the results beside this file, and write the tables of docs/initialise.md."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.__main__ import machine
from benchmarks.initialisation.runs import LEARNING_RATES, SEEDS, TUNING, Run, final_losses, runs
from benchmarks.initialisation.starts import ACTIVATIONS, SCHEMES
from benchmarks.initialisation.tables import written

RESULTS = Path(__file__).parent / "results.json"
DEPTHS = (1, 2, 3)


def group(activation: str, depth: int) -> dict[str, object]:
    """Tune and train all nets of one kind."""
    chosen = _tuned(activation, depth)
    members = runs(activation, depth, SEEDS)
    losses = final_losses(members, [chosen[run.scheme] for run in members], activation, depth)
    return {
        "activation": activation,
        "depth": depth,
        "learning_rates": chosen,
        "runs": [_row(run, loss) for run, loss in zip(members, losses, strict=True)],
    }


def _tuned(activation: str, depth: int) -> dict[str, float]:
    members = runs(activation, depth, TUNING)
    repeated = [run for _ in LEARNING_RATES for run in members]
    rates = [rate for rate in LEARNING_RATES for _ in members]
    losses = final_losses(repeated, rates, activation, depth).reshape(len(LEARNING_RATES), -1)
    of_scheme = np.array([run.scheme for run in members])
    return {
        scheme: LEARNING_RATES[int(np.argmin(losses[:, of_scheme == scheme].mean(axis=1)))]
        for scheme in SCHEMES
    }


def _row(run: Run, loss: float) -> list[object]:
    refused = run.start is None
    return [run.scheme, run.target, run.share, run.rate, run.seed, round(float(loss), 5), refused]


def main(arguments: list[str]) -> None:
    """Run everything, or with --table only write the tables."""
    if arguments != ["--table"]:
        torch.set_num_threads(1)
        groups, begin = [], time.process_time()
        for activation in ACTIVATIONS:
            for depth in DEPTHS:
                groups.append(group(activation, depth))
                print(f"{activation}, {depth} hidden: {time.process_time() - begin:.0f} s")
        document = {
            "machine": machine(),
            "seconds": round(time.process_time() - begin),
            "columns": ["scheme", "target", "decay", "dropout", "seed", "final loss", "refused"],
            "groups": groups,
        }
        RESULTS.write_text(json.dumps(document, ensure_ascii=False) + "\n")
    print(f"written to {written(json.loads(RESULTS.read_text()))}")


if __name__ == "__main__":
    main(sys.argv[1:])
