"""Simple layers written as plain data, so that a network can be built again from JSON without running foreign code.

A chain of them is a list such as `[{"kind": "convolution", "inputs": 1, "outputs": 16}, {"kind": "relu"}]`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

Layer = Mapping[str, Any]
"""`kind`, and beside it the layer's arguments: whole numbers."""

LAYERS: dict[str, Callable[..., nn.Module]] = {
    "convolution": lambda inputs, outputs: nn.Conv2d(inputs, outputs, 3, padding=1),
    "batch_norm": lambda channels: nn.BatchNorm2d(channels),
    "relu": lambda: nn.ReLU(),
    "max_pool": lambda: nn.MaxPool2d(2),
    "flatten": lambda: nn.Flatten(),
    "linear": lambda inputs, outputs: nn.Linear(inputs, outputs),
}
"""Convolutions are 3 x 3 and keep the map's size; pooling halves it."""


def build_layers(layers: Sequence[Layer]) -> nn.Sequential:
    """Return the chain, freshly initialised from torch's global generator.

    Raises:
        ValueError: a layer is unknown, or has other arguments.
    """
    built = []
    for position, layer in enumerate(layers):
        arguments = {name: value for name, value in layer.items() if name != "kind"}
        kind = layer.get("kind")
        if not isinstance(kind, str) or kind not in LAYERS:
            raise ValueError(f"layer {position}: expected one of {', '.join(LAYERS)}, got {kind!r}")
        for name, value in arguments.items():
            if type(value) is not int or value < 1:
                raise ValueError(f"layer {position}, {kind}: {name}: expected a whole number above 0, got {value!r}")
        try:
            built.append(LAYERS[kind](**arguments))
        except (TypeError, RuntimeError) as error:
            raise ValueError(f"layer {position}, {kind}: {error}") from None
    return nn.Sequential(*built)


def convolution(inputs: int, outputs: int, pool: bool) -> list[Layer]:
    """A convolution, relu, and pooling where the map can be halved."""
    layers: list[Layer] = [{"kind": "convolution", "inputs": inputs, "outputs": outputs}, {"kind": "relu"}]
    return [*layers, {"kind": "max_pool"}] if pool else layers


def dense(inputs: int, outputs: int) -> list[Layer]:
    """A linear layer over the flattened input, and relu."""
    return [{"kind": "flatten"}, {"kind": "linear", "inputs": inputs, "outputs": outputs}, {"kind": "relu"}]


def head(inputs: int, outputs: int) -> list[Layer]:
    """The linear layer that gives the scores."""
    return [{"kind": "linear", "inputs": inputs, "outputs": outputs}]
