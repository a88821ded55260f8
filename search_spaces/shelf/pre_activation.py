"""A linear layer with a residual connection."""

from __future__ import annotations

from torch import nn

from ..genes import Choice, Genotype, Struct
from .base import Port, ShelfModule
from .feed_forward import Activation, Normalised


class PreActivation(ShelfModule):
    """Normalise, activate, and one linear map, added to the input: x + W f(norm(x)) (He et al., arXiv 1603.05027).

    What is added may have any sign, and nothing limits it. Deviation: layer normalisation, and one map, not two.
    """

    ports = ("vector", "tokens")
    genes = Struct(activation=Choice("relu", "silu", "tanh"))

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        layer = nn.Sequential(Activation(genes["activation"]), nn.Linear(port.width, port.width))
        return Normalised(port.width, layer)
