"""Convolutions along the steps of tokens.

Axes: B examples, T steps, W width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .base import Port


class StepConvolution(nn.Module):
    """A convolution over steps that keeps their number: (B, T, W) to (B, T, out).

    Zeros fill up both sides, or, where no step may look at a later one, the left.

    Args:
        port: of tokens.
        into: units in.
        out: units out.
        kernel: steps.
        dilation: from one step of the kernel to the next.
        groups: of units, each seen by its own.
        bias: whether there is one.
    """

    def __init__(
        self, port: Port, into: int, out: int, kernel: int, dilation: int = 1, groups: int = 1, bias: bool = True
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(into, out, kernel, dilation=dilation, groups=groups, bias=bias)
        self.padding = padding(port, (kernel - 1) * dilation)

    def forward(self, x_BTW: Tensor) -> Tensor:
        return self.convolution(nn.functional.pad(x_BTW.mT, self.padding)).mT


def padding(port: Port, lost: int) -> tuple[int, int]:
    """Steps to add at the start and at the end, `lost` in all."""
    after = 0 if port.causal else lost // 2
    return lost - after, after


def shifted(x_BTW: Tensor) -> Tensor:
    """The first half of the units as they were one step before, zeros at the first; the others as they are."""
    before_BTW, now_BTW = x_BTW.chunk(2, -1)
    return torch.cat([nn.functional.pad(before_BTW, (0, 0, 1, -1)), now_BTW], -1)


class ConvolvedMap(nn.Module):
    """z + depthwise convolution(z) of z = SiLU(linear(norm(x))): (B, T, into) to (B, T, out).

    What MossFormer2 (Zhao et al., arXiv 2312.11825) maps with. Deviations: layer normalisation, no dropout.

    Args:
        port: of tokens.
        into: units in.
        out: units out.
    """

    KERNEL = 17

    def __init__(self, port: Port, into: int, out: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(into, eps=1e-10)  # what attention gives starts out tiny
        self.linear = nn.Linear(into, out)
        self.convolution = StepConvolution(port, out, out, self.KERNEL, groups=out, bias=False)

    def forward(self, x_BTW: Tensor) -> Tensor:
        z_BTW = nn.functional.silu(self.linear(self.norm(x_BTW)))
        return z_BTW + self.convolution(z_BTW)
