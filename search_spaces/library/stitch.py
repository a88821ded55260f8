"""Stitches: small layers between two neighbours that were not trained together.

Each turns any map or vector into what the next module takes. Axes: B examples, C channels, H height, W width,
A anchors.
"""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn

STITCHES = ("none", "linear", "affine", "relative")
"""Without parameters; a linear map of the channels; the same with a bias; through relative representations."""

ANCHORS = 32


def make_stitch(kind: str, source: tuple[int, ...], target: tuple[int, ...]) -> nn.Sequential:
    """Return a stitch of a `kind`, empty where there is nothing to do.

    Maps are first pooled to the target's height and width, and flattened where a vector is wanted; then the channels
    (a vector's entries) are mapped. `none` drops surplus channels and fills missing ones with zeros.

    Args:
        kind: one of `STITCHES`.
        source: shape of what comes, (C, H, W) or (C,).
        target: shape of what the next module takes; a vector may follow a map, but no map a vector.
    """
    stitch = nn.Sequential(OrderedDict())
    shape = source
    if len(target) == 3 and source[1:] != target[1:]:
        stitch.add_module("pool", nn.AdaptiveAvgPool2d(target[1:]))
        shape = (source[0], *target[1:])
    if len(shape) == 3 and len(target) == 1:
        stitch.add_module("flatten", nn.Flatten())
        shape = (math.prod(shape),)
    channels, wanted = shape[0], target[0]
    if kind == "none":
        if channels != wanted:
            stitch.add_module("channels", FitChannels(channels, wanted))
    elif kind == "relative":
        stitch.add_module("channels", Relative(channels, wanted))
    else:
        stitch.add_module("channels", _linear(channels, wanted, len(shape) == 3, bias=kind == "affine"))
    return stitch


class FitChannels(nn.Module):
    """Drops surplus channels, and fills missing ones with zeros: (B, C, ...) to (B, wanted, ...)."""

    def __init__(self, channels: int, wanted: int) -> None:
        super().__init__()
        self.wanted, self.missing = wanted, max(0, wanted - channels)

    def forward(self, x: Tensor) -> Tensor:
        if not self.missing:
            return x[:, : self.wanted]
        return torch.cat([x, x.new_zeros(len(x), self.missing, *x.shape[2:])], 1)


class Relative(nn.Module):
    """Describes inputs by their likeness to anchors, and maps that linearly: (B, C, ...) to (B, wanted, ...).

    Relative representations (Moschella et al., arXiv 2209.15430) in a product of two invariances, cosine and Euclidean
    (From Bricks to Bridges, Cannistraci et al., arXiv 2310.01211). Deviations: the anchors are channel means of the
    first examples that come by in training, not a chosen set that two networks share; the product is a concatenation;
    and since the next module was not trained on relative representations, a trained linear layer leads back to its
    channels. Maps are described position by position.
    """

    anchors: Tensor

    def __init__(self, channels: int, wanted: int) -> None:
        super().__init__()
        self.register_buffer("anchors", torch.zeros(ANCHORS, channels))
        self.decode = nn.Linear(2 * ANCHORS, wanted)

    def forward(self, x: Tensor) -> Tensor:
        if self.training and not self.anchors.any():
            self._take_anchors(x)
        x_BxC = x.movedim(1, -1)
        products = x_BxC @ self.anchors.T
        norms, lengths_A = x_BxC.norm(dim=-1, keepdim=True), self.anchors.norm(dim=1)
        cosines = products / (norms * lengths_A).clamp_min(1e-6)
        distances = (norms.square() + lengths_A.square() - 2 * products).clamp_min(1e-6).sqrt()
        scale = lengths_A.mean().clamp_min(1e-6)
        return self.decode(torch.cat([cosines, -distances / scale], -1)).movedim(-1, 1)

    @torch.no_grad()
    def _take_anchors(self, x: Tensor) -> None:
        means_BC = x.flatten(2).mean(2) if x.ndim > 2 else x
        rows = torch.arange(ANCHORS, device=x.device) % len(x)  # a small batch is repeated
        self.anchors.copy_(means_BC[rows])


def _linear(channels: int, wanted: int, maps: bool, bias: bool) -> nn.Module:
    """A linear map of the channels that starts as the identity, as far as there are channels for it."""
    layer = nn.Conv2d(channels, wanted, 1, bias=bias) if maps else nn.Linear(channels, wanted, bias=bias)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(wanted, channels).reshape(layer.weight.shape))
        if layer.bias is not None:
            layer.bias.zero_()
    return layer
