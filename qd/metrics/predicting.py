"""What trained networks make of examples: one network alone, or all of a stack at once.

Axes: K networks, N examples, B of them in a batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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
        stack: `search_spaces.Stack` of K networks, in evaluation mode. Where it has the method `predict`, that says how
            examples are routed.
        networks: K, as they are alone; they are not run.
        inputs: (N, *task.input_shape), N at least 1.
        targets: (N, ...) of the inputs.
        task: what the networks are for.
        keep: what becomes of the outputs (K, B, *task.output_shape) of a batch, whose rows are given.

    Returns:
        What was kept of each batch; and of each network the uses of its routed modules, None where it must be run alone
        to know all that metrics may look at: it is routed and the stack does not say how, or its modules `observe`.
        None in all where that is so for more than half of them, or where memory does not hold one example of all.
    """
    told = [_is_told(stack, network) for network in networks]
    size = batch_of(task, len(networks))
    while 2 * sum(told) >= len(told) and size:
        try:
            kept, uses = _in_batches(stack, inputs, targets, task, size, keep)
        except (MemoryError, torch.OutOfMemoryError):
            size //= 2
            continue
        return kept, [own if is_told else None for own, is_told in zip(uses, told, strict=True)]
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
    stack: Any, inputs: Inputs, targets: Tensor, task: Task, size: int, keep: Callable[[Tensor, slice], Kept]
) -> tuple[list[Kept], list[dict[str, Use]]]:
    counter, names, kept = UseCounter(classes_of(task)), [], []
    for start in range(0, len(inputs), size):
        rows = slice(start, start + size)
        if hasattr(stack, "predict"):
            outputs, gates = stack.predict(inputs[rows])
            names = [list(of_network) for of_network in gates]
            if any(names):
                counter.add([one for of_network in gates for one in of_network.values()], targets[rows])
        else:
            outputs = stack(inputs[rows])
            names = [[] for _ in outputs]
        kept.append(keep(outputs, rows))
    found = iter(counter.found())
    return kept, [{name: next(found) for name in of_network} for of_network in names]


def _is_told(stack: Any, network: nn.Module) -> bool:
    """Whether a stack says all of a network that its metrics may look at."""
    if any(hasattr(type(module), "observe") for module in network.modules()):
        return False
    return hasattr(stack, "predict") or not routed_modules(network)
