"""VanillaNet's block.

Axes: B examples, W channels, H and V the sides of a map.
"""

from __future__ import annotations

from torch import Tensor, nn

from ..genes import Choice, Genotype, Struct
from .base import Port, ShelfModule
from .merging import MergeablePointwise, pointwise

LINEAR_AFTER = 1 / 3
"""Share of the training after which two convolutions are one."""


class Vanilla(ShelfModule):
    """A pointwise convolution, a rectifier and a depthwise one (VanillaNet, Chen et al., arXiv 2305.12972).

    `deep` trains the pointwise one as two with an activation in between that turns linear over the first third of the
    training; exports hold the two merged. The depthwise convolution of side `kernel` is the paper's "series" of
    shifted activations, whose own is 7. Deviations: a residual connection and one group normalisation in front, where
    the paper has no shortcut and batch normalisation after each convolution; the depthwise one has a bias.
    """

    ports = ("image",)
    genes = Struct(kernel=Choice(3, 5, 7), deep=Choice(False, True))

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        return VanillaBlock(port.width, genes["kernel"], genes["deep"])


class VanillaBlock(nn.Module):
    """(B, W, H, V) to itself."""

    def __init__(self, width: int, kernel: int, deep: bool) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, width)
        self.pointwise = MergeablePointwise(width, width, LINEAR_AFTER) if deep else pointwise(width, width)
        self.depthwise = nn.Conv2d(width, width, kernel, padding="same", groups=width)

    def forward(self, x_BWHV: Tensor) -> Tensor:
        return x_BWHV + self.branch(x_BWHV)

    def branch(self, x_BWHV: Tensor) -> Tensor:
        """What is added."""
        return self.depthwise(self.pointwise(self.norm(x_BWHV)).relu())
