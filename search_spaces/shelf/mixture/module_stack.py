"""Mixtures of experts, or dense layers, of N networks as one, behind normalisations and with residual connections.

Axes: N networks, B examples, or steps of them; W width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...base import Owned
from ..watching import Watched
from .layer import active_share
from .stack import LayerSpec, StackedMixture


class NormalisedStack(nn.Module):
    """`feed_forward.Normalised` mixtures or dense layers of N networks; see `base.ModuleStack`.

    Args:
        width: W.
        specs: N.
    """

    def __init__(self, width: int, specs: Sequence[LayerSpec]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(len(specs), width))
        self.bias = nn.Parameter(torch.zeros(len(specs), width))
        self.mixtures = StackedMixture(width, specs)
        self.auxiliary_loss: Tensor | None = None

    def forward(self, x_N: Tensor) -> Tensor:
        """(N, B, W), or (N, B, T, W), to itself."""
        x_NBW = x_N.flatten(1, -2)
        norm_NBW = nn.functional.layer_norm(x_NBW, x_NBW.shape[-1:]) * self.weight[:, None] + self.bias[:, None]
        mixed_NBW, losses_N = self.mixtures(norm_NBW)
        self.auxiliary_loss = losses_N if self.training else None
        return x_N + mixed_NBW.view_as(x_N)

    def predict(self, x_N: Tensor) -> tuple[Tensor, list[Watched]]:
        """As `forward`, and how each network's mixture is routed."""
        x_NBW = x_N.flatten(1, -2)
        norm_NBW = nn.functional.layer_norm(x_NBW, x_NBW.shape[-1:]) * self.weight[:, None] + self.bias[:, None]
        mixed_NBW, gates = self.mixtures.predict(norm_NBW)
        found = [Watched() for _ in self.weight]
        for network, gates_BE in gates.items():
            sizes = self.mixtures.layout.specs[network].experts
            found[network].gates["layer"] = gates_BE
            found[network].observed[""] = {"active_share": active_share(gates_BE, sizes)}
        return x_N + mixed_NBW.view_as(x_N), found

    def owned(self) -> list[Owned]:
        """Every parameter, with the network that each of its rows belongs to."""
        own: list[Owned] = [(tensor, range(len(tensor))) for tensor in (self.weight, self.bias)]
        return [*own, *((tensor, rows.tolist()) for tensor, rows in self.mixtures.owned())]

    def named(self, network: int) -> dict[str, Tensor]:
        """Views of a network's parameters, under the names in its state."""
        norm = {"norm.weight": self.weight[network], "norm.bias": self.bias[network]}
        return {**norm, **self.mixtures.named(network)}
