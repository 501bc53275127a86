"""Fuzz `linscape.torch`: small models of every kind, loaders, losses and optimisers.

    python tests/fuzz/torch_models.py --seconds 600 --findings /tmp/findings

A finding is an exception that is no `LinscapeError`, a warning, NaN in a result, no strict JSON, a
weight or gradient that a call changed which says that it changes nothing, or more than 20 s. What
users' own losses and loaders raise is theirs. Exit status 1 if anything was found.
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import linscape.torch as lt
from linscape.errors import LinscapeError

LONGEST = 20


class Residual(nn.Module):
    """x + W x, which cannot be read as layers in a row."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x + W x."""
        return x + self.inner(x)


def model_of(rng: random.Random, inputs: int, outputs: int) -> tuple[str, Any]:
    """Return how a model is made, and the model."""
    parts, width = [], inputs
    for _ in range(rng.choice([0, 1, 1, 2, 2, 3])):
        new = rng.choice([1, 2, 3, 5] + [0] * (rng.random() < 0.1))
        bias = rng.random() < 0.4
        parts.append(f"nn.Linear({width}, {new}, bias={bias})")
        width = new
        if rng.random() < 0.5:
            parts.append(
                rng.choice(
                    ["nn.ReLU()", "nn.LeakyReLU(0.1)", "nn.Tanh()", "nn.Dropout(0.5)",
                     "nn.Dropout(0.0)", "nn.Identity()", "nn.ELU()", "nn.ReLU(inplace=True)",
                     "nn.Dropout(1.0)", "nn.GELU()", "nn.Sigmoid()", "nn.AlphaDropout(0.1)",
                     f"nn.BatchNorm1d({width})", f"nn.LayerNorm({width})", f"Residual({width})",
                     "nn.Flatten()", "nn.Softmax(-1)", "nn.PReLU()", "nn.Sequential()"]
                )
            )  # fmt: skip
    parts.append(f"nn.Linear({width}, {outputs}, bias={rng.random() < 0.4})")
    text = f"nn.Sequential({', '.join(parts)})"
    if rng.random() < 0.1:
        text = rng.choice(
            ["nn.Sequential()", "nn.ReLU()", "nn.LazyLinear(1)", "nn.Embedding(3, 2)", "None", "1",
             "nn.Module()", "nn.Linear(1, 1)", "nn.Bilinear(1, 1, 1)", "nn.ModuleList()",
             "nn.Conv1d(1, 1, 1)", "nn.LSTM(1, 1)", "nn.MultiheadAttention(2, 1)", "nn.Linear"]
        )  # fmt: skip
    text += rng.choice([""] * 12 + [".half()", ".to('meta')", ".double()", ".bfloat16()", ".eval()",
                                    ".requires_grad_(False)"]) * text.endswith(")")  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, of layers without weights
        try:
            model = eval(text, {"nn": nn, "Residual": Residual})
        except Exception:  # torch's: a lazy layer in half precision
            return "None", None
    if isinstance(model, nn.Module) and rng.random() < 0.3:
        text += " " + _altered(rng, model)
    return text, model


def _altered(rng: random.Random, model: nn.Module) -> str:
    """Change the weights; return how."""
    how = rng.choice(["nan", "inf", "0.0", "1e30", "1e-30", "shared", "frozen", "1e-45"])
    linear = [part for part in model.modules() if type(part) is nn.Linear]
    weights = [part.weight for part in linear]
    with torch.no_grad(), contextlib.suppress(NotImplementedError):
        for part in weights[: rng.choice([1, 9])]:
            if how == "frozen":
                part.requires_grad_(False)
            elif how != "shared":
                part.mul_(0).add_(float(how)) if how in ("nan", "inf") else part.mul_(float(how))
    if how == "shared":
        for part in linear[1:]:
            if part.weight.shape == linear[0].weight.shape:
                part.weight = linear[0].weight
    return f"({how})"


