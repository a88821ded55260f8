"""What turns what comes out of the last layer into the task's outputs.

Axes: B examples, T steps, W width, O outputs.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from ..base import Task
from ..task import NextToken, Tokens
from .base import Port

Pooling = Literal["mean", "last"]


class Head(nn.Module):
    """Layer normalisation, the mean over steps or pixels, and a linear map: (B, *port.shape) to (B, *output_shape).

    Of next tokens every step has its own outputs. Steps that fill up a text that is too short are left out of the mean.

    Args:
        task: what the network is for.
        port: what comes in.
        pooling: of tokens, "mean" or "last": what stands for all steps.
    """

    def __init__(self, task: Task, port: Port, pooling: Pooling) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(port.width)
        self.linear = nn.Linear(port.width, task.outputs)
        self.port, self.pooling = port, pooling
        self.every_step = isinstance(task.output, NextToken)
        self.fills_up = isinstance(task.input, Tokens)
        self.steps = task.input_shape[0]

    def forward(self, x: Tensor, inputs: Tensor) -> Tensor:
        """Args: x (B, *port.shape), and the network's own inputs, which say what only fills up."""
        if self.port.kind == "image":
            x = x.mean((-2, -1))
        elif self.port.kind == "tokens" and not self.every_step:
            x = self._pooled(x, inputs)
        outputs = self.linear(self.norm(x))
        if self.every_step and self.port.kind == "vector":  # positions came as examples
            return outputs.unflatten(0, (-1, self.steps))
        return outputs

    def _pooled(self, x_BTW: Tensor, inputs: Tensor) -> Tensor:
        if self.pooling == "last":
            return x_BTW[:, -1]
        if not self.fills_up:
            return x_BTW.mean(-2)
        there_BT1 = (inputs > 0).to(x_BTW.dtype)[..., None]
        return (x_BTW * there_BT1).sum(-2) / there_BT1.sum(-2).clamp(min=1)
