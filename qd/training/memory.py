"""How many networks fit into one stack."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from .inputs import Inputs

SHARE_OF_FREE_MEMORY = 0.25
MOST = 32
"""Larger stacks gain nothing more and leave the processor's caches."""
COPIES = 4
"""Of each parameter: itself, its gradient, and Adam's two moments."""


@dataclass(frozen=True)
class StackSize:
    """How many networks a stack may hold.

    Args:
        most: at most this many.
        bytes: memory for one stack; None: a quarter of what is free on the device. 0: no limit, so that the sizes of
            stacks do not depend on the machine's state (a result's last bits may depend on its stack's size).
    """

    most: int = MOST
    bytes: int | None = None

    def of(self, networks: Sequence[nn.Module], inputs: Inputs, batch_size: int) -> int:
        """At most this many of these networks at once; at least 1.

        Args:
            networks: the largest of them counts.
            inputs: what they are trained on.
            batch_size: examples in a minibatch.
        """
        if self.bytes == 0 or len(networks) == 1 or self.most == 1:
            return self.most
        budget = self.bytes or int(free_bytes(inputs.device) * SHARE_OF_FREE_MEMORY)
        largest = max(networks, key=lambda network: sum(tensor.numel() for tensor in network.parameters()))
        return max(1, min(self.most, budget // training_bytes(largest, inputs, batch_size)))


def memory_of(build: Callable[[], nn.Module]) -> int:
    """Bytes of the parameters and buffers of a network, which is built without them."""
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of trained modules, whose weights have no place here
        network = build()
    return sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())


def physical_memory() -> int:
    """Bytes of this machine's memory, what is in use included."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def training_bytes(network: nn.Module, inputs: Inputs, batch_size: int) -> int:
    """An estimate of what training one network takes: parameters, gradients, moments, and what backward needs."""
    saved = 0

    def count(tensor: Tensor) -> Tensor:
        nonlocal saved
        saved += tensor.numel() * tensor.element_size()
        return tensor

    probe = copy.deepcopy(network)  # a forward pass may change buffers
    with torch.random.fork_rng(devices=[]), torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        probe(inputs[:2])
    parameters = sum(tensor.numel() * tensor.element_size() for tensor in network.parameters())
    activations = max(0, saved - parameters) / 2 * batch_size
    return max(1, int(COPIES * parameters + 2 * activations))


def free_bytes(device: torch.device) -> int:
    """Memory that can still be taken on a device."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):  # macOS
        return 4 * 2**30