def loader_of(rng: random.Random, inputs: int, outputs: int) -> tuple[str, Any]:
    """Return how a loader is made, and the loader."""
    torch.manual_seed(rng.randrange(1000))
    x, y = torch.randn(8, inputs), torch.randn(8, outputs)
    scale = rng.choice([1.0] * 6 + [1e-8, 1e8, 1e-30, 1e30, 0.0])
    x = x * scale
    pairs = [(x[:4], y[:4]), (x[4:], y[4:])]
    kinds: dict[str, Callable[[], Any]] = {
        "pairs": lambda: pairs,
        "DataLoader": lambda: DataLoader(TensorDataset(x, y), batch_size=3, shuffle=True),
        "classes": lambda: [(x, torch.arange(8) % max(outputs, 1))],
        "one row": lambda: [(x[:1], y[:1])],
        "flat y": lambda: [(x, y[:, 0])],
        "lists": lambda: [[x, y]],
        "double": lambda: [(x.double(), y.double())],
    }
    odd: dict[str, Callable[[], Any]] = {
        "empty": list, "None": lambda: None, "int": lambda: 3, "string": lambda: "xy",
        "tensor": lambda: x, "dicts": lambda: [{"x": x, "y": y}], "triples": lambda: [(x, y, y)],
        "tensors": lambda: [x, x], "no rows": lambda: [(x[:0], y[:0])],
        "other rows": lambda: [(x, y[:3])], "nan": lambda: [(x * float("nan"), y)],
        "inf y": lambda: [(x, y + float("inf"))], "scalars": lambda: [(x[0, 0], y[0, 0])],
        "ints": lambda: [(x.int(), y.int())], "half": lambda: [(x.half(), y.half())],
        "complex": lambda: [(x.to(torch.complex64), y)], "meta": lambda: [(x.to("meta"), y)],
        "other width": lambda: [(torch.cat([x, x], 1), y)],
        "numpy": lambda: [(x.numpy(), y.numpy())],
        "iterator": lambda: iter(pairs), "generator": lambda: (pair for pair in pairs),
        "images": lambda: [(x[:, None, None], y)], "bools": lambda: [(x > 0, y > 0)],
        "mixed": lambda: [pairs[0], (x[:, :1], y)], "sparse": lambda: [(x.to_sparse(), y)],
        "strings": lambda: [("a", "b")], "wide y": lambda: [(x, torch.cat([y, y], 1))],
        "graph": lambda: [(x.clone().requires_grad_(), y)], "function": lambda: (lambda: pairs),
    }  # fmt: skip
    chosen = odd if rng.random() < 0.3 else kinds
    name = rng.choice(list(chosen))
    return f"{name} x{scale:g}", chosen[name]()


LOSSES: dict[str, Any] = {
    "MSELoss": nn.MSELoss(), "sum": nn.MSELoss(reduction="sum"), "L1Loss": nn.L1Loss(),
    "half": lambda f, y: 0.5 * ((f - y) ** 2).mean(), "Huber": nn.HuberLoss(),
    "CrossEntropy": nn.CrossEntropyLoss(), "BCE": nn.BCEWithLogitsLoss(),
    "SmoothL1": nn.SmoothL1Loss(beta=0.5), "none": nn.MSELoss(reduction="none"),
    "float": lambda f, y: 1.0, "None": None, "int": 3, "constant": lambda f, y: f.sum() * 0,
    "nan": lambda f, y: (f - y).mean() * float("nan"), "class": nn.MSELoss,
    "tuple": lambda f, y: (f, y),
    "nll": nn.NLLLoss(), "KL": nn.KLDivLoss(reduction="batchmean"), "other": lambda f, y: f.mean(),
}  # fmt: skip


