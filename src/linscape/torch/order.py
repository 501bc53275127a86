"""The steps of a forward pass in the order in which they run, not that of registration."""

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn

from linscape.errors import InvalidData, NoExactSolution
from linscape.torch.activations import FUNCTIONS
from linscape.torch.operations import (
    Operation,
    applied,
    checked_rate,
    kept_random_state,
    mode,
    module_operation,
)

_LOOKUPS = ("size", "shape", "dim", "getattr", "getitem")
_RESHAPES = ("flatten", "view", "reshape", "contiguous", "squeeze", "unsqueeze")
_JOINS = (operator.add, operator.iadd, torch.add, torch.cat, torch.stack, operator.mul, torch.mul)


def forward_order(model: nn.Module, example: torch.Tensor | None) -> tuple[Operation, ...]:
    """Return the steps of a model's forward pass.

    They are traced by torch.fx; a model that cannot be traced is run on the example with hooks that
    note the order of calls. Given an example, the chain must return exactly what the model does,
    with its dropout on (the same masks) and off.

    Raises
    ------
    NoExactSolution
        If it is not one chain of steps that can be read.
    """
    graph = _traced(model)
    if isinstance(model, nn.Linear):
        operations: tuple[Operation, ...] = (module_operation(model, "model"),)
    elif graph is not None:
        operations = _chain(model, graph)
    elif example is None:
        raise NoExactSolution(
            f"torch.fx cannot trace {type(model).__name__}, whose forward has control flow; give "
            "an example batch, on which the order of its modules is seen"
        )
    else:
        operations = _observed(model, example)
    if example is not None and not example.is_meta:
        _check_reproduced(model, operations, example)
    return operations


def _traced(model: nn.Module) -> fx.Graph | None:
    with mode(model, training=True):  # functional dropout shows its rate then
        try:
            return fx.Tracer().trace(model)
        except Exception:
            return None  # whatever a forward does that tracing cannot follow; hooks take over


def _chain(model: nn.Module, graph: fx.Graph) -> tuple[Operation, ...]:
    """Return the steps of a graph that is a chain, or say where it is not."""
    nodes = [node for node in graph.nodes if not _is_lookup(node)]
    inputs = [node for node in nodes if node.op == "placeholder" and node.users]
    if len(inputs) != 1:
        raise NoExactSolution(
            f"expected a model of one input, got {len(inputs)} that are used; give it one tensor"
        )
    for node in nodes:
        users = [user for user in node.users if not _is_lookup(user)]
        if len(users) > 1:
            raise NoExactSolution(
                f"cannot read the model: what {_label(node)} returns is used {len(users)} times, a "
                "skip connection or a branch"
            )
    modules = dict(model.named_modules())
    steps = [node for node in nodes if node.op not in ("placeholder", "output")]
    called = [node.target for node in steps if node.op == "call_module"]
    for target in called:
        if called.count(target) > 1:
            raise NoExactSolution(
                f"cannot read {target}: it is called {called.count(target)} times, so its weights "
                "are tied"
            )
    return tuple(_step(node, modules) for node in steps)


def _is_lookup(node: fx.Node) -> bool:
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    return node.op in ("call_method", "call_function") and name in _LOOKUPS


def _label(node: fx.Node) -> str:
    return "the input" if node.op == "placeholder" else str(node.target if
        isinstance(node.target, str) else getattr(node.target, "__name__", node.name))  # fmt: skip


def _step(node: fx.Node, modules: dict[str, nn.Module]) -> Operation:
    if node.op == "call_module":
        return module_operation(modules[str(node.target)], str(node.target))
    label = _label(node)
    tensors = [one for one in node.all_input_nodes if not _is_lookup(one)]
    if node.target in _JOINS and len(tensors) > 1:
        raise NoExactSolution(
            f"cannot read {node.name} ({label}): it joins two values, a skip connection or a branch"
        )
    if node.op in ("call_function", "call_method") and len(tensors) == 1:
        found = _function(node, label)
        if found is not None:
            return found
    raise NoExactSolution(
        f"cannot read {node.name} ({label}): only Linear, Dropout, Flatten and activations are read"
    )


