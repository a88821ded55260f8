"""A feed-forward sequential memory in the place of recurrence.

Axes: B examples, T steps, W width, I inner units.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..genes import Choice, Genotype, Integer, Struct
from .base import Port, ShelfModule
from .steps import ConvolvedMap, StepConvolution


class Fsmn(ShelfModule):
    """The gated block with memory of MossFormer2 (Zhao et al., arXiv 2312.11825), after FSMN (arXiv 1512.08301).

    y = b ⊙ memory(a) + x, with a and b two maps of x, at a width of the block's own. The memory is a feed-forward layer
    and `layers` convolutions over time, of 2·order - 1 steps, dilated 1, 2, 4, ...; each sees what all before it gave.
    It looks ahead only where the port is not causal. A single layer of convolutions is the plain memory of FSMN.

    Deviations: layer normalisation in place of instance normalisation, which would look at later steps, and of all
    others; the convolutions see each unit by itself (not verified); no dropout.
    """

    ports = ("tokens",)
    genes = Struct(inner=Choice(16, 32, 64), order=Integer(3, 20), layers=Integer(1, 4))

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        return GatedMemory(port, genes["inner"], genes["order"], genes["layers"])


class GatedMemory(nn.Module):
    """(B, T, W) to itself."""

    def __init__(self, port: Port, inner: int, order: int, layers: int) -> None:
        super().__init__()
        self.into = nn.Sequential(nn.LayerNorm(port.width), nn.Linear(port.width, inner), nn.PReLU())
        self.norm = nn.LayerNorm(inner)
        self.value, self.gate = ConvolvedMap(port, inner, inner), ConvolvedMap(port, inner, inner)
        self.memory = Memory(port, inner, order, layers)
        self.out = nn.Sequential(nn.LayerNorm(inner), nn.Linear(inner, port.width))

    def forward(self, x_BTW: Tensor) -> Tensor:
        inner_BTI = self.norm(self.into(x_BTW))
        remembered_BTI = self.memory(self.value(inner_BTI))
        return x_BTW + self.out(inner_BTI + self.gate(inner_BTI) * remembered_BTI)


class Memory(nn.Module):
    """(B, T, I) to itself, with a residual connection.

    Args:
        port: of tokens.
        width: I.
        order: steps that the first convolution looks back, its own among them.
        layers: of convolutions.
    """

    def __init__(self, port: Port, width: int, order: int, layers: int) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width, bias=False))
        self.convolutions = nn.ModuleList(
            StepConvolution(port, width * (layer + 1), width, 2 * order - 1, 2**layer, groups=width, bias=False)
            for layer in range(layers)
        )
        self.after = nn.ModuleList(nn.Sequential(nn.LayerNorm(width), nn.PReLU()) for _ in range(layers))

    def forward(self, x_BTI: Tensor) -> Tensor:
        given = [self.project(x_BTI)]
        for convolution, after in zip(self.convolutions, self.after, strict=True):
            given.append(after(convolution(torch.stack(given, -1).flatten(-2))))  # a unit's own side by side
        return x_BTI + given[-1]