def optimizer_of(rng: random.Random, model: Any) -> tuple[str, Any]:
    """Return how an optimiser is made, and the optimiser."""
    if not isinstance(model, nn.Module) or rng.random() < 0.15:
        return rng.choice([("None", None), ("str", "sgd"), ("class", torch.optim.SGD)])
    decay = rng.choice([0.0, 1e-3, 0.1, 1.0, 1e-30, 1e30])
    rate = rng.choice([0.1, 1e-3, 10.0, 0.0])
    name = rng.choice(["SGD", "SGD", "SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "LBFGS"])
    parameters = list(model.parameters())
    if rng.random() < 0.1:
        parameters = list(nn.Linear(2, 1).parameters())
    groups: Any = parameters
    if len(parameters) > 1 and rng.random() < 0.2:
        groups = [{"params": parameters[:1]}, {"params": parameters[1:], "weight_decay": 0.5}]
        groups = groups[:1] if rng.random() < 0.3 else groups
    options = {"lr": rate} if name == "LBFGS" else {"lr": rate, "weight_decay": decay}
    if name == "SGD" and rng.random() < 0.3:
        options["momentum"] = 0.9
    try:
        return f"{name}({options})", getattr(torch.optim, name)(groups, **options)
    except (ValueError, TypeError):
        return "None", None


def watched(model: Any, loader: Any, loss: Any, optimizer: Any) -> Any:
    """Watch a model through a few steps."""
    monitor = lt.Monitor(model, loader, loss=loss, optimizer=optimizer)
    for _ in range(11):
        monitor.step()
    return monitor


def probed(model: Any, loader: Any, loss: Any) -> Any:
    """Probe a loss on the outputs of a model."""
    try:
        x, y = loader[0]
        output = model(x)
    except Exception:  # the model's own
        return None
    return lt.data_term(loss, output, y)


DOORS: dict[str, Callable[[Any, Any, Any, Any, random.Random], Any]] = {
    "diagnose": lambda m, d, s, o, r: lt.diagnose(m, d, loss=s, optimizer=o),
    "initialize_": lambda m, d, s, o, r: lt.initialize_(
        m, d, loss=s, optimizer=o, scheme=r.choice(["random", "aligned", "x"])
    ),
    "read": lambda m, d, s, o, r: lt.read(m, optimizer=o, loss=s),
    "solution_line": lambda m, d, s, o, r: lt.solution_line(m, d, loss=s, optimizer=o),
    "Monitor": lambda m, d, s, o, r: watched(m, d, s, o),
    "data_term": lambda m, d, s, o, r: probed(m, d, s),
    "weight_decay": lambda m, d, s, o, r: lt.weight_decay(
        r.choice([0.1, 0, -1, float("nan"), "x", None, 1e308]), r.choice([1, 2, 0, 1.5, "x"])
    ),
    "optimizer_weight_decay": lambda m, d, s, o, r: lt.optimizer_weight_decay(
        r.choice([0.1, 0, -1, float("inf"), [], 1e308]),
        r.choice([1, 3, -1, None]),
        reduction=r.choice(["mean", "sum", "x"]),
        batch_size=r.choice([None, 4, 0, 1.5]),
    ),
}  # fmt: skip
READ_ONLY = ("diagnose", "read", "solution_line")


def state_of(model: Any) -> list[bytes]:
    """Return weights and gradients as bytes, and the modes."""
    if not isinstance(model, nn.Module):
        return []
    state = [str(part.training).encode() for part in model.modules()]
    for parameter in model.parameters():
        for tensor in (parameter, parameter.grad):
            usable = tensor is not None and not tensor.is_meta
            if usable and not isinstance(tensor, nn.UninitializedParameter):
                state.append(tensor.detach().double().numpy().tobytes())
    return state


def wrong(door: str, arguments: tuple[Any, Any, Any, Any], rng: random.Random) -> str:
    """Make one call; return what is wrong with it, or nothing."""
    before, seed = state_of(arguments[0]), torch.random.get_rng_state()
    signal.setitimer(signal.ITIMER_PROF, LONGEST)
    try:
        result = DOORS[door](*arguments, rng)
        str(result)
        if hasattr(result, "to_dict"):
            json.dumps(result.to_dict(), allow_nan=False)
        if hasattr(result, "to_html"):
            result.to_html()
    except LinscapeError:
        pass
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        inside = [frame for frame in frames if "/linscape/" in frame.filename] or list(frames)
        place = f"{inside[-1].filename}:{inside[-1].lineno}"
        return f"{type(error).__name__} {place}\n{str(error)[:300]}\n{traceback.format_exc()}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    if door in READ_ONLY and state_of(arguments[0]) != before:
        return "the model was changed"
    if door in READ_ONLY and not torch.equal(seed, torch.random.get_rng_state()):
        return "the random state was changed"
    return ""


def _too_long(*_: Any) -> None:
    raise TimeoutError(f"more than {LONGEST} s of processor time")


def run() -> None:
    """Make calls until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--findings", type=Path, default=Path("findings"))
    parser.add_argument("--seed", type=int, default=random.randrange(2**31))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    torch.set_num_threads(1)
    signal.signal(signal.SIGPROF, _too_long)
    warnings.simplefilter("error")
    warnings.simplefilter("ignore", lt.CollapseWarning)
    options.findings.mkdir(parents=True, exist_ok=True)
    rng, found = random.Random(options.seed), {}
    runs = dict.fromkeys(DOORS, 0)
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        inputs, outputs = rng.choice([1, 2, 3]), rng.choice([1, 1, 2, 3])
        model_text, model = model_of(rng, inputs, outputs)
        loader_text, loader = loader_of(rng, inputs, outputs)
        loss = rng.choice([*["MSELoss"] * 8, *LOSSES])
        optimizer_text, optimizer = optimizer_of(rng, model)
        door = rng.choice([*["diagnose"] * 3, *DOORS])
        runs[door] += 1
        what = wrong(door, (model, loader, LOSSES[loss], optimizer), rng)
        place = f"{door} {what.partition(chr(10))[0]}"
        example = f"{door}: {model_text} | {loader_text} | {loss} | {optimizer_text}"
        if not what or len(example) >= found.get(place, sys.maxsize):
            continue
        if place not in found:
            print(f"found: {place}: {example}", flush=True)
        found[place] = len(example)
        name = hashlib.sha256(place.encode()).hexdigest()[:10]
        (options.findings / f"{door}-{name}.txt").write_text(f"{example}\n\n{what}\n")
    print(f"{runs}\n{sum(runs.values())} runs in {options.seconds:g} s, {len(found)} findings")
    sys.exit(bool(found))


if __name__ == "__main__":
    run()
