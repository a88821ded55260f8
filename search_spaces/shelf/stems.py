"""What turns an example into what a port takes.

Axes: B examples, T steps, C channels, F features, W width, H and V the sides of an image.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..base import Task
from ..task import Image, NextToken, Series, Tokens, Vector
from .angles import angles
from .base import Port, PortKind
from .tokens import MeanOfTokens, WindowOfTokens

STEPS = 64
"""Steps that series and images are cut into, at most, where no `patch` is asked for."""
PATCH = 4
"""Side of an image's patches where none is asked for."""
SCALE = 0.1
"""Standard deviation of what embeddings and positions start from: neither drowns the other."""


def stem(task: Task, port: Port, patch: int | None, positions: str) -> nn.Module:
    """The stem of a task at a port: (B, *task.input_shape) to (B, *port.shape).

    - "vector": numbers are flattened and mapped; tokens are embedded, and their mean taken, or for next tokens a
      mixture of the last few, in which case positions become examples: (B·T, W).
    - "tokens": tokens are embedded; series and images are cut into patches, each mapped to a step; each feature of a
      vector is a step of its own, its value times a vector, plus another (Gorishniy et al., arXiv 2106.11959).
    - "image": patches are convolved; a series is an image with one channel.

    Args:
        task: what the network is for.
        port: what it gives; see `port_of`.
        patch: side of an image's patches, or steps of a series that become one; None: see `port_of`.
        positions: "none", "learnt" or "sine": what is added to each step of tokens.
    """
    if port.kind == "vector":
        if isinstance(task.input, Tokens):
            cls = WindowOfTokens if isinstance(task.output, NextToken) else MeanOfTokens
            return cls(task.input.vocabulary, port.width)
        return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(task.input_shape), port.width))
    if port.kind == "image":
        assert isinstance(task.input, Image | Series)
        channels = task.input.channels if isinstance(task.input, Image) else 1
        side = patch_of(task, patch)
        convolution = nn.Conv2d(channels, port.width, side, stride=side)
        return nn.Sequential(nn.Unflatten(1, (1, -1)), convolution) if isinstance(task.input, Series) else convolution
    return TokensStem(task, port, patch, positions)


def port_of(task: Task, kind: PortKind, width: int, patch: int | None) -> Port:
    """The port that a stem gives.

    Without `patch`, images are cut into patches of 4 x 4 pixels, and of as many steps of a series one is made that at
    most 64 are left; tokens and features stay what they are.
    """
    if kind == "vector":
        return Port(kind, width)
    side = patch_of(task, patch)
    if kind == "image":
        height, breadth = task.input_shape[-2:]
        return Port(kind, width, (height // side, breadth // side))
    causal = isinstance(task.output, NextToken)
    if isinstance(task.input, Image):
        return Port(kind, width, ((task.input.height // side) * (task.input.width // side),))
    return Port(kind, width, (task.input_shape[0] // side,), causal)


def patch_of(task: Task, patch: int | None) -> int:
    """The side of a patch, never more than the input's own."""
    match task.input:
        case Image(_, height, width):
            return min(patch or PATCH, height, width)
        case Series(steps, _):
            return min(patch or math.ceil(steps / STEPS), steps)
        case _:
            return 1


def check_stem(task: Task, kind: PortKind) -> None:
    """Refuse a task that has no stem at a port.

    Raises:
        ValueError: says what is taken.
    """
    if kind == "image" and isinstance(task.input, Vector | Tokens):
        raise ValueError(
            f"port: image takes images and series, and the data gives {type(task.input).__name__.lower()};"
            " use port: tokens, or port: vector"
        )


class TokensStem(nn.Module):
    """Any input as steps: (B, *task.input_shape) to (B, T, W)."""

    def __init__(self, task: Task, port: Port, patch: int | None, positions: str) -> None:
        super().__init__()
        width, (steps,) = port.width, port.size
        side = patch_of(task, patch)
        self.values: nn.Module
        match task.input:
            case Tokens(_, vocabulary):
                self.values = embedding(vocabulary, width)
            case Series(_, channels):
                self.values = nn.Sequential(Patches(side), nn.Linear(side * channels, width))
            case Image(channels, _, _):
                convolution = nn.Conv2d(channels, width, side, stride=side)
                self.values = nn.Sequential(convolution, nn.Flatten(2), Transposed())
            case Vector(features):
                self.values = Features(features, width)
        self.kind = positions
        if positions == "learnt":
            self.positions = nn.Parameter(SCALE * torch.randn(steps, width))
        elif positions == "sine":
            self.register_buffer("positions", sines(steps, width), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        x_BTW = self.values(x)
        return x_BTW if self.kind == "none" else x_BTW + self.positions


def embedding(vocabulary: int, width: int) -> nn.Embedding:
    """Vectors of tokens; that of 0, which fills up, is 0 and stays so."""
    vectors = nn.Embedding(vocabulary, width, padding_idx=0)
    with torch.no_grad():
        vectors.weight.mul_(SCALE)
    return vectors


class Patches(nn.Module):
    """Joins `side` steps into one, without what is left over at the start: (B, T·side, C) to (B, T, side·C)."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, x_BTC: Tensor) -> Tensor:
        return x_BTC[:, x_BTC.shape[1] % self.side :].unflatten(1, (-1, self.side)).flatten(2)


class Transposed(nn.Module):
    """(B, W, T) to (B, T, W)."""

    def forward(self, x_BWT: Tensor) -> Tensor:
        return x_BWT.mT


class Features(nn.Module):
    """Each feature's value times a vector of its own, plus another: (B, F) to (B, F, W)."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features, width) / math.sqrt(width))
        self.bias = nn.Parameter(torch.randn(features, width) / math.sqrt(width))

    def forward(self, x_BF: Tensor) -> Tensor:
        return x_BF[..., None] * self.weight + self.bias


def sines(steps: int, width: int) -> Tensor:
    """Sines and cosines of the positions (Vaswani et al., arXiv 1706.03762), times `SCALE`: (T, W)."""
    turned = angles(0, steps, width)
    return (SCALE * torch.stack([turned.sin(), turned.cos()], -1).flatten(1)).float()
