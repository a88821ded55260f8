"""What training descends: the task's loss of a network or of each network of a stack, and losses of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

Loss = Literal["cross_entropy", "mean_squared_error"]


def loss_function(loss: Loss) -> Callable[[Tensor, Tensor], Tensor]:
    """The task's loss as a function of outputs (B, O) and targets, its mean over the minibatch."""
    return nn.functional.cross_entropy if loss == "cross_entropy" else nn.functional.mse_loss


def stacked_loss(outputs_KBO: Tensor, targets: Tensor, loss: Loss) -> Tensor:
    """The task's loss of each of K networks, its mean over the minibatch: (K,)."""
    size, examples = outputs_KBO.shape[:2]
    if loss == "mean_squared_error":
        return (outputs_KBO - targets).square().flatten(1).mean(1)
    # classes on axis 1, as cross_entropy has it for more than two axes: five times as fast as (K·B, O)
    losses_KB = nn.functional.cross_entropy(outputs_KBO.mT, targets.expand(size, examples), reduction="none")
    return losses_KB.mean(1)


def auxiliary_loss(network: nn.Module) -> Tensor | None:
    """The sum of what the network's modules hold as `auxiliary_loss` after a forward pass; None where there is none."""
    losses = [getattr(module, "auxiliary_loss", None) for module in network.modules()]
    given = [loss for loss in losses if loss is not None]
    return torch.stack(given).sum() if given else None
