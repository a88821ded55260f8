"""Adam, AdamW and SGD over a flat buffer: one pass, no word from the host, and a rate and decay for each network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from .flat import FlatParameters
from .options import MOMENTUM, TrainingOptions

BETAS = 0.9, 0.999
EPSILON = 1e-8
"""Torch's own, of Adam (Kingma & Ba, arXiv 1412.6980) and AdamW (Loshchilov & Hutter, arXiv 1711.05101)."""


class FlatOptimiser:
    """Takes the steps that torch's own optimisers take, to rounding.

    The number of a step is read from the device, so that one recorded step stands for all. On a GPU with Triton it is
    one kernel, which reads and writes 28 bytes a parameter in float32; else the same in plain torch.

    Args:
        flat: what is trained.
        options: K, how each network is; what `TrainingOptions.shape` gives is the same for all.
        steps: of the whole training.
        done: steps that were taken before by an optimiser of which nothing is left.
    """

    def __init__(self, flat: FlatParameters, options: Sequence[TrainingOptions], steps: int, done: int = 0) -> None:
        first, like = options[0], flat.values
        self.kind, self._flat = first.optimiser, flat

        def column(values: Sequence[float]) -> Tensor:
            return torch.tensor(values, dtype=torch.float64).to(like)

        self.rate_K = column([one.learning_rate for one in options])
        self.decay_K = column([one.weight_decay for one in options])
        self.decays = any(one.weight_decay for one in options)
        scheduled = replace(first, learning_rate=1.0)
        taken = [max(0, step - done) + 1 for step in range(steps)]  # the optimiser's own count begins anew
        self.factor_S = column([scheduled.learning_rate_at(step, steps) for step in range(steps)])
        """(steps,): what learning rates are multiplied by; and what undoes the bias of both moments."""
        self.first_bias_S = column([1 - BETAS[0] ** count for count in taken])
        self.second_bias_S = column([(1 - BETAS[1] ** count) ** 0.5 for count in taken])
        self.first = torch.zeros_like(like)
        """(P,): Adam's first moment, or SGD's momentum."""
        self.second = torch.zeros_like(like if self.kind != "sgd" else like[:0])
        """(P,): Adam's second moment."""
        self._kernel = _kernel() if like.device.type == "cuda" else None

    def step(self, number: Tensor) -> None:
        """Take one.

        Args:
            number: (1,) int64 on the device, counted from 0.
        """
        if self._kernel is not None and self.kind != "sgd":
            self.step_by(self._kernel, number)
        else:
            self.step_in_torch(number)

    def step_by(self, kernel: Callable[..., None], number: Tensor) -> None:
        """The same step by `flat_kernel.adam`, for Adam and AdamW."""
        flat = self._flat
        parameters = flat.values, flat.gradients, self.first, self.second, flat.owner
        tables = self.rate_K, self.decay_K, self.factor_S, self.first_bias_S, self.second_bias_S
        kernel(parameters, tables, number, BETAS, EPSILON, self.decays, self.kind == "adamw")

    @torch.no_grad()
    def step_in_torch(self, number: Tensor) -> None:
        """The same step in plain torch: what the kernel is held to."""
        values, gradients = self._flat.values, self._flat.gradients
        owner = self._flat.owner
        rate_P = (self.rate_K * self.factor_S[number]).index_select(0, owner)
        if self.decays:
            decay_P = self.decay_K.index_select(0, owner)
            if self.kind == "adamw":
                values.mul_(1 - rate_P * decay_P)
            else:
                gradients = gradients + decay_P * values
        if self.kind == "sgd":
            self.first.mul_(MOMENTUM).add_(gradients)  # torch's first step has the gradient itself: momentum is 0
            values.sub_(rate_P * self.first)
            return
        self.first.lerp_(gradients, 1 - BETAS[0])
        self.second.mul_(BETAS[1]).addcmul_(gradients, gradients, value=1 - BETAS[1])
        spread = (self.second.sqrt() / self.second_bias_S[number]).add_(EPSILON)
        values.sub_(rate_P / self.first_bias_S[number] * self.first / spread)


def _kernel() -> Callable[..., None] | None:
    try:
        from .flat_kernel import adam
    except ImportError:  # without Triton, as on Windows
        return None
    return adam
