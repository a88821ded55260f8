"""What training descends: the task's loss of a network or of each network of a stack, and losses of their own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from search_spaces.task import Loss

from .options import TrainingOptions


@dataclass(frozen=True)
class Objective:
    """The task's loss as training descends it, of a network or of each network of a stack.

    A weighted loss is the weighted mean over the minibatch, as torch's `cross_entropy(weight=...)` has it.

    Args:
        loss: the task's.
        label_smoothing: share of each target that is spread over all classes, in [0, 1).
        weights: (classes,) of each class of a target, those without a training example at the end left out; None: all
            count alike.
    """

    loss: Loss
    label_smoothing: float = 0.0
    weights: Tensor | None = None

    @classmethod
    def of(cls, loss: Loss, options: TrainingOptions, targets: Tensor) -> Objective:
        """What the options make of a task's loss; `targets` are all to train on."""
        weights = None if options.class_weights == "none" else balanced_weights(targets)
        return cls(loss, options.label_smoothing, weights)

    def alone(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of one network: a scalar, of outputs (B, *output_shape)."""
        if self.loss == "mean_squared_error":
            return nn.functional.mse_loss(outputs, targets)
        outputs_BO = outputs.flatten(0, -2)
        weights = self._weights(outputs_BO)
        return nn.functional.cross_entropy(outputs_BO, targets.flatten(), weights, label_smoothing=self.label_smoothing)

    def stacked(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of each of K networks: (K,), of outputs (K, B, *output_shape)."""
        if self.loss == "mean_squared_error":
            return (outputs - targets).square().flatten(1).mean(1)
        outputs_KBO, targets_B = outputs.flatten(1, -2), targets.flatten()
        size, examples = outputs_KBO.shape[:2]
        weights = self._weights(outputs_KBO)
        # classes on axis 1, as cross_entropy has it for more than two axes: five times as fast as (K·B, O)
        losses_KB = nn.functional.cross_entropy(
            outputs_KBO.mT,
            targets_B.expand(size, examples),
            weights,
            reduction="none",
            label_smoothing=self.label_smoothing,
        )
        return losses_KB.mean(1) if weights is None else losses_KB.sum(1) / weights[targets_B].sum()

    def _weights(self, outputs: Tensor) -> Tensor | None:
        if self.weights is None:
            return None
        weights = self.weights.to(torch.promote_types(outputs.dtype, torch.float32))
        return nn.functional.pad(weights, (0, outputs.shape[-1] - len(weights)))


def balanced_weights(targets: Tensor) -> Tensor:
    """Weights that make every class count alike, and examples 1 on average: (largest class + 1,) float64.

    A class without an example has the weight 0.

    Args:
        targets: (N,) int64 classes.
    """
    counts = targets.bincount()
    there = counts > 0
    return torch.where(there, len(targets) / (there.sum() * counts.clamp(min=1).double()), 0.0)


def auxiliary_loss(network: nn.Module) -> Tensor | None:
    """The sum of what the network's modules hold as `auxiliary_loss` after a forward pass; None where there is none."""
    losses = [getattr(module, "auxiliary_loss", None) for module in network.modules()]
    given = [loss for loss in losses if loss is not None]
    return torch.stack(given).sum() if given else None
