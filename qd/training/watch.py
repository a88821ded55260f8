"""Judges networks on validation examples while they are trained, each alone or all of a stack at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from search_spaces.task import Loss

from ..candidates import Curve
from .inputs import Inputs
from .losses import Objective
from .options import TrainingOptions
from .stopping import BestEpochs

BATCHES_AT_ONCE = 2
"""Minibatches of validation examples that go through a network together: without gradients they take less memory."""

Examples = tuple[Inputs, Tensor]
"""Inputs (N, *input_shape) and their targets, on the device."""


class Scorer(Protocol):
    """Says what the predictions of K networks are worth; `evaluators.scores.Scores` is one."""

    def judge(self, outputs: Tensor, targets: Tensor) -> Any:
        """Of outputs (K, B, *output_shape), what scores are computed from."""
        ...

    def of(self, judged: Sequence[Any]) -> Sequence[Mapping[str, float]]:
        """K: {metric: value} of all batches together."""
        ...


class Watch:
    """Looks at a network, or at all of a stack, after every epoch.

    Under `early_stopping` it puts the best epochs back at the end. With `scores` it keeps learning curves: in a stack
    that of each network ends where its own patience is spent, as it does alone.

    Args:
        network: (B, *shape) → (B, *output_shape), or a stack's (K, B, *output_shape).
        options: how it is trained, in what all networks share.
        loss: the task's.
        validation: the examples to judge by.
        stacked: K of a stack; None: it is one network.
        scores: of the curves; None: none are kept.

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
        scores: Scorer | None = None,
    ) -> None:
        stopping = options.early_stopping
        if validation is None:
            what = "early_stopping" if stopping is not None else "curve"
            raise ValueError(f"{what}: expected validation examples to judge epochs by, got none")
        self._network, self._stacked, self._validation, self._scores = network, stacked, validation, scores
        self._objective = Objective(loss)
        self._rows = BATCHES_AT_ONCE * options.batch_size
        self._best = None if stopping is None else BestEpochs(stopping.patience, stacked or 1)
        self._points: list[list[tuple[float, Mapping[str, float]]]] = [[] for _ in range(stacked or 1)]

    def epoch_ended(self, epochs: float) -> bool:
        """Judge all networks as they are, after so many passes over the examples; whether training ends."""
        judged: list[Any] = []
        losses = self._look(judged)
        if self._scores is not None:
            for index, (points, scores) in enumerate(zip(self._points, self._scores.of(judged), strict=True)):
                if self._best is None or not self._best.spent(index):
                    points.append((epochs, scores))
        return self._best is not None and self._best.judge(losses, self._state)

    def losses(self) -> list[float]:
        """The validation loss of each network as it is; training mode is left, and entered again."""
        return self._look(None)

    def curves(self) -> list[Curve | None]:
        """The learning curve of each network so far; None where there are no `scores`."""
        return [None if self._scores is None else _curve(points) for points in self._points]

    def restore(self) -> None:
        """Under `early_stopping`, give every network the weights of its best epoch."""
        if self._best is None:
            return
        if self._stacked is None:
            self._network.load_state_dict(self._best.states[0])
            return
        for index, state in enumerate(self._best.states):
            self._network.load(index, state)

    def _look(self, judged: list[Any] | None) -> list[float]:
        """The losses; what `scores` make of the outputs of all networks is appended, batch by batch."""
        inputs, targets = self._validation
        self._network.eval()
        total = 0.0
        with torch.no_grad():
            for start in range(0, len(targets), self._rows):
                rows = slice(start, start + self._rows)
                outputs = self._network(inputs[rows])
                outputs_K = outputs[None] if self._stacked is None else outputs
                losses_K = self._objective.stacked(outputs_K, targets[rows])
                total = total + losses_K.double() * len(targets[rows])
                if judged is not None and self._scores is not None:
                    judged.append(self._scores.judge(outputs_K, targets[rows]))
        self._network.train()
        assert isinstance(total, Tensor)
        return (total / len(targets)).tolist()

    def _state(self, index: int) -> dict[str, Tensor]:
        if self._stacked is not None:
            return self._network.unstack(index)
        return {name: tensor.detach().clone() for name, tensor in self._network.state_dict().items()}


def watch_of(
    network: Any,
    options: TrainingOptions,
    loss: Loss,
    validation: Examples | None,
    stacked: int | None = None,
    scores: Scorer | None = None,
) -> Watch | None:
    """A watch where a training needs one: for `early_stopping`, or for learning curves."""
    if options.early_stopping is None and scores is None:
        return None
    return Watch(network, options, loss, validation, stacked, scores)


def _curve(points: Sequence[tuple[float, Mapping[str, float]]]) -> Curve:
    epochs = np.array([epoch for epoch, _ in points], dtype=np.float64)
    names = list(points[0][1]) if points else []
    return Curve(epochs, {name: np.array([scores[name] for _, scores in points], dtype=np.float64) for name in names})
