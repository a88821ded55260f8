"""Modules of a stranger: one of two genes, and one that some genes cannot be built of.

Axes: B examples, T steps, W width.
"""

import torch
from torch import Tensor, nn

from search_spaces import Choice, Genotype, Integer, Invalid, Metric, Struct
from search_spaces.shelf.base import Port, ShelfModule


class Gated(ShelfModule):
    """A gated linear unit with a bottleneck (Dauphin et al., arXiv 1612.08083), on normalised input."""

    ports = ("vector", "tokens")
    genes = Struct(bottleneck=Integer(2, 16, log=True), gate=Choice("sigmoid", "tanh"))
    metrics = {"open_share": Metric("", 0, 1)}

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        return GatedUnit(port.width, genes["bottleneck"], genes["gate"])


class Fragile(ShelfModule):
    """A linear map that must not be odd, and that fails without a word where it is zero."""

    ports = ("vector",)
    genes = Struct(number=Integer(0, 7))

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        if genes["number"] % 2:
            raise Invalid("number: expected an even one")
        if not genes["number"]:
            raise ZeroDivisionError
        return GatedUnit(port.width, genes["number"], "tanh")


class GatedUnit(nn.Module):
    """x + a bottleneck of the normalised input, times a gate."""

    def __init__(self, width: int, bottleneck: int, gate: str) -> None:
        super().__init__()
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(bottleneck, width)
        self.value, self.gate = nn.Linear(width, bottleneck), nn.Linear(width, bottleneck)
        self.squash = getattr(torch, gate)

    def forward(self, x: Tensor) -> Tensor:
        seen = self.norm(x)
        return x + self.out(self.value(seen) * self.squash(self.gate(seen)))

    def observe(self, x: Tensor) -> dict[str, Tensor]:
        """The share of gates above 0.5, of which none counts where they go below 0."""
        return {"open_share": (self.squash(self.gate(self.norm(x))) > 0.5).to(x.dtype).mean()}
