"""Early stopping: which epoch of a network is its best, and when there is no hope of a better one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class EarlyStopping:
    """When a training ends before its last epoch; in a run file the key `early_stopping` of `training`.

    After every epoch the loss on the validation examples is taken: the task's own, as `val_loss` reports it, without
    smoothing, class weights or losses of modules. The best epoch is kept, the first of equals.

    Args:
        patience: so many epochs in a row without a better validation loss end the training, at least 1.
    """

    patience: int

    def __post_init__(self) -> None:
        if self.patience < 1:
            raise ValueError(f"patience: expected at least 1, got {self.patience}")


class BestEpochs:
    """The best epoch so far of each of K networks, with their states; whoever's patience is spent keeps it for good.

    Args:
        patience: that of all, in epochs.
        networks: K.
    """

    def __init__(self, patience: int, networks: int = 1) -> None:
        self._patience, self._epoch = patience, 0
        self._best = [(0, math.inf)] * networks
        self.states: list[dict[str, Tensor]] = [{} for _ in range(networks)]
        """Of each network, as `keep` gave them."""

    def judge(self, losses: Sequence[float], keep: Callable[[int], dict[str, Tensor]]) -> bool:
        """Take the validation losses at the end of an epoch.

        Args:
            losses: K; what is no number counts as the worst.
            keep: a network → its state, in tensors of its own.

        Returns:
            Whether training ends, as every network's patience is spent.
        """
        for index, loss in enumerate(losses):
            epoch, best = self._best[index]
            if not self.spent(index) and (loss < best or not epoch):
                self._best[index] = (self._epoch + 1, math.inf if math.isnan(loss) else loss)
                self.states[index] = keep(index)
        self._epoch += 1
        return all(map(self.spent, range(len(self._best))))

    def spent(self, index: int) -> bool:
        """Whether a network's patience is spent, after the epochs that were judged."""
        return self._epoch - self._best[index][0] >= self._patience
