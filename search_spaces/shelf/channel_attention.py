"""Attention over channels.

Axes: B examples, W channels, H and V the sides of a map.
"""

from __future__ import annotations

import math

from torch import Tensor, nn

from ..base import Metric
from ..genes import Choice, Genotype, Struct
from .base import Port, ShelfModule


class ChannelAttention(ShelfModule):
    """Efficient channel attention (ECA-Net, Wang et al., arXiv 1910.03151): a gate for each channel of each example.

    A gate is the sigmoid of a convolution over the means of neighbouring channels: `neighbours` of them, by "width" as
    many as the paper's equation 12 says. Deviations: a layer of its own, which other modules may come before, and not
    the end of a convolutional block; it gates the normalised map, which is added to the map.

    Metric `gate_spread`: standard deviation of an example's gates over the channels; 0 where all channels count alike.
    """

    ports = ("image",)
    genes = Struct(neighbours=Choice("width", 3, 5, 7))
    metrics = {"gate_spread": Metric("", 0, 0.5)}

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        size = attention_size(port.width) if genes["neighbours"] == "width" else genes["neighbours"]
        return GatedChannels(port.width, size)


class GatedChannels(nn.Module):
    """(B, W, H, V) to itself.

    Args:
        width: W.
        size: neighbours that a gate looks at, odd.
    """

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, width)
        self.attention = ChannelGates(size)

    def forward(self, x_BWHV: Tensor) -> Tensor:
        return x_BWHV + self.attention(self.norm(x_BWHV))

    def observe(self, x_BWHV: Tensor) -> dict[str, Tensor]:
        """How far the gates of an example differ."""
        return {"gate_spread": self.attention.gates(self.norm(x_BWHV)).std(1, correction=0).mean()}


class ChannelGates(nn.Module):
    """Scales each channel by its gate: (B, W, H, V) to itself.

    Args:
        size: neighbours that a gate looks at, odd.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(1, 1, size, padding=size // 2, bias=False)

    def forward(self, x_BWHV: Tensor) -> Tensor:
        return x_BWHV * self.gates(x_BWHV)[:, :, None, None]

    def gates(self, x_BWHV: Tensor) -> Tensor:
        """(B, W) in (0, 1)."""
        return self.convolution(x_BWHV.mean((2, 3))[:, None])[:, 0].sigmoid()


def attention_size(channels: int) -> int:
    """Channels that a gate looks at: odd, growing with the logarithm of their number (gamma 2 and b 1)."""
    size = int((math.log2(channels) + 1) / 2)
    return size if size % 2 else size + 1
