"""Plain feed-forward layers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "elu": nn.functional.elu,
    "leaky_relu": nn.functional.leaky_relu,
    "relu": torch.relu,
    "silu": nn.functional.silu,
    "tanh": torch.tanh,
}
"""Activations by name. Each maps 0 to 0, so a unit with zero weights and bias stays silent."""


class Activation(nn.Module):
    """Applies one of `ACTIVATIONS` to every element."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.function = ACTIVATIONS[name]

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)

    def extra_repr(self) -> str:
        return self.name


class FeedForward(nn.Module):
    """Two linear maps with an activation in between: (B, width) to (B, width) through `hidden` units."""

    def __init__(self, width: int, hidden: int, activation: str) -> None:
        super().__init__()
        self.up = nn.Linear(width, hidden)
        self.activation = Activation(activation)
        self.down = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.activation(self.up(x)))


class Residual(nn.Module):
    """Adds a layer's input to its output."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layer(x)


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
