"""Layers that are trained as several, and merged into one afterwards.

Axes: B examples, C channels, H and W the sides of a map.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn


def merged(network: nn.Module) -> nn.Module:
    """The network with every part that has a method `merged()` replaced by what that returns; a copy.

    Where there is no such part, the network itself.
    """
    if not _mergeable(network):
        return network
    network = copy.deepcopy(network)
    for name, part in _mergeable(network).items():
        network.set_submodule(name, part.merged())
    return network


def merged_parameters(network: nn.Module) -> int:
    """Parameters of `merged(network)`."""
    count = _count(network)
    return count - sum(_count(part) - _count(part.merged()) for part in _mergeable(network).values())


def _mergeable(network: nn.Module) -> dict[str, Any]:
    return {name: part for name, part in network.named_modules() if hasattr(type(part), "merged")}


def _count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


class MergeablePointwise(nn.Module):
    """Two pointwise convolutions that are one after training.

    This is VanillaNet's deep training (Chen et al., arXiv 2305.12972). The activation in between is
    (1 - blend) relu(x) + blend x; `blend` goes from 0 to 1 in equal steps over the first `share` of the training. In
    evaluation mode it is 1, so that the two are one linear map, which `merged` returns. Deviations: the blend grows at
    every step and not at every epoch, and there is no batch normalisation to fold in.

    Args:
        inputs: channels in.
        outputs: channels out, and in between.
        share: in (0, 1], of the training's steps.
    """

    def __init__(self, inputs: int, outputs: int, share: float = 1.0) -> None:
        super().__init__()
        self.first = pointwise(inputs, outputs)
        self.second = pointwise(outputs, outputs)
        self.share = share
        self.blend: float | Tensor = 0.0

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BCHW = self.first(x_BCHW)
        if self.training:
            x_BCHW = torch.where(x_BCHW > 0, x_BCHW, self.blend * x_BCHW)
        return self.second(x_BCHW)

    def after_step(self, step: int, steps: int) -> None:
        """Bring the activation nearer to the identity."""
        self.blend = blend_after(step, steps, self.share)

    @torch.no_grad()
    def merged(self) -> nn.Conv2d:
        """The one convolution that computes the same in evaluation mode."""
        first, second = self.first.weight[:, :, 0, 0], self.second.weight[:, :, 0, 0]
        assert self.first.bias is not None and self.second.bias is not None
        one = nn.Conv2d(self.first.in_channels, self.second.out_channels, 1).to(first)
        one.weight.copy_((second @ first)[:, :, None, None])
        assert one.bias is not None
        one.bias.copy_(second @ self.first.bias + self.second.bias)
        return one.train(self.training)


def blend_after(step: int, steps: int, share: float = 1.0) -> float:
    """How linear a mergeable activation is after a step, counted from 0: in (0, 1], 1 from a `share` of them on."""
    return min(1.0, (step + 1) / (share * steps))


def pointwise(inputs: int, outputs: int) -> nn.Conv2d:
    """A 1 x 1 convolution, initialised."""
    return initialised(nn.Conv2d(inputs, outputs, 1))


def initialised(layer: nn.Conv2d) -> nn.Conv2d:
    """The layer, started after He et al. (arXiv 1502.01852), with biases of 0."""
    # Without normalisation, torch's default initialisation would let the signal fade from block to block.
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
