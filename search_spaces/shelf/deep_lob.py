"""Convolutions, an inception block and an LSTM as one module.

Axes: B examples, T steps, W width, C units of the convolutions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..genes import Choice, Genotype, Struct
from .base import Port, ShelfModule
from .steps import StepConvolution, padding

SLOPE = 0.01
"""Of leaky ReLUs, below 0."""


class DeepLob(ShelfModule):
    """DeepLOB (Zhang et al., arXiv 1808.03668): three groups of convolutions, an inception block, and an LSTM.

    A group mixes units and convolves twice over 4 steps; the inception block has branches of 3 and of 5 steps, and of
    the greatest of 3. Deviations: in the paper the first maps join price and size, ask and bid, and ten levels of an
    order book; behind a stem neighbouring units mean nothing, so each is a linear map over all of them. Every step has
    an output, through a linear map with a residual connection around it all. Layer normalisation of the input. Steps
    are filled up, on the left alone where none may look at a later one.
    """

    ports = ("tokens",)
    genes = Struct(convolved=Choice(16, 32), branch=Choice(16, 32, 64), hidden=Choice(16, 32, 64))

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        return OrderBookLayer(port, genes["convolved"], genes["branch"], genes["hidden"])


class OrderBookLayer(nn.Module):
    """(B, T, W) to itself.

    Args:
        port: of tokens.
        convolved: C.
        branch: units of each of the three branches of the inception block.
        hidden: units of the LSTM.
    """

    def __init__(self, port: Port, convolved: int, branch: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(port.width)
        layers: list[nn.Module] = []
        for into in (port.width, convolved, convolved):
            twice = [StepConvolution(port, convolved, convolved, 4) for _ in range(2)]
            layers += _active(nn.Linear(into, convolved), *twice)
        self.groups = nn.Sequential(*layers)
        self.branches = nn.ModuleList(
            nn.Sequential(*_active(nn.Linear(convolved, branch), StepConvolution(port, branch, branch, steps)))
            for steps in (3, 5)
        )
        self.branches.append(nn.Sequential(Greatest(port, 3), *_active(nn.Linear(convolved, branch))))
        self.cell = nn.LSTM(3 * branch, hidden, batch_first=True)
        self.out = nn.Linear(hidden, port.width)

    def forward(self, x_BTW: Tensor) -> Tensor:
        convolved_BTC = self.groups(self.norm(x_BTW))
        joined_BTC = torch.cat([branch(convolved_BTC) for branch in self.branches], -1)
        return x_BTW + self.out(self.cell(joined_BTC)[0])


class Greatest(nn.Module):
    """Of each unit the greatest value of some steps: (B, T, C) to itself.

    Args:
        port: of tokens.
        steps: how many.
    """

    def __init__(self, port: Port, steps: int) -> None:
        super().__init__()
        self.steps, self.padding = steps, padding(port, steps - 1)

    def forward(self, x_BTC: Tensor) -> Tensor:
        padded_BCT = nn.functional.pad(x_BTC.mT, self.padding, value=-torch.inf)
        return nn.functional.max_pool1d(padded_BCT, self.steps, stride=1).mT


def _active(*layers: nn.Module) -> list[nn.Module]:
    """Each with a leaky ReLU behind it."""
    return [part for layer in layers for part in (layer, nn.LeakyReLU(SLOPE))]
