"""How long a network takes on this machine."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import torch
from torch import nn

from search_spaces import Task


@dataclass(frozen=True)
class LatencyOptions:
    """What is timed.

    Args:
        device: "cpu", "cuda", "cuda:1".
        batch: examples in a batch, at least 1.
        threads: of torch, on the CPU, at least 1.
        warm_up: batches before the first that is timed, at least 0.
        repeats: batches that are timed, at least 1; the median counts.
    """

    device: str = "cpu"
    batch: int = 1
    threads: int = 1
    warm_up: int = 5
    repeats: int = 30


@torch.inference_mode()
def latency(network: nn.Module, task: Task, options: LatencyOptions) -> float:
    """Median milliseconds of a forward pass over one batch of random inputs.

    The network is moved to the device, and left there in evaluation mode.
    """
    device = torch.device(options.device)
    network.to(device).eval()
    inputs = torch.randn(options.batch, *task.input_shape, generator=torch.Generator().manual_seed(0)).to(device)
    before = torch.get_num_threads()
    torch.set_num_threads(options.threads)
    try:
        for _ in range(options.warm_up):
            network(inputs)
        return statistics.median(_seconds(network, inputs) for _ in range(options.repeats)) * 1000
    finally:
        torch.set_num_threads(before)


def _seconds(network: nn.Module, inputs: torch.Tensor) -> float:
    _wait(inputs.device)
    started = time.perf_counter()
    network(inputs)
    _wait(inputs.device)
    return time.perf_counter() - started


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
