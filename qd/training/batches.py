"""The order in which training examples are seen."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch


def minibatches(
    examples: int, batch_size: int, steps: int, seed: int, device: torch.device | None = None
) -> Iterator[torch.Tensor]:
    """Yield the rows of each minibatch: (B,) int64, every epoch in a new random order.

    All minibatches have `batch_size` rows (all examples where there are fewer): what is left at the end of an epoch is
    dropped, another part each time.

    Args:
        examples: number of training examples, at least 1.
        batch_size: at least 1.
        steps: how many minibatches to yield.
        seed: in [0, 2**53); equal seeds give equal orders, whatever the number of steps.
        device: where the rows are wanted; None: the CPU.
    """
    rng = np.random.default_rng(seed)
    size = min(batch_size, examples)
    per_epoch = examples // size
    order = torch.empty(0, dtype=torch.int64)
    for step in range(steps):
        start = step % per_epoch * size
        if start == 0:
            order = torch.from_numpy(rng.permutation(examples)).to(device)
        yield order[start : start + size]
