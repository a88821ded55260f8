"""A feed-forward layer whose hidden units are gated."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..genes import Choice, Genotype, Integer, Struct
from .base import Port, ShelfModule, rows_of
from .feed_forward import Normalised

GATES = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "silu": nn.functional.silu}


class GatedUnit(ShelfModule):
    """A linear map times the activation of another, and a third back: gated linear units, on normalised input.

    The gate "sigmoid" gives GLU (Dauphin et al., arXiv 1612.08083), "silu" SwiGLU (Shazeer, arXiv 2002.05202). "tanh"
    is near a plain product where it is not saturated. Deviation: biases.
    """

    ports = ("vector", "tokens")
    genes = Struct(hidden=Integer(8, 128, log=True), gate=Choice("sigmoid", "tanh", "silu"))

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        return Normalised(port.width, GatedFeedForward(port.width, genes["hidden"], genes["gate"]))

    def known(self, genes: Genotype, port: Port) -> dict[str, float]:
        width, hidden = port.width, genes["hidden"]
        parameters = 2 * width + 3 * width * hidden + 2 * hidden + width
        return {"parameters": parameters, "macs": 3 * width * hidden * rows_of(port)}


class GatedFeedForward(nn.Module):
    """(..., width) to itself, through `hidden` units."""

    def __init__(self, width: int, hidden: int, gate: str) -> None:
        super().__init__()
        self.up = nn.Linear(width, 2 * hidden)
        self.down = nn.Linear(hidden, width)
        self.gate = gate

    def forward(self, x: Tensor) -> Tensor:
        gates, values = self.up(x).chunk(2, -1)
        return self.down(GATES[self.gate](gates) * values)
