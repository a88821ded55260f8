"""Depthwise-separable convolution.

Axes: B examples, W channels, H and V the sides of a map.
"""

from __future__ import annotations

from torch import Tensor, nn

from ..genes import Choice, Genotype, Struct
from .base import Port, ShelfModule


class Separable(ShelfModule):
    """A depthwise and a pointwise convolution (Xception, Chollet, arXiv 1610.02357), on normalised input.

    Deviations: normalised over channels and pixels of an example (Wu and He, arXiv 1803.08494, one group) and not over
    a batch; one activation, in between; a residual connection.
    """

    ports = ("image",)
    genes = Struct(kernel=Choice(3, 5, 7))

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        return SeparableConvolution(port.width, genes["kernel"])


class SeparableConvolution(nn.Module):
    """(B, W, H, V) to itself."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, width)
        self.depthwise = nn.Conv2d(width, width, kernel, padding="same", groups=width)
        self.pointwise = nn.Conv2d(width, width, 1)

    def forward(self, x_BWHV: Tensor) -> Tensor:
        return x_BWHV + self.pointwise(nn.functional.silu(self.depthwise(self.norm(x_BWHV))))