def _function(node: fx.Node, label: str) -> Operation | None:
    rest, named = node.args[1:], dict(node.kwargs)
    if label in _RESHAPES:
        known = not any(isinstance(value, fx.Node) for value in (*rest, *named.values()))
        reshape = _applied(node, rest, named) if known else _flattened
        return Operation(node.name, "reshape", label, function=reshape)
    if label == "dropout":
        rate = named.get("p", rest[0] if rest else 0.5)
        active = named.get("training", rest[1] if len(rest) > 1 else True)
        p = checked_rate(float(rate), node.name) if active else 0.0  # type: ignore[arg-type]
        return Operation(node.name, "dropout", "dropout", function=_dropout(p), rate=p)
    if label in FUNCTIONS:
        settings = {key: value for key, value in named.items() if key not in ("input", "inplace")}
        if label in ("leaky_relu", "elu", "celu") and rest:
            settings["negative_slope" if label == "leaky_relu" else "alpha"] = rest[0]
        function = _applied(node, rest, named)
        return Operation(
            node.name, "activation", FUNCTIONS[label], function=function, settings=settings
        )
    return None


def _flattened(values: torch.Tensor, *, training: bool) -> torch.Tensor:
    return values.flatten(1)


def _dropout(rate: float) -> Callable[..., torch.Tensor]:
    def drop(values: torch.Tensor, *, training: bool) -> torch.Tensor:
        return nn.functional.dropout(values, rate, training=training)

    return drop


def _applied(node: fx.Node, rest: Any, named: dict[str, Any]) -> Callable[..., torch.Tensor]:
    named = {key: value for key, value in named.items() if not isinstance(value, fx.Node)}

    def apply(values: torch.Tensor, *, training: bool) -> torch.Tensor:
        if isinstance(node.target, str):
            result: torch.Tensor = getattr(values, node.target)(*rest, **named)
        else:
            result = node.target(values, *rest, **named)
        return result

    return apply


def _observed(model: nn.Module, example: torch.Tensor) -> tuple[Operation, ...]:
    """Return the modules without children in the order in which they are called."""
    names = {module: name for name, module in model.named_modules()}
    leaves = [module for module in names if not any(True for _ in module.children())]
    calls: list[nn.Module] = []
    # what the modules are is asked before hooks of our own hang on them
    known: dict[nn.Module, Operation | NoExactSolution] = {}
    for leaf in leaves:
        try:
            known[leaf] = module_operation(leaf, names[leaf])
        except NoExactSolution as error:
            known[leaf] = error
    handles = [
        leaf.register_forward_hook(lambda module, _, __: calls.append(module)) for leaf in leaves
    ]
    try:
        with mode(model, training=False), torch.no_grad():
            model(example)
    except Exception as error:  # whatever a forward raises
        raise _failure(example, error) from error
    finally:
        for handle in handles:
            handle.remove()
    steps = []
    if example.ndim > 2:  # a function that flattens leaves no trace; whether it does is checked
        steps.append(Operation("flatten", "reshape", "flatten", function=_flattened))
    for module in calls:
        if calls.count(module) > 1:
            raise NoExactSolution(
                f"cannot read {names[module]}: it is called {calls.count(module)} times, so its "
                "weights are tied"
            )
        step = known[module]
        if isinstance(step, NoExactSolution):
            raise step
        steps.append(step)
    return tuple(steps)


def _failure(example: torch.Tensor, error: Exception) -> InvalidData:
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return InvalidData(
        f"the model fails on the example of shape {tuple(example.shape)}, {example.dtype}: {line}"
    )


def _check_reproduced(
    model: nn.Module, operations: tuple[Operation, ...], example: torch.Tensor
) -> None:
    for training in (False, True):
        one, other = _run_alike(model, operations, example, training=training)
        same = isinstance(one, torch.Tensor) and other is not None and one.shape == other.shape
        if not same or not torch.allclose(one, other, rtol=1e-4, atol=1e-6, equal_nan=True):
            raise NoExactSolution(
                "cannot read the model: its modules in the order of their calls do not return what "
                "it does, so its forward does something between them, such as a skip connection"
            )


def _run_alike(
    model: nn.Module, operations: tuple[Operation, ...], example: torch.Tensor, *, training: bool
) -> tuple[Any, Any]:
    """Return what the model and the chain make of a batch with the same masks; None if it fails."""
    with kept_random_state(model), mode(model, training=training), torch.no_grad():
        torch.manual_seed(0)
        try:
            one = model(example.clone())
        except Exception as error:  # whatever a forward raises
            raise _failure(example, error) from None
        torch.manual_seed(0)
        try:
            return one, applied(operations, example.clone(), training=training)
        except (RuntimeError, ValueError, TypeError, IndexError):
            return one, None
