"""Judges networks on validation examples while they are trained, each alone or all of a stack at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from search_spaces.task import Loss

from .inputs import Inputs
from .losses import Objective
from .options import TrainingOptions
from .stopping import BestEpochs

BATCHES_AT_ONCE = 2
"""Minibatches of validation examples that go through a network together: without gradients they take less memory."""

Examples = tuple[Inputs, Tensor]
"""Inputs (N, *input_shape) and their targets, on the device."""


class Watch:
    """Looks at a network, or at all of a stack, after every epoch, and puts the best epochs back at the end.

    Args:
        network: (B, *shape) → (B, *output_shape), or a stack's (K, B, *output_shape).
        options: how it is trained, with `early_stopping`; in what all networks share.
        loss: the task's.
        validation: the examples to judge by.
        stacked: K of a stack; None: it is one network.

    Raises:
        ValueError: there are no validation examples.
    """

    def __init__(
        self,
        network: Any,
        options: TrainingOptions,
        loss: Loss,
        validation: Examples | None,
        stacked: int | None = None,
    ) -> None:
        assert options.early_stopping is not None
        if validation is None:
            raise ValueError("early_stopping: expected validation examples to judge epochs by, got none")
        self._network, self._stacked, self._validation = network, stacked, validation
        self._objective = Objective(loss)
        self._rows = BATCHES_AT_ONCE * options.batch_size
        self._best = BestEpochs(options.early_stopping.patience, stacked or 1)

    def epoch_ended(self) -> bool:
        """Judge all networks as they are; whether training ends."""
        return self._best.judge(self.losses(), self._state)

    def losses(self) -> list[float]:
        """The validation loss of each network as it is; training mode is left, and entered again."""
        inputs, targets = self._validation
        self._network.eval()
        total = 0.0
        with torch.no_grad():
            for start in range(0, len(targets), self._rows):
                rows = slice(start, start + self._rows)
                outputs = self._network(inputs[rows])
                losses_K = self._objective.stacked(outputs[None] if self._stacked is None else outputs, targets[rows])
                total = total + losses_K.double() * len(targets[rows])
        self._network.train()
        assert isinstance(total, Tensor)
        return (total / len(targets)).tolist()

    def restore(self) -> None:
        """Give every network the weights of its best epoch."""
        if self._stacked is None:
            self._network.load_state_dict(self._best.states[0])
            return
        for index, state in enumerate(self._best.states):
            self._network.load(index, state)

    def _state(self, index: int) -> dict[str, Tensor]:
        if self._stacked is not None:
            return self._network.unstack(index)
        return {name: tensor.detach().clone() for name, tensor in self._network.state_dict().items()}
