"""Whether a file that was written computes what the trained network computes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from evaluators.task_data import Prepared, TaskData
from search_spaces import Task

from ..errors import QdError
from .formats import Network

INPUTS = 256
BATCH = 1000
NUMBERS = 2**24
"""At most so many are given out at once."""
TOLERANCE = 1e-4
"""Largest difference of an output, where outputs are at most 1 in size; in proportion to the largest one beyond."""
SCORES = 1e-4
"""Largest difference of a score, and never as much as one example that is told otherwise makes of an accuracy."""


@dataclass
class Parity:
    """What was compared.

    Args:
        inputs: how many were compared one by one.
        real: whether they are examples of the data, or drawn at random where the evaluator gives none.
        validation_examples: size of the split on which scores were compared; 0 without data.
        scores: the trained network's, on the validation split.
        differences: {format: largest difference of an output}.
    """

    inputs: int
    real: bool
    validation_examples: int = 0
    scores: dict[str, float] = field(default_factory=dict)
    differences: dict[str, float] = field(default_factory=dict)


class Reference:
    """The trained network's answers, which every format has to give too.

    Args:
        network: the trained network.
        task: its inputs' shape.
        data: None where the evaluator has none to give.
    """

    def __init__(self, network: Network, task: Task, data: TaskData | None) -> None:
        if data is None:
            from ..training.inputs import draw_inputs  # torch, which looking at parities does not need

            self._inputs = draw_inputs(task, INPUTS).numpy()
            self._targets = None
        else:
            self._inputs, self._targets = data.examples("validation")
        self._data = data
        self.outputs, scores = answers_of(network, self._inputs, self._targets, data)
        first = self._inputs[:INPUTS]
        self.parity = Parity(len(first), data is not None)
        if data is not None:
            self.parity.validation_examples = len(self._inputs)
            self.parity.scores = scores

    def compare(self, name: str, network: Network) -> None:
        """Raise `QdError` where a format's network answers otherwise."""
        single = network(self._inputs[:1])
        outputs, theirs = answers_of(network, self._inputs, self._targets, self._data)
        if outputs.shape != self.outputs.shape or single.shape != self.outputs[:1].shape:
            raise QdError(f"{name}: expected outputs of shape {self.outputs.shape}, got {outputs.shape}")
        first = slice(0, INPUTS)
        difference = float(np.abs(outputs[first] - self.outputs[first]).max())
        difference = max(difference, float(np.abs(single - self.outputs[:1]).max()))
        size = max(1.0, float(np.abs(self.outputs[first]).max()))
        self.parity.differences[name] = difference
        if not difference <= TOLERANCE * size:
            raise QdError(
                f"{name}: the file's outputs differ from the trained network's by {difference:.2g}, more than"
                f" {TOLERANCE * size:.2g}; nothing was exported"
            )
        if self._targets is not None:
            ours = self.parity.scores
            main = next(iter(ours))
            allowed = min(SCORES, 0.5 / len(self._targets))
            if not np.isclose(theirs[main], ours[main], rtol=SCORES if abs(ours[main]) > 1 else 0, atol=allowed):
                raise QdError(
                    f"{name}: the file scores {main} {theirs[main]:.6g} on the validation split, and the trained"
                    f" network {ours[main]:.6g}; nothing was exported"
                )


def answers_of(
    network: Network, inputs: np.ndarray | Prepared, targets: np.ndarray | None, data: TaskData | None
) -> tuple[np.ndarray, dict[str, float]]:
    """Run a network on any number of inputs, some at once.

    Returns:
        Its outputs, of next tokens those of the first `INPUTS` examples alone, as all would not fit into memory; and
        its scores, empty without data.
    """
    single = network(inputs[:1])
    step = max(1, min(BATCH, NUMBERS // single.size))
    batches = [slice(start, start + step) for start in range(0, len(inputs), step)]
    judge = getattr(data.score, "judge", None) if data is not None and targets is not None else None
    if single.ndim < 3 or judge is None:
        outputs = np.concatenate([network(inputs[rows]) for rows in batches])
        return outputs, dict(data.score(outputs, targets)) if data is not None and targets is not None else {}
    import torch

    first, judged, kept = [], [], 0
    for rows in batches:
        outputs = network(inputs[rows])
        judged.append(judge(torch.from_numpy(outputs), torch.from_numpy(targets[rows])))  # pyright: ignore[reportOptionalSubscript]
        first.append(outputs[: INPUTS - kept])
        kept += len(first[-1])
    return np.concatenate(first), data.score.of(judged)  # pyright: ignore
