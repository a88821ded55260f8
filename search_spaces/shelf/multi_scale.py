"""Convolutions that look near and far, and context at several scales.

Axes: B examples, W channels, H and V the sides of a map, S the side of what is pooled.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..genes import Genotype, Integer, Struct
from .base import Port, ShelfModule

POOLS = (1, 2, 3, 6)
"""Sides of what the map is pooled to."""


class MultiScale(ShelfModule):
    """Dilated convolutions side by side, then context (M-SFANet, Thanasutives et al., arXiv 2003.05586).

    First a pointwise convolution, `branches` 3 x 3 ones with dilations 1, 2, …, and the mean of the map, side by side,
    are joined by a pointwise one (ASPP). Then the map is pooled to each of the first `scales` of 1, 2, 3 and 6 pixels a
    side, and stretched again; each pixel weighs these by how they contrast with it, and their mean is joined to it.
    Deviations: dilations for small maps, where the paper's are 12, 24 and 36; each part of the first half has W / 2
    channels; one group normalisation in front; no activation at the end, which is added to the map.
    """

    ports = ("image",)
    genes = Struct(branches=Integer(1, 4), scales=Integer(0, 4))

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        return Scales(port, genes["branches"], POOLS[: genes["scales"]])


class Scales(nn.Module):
    """(B, W, H, V) to itself."""

    def __init__(self, port: Port, branches: int, pools: tuple[int, ...]) -> None:
        super().__init__()
        width, half = port.width, port.width // 2
        self.norm = nn.GroupNorm(1, width)
        self.near = nn.Conv2d(width, half, 1)
        self.dilated = nn.ModuleList(
            nn.Conv2d(width, half, 3, padding=dilation, dilation=dilation) for dilation in range(1, branches + 1)
        )
        self.everywhere = nn.Conv2d(width, half, 1)
        self.join = nn.Conv2d((branches + 2) * half, width, 1)
        self.context = Context(port, pools) if pools else nn.Identity()

    def forward(self, x_BWHV: Tensor) -> Tensor:
        normal = self.norm(x_BWHV)
        parts = [self.near(normal), *(branch(normal) for branch in self.dilated)]
        parts.append(self.everywhere(normal.mean((2, 3), keepdim=True)).expand_as(parts[0]))
        return x_BWHV + self.context(self.join(torch.cat(parts, 1).relu()))


class Context(nn.Module):
    """A map joined with its means over regions of several sizes: (B, W, H, V) to itself.

    Args:
        port: what goes in.
        pools: S of each scale, at least one.
    """

    def __init__(self, port: Port, pools: tuple[int, ...]) -> None:
        super().__init__()
        self.scales = nn.ModuleList(Scale(port, side) for side in pools)
        self.join = nn.Conv2d(2 * port.width, port.width, 1)

    def forward(self, x_BWHV: Tensor) -> Tensor:
        total, weights = torch.zeros_like(x_BWHV), torch.zeros_like(x_BWHV)
        for scale in self.scales:
            mean, weight = scale(x_BWHV)
            total, weights = total + weight * mean, weights + weight
        return self.join(torch.cat([total / weights, x_BWHV], 1).relu())


class Scale(nn.Module):
    """A map's means over S x S regions, mapped and stretched again, and their weights: two of (B, W, H, V)."""

    pool_rows: Tensor
    pool_columns: Tensor
    stretch_rows: Tensor
    stretch_columns: Tensor

    def __init__(self, port: Port, side: int) -> None:
        super().__init__()
        (height, breadth), width = port.size, port.width
        self.mapped = nn.Conv2d(width, width, 1, bias=False)
        self.weight = nn.Conv2d(width, width, 1)
        self.register_buffer("pool_rows", pooling(height, side), persistent=False)
        self.register_buffer("pool_columns", pooling(breadth, side).mT.contiguous(), persistent=False)
        self.register_buffer("stretch_rows", stretching(side, height), persistent=False)
        self.register_buffer("stretch_columns", stretching(side, breadth).mT.contiguous(), persistent=False)

    def forward(self, x_BWHV: Tensor) -> tuple[Tensor, Tensor]:
        pooled = self.mapped(self.pool_rows @ x_BWHV @ self.pool_columns)
        mean = self.stretch_rows @ pooled @ self.stretch_columns
        return mean, self.weight(x_BWHV - mean).sigmoid()


def pooling(size: int, parts: int) -> Tensor:
    """The means over `parts` equal stretches of a line, which overlap where they do not divide it: (parts, size)."""
    rows = torch.zeros(parts, size)
    for part in range(parts):
        first, last = part * size // parts, -((part + 1) * size // -parts)
        rows[part, first:last] = 1 / (last - first)
    return rows


def stretching(parts: int, size: int) -> Tensor:
    """A line of `parts` values drawn at `size` places, linear in between and constant at the ends: (size, parts)."""
    rows = torch.zeros(size, parts)
    for place in range(size):
        where = min(max((place + 0.5) * parts / size - 0.5, 0.0), parts - 1.0)
        left = min(int(where), max(parts - 2, 0))
        rows[place, left] += 1 - (where - left)
        rows[place, min(left + 1, parts - 1)] += where - left
    return rows
