"""A feed-forward layer with a residual connection."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from ..genes import Choice, Genotype, Integer, Struct
from .base import ModuleStack, Port, ShelfModule, rows_of
from .feed_forward import FeedForward, Normalised


class Dense(ShelfModule):
    """Two linear maps with an activation in between, on normalised input (Vaswani et al., arXiv 1706.03762)."""

    ports = ("vector", "tokens")
    genes = Struct(hidden=Integer(8, 128, log=True), activation=Choice("relu", "silu", "tanh"))

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        return Normalised(port.width, FeedForward(port.width, genes["hidden"], genes["activation"]))

    def known(self, genes: Genotype, port: Port) -> dict[str, float]:
        width, hidden = port.width, genes["hidden"]
        parameters = 2 * width + 2 * width * hidden + hidden + width
        return {"parameters": parameters, "macs": 2 * width * hidden * rows_of(port)}

    def stack(self, genes: Sequence[Genotype], port: Port) -> ModuleStack:
        """Of any hidden units and activations: mixtures of one expert, whose kernel pads nothing."""
        from .mixture.module_stack import NormalisedStack  # numba, which one network alone does not need
        from .mixture.stack import LayerSpec

        specs = [LayerSpec("layer.", (one["hidden"],), 0, one["activation"], False, 0.0) for one in genes]
        return NormalisedStack(port.width, specs)
