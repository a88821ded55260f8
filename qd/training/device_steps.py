"""All steps of a stack without a word from the host: what changes from step to step lies on the device.

So one step can be recorded, as a CUDA graph, and replayed for all that follow: a network of ten units takes some fifty
kernels a step, and launching them one by one takes longer than they run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from search_spaces.task import Loss

from .batches import minibatches
from .clipping import clipping_of_stack
from .flat import FlatParameters, why_not_flat
from .flat_optimiser import FlatOptimiser
from .inputs import Inputs
from .losses import Objective
from .memory import free_bytes
from .options import TrainingOptions

WARM = 3
"""Steps that are taken one kernel after the other before one is recorded, as torch asks for."""
RESIDENT = 0.25
"""Share of the free memory that examples may take which are copied to the device as a whole."""

Record = Callable[[Callable[[], None]], Callable[[], None]]
"""What a step does → what does it again."""

log = logging.getLogger(__name__)


def why_not(stack: Any, inputs: Inputs) -> str | None:
    """Why the steps of a stack cannot be recorded, in words; None where they can.

    Args:
        stack: K networks. One with a method `after_step` says by `captures` whether all that this changes lies in
            tensors, changed in place: a recorded step does not see anything else.
        inputs: what it is trained on.
    """
    if hasattr(stack, "after_step") and not getattr(stack, "captures", False):
        return "modules change while they are trained in a way that a recorded step does not see"
    if not isinstance(inputs, Tensor) and _bytes(inputs) > RESIDENT * free_bytes(inputs.device):
        return "the examples are larger than a quarter of the device's free memory"
    return why_not_flat(stack.owned())


def can_be_recorded(stack: Any, inputs: Inputs) -> bool:
    """Whether the steps of a stack can be recorded; where they cannot, the log says why."""
    reason = why_not(stack, inputs)
    if reason is not None:
        log.info("a stack is trained without a recorded step: %s", reason)
    return reason is None


class DeviceSteps:
    """The steps that `step_of_stack` takes, to rounding, from tables on the device.

    Rows of minibatches, learning rates and bias corrections are looked up by the number of the step, which the device
    counts. Parameters, gradients and moments lie in one flat buffer each. Augmentation draws on the host, and
    `after_step` may do anything, so both stay outside of what is recorded.

    Args:
        stack: K networks with their parameters loaded, on its device; afterwards its parameters are views of a buffer.
        inputs: (N, *input_shape), all examples.
        targets: (N,) int64 classes, or (N, outputs) floats, on the device.
        options: K; learning rate and decay may differ, what `TrainingOptions.shape` gives may not.
        loss: the task's loss.
        steps: how many there will be.
        shared_seed: orders the minibatches, and of augmentation.
        done: how many of them were taken before.
        record: None: nothing is recorded.

    Raises:
        ValueError: the parameters cannot lie in one buffer.
    """

    def __init__(
        self,
        stack: Any,
        inputs: Inputs,
        targets: Tensor,
        options: Sequence[TrainingOptions],
        loss: Loss,
        steps: int,
        shared_seed: int,
        done: int = 0,
        record: Record | None = None,
    ) -> None:
        first = options[0]
        self._stack, self._options, self._steps, self._seed, self._done = stack, first, steps, shared_seed, done
        self._inputs = inputs if isinstance(inputs, Tensor) else inputs[:]
        self._targets, self._record = targets, record
        self._objective = Objective.of(loss, first, targets)
        self._flat = FlatParameters(stack.owned())
        self._optimiser = FlatOptimiser(self._flat, options, steps, done)
        self._clip = None if first.clip is None else clipping_of_stack(stack.owned(), len(options), first.clip)
        self._of_epoch = first.steps_of_epoch(len(self._inputs))
        batch = min(first.batch_size, len(self._inputs))
        device = self._inputs.device
        self._rows = torch.zeros((self._of_epoch, batch), dtype=torch.int64, device=device)
        """Of every step of this epoch."""
        begun = done - done % self._of_epoch
        orders = minibatches(len(self._inputs), batch, steps + self._of_epoch, shared_seed)
        self._orders = islice(orders, begun, None)
        """Rows of the steps from this epoch on."""
        self._number = torch.full((1,), done, dtype=torch.int64, device=device)
        self._changed: Tensor | None = None
        """Of this step, where inputs are augmented."""

    def all(self, epoch_ended: Callable[[float], bool] | None = None) -> None:
        """Take all steps that are left; see `TrainingStep.all`."""
        take: Callable[[], None] = self.take
        device = self._inputs.device
        with _on_side_stream(device), self._options.products(device):
            for step in range(self._done, self._steps):
                self._prepare(step)
                if self._record is not None and step == self._done + WARM:
                    take = self._recorded()
                take()
                if hasattr(self._stack, "after_step"):
                    self._stack.after_step(step, self._steps)
                whole = (step + 1) % self._of_epoch == 0 or step + 1 == self._steps
                if whole and epoch_ended is not None and epoch_ended((step + 1) / self._of_epoch):
                    return

    def take(self) -> None:
        """One step: nothing in here depends on what the host knows."""
        rows = self._rows.index_select(0, self._number % self._of_epoch)[0]
        x = self._inputs.index_select(0, rows) if self._changed is None else self._changed
        with self._options.autocast(x.device):
            total = self._objective.stacked(self._stack(x), self._targets.index_select(0, rows)).sum()
            if self._stack.auxiliary_loss is not None:
                total = total + self._stack.auxiliary_loss.sum()
        self._flat.gradients.zero_()
        total.backward()
        if self._clip is not None:
            self._clip()
        self._optimiser.step(self._number)
        self._number.add_(1)

    def _recorded(self) -> Callable[[], None]:
        assert self._record is not None
        try:
            return self._record(self.take)
        except RuntimeError as error:  # recording computes nothing, so that nothing is lost
            log.warning("a stack is trained without a recorded step: %s", str(error).splitlines()[0])
            return self.take

    def _prepare(self, step: int) -> None:
        """What the host does before a step: the order of an epoch, and augmentation."""
        if step == self._done or step % self._of_epoch == 0:
            self._rows.copy_(torch.stack(list(islice(self._orders, self._of_epoch))))
        if self._options.augmentation is not None:
            x = self._inputs.index_select(0, self._rows[step % self._of_epoch])
            changed = self._options.augmentation.apply(x, self._seed, step)
            self._changed = changed if self._changed is None else self._changed.copy_(changed)


def cuda_graph(step: Callable[[], None]) -> Callable[[], None]:
    """Record a step as a CUDA graph, on the current device; what it returns replays it."""
    graph = torch.cuda.CUDAGraph()
    # on the stream of the steps before, as their gradients are; other threads may use the device meanwhile
    with torch.cuda.graph(graph, stream=torch.cuda.current_stream(), capture_error_mode="thread_local"):
        step()
    return graph.replay


@contextmanager
def _on_side_stream(device: torch.device) -> Iterator[None]:
    """On a card, a stream beside the one in use: on the default one nothing can be recorded."""
    if device.type != "cuda":
        yield
        return
    before, stream = torch.cuda.current_stream(device), torch.cuda.Stream(device)
    stream.wait_stream(before)
    try:
        with torch.cuda.stream(stream):
            yield
    finally:
        before.wait_stream(stream)


def _bytes(inputs: Inputs) -> int:
    return int(torch.Size(inputs.shape).numel()) * inputs.dtype.itemsize
