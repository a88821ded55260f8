"""A feed-forward layer with a residual connection."""

from __future__ import annotations

from torch import Tensor, nn

from ..genes import Choice, Genotype, Integer, Struct
from .base import Port, ShelfModule
from .feed_forward import FeedForward


class Dense(ShelfModule):
    """Two linear maps with an activation in between, on normalised input (Vaswani et al., arXiv 1706.03762)."""

    ports = ("vector", "tokens")
    genes = Struct(hidden=Integer(8, 128, log=True), activation=Choice("relu", "silu", "tanh"))

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        return Normalised(port.width, FeedForward(port.width, genes["hidden"], genes["activation"]))


class Normalised(nn.Module):
    """x + layer(norm(x)), over the last axis.

    Args:
        width: of the last axis.
        layer: keeps the shape.
    """

    def __init__(self, width: int, layer: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layer(self.norm(x))
