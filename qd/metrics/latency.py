"""How long a network takes on this machine."""

from __future__ import annotations

import copy
import math
import statistics
import time
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from search_spaces import Metric, Task

from ..training.device import find_device
from ..training.inputs import draw_inputs
from .base import NetworkMetric
from .subject import Subject
from .untrained import Untrained


class Latency(NetworkMetric):
    """Median milliseconds of a forward pass over one batch of random inputs.

    Args:
        device: where it is timed, whatever it was trained on: "cpu", "cuda", "cuda:1"; "auto" takes a GPU if there is
            one.
        batch: examples in a batch.
        threads: of torch, on the CPU.
        warm_up: batches before the first that is timed.
        repeats: batches that are timed; the median counts.
        name: of the metric, for a second one beside the first.
        known: whether it is measured before training too, of the freshly initialised network, where proposals are
            screened or a model is asked: it takes as long as it takes, for every proposal. Where what is computed
            depends on what was learnt, the two differ.
    """

    def __init__(
        self,
        device: str = "cpu",
        batch: Annotated[int, Field(ge=1, le=1_000_000)] = 1,
        threads: Annotated[int, Field(ge=1, le=1024)] = 1,
        warm_up: Annotated[int, Field(ge=0)] = 5,
        repeats: Annotated[int, Field(ge=1)] = 30,
        name: str = "latency",
        known: bool = False,
    ) -> None:
        self.device = find_device(device)
        self.batch, self.threads, self.warm_up, self.repeats, self.name = batch, threads, warm_up, repeats, name
        self.known_before = known
        unit = "ms" if batch == 1 else f"ms/{batch} examples"
        self.metrics = {name: Metric(unit, 0, math.inf, "minimise", time=True)}

    def measure(self, subject: Subject) -> dict[str, float]:
        return self._of(subject.network, subject.task)

    def known(self, subject: Untrained) -> dict[str, float]:
        """Of the freshly initialised network, where asked."""
        return self._of(subject.initialised, subject.task) if self.known_before else {}

    def _of(self, network: nn.Module, task: Task | None) -> dict[str, float]:
        assert task is not None
        if any(tensor.device != self.device for tensor in network.state_dict().values()):
            network = copy.deepcopy(network).to(self.device)
        return {self.name: self._median(network, draw_inputs(task, self.batch).to(self.device))}

    @torch.inference_mode()
    def _median(self, network: nn.Module, inputs: Tensor) -> float:
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            for _ in range(self.warm_up):
                network(inputs)
            return statistics.median(_seconds(network, inputs) for _ in range(self.repeats)) * 1000
        finally:
            torch.set_num_threads(before)


def _seconds(network: nn.Module, inputs: Tensor) -> float:
    _wait(inputs.device)
    started = time.perf_counter()
    network(inputs)
    _wait(inputs.device)
    return time.perf_counter() - started


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
