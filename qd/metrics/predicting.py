"""What trained networks make of examples: one network alone, or all of a stack at once.

Axes: K networks, N examples, B of them in a batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from search_spaces import Task
from search_spaces.task import Series, Tokens

from ..training.inputs import Inputs
from .routing import Routing, predict, routed_modules
from .uses import Use, UseCounter, uses_of

BATCH, NUMBERS, STEPS = 1000, 2**24, 2**14
"""At most so many examples go through a network at once, so many numbers come out, and so many steps go in."""
ROWS_OF_STACK = 1024
"""At most so many steps of examples go through a stack at once: what its layers hand on is to stay in the caches."""
Kept = TypeVar("Kept")


@dataclass(frozen=True)
class Prediction:
    """What one network makes of examples.

    Args:
        outputs: (N, task.outputs); of next tokens those of the last position.
        uses: of each routed module, by its name.
        routing: gates of each routed module, by its name; None: nobody kept them.
    """

    outputs: Tensor
    uses: dict[str, Use]
    routing: Routing | None = None


def predict_alone(
    network: nn.Module,
    inputs: Inputs,
    targets: Tensor,
    task: Task,
    keep: Callable[[Tensor, slice], Tensor] | None = None,
) -> Prediction:
    """Run one network in batches.

    Args:
        network: in evaluation mode.
        inputs: (N, *task.input_shape), N at least 1.
        targets: (N, ...) of the inputs.
        task: what the network is for.
        keep: what becomes of the outputs (B, *task.output_shape) of a batch, whose rows are given; default: what
            `Prediction.outputs` says.
    """
    outputs, routing = predict(network, inputs, batch_of(task), keep or (lambda outputs, rows: last(outputs, task)))
    classes = classes_of(task)
    uses = uses_of(routing, targets.numpy(force=True) if classes else None, classes)
    return Prediction(outputs, uses, routing)


@torch.no_grad()
def predict_together(
    stack: Any,
    networks: Sequence[nn.Module],
    inputs: Inputs,
    targets: Tensor,
    task: Task,
    keep: Callable[[Tensor, slice], Kept],
) -> tuple[list[Kept], list[dict[str, Use] | None]] | None:
    """Run a stack in batches: each network's numbers are those that it has alone, to rounding.

    Args:
        stack: `search_spaces.Stack` of K networks, in evaluation mode. Where it has the method `predict`, that says
            what modules do.
        networks: K, as they are alone; they are not run.
        inputs: (N, *task.input_shape), N at least 1.
        targets: (N, ...) of the inputs.
        task: what the networks are for.
        keep: what becomes of the outputs (K, B, *task.output_shape) of a batch, whose rows are given.

    Returns:
        What was kept of each batch; and of each network the uses of its routed modules, None where it must be run alone
        to know all that metrics may look at, as the stack does not say how it is routed, or what its modules observe.
        None in all where that is so for more than half of them, or where memory does not hold one example of all. Of
        networks that need not be run, modules that `observe` have the averages as `observed`.
    """
    size = batch_of(task, len(networks))
    while size:
        try:
            return _in_batches(stack, networks, inputs, targets, task, size, keep)
        except (MemoryError, torch.OutOfMemoryError):
            size //= 2
    return None


def batch_of(task: Task, networks: int = 1) -> int:
    """How many examples may go through a network at once, or through so many in a stack."""
    numbers = networks * math.prod(task.output_shape)
    steps = task.input.steps if isinstance(task.input, Series | Tokens) else 1
    most = BATCH if networks == 1 else ROWS_OF_STACK // steps
    return max(1, min(most, NUMBERS // numbers, STEPS // steps))


def classes_of(task: Task) -> int:
    """How many classes, or tokens, targets are of; 0: they are none."""
    return task.outputs if task.loss == "cross_entropy" else 0


def last(outputs: Tensor, task: Task) -> Tensor:
    """Of outputs (..., *task.output_shape) those of the last position, where there are positions."""
    return outputs[..., -1, :] if len(task.output_shape) == 2 else outputs


def _in_batches(
    stack: Any,
    networks: Sequence[nn.Module],
    inputs: Inputs,
    targets: Tensor,
    task: Task,
    size: int,
    keep: Callable[[Tensor, slice], Kept],
) -> tuple[list[Kept], list[dict[str, Use] | None]] | None:
    told, names = range(len(networks)), []
    counter, averages, kept = UseCounter(classes_of(task)), _Averages(), []
    if not hasattr(stack, "predict") and 2 * len(_told(networks, [{}] * len(networks), None)) < len(networks):
        return None
    for start in range(0, len(inputs), size):
        rows = slice(start, start + size)
        if hasattr(stack, "predict"):
            outputs, gates, observed = stack.predict(inputs[rows])
        else:
            outputs, gates, observed = stack(inputs[rows]), [{}] * len(networks), None
        if not kept:
            told = _told(networks, gates, observed)
            if 2 * len(told) < len(networks):
                return None
            names = [(one, name) for one in told for name in gates[one]]
        if names:
            counter.add([gates[one][name] for one, name in names], targets[rows])
        if observed is not None:
            averages.add({one: observed[one] for one in told}, outputs.shape[1], outputs.device)
        kept.append(keep(outputs, rows))
    uses: dict[int, dict[str, Use]] = {one: {} for one in told}
    for (one, name), use in zip(names, counter.found(), strict=True):
        uses[one][name] = use
    averages.give(networks)
    return kept, [uses.get(one) for one in range(len(networks))]


def _told(
    networks: Sequence[nn.Module],
    gates: Sequence[Mapping[str, Tensor]],
    observed: Sequence[Mapping[str, Any]] | None,
) -> list[int]:
    """The networks of which a stack says all that metrics may look at."""
    found = []
    for number, network in enumerate(networks):
        observing = {name for name, module in network.named_modules() if hasattr(type(module), "observe")}
        of_observers = set() if observed is None else observed[number].keys()
        if routed_modules(network).keys() <= gates[number].keys() and observing <= of_observers:
            found.append(number)
    return found


class _Averages:
    """Of what modules observe, over batches."""

    def __init__(self) -> None:
        self._sums: dict[tuple[int, str, str], Any] = {}
        self._examples = 0

    def add(self, observed: Mapping[int, Mapping[str, Mapping[str, Any]]], examples: int, device: torch.device) -> None:
        """Take {network: {module: {metric: scalar}}} of a batch; sums are kept on the device."""
        self._examples += examples
        for network, of_network in observed.items():
            for module, of_module in of_network.items():
                for metric, value in of_module.items():
                    key = network, module, metric
                    self._sums[key] = (
                        self._sums.get(key, 0.0) + examples * torch.as_tensor(value, device=device).double()
                    )

    def give(self, networks: Sequence[nn.Module]) -> None:
        """Leave the averages on the modules of the networks."""
        if not self._sums:
            return
        totals = torch.stack(list(self._sums.values())).tolist()
        found: dict[tuple[int, str], dict[str, float]] = {}
        for (network, module, metric), total in zip(self._sums, totals, strict=True):
            found.setdefault((network, module), {})[metric] = total / self._examples
        for (network, module), averages in found.items():
            observer: Any = networks[network].get_submodule(module)
            observer.observed = averages
