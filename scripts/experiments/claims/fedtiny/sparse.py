"""A network of which few weights are present, and which they are at the beginning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from itertools import pairwise

import torch
from torch import Tensor, nn


class Network(nn.Module):
    """Blocks of two convolutions with batch norms; weights whose mask is 0 are absent, and have gradients all the same.

    Norms and biases are never pruned.
    """

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([_convolutions(1, 16, 32), _convolutions(32, 64, 64), nn.Linear(64, 10)])
        self.masks = {name: torch.ones_like(one) for name, one in self.named_parameters() if one.ndim > 1}

    def forward(self, x: Tensor) -> Tensor:
        *blocks, head = self.blocks
        for block in blocks:
            x = block(x)
        return head(x.mean((2, 3)))

    @torch.no_grad()
    def after_step(self, step: int, steps: int) -> None:
        """Keep absent weights at zero."""
        for name, mask in self.masks.items():
            self.get_parameter(name).mul_(mask)


def _convolutions(*channels: int) -> nn.Sequential:
    """Two, of which the first halves the map's sides."""
    layers: list[nn.Module] = []
    for stride, (inputs, outputs) in zip((2, 1), pairwise(channels), strict=True):
        layers += [nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


def layer_densities(masks: Mapping[str, Tensor], density: float, factors: Sequence[float]) -> dict[str, float]:
    """Of each layer, in proportion to Erdős–Rényi-kernel (Evci et al., arXiv 1911.11134) times a factor, at most 1."""
    raw = {
        name: factor * sum(mask.shape) / mask.numel()
        for (name, mask), factor in zip(masks.items(), factors, strict=True)
    }
    sizes = {name: mask.numel() for name, mask in masks.items()}
    full: set[str] = set()
    while True:
        left = density * sum(sizes.values()) - sum(sizes[name] for name in full)
        scale = left / sum(raw[name] * sizes[name] for name in raw if name not in full)
        over = {name for name in raw if name not in full and scale * raw[name] > 1}
        if not over:
            return {name: 1.0 if name in full else scale * raw[name] for name in raw}
        full |= over


def pruned(network: Network, density: float, factors: Sequence[float] | None = None) -> Network:
    """A copy in which the largest weights of each layer are left."""
    found = deepcopy(network)
    for name, share in layer_densities(found.masks, density, factors or [1.0] * len(found.masks)).items():
        weight, mask = found.get_parameter(name).detach(), found.masks[name]
        mask.zero_().view(-1)[weight.abs().flatten().topk(max(1, round(share * mask.numel()))).indices] = 1
    found.after_step(0, 1)
    return found


def pruned_together(network: Network, density: float) -> Network:
    """A copy in which the largest weights of all layers are left."""
    found = deepcopy(network)
    sizes = {name: found.get_parameter(name).detach().abs() for name in found.masks}
    every = torch.cat([size.flatten() for size in sizes.values()])
    least = every.topk(round(density * len(every))).values[-1]
    for name, size in sizes.items():
        found.masks[name].copy_(size >= least)
    found.after_step(0, 1)
    return found
