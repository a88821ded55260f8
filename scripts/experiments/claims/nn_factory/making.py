"""How supernet and assembler are trained together, and how modules are found for a task within a limit.

Axes: B examples, G gates (modules of all blocks), K classes.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .supernet import CLASSES, GATES, Factory, costs, filled

Data = tuple[Tensor, Tensor]
"""Images and classes."""
FEWEST, MOST = 2, 5
"""Classes of a task."""
PRICE, LEAST = 3.0, 0.1
"""Of the distance of the open modules' multiply-adds, as a share of all, from the budget; the smallest one drawn."""
CANDIDATES, SWAPS = 8, 8
"""Gates that the assembler gives, and variants of the best."""


def drawn_tasks(targets: Tensor) -> Tensor:
    """A set of classes for each example, its own among them: (B, K) bool."""
    order = torch.rand(len(targets), CLASSES).scatter_(1, targets[:, None], -1.0).argsort(1).argsort(1)
    return order < torch.randint(FEWEST, MOST + 1, (len(targets), 1))


def joint_loss(factory: Factory, unseen: Tensor, at_random: bool) -> Callable[[Tensor, Tensor], Tensor]:
    """Every example has a task and a budget of its own.

    Args:
        factory: to train.
        unseen: (tasks, K) bool, from which nothing is learnt.
        at_random: modules are open as often as the budget says, so that all learn; else as the assembler draws them,
            whose odds have the gradient of what it draws, and a price on the distance from the budget.
    """
    cost = costs().float()

    def loss(x: Tensor, targets: Tensor) -> Tensor:
        task = drawn_tasks(targets)
        budget = LEAST + (1 - LEAST) * torch.rand(len(x))
        uniform = torch.rand(len(x), GATES).clamp(1e-6, 1 - 1e-6)
        if at_random:
            gates = (uniform < budget[:, None]).float()
        else:
            soft = (factory.logits(task, budget) + torch.logit(uniform)).sigmoid()
            gates = (soft > 0.5).float() + soft - soft.detach()
        scores = factory.supernet(x, gates).masked_fill(~task, -torch.inf)
        each = nn.functional.cross_entropy(scores, targets, reduction="none")
        each = each + PRICE * (gates @ cost - budget).abs() * (not at_random)
        seen = ~(task[:, None] == unseen).all(2).any(1)
        return (each * seen).sum() / seen.sum()

    return loss


@torch.no_grad()
def assembled(made: Factory, task: Tensor, limit: float) -> Tensor:
    """What the assembler opens, in the order of its odds, within the limit."""
    return filled(made.logits(task[None], torch.tensor([limit]))[0], limit)


@torch.no_grad()
def searched(made: Factory, task: Tensor, limit: float, data: Data, seed: int) -> Tensor:
    """The best of what the assembler opens, at first and with noise on its odds, and of swaps in the best so far.

    Args:
        made: trained.
        task: (K,) bool.
        limit: share of all modules' multiply-adds.
        data: by which gates are compared: images of the task, and classes as it numbers them.
        seed: of what is drawn.
    """
    inputs, targets = data
    rng = torch.Generator().manual_seed(seed)
    logits = made.logits(task[None], torch.tensor([limit]))[0]

    def loss(gates: Tensor) -> float:
        return float(nn.functional.cross_entropy(made.supernet.only(gates, task)(inputs), targets))

    best = filled(logits, limit)
    lowest = loss(best)
    for number in range(CANDIDATES + SWAPS):
        uniform = torch.rand(GATES, generator=rng).clamp(1e-6, 1 - 1e-6)
        if number < CANDIDATES:
            order = logits + torch.logit(uniform)
        else:
            order = 2 * best + uniform
            order[int(torch.where(best, uniform, -1.0).argmax())] = -1.0
        gates = filled(order, limit)
        value = loss(gates)
        if value < lowest:
            best, lowest = gates, value
    return best
