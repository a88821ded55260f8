"""No module at all."""

from __future__ import annotations

from torch import nn

from ..genes import Genotype
from .base import Port, ShelfModule


class Identity(ShelfModule):
    """Gives what it is given: a place that the search leaves empty."""

    ports = ("vector", "tokens", "image")

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        return nn.Identity()
