"""Convolution in groups of a constant size.

Axes: B examples, W channels, H and V the sides of a map.
"""

from __future__ import annotations

from torch import Tensor, nn

from ..genes import Choice, Genotype, Struct
from .base import Port, ShelfModule


class ConstantGroups(ShelfModule):
    """An inverted bottleneck with groups of constant size (E2GC, Jha et al., arXiv 2006.15100).

    A pointwise convolution to more channels, a 3 x 3 one in groups, and a pointwise one back, with relu in between.
    Each group has `size` channels, however many channels there are: more channels are more groups, where the usual
    number of groups is constant. E2GC puts such groups in the place of MobileNet's depthwise convolutions (Sandler et
    al., arXiv 1801.04381); its formula for the best size is not verified, so the size is a gene. Deviations: one group
    normalisation in front in place of batch normalisation.
    """

    ports = ("image",)
    genes = Struct(size=Choice(4, 8, 16), expansion=Choice(2, 4))

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        return GroupedBottleneck(port.width, genes["expansion"] * port.width, genes["size"])


class GroupedBottleneck(nn.Module):
    """(B, W, H, V) to itself.

    Args:
        width: W.
        hidden: channels in between.
        size: channels of a group; divides `hidden`.
    """

    def __init__(self, width: int, hidden: int, size: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, width)
        self.up = nn.Conv2d(width, hidden, 1)
        self.spatial = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden // size)
        self.down = nn.Conv2d(hidden, width, 1)

    def forward(self, x_BWHV: Tensor) -> Tensor:
        return x_BWHV + self.down(self.spatial(self.up(self.norm(x_BWHV)).relu()).relu())
