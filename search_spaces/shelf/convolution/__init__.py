"""Convolutional blocks without normalisation or shortcuts.

Axes: B examples, C channels, H and W the sides of a map.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

PATCH = 4
"""Side and stride of the stem's convolution, as in VanillaNet; smaller where the image is smaller."""


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


class ChannelAttention(nn.Module):
    """Efficient channel attention (ECA-Net, Wang et al., arXiv 1910.03151): each channel is scaled by its gate.

    Gates are the sigmoid of a convolution over neighbouring channels' means, whose size follows the number of channels
    (the paper's equation 12 with gamma 2 and b 1).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        size = attention_size(channels)
        self.convolution = nn.Conv1d(1, 1, size, padding=size // 2, bias=False)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        gate_BC = self.convolution(x_BCHW.mean((2, 3))[:, None])[:, 0].sigmoid()
        return x_BCHW * gate_BC[:, :, None, None]


def attention_size(channels: int) -> int:
    """Channels that a gate looks at: odd, growing with the logarithm of their number."""
    size = int((math.log2(channels) + 1) / 2)
    return size if size % 2 else size + 1


class MergeablePointwise(nn.Module):
    """Two pointwise convolutions that are one after training.

    This is VanillaNet's deep training (Chen et al., arXiv 2305.12972). The activation in between is
    (1 - blend) relu(x) + blend x; `blend` goes from 0 to 1 in equal steps over the training. In evaluation mode it is
    1, so that the two are one linear map, which `merged` returns. Deviations: the blend grows at every step and not at
    every epoch, and there is no batch normalisation to fold in.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = pointwise(inputs, outputs)
        self.second = pointwise(outputs, outputs)
        self.blend = 0.0

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BCHW = self.first(x_BCHW)
        if self.training:
            x_BCHW = nn.functional.leaky_relu(x_BCHW, self.blend)
        return self.second(x_BCHW)

    def after_step(self, step: int, steps: int) -> None:
        """Bring the activation nearer to the identity."""
        self.blend = blend_after(step, steps)

    @torch.no_grad()
    def merged(self) -> nn.Conv2d:
        """The one convolution that computes the same in evaluation mode."""
        first, second = self.first.weight[:, :, 0, 0], self.second.weight[:, :, 0, 0]
        assert self.first.bias is not None and self.second.bias is not None
        one = nn.Conv2d(self.first.in_channels, self.second.out_channels, 1).to(first)
        one.weight.copy_((second @ first)[:, :, None, None])
        assert one.bias is not None
        one.bias.copy_(second @ self.first.bias + self.second.bias)
        return one


def blend_after(step: int, steps: int) -> float:
    """How linear a mergeable activation is after a step, counted from 0: in (0, 1], 1 after the last."""
    return (step + 1) / steps


class ConvBlock(nn.Module):
    """Grouped 3 x 3 convolution, relu, pointwise convolution, channel attention, maximum of 2 x 2 pixels, relu.

    Groups have one size throughout a network (E2GC, Jha et al., arXiv 2006.15100), so more channels are more groups.
    Where a side of the map is a single pixel, nothing is pooled.
    """

    def __init__(self, spec: BlockSpec) -> None:
        super().__init__()
        self.spatial = _initialised(nn.Conv2d(spec.inputs, spec.inputs, 3, padding=1, groups=spec.inputs // spec.group))
        if spec.mergeable:
            self.pointwise = MergeablePointwise(spec.inputs, spec.outputs)
        else:
            self.pointwise = pointwise(spec.inputs, spec.outputs)
        if spec.attention:
            self.attention = ChannelAttention(spec.outputs)
        self.spec = spec

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BCHW = self.pointwise(torch.relu(self.spatial(x_BCHW)))
        if self.spec.attention:
            x_BCHW = self.attention(x_BCHW)
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
        self.stem = _initialised(nn.Conv2d(channels, blocks[0].inputs, self.patch, stride=self.patch))
        self.blocks = nn.Sequential(*map(ConvBlock, blocks))
        height, width = (side // self.patch for side in sides)
        for block in blocks:
            if block.pool and min(height, width) > 1:
                height, width = height // 2, width // 2
        self.head = nn.Linear(blocks[-1].outputs * height * width, outputs)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.head(self.blocks(torch.relu(self.stem(x_BCHW))).flatten(1))


def pointwise(inputs: int, outputs: int) -> nn.Conv2d:
    """A 1 x 1 convolution, initialised."""
    return _initialised(nn.Conv2d(inputs, outputs, 1))


def _initialised(layer: nn.Conv2d) -> nn.Conv2d:
    # Without normalisation, torch's default initialisation would let the signal fade from block to block.
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
