"""Recurrence with gates.

Axes: B examples, T steps, W width.
"""

from __future__ import annotations

from torch import Tensor, nn

from ..genes import Choice, Genotype, Integer, Struct
from .base import Port, ShelfModule

CELLS = {"gru": nn.GRU, "lstm": nn.LSTM}


class Recurrent(ShelfModule):
    """A GRU (Cho et al., arXiv 1406.1078) or an LSTM (Hochreiter and Schmidhuber, 1997), on normalised input.

    Deviations: it has a width of its own, and a linear map back, around which there is a residual connection; it begins
    at zero, and never runs backwards in time.
    """

    ports = ("tokens",)
    genes = Struct(cell=Choice("gru", "lstm"), hidden=Integer(8, 128, log=True))

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        return RecurrentLayer(port.width, genes["cell"], genes["hidden"])


class RecurrentLayer(nn.Module):
    """x + linear(cell(norm(x))): (B, T, W) to itself."""

    def __init__(self, width: int, cell: str, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.cell = CELLS[cell](width, hidden, batch_first=True)
        self.out = nn.Linear(hidden, width)

    def forward(self, x_BTW: Tensor) -> Tensor:
        return x_BTW + self.out(self.cell(self.norm(x_BTW))[0])
