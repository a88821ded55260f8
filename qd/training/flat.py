"""The parameters of a stack in one buffer, their gradients in another: one kernel reads, and one writes, them all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from search_spaces.base import Owned


def why_not_flat(owned: Sequence[Owned]) -> str | None:
    """Why parameters cannot lie in one buffer, in words: they differ in type, or are no real floats; None: they can."""
    kinds = {tensor.dtype for tensor, _ in owned}
    if len(kinds) == 1 and all(kind.is_floating_point for kind in kinds):
        return None
    return f"parameters of types {', '.join(sorted(map(str, kinds)))} cannot lie in one buffer"


class FlatParameters:
    """Moves the parameters of a stack into one buffer; they become views of it, and their gradients of another.

    A backward pass adds to the gradients, so whoever takes a step zeroes them first. The stack has to be on its device
    before.

    Args:
        owned: every parameter of the stack, with the network that each of its rows belongs to.

    Raises:
        ValueError: parameters differ in type, or are no real floats.
    """

    def __init__(self, owned: Sequence[Owned]) -> None:
        if reason := why_not_flat(owned):
            raise ValueError(reason)
        first = owned[0][0]
        sizes = [tensor.numel() for tensor, _ in owned]
        self.values = torch.empty(sum(sizes), dtype=first.dtype, device=first.device)
        """(P,), of all parameters."""
        self.gradients = torch.zeros_like(self.values)
        """(P,)."""
        owners = [
            np.repeat(np.asarray(rows, dtype=np.int32), size // max(1, len(rows)))
            for (_, rows), size in zip(owned, sizes, strict=True)
        ]
        self.owner = torch.from_numpy(np.concatenate(owners)).to(first.device)
        """(P,) int32, the network that each belongs to."""
        start = 0
        for (tensor, _), size in zip(owned, sizes, strict=True):
            place = slice(start, start + size)
            self.values[place] = tensor.detach().reshape(-1)
            tensor.data = self.values[place].view(tensor.shape)
            tensor.grad = self.gradients[place].view(tensor.shape)
            start += size
