"""Networks that have slices of a bank for a few steps: some in a stack, some by themselves."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from search_spaces.base import Genotype, SearchSpace, Task

from .bank import Bank, Places, experts_of, places_of
from .inputs import Inputs
from .losses import Objective, auxiliary_loss


@dataclass(frozen=True)
class Held:
    """One network, or some in a stack.

    Args:
        module: the network, or the stack; in training mode.
        stacked: whether it is a stack.
        places: of each network.
        buffers: of each network, and what else its state has beside parameters.
    """

    module: Any
    stacked: bool
    places: Sequence[Places]
    buffers: Sequence[Mapping[str, Tensor]]

    @torch.no_grad()
    def load(self, bank: Bank) -> None:
        """Take the bank's slices."""
        for number, (places, buffers) in enumerate(zip(self.places, self.buffers, strict=True)):
            slices = bank.slices(places)
            if self.stacked:
                self.module.load(number, {**buffers, **slices})
                continue
            for name, parameter in self.module.named_parameters():
                parameter.copy_(slices[name])

    def loss(self, objective: Objective, x: Tensor, targets: Tensor) -> Tensor:
        """The sum of the networks' losses, those of their own included."""
        if self.stacked:
            total, own = objective.stacked(self.module(x), targets).sum(), self.module.auxiliary_loss
            return total if own is None else total + own.sum()
        total = objective.alone(self.module(x), targets)
        own = auxiliary_loss(self.module)
        return total if own is None else total + own

    @torch.no_grad()
    def give_gradients(self, bank: Bank) -> None:
        """Add what a backward pass left to the bank's gradients; the weights here are of no use afterwards."""
        tensors = [one for one, _ in self.module.owned()] if self.stacked else list(self.module.parameters())
        for tensor in tensors:  # in place of the weights, gradients come out under the networks' own names
            tensor.copy_(torch.zeros_like(tensor) if tensor.grad is None else tensor.grad)
            tensor.grad = None
        for number, places in enumerate(self.places):
            bank.add_gradients(
                places, self.module.unstack(number) if self.stacked else dict(self.module.named_parameters())
            )


def hold(
    bank: Bank,
    space: SearchSpace,
    task: Task,
    networks: Sequence[tuple[Genotype, nn.Module]],
    inputs: Inputs,
    rng: np.random.Generator,
) -> list[Held]:
    """Make room in the bank for networks, and put those together that can be stacked.

    Args:
        bank: grows.
        space: that they belong to.
        task: what they are for.
        networks: genotypes and what was built for them.
        inputs: what they will be given.
        rng: draws the slots of experts.
    """
    places = []
    for _, network in networks:
        network.to(inputs.device).train()
        slots = {
            name: rng.permutation(most)[: experts_of(network.get_submodule(name))].tolist()
            for name, most in bank.slots(network).items()
        }
        places.append(places_of(network, slots))
        bank.grow(network, places[-1])
    groups: dict[Hashable, list[int]] = {}
    for number, (genotype, _) in enumerate(networks):
        signature = space.stack_signature(genotype)
        groups.setdefault(number if signature is None else ("stack", signature), []).append(number)
    found = []
    for members in groups.values():
        module: Any = networks[members[0]][1]
        if len(members) > 1:
            module = space.build_stack([networks[one][0] for one in members], task)
            module.to(inputs.device).train()
        buffers = [dict(networks[one][1].state_dict()) for one in members] if len(members) > 1 else [{}]
        found.append(Held(module, len(members) > 1, [places[one] for one in members], buffers))
    return found
