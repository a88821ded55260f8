"""Convolutional blocks: by themselves with normalisation and a shortcut, in `conv_blocks` without.

Axes: B examples, C channels, H and W the sides of a map.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...genes import Choice, Genotype, Struct
from ..base import Port, ShelfModule
from ..channel_attention import ChannelGates, attention_size
from ..merging import MergeablePointwise, initialised, pointwise

PATCH = 4
"""Side and stride of the stem's convolution, as in VanillaNet; smaller where the image is smaller."""


class Convolution(ShelfModule):
    """A 3 x 3 convolution, dense or in groups, a relu and a pointwise convolution, on normalised input.

    It is the block of the space `conv_blocks`, whose papers are named there. `group` is how many channels a group of
    the 3 x 3 convolution has, "all" where it is dense; `attention` scales channels at the end (ECA-Net, Wang et al.,
    arXiv 1910.03151); `mergeable` trains the pointwise convolution as two, which exports hold merged (VanillaNet, Chen
    et al., arXiv 2305.12972). Deviations from that space: one group normalisation in front, and a residual connection,
    hence no relu at the end.
    """

    ports = ("image",)
    genes = Struct(group=Choice("all", 4, 8), attention=Choice(False, True), mergeable=Choice(False, True))

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        group = port.width if genes["group"] == "all" else genes["group"]
        return ResidualBlock(BlockSpec(port.width, port.width, group, genes["attention"], genes["mergeable"], False))


class ResidualBlock(nn.Module):
    """(B, C, H, W) to itself.

    Args:
        spec: with as many channels in as out, and no pooling.
    """

    def __init__(self, spec: BlockSpec) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, spec.inputs)
        self.block = ConvBlock(spec)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return x_BCHW + self.block.convolved(self.norm(x_BCHW))


@dataclass(frozen=True)
class BlockSpec:
    """A block.

    Args:
        inputs: channels in.
        outputs: channels out.
        group: channels of a group of the spatial convolution; divides `inputs`.
        attention: whether there is channel attention.
        mergeable: whether the pointwise convolution is trained as two.
        pool: whether both sides are halved.
    """

    inputs: int
    outputs: int
    group: int
    attention: bool
    mergeable: bool
    pool: bool


class ConvBlock(nn.Module):
    """Grouped 3 x 3 convolution, relu, pointwise convolution, channel attention, maximum of 2 x 2 pixels, relu.

    Groups have one size throughout a network (E2GC, Jha et al., arXiv 2006.15100), so more channels are more groups.
    Where a side of the map is a single pixel, nothing is pooled.
    """

    def __init__(self, spec: BlockSpec) -> None:
        super().__init__()
        self.spatial = initialised(nn.Conv2d(spec.inputs, spec.inputs, 3, padding=1, groups=spec.inputs // spec.group))
        if spec.mergeable:
            self.pointwise = MergeablePointwise(spec.inputs, spec.outputs)
        else:
            self.pointwise = pointwise(spec.inputs, spec.outputs)
        if spec.attention:
            self.attention = ChannelGates(attention_size(spec.outputs))
        self.spec = spec

    def convolved(self, x_BCHW: Tensor) -> Tensor:
        """All but pooling and the last relu: (B, inputs, H, W) to (B, outputs, H, W)."""
        x_BCHW = self.pointwise(torch.relu(self.spatial(x_BCHW)))
        return self.attention(x_BCHW) if self.spec.attention else x_BCHW

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BCHW = self.convolved(x_BCHW)
        if self.spec.pool and min(x_BCHW.shape[2:]) > 1:
            x_BCHW = nn.functional.max_pool2d(x_BCHW, 2)
        return torch.relu(x_BCHW)


class ConvNetwork(nn.Module):
    """Stem, blocks, and a linear head that reads the whole last map: (B, *input_shape) to (B, outputs).

    Args:
        input_shape: (channels, height, width) of an image.
        blocks: one after the other, at least one.
        outputs: length of the output.
    """

    def __init__(self, input_shape: tuple[int, ...], blocks: list[BlockSpec], outputs: int) -> None:
        super().__init__()
        channels, *sides = input_shape
        self.patch = min(PATCH, *sides)
        self.stem = initialised(nn.Conv2d(channels, blocks[0].inputs, self.patch, stride=self.patch))
        self.blocks = nn.Sequential(*map(ConvBlock, blocks))
        height, width = (side // self.patch for side in sides)
        for block in blocks:
            if block.pool and min(height, width) > 1:
                height, width = height // 2, width // 2
        self.head = nn.Linear(blocks[-1].outputs * height * width, outputs)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.head(self.blocks(torch.relu(self.stem(x_BCHW))).flatten(1))
