"""A supernet of modules behind gates, and the assembler that opens them.

Axes: B examples, G gates (modules of all blocks), K classes.
"""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

CLASSES = 10
WIDTHS, SIDES, MODULES, HIDDEN = (8, 8, 16, 16), (7, 7, 4, 4), 8, 4
"""Channels and sides of the blocks' maps; modules of each block, and the channels of a module's own."""
GATES = len(WIDTHS) * MODULES


class Modules(nn.Module):
    """Modules side by side, in residue: each a 3 x 3 convolution to channels of its own, relu and a pointwise one."""

    def __init__(self, width: int, modules: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, width)
        self.enter = nn.Conv2d(width, modules * HIDDEN, 3, padding=1)
        self.leave = nn.Conv2d(modules * HIDDEN, width, 1, bias=False)

    def forward(self, x: Tensor, gates: Tensor | None = None) -> Tensor:
        """`gates`: (B, modules); None: all are open."""
        hidden = torch.relu(self.enter(self.norm(x)))
        if gates is not None:
            hidden = hidden * gates.repeat_interleave(HIDDEN, 1)[:, :, None, None]
        return x + self.leave(hidden)

    @torch.no_grad()
    def only(self, modules: Tensor) -> nn.Module:
        """A copy with some modules; without any, what comes in goes out."""
        if not modules.any():
            return nn.Identity()
        rows = modules.repeat_interleave(HIDDEN)
        found = Modules(self.norm.num_channels, int(modules.sum()))
        found.norm.load_state_dict(self.norm.state_dict())
        found.enter.weight.copy_(self.enter.weight[rows])
        found.enter.get_parameter("bias").copy_(self.enter.get_parameter("bias")[rows])
        found.leave.weight.copy_(self.leave.weight[:, rows])
        return found


class Network(nn.Module):
    """A stem, blocks of modules, of which the later ones see half the pixels a side, and a linear head."""

    def __init__(self, modules: int = MODULES) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, WIDTHS[0], 3, 2, 1)
        self.halve = nn.Conv2d(WIDTHS[0], WIDTHS[-1], 3, 2, 1)
        self.blocks = nn.ModuleList(Modules(width, modules) for width in WIDTHS)
        self.head = nn.Linear(WIDTHS[-1], CLASSES)

    def forward(self, x: Tensor, gates: Tensor | None = None) -> Tensor:
        """(B, K) of (B, 1, 14, 14); `gates`: (B, G)."""
        x = self.stem(x)
        parts = [None] * len(WIDTHS) if gates is None else gates.chunk(len(WIDTHS), 1)
        for number, (block, part) in enumerate(zip(self.blocks, parts, strict=True)):
            if number == len(WIDTHS) // 2:
                x = self.halve(torch.relu(x))
            x = block(x) if part is None else block(x, part)
        return self.head(torch.relu(x).mean((2, 3)))

    def only(self, gates: Tensor, task: Tensor) -> Network:
        """A copy with the modules whose gates are open, and the classes of a task; both are bool, (G,) and (K,)."""
        found = deepcopy(self)
        found.blocks = nn.ModuleList()
        for block, part in zip(self.blocks, gates.chunk(len(WIDTHS)), strict=True):
            assert isinstance(block, Modules)
            found.blocks.append(block.only(part))
        found.head = nn.Linear(WIDTHS[-1], int(task.sum()))
        with torch.no_grad():
            found.head.weight.copy_(self.head.weight[task])
            found.head.bias.copy_(self.head.bias[task])
        return found


def costs() -> Tensor:
    """(G,) multiply-adds of modules, as shares of all."""
    macs = torch.tensor([side**2 * width * (9 + 1) * HIDDEN for side, width in zip(SIDES, WIDTHS, strict=True)])
    return macs.double().repeat_interleave(MODULES) / (macs.sum() * MODULES)


class Factory(nn.Module):
    """A supernet, and the assembler that opens its modules."""

    def __init__(self) -> None:
        super().__init__()
        self.supernet = Network()
        self.assembler = nn.Sequential(nn.Linear(CLASSES + 1, 64), nn.ReLU(), nn.Linear(64, GATES))

    def logits(self, task: Tensor, budget: Tensor) -> Tensor:
        """(B, G) of tasks (B, K), which are bool, and budgets (B,)."""
        return self.assembler(torch.cat([task.float(), budget[:, None]], 1))


def filled(order: Tensor, limit: float) -> Tensor:
    """Open gates in an order, (G,) numbers, the largest first, as long as the limit allows: (G,) bool."""
    cost, found, used = costs(), torch.zeros(GATES, dtype=torch.bool), 0.0
    for gate in order.argsort(descending=True).tolist():
        if used + float(cost[gate]) <= limit + 1e-9:
            found[gate], used = True, used + float(cost[gate])
    return found
