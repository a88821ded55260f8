"""What training descends: the task's loss of a network or of each network of a stack, and losses of their own."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from search_spaces.task import Loss


def loss_function(loss: Loss) -> Callable[[Tensor, Tensor], Tensor]:
    """The task's loss as a function of outputs (B, *output_shape) and targets, its mean over the minibatch."""
    return _cross_entropy if loss == "cross_entropy" else nn.functional.mse_loss


def _cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    return nn.functional.cross_entropy(outputs.flatten(0, -2), targets.flatten())


def stacked_loss(outputs: Tensor, targets: Tensor, loss: Loss) -> Tensor:
    """The task's loss of each of K networks, its mean over the minibatch: (K,), of outputs (K, B, *output_shape)."""
    if loss == "mean_squared_error":
        return (outputs - targets).square().flatten(1).mean(1)
    outputs_KBO, targets_B = outputs.flatten(1, -2), targets.flatten()
    size, examples = outputs_KBO.shape[:2]
    # classes on axis 1, as cross_entropy has it for more than two axes: five times as fast as (K·B, O)
    losses_KB = nn.functional.cross_entropy(outputs_KBO.mT, targets_B.expand(size, examples), reduction="none")
    return losses_KB.mean(1)


def auxiliary_loss(network: nn.Module) -> Tensor | None:
    """The sum of what the network's modules hold as `auxiliary_loss` after a forward pass; None where there is none."""
    losses = [getattr(module, "auxiliary_loss", None) for module in network.modules()]
    given = [loss for loss in losses if loss is not None]
    return torch.stack(given).sum() if given else None
