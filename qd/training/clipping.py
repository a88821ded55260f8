"""Gradient norms of networks alone and in a stack, and gradients that are no longer than a given one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from search_spaces.base import Owned

EPSILON = 1e-6
"""Added to a norm that is divided by, as torch has it."""


def clipping_of_network(network: nn.Module, longest: float) -> Callable[[], None]:
    """What scales a network's gradient down to the norm `longest`: torch's own `clip_grad_norm_`."""
    parameters = list(network.parameters())

    def clip() -> None:
        nn.utils.clip_grad_norm_(parameters, longest)

    return clip


def clipping_of_stack(owned: Sequence[Owned], networks: int, longest: float) -> Callable[[], None]:
    """What scales the gradient of each network of a stack down to the norm `longest`, by its own rows alone.

    Args:
        owned: parameters, with the network that each of their rows belongs to.
        networks: K.
        longest: above 0.
    """
    owners = [(tensor, torch.as_tensor(list(rows), dtype=torch.int64, device=tensor.device)) for tensor, rows in owned]

    def clip() -> None:
        squares_K: Tensor | float = 0.0
        for tensor, owner in owners:
            if tensor.grad is not None:
                squares = tensor.grad.reshape(len(owner), -1).square().sum(1)
                squares_K = squares_K + squares.new_zeros(networks).index_add_(0, owner, squares)
        if not isinstance(squares_K, Tensor):
            return
        factors_K = (longest / (squares_K.sqrt() + EPSILON)).clamp(max=1.0)
        for tensor, owner in owners:
            if tensor.grad is not None:
                torch.atleast_1d(tensor.grad).mul_(factors_K[owner].reshape(-1, *[1] * (tensor.ndim - 1)))

    return clip
