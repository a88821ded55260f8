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

SHARE_OF_MEMORY = 0.25
"""Of what is free a stack may take; the rest is for data, scoring, and what the estimate does not see."""
MOST = 32
"""On the CPU larger stacks gain nothing more and leave the processor's caches."""
MOST_ON_A_CARD = 1000
"""Networks of ten thousand parameters are then limited by the card's memory traffic, and no longer by launches."""
COPIES = 4
"""Of each parameter: itself, its gradient, and Adam's two moments."""


@dataclass(frozen=True)
class StackSize:
    """How many networks a stack may hold.

    Args:
        most: at most this many; None: 32 on the CPU, 1,000 on a card.
        bytes: memory for one stack; None: a quarter of what is free on the device, or of this process's share of a
            card. 0: what no other program has a say in, so that the sizes of stacks do not depend on the machine's
            state (a result's last bits may depend on its stack's size): on the CPU no limit, on a card a quarter of
            the share of all its memory.
    """

    most: int | None = None
    bytes: int | None = None

    def most_on(self, device: torch.device) -> int:
        """At most this many on a device, whatever memory it has."""
        return self.most or (MOST_ON_A_CARD if device.type == "cuda" else MOST)

    def of(self, networks: Sequence[nn.Module], inputs: Inputs, batch_size: int) -> int:
        """At most this many of these networks at once; at least 1.

        Args:
            networks: the largest of them counts.
            inputs: what they are trained on.
            batch_size: examples in a minibatch.
        """
        most = self.most_on(inputs.device)
        if (self.bytes == 0 and inputs.device.type != "cuda") or len(networks) == 1 or most == 1:
            return most
        largest = max(networks, key=lambda network: sum(tensor.numel() for tensor in network.parameters()))
        return max(1, min(most, self.budget(inputs.device) // training_bytes(largest, inputs, batch_size)))

    def budget(self, device: torch.device) -> int:
        """Bytes that a stack may take on a device; of a card, in this process's share of it."""
        if self.bytes:
            return self.bytes
        if device.type == "cuda" and self.bytes == 0:
            share = torch.cuda.get_per_process_memory_fraction(device)
            return int(SHARE_OF_MEMORY * share * torch.cuda.mem_get_info(device)[1])
        return int(SHARE_OF_MEMORY * free_bytes(device))


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
    probe, examples = copy.deepcopy(network), inputs[:2].clone()  # a forward pass may change buffers
    shared = {_storage(tensor) for tensor in (examples, *probe.parameters())}
    saved: dict[int, int] = {}

    def count(tensor: Tensor) -> Tensor:
        storage = _storage(tensor)
        if storage not in shared:
            saved[storage] = max(saved.get(storage, 0), tensor.numel() * tensor.element_size())
        return tensor

    with torch.random.fork_rng(devices=[]), torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        outputs = probe(examples)  # kept: what is saved must not be freed, and its place used again
    parameters = sum(tensor.numel() * tensor.element_size() for tensor in network.parameters())
    activations = sum(saved.values()) / len(examples) * batch_size
    del outputs
    return max(1, int(COPIES * parameters + 2 * activations))


def _storage(tensor: Tensor) -> int:
    """Which memory it lies in; views share one."""
    return tensor.untyped_storage()._cdata


def free_of_card(free: int, total: int, share: float, used: int, held: int) -> int:
    """Bytes that this process can still take of a card.

    Args:
        free: bytes that no process holds.
        total: bytes of the card.
        share: of them that this process may hold, in [0, 1].
        used: bytes of its tensors.
        held: bytes that it holds, for tensors now or again.
    """
    return max(0, min(free + held - used, int(share * total) - used))


def free_bytes(device: torch.device) -> int:
    """Memory that can still be taken on a device; of a card, within this process's share of it."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        share = torch.cuda.get_per_process_memory_fraction(device)
        return free_of_card(free, total, share, torch.cuda.memory_allocated(device), torch.cuda.memory_reserved(device))
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):  # macOS
        return 4 * 2**30
