"""What predictions are worth: the metrics that follow from outputs and targets alone, by the kind of task."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from qd.errors import suggest
from search_spaces import Metric, Task
from search_spaces.task import Classes, NextToken, Tokens, Values, Vector

from .preprocessing import Scaling

BINS = 15
"""Of confidence, in the calibration error."""
WORST_R2 = -1.0
"""A network that is worse than this is given this: an objective needs an end."""


class Judged(NamedTuple):
    """What scores are computed from, one row for each example.

    Args:
        outputs: (N, outputs): scores of classes, or values; of tokens (N, steps) each target's loss in nats.
        targets: (N,) int64 classes, (N, outputs) values; of tokens (N, steps) bool, whether each was told right.
    """

    outputs: np.ndarray
    targets: np.ndarray


class Scores:
    """Computes the listed scores of one task, the one that people care about first.

    Args:
        task: of the networks.
        names: some of `SCORES` of the task's kind; empty: its usual ones.
        scaling: of values, whose scores are in units of the data; None where there are none.

    Raises:
        ValueError: there is no such score of this task.
    """

    def __init__(self, task: Task, names: Sequence[str] = (), scaling: Scaling | None = None) -> None:
        self.task, self._scaling = task, scaling
        known = scores_of(task)
        for name in names:
            if name not in known:
                raise ValueError(f"metrics: there is no {name!r} of this task{suggest(name, list(known))}")
        self.names = tuple(dict.fromkeys([*(names or USUAL[type(task.output).__name__]), "loss"]))
        self._functions = {name: known[name] for name in self.names}

    @property
    def metrics(self) -> dict[str, Metric]:
        """What is reported, under names of the validation split."""
        return {f"val_{name}": one.metric(self.task) for name, one in self._functions.items()}

    def judge(self, outputs: Tensor, targets: Tensor) -> Judged:
        """Of a batch, what its scores are computed from: far less than the outputs where those are of tokens.

        Args:
            outputs: (B, *task.output_shape).
            targets: (B,) classes, (B, outputs) values as networks learn them, or (B, steps) tokens.
        """
        if isinstance(self.task.output, NextToken):
            losses = nn.functional.cross_entropy(outputs.float().mT, targets, reduction="none")
            return Judged(losses.numpy(force=True), (outputs.argmax(-1) == targets).numpy(force=True))
        return Judged(outputs.float().numpy(force=True), targets.numpy(force=True))

    def of(self, judged: Sequence[Judged]) -> dict[str, float]:
        """The scores of all batches together, by the names of `metrics`."""
        outputs, targets = (np.concatenate([one[index] for one in judged]) for index in (0, 1))
        scaling = self._scaling
        if scaling is not None:
            raw = Judged(scaling.back(outputs.astype(np.float64)), scaling.back(targets.astype(np.float64)))
        else:
            raw = Judged(outputs, targets)
        found = {}
        for name, one in self._functions.items():
            given = Judged(outputs, targets) if one.scaled else raw
            metric = one.metric(self.task)
            value = one.compute(given)
            found[f"val_{name}"] = value if math.isnan(value) else min(max(value, metric.low), metric.high)
        return found

    def __call__(self, outputs: np.ndarray, targets: np.ndarray) -> Mapping[str, float]:
        """The scores of outputs (N, *task.output_shape) at once."""
        return self.of([self.judge(torch.from_numpy(np.asarray(outputs)), torch.from_numpy(np.asarray(targets)))])


class Score(NamedTuple):
    """How one is computed and declared; `scaled`: of values as networks learn them, not in units of the data."""

    compute: Callable[[Judged], float]
    metric: Callable[[Task], Metric]
    scaled: bool = False


def every_metric() -> dict[str, Metric]:
    """What is reported of one task or another; ranges may depend on the task."""
    tasks = (Task(Vector(1), Classes(2)), Task(Vector(1), Values(1)), Task(Tokens(1, 2), NextToken(2)))
    return {f"val_{name}": one.metric(task) for task in tasks for name, one in scores_of(task).items()}


def scores_of(task: Task) -> Mapping[str, Score]:
    """All scores that there are of a task, by name."""
    found = SCORES[type(task.output).__name__]
    if isinstance(task.output, Classes) and task.output.count != 2:
        found = {name: one for name, one in found.items() if name != "auc"}
    return found


def accuracy(judged: Judged) -> float:
    """The share of examples whose highest score is that of their class."""
    return float((judged.outputs.argmax(1) == judged.targets).mean())


def balanced_accuracy(judged: Judged) -> float:
    """The mean over classes of the share of each that is told right; classes without an example do not count."""
    confusion_CC = _confusion(judged)
    there = confusion_CC.sum(1) > 0
    return float((np.diag(confusion_CC)[there] / confusion_CC.sum(1)[there]).mean())


def macro_f1(judged: Judged) -> float:
    """The mean over classes of 2 · precision · recall / (precision + recall); 0 for a class that is never told."""
    confusion_CC = _confusion(judged)
    sums = confusion_CC.sum(0) + confusion_CC.sum(1)
    there = sums > 0
    return float((2 * np.diag(confusion_CC)[there] / sums[there]).mean())


def auc(judged: Judged) -> float:
    """Of two classes: how often an example of the second is ranked above one of the first; ties count half."""
    from scipy.stats import rankdata

    ranks = rankdata(judged.outputs[:, 1] - judged.outputs[:, 0])
    positive = judged.targets == 1
    ones, zeros = int(positive.sum()), int((~positive).sum())
    if not ones or not zeros:
        return math.nan
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def calibration_error(judged: Judged) -> float:
    """Expected calibration error (Guo et al., arXiv 1706.04599): |confidence - accuracy| over 15 bins of confidence."""
    probabilities = _softmax(judged.outputs)
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == judged.targets
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, right - confidence, minlength=BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def class_loss(judged: Judged) -> float:
    """Cross-entropy, in nats."""
    shifted = judged.outputs - judged.outputs.max(1, keepdims=True)
    chosen = np.take_along_axis(shifted, judged.targets[:, None], 1)[:, 0]
    return float((np.log(np.exp(shifted).sum(1)) - chosen).mean())


def r2(judged: Judged) -> float:
    """1 - squared error / variance, the mean over values; 0 is the mean of the examples, 1 is perfect."""
    errors = ((judged.outputs - judged.targets) ** 2).sum(0)
    spread = ((judged.targets - judged.targets.mean(0)) ** 2).sum(0)
    return float(np.mean(np.where(spread > 0, 1 - errors / np.where(spread > 0, spread, 1), 0)))


def rmse(judged: Judged) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(((judged.outputs - judged.targets) ** 2).mean()))


def mae(judged: Judged) -> float:
    """Mean absolute error."""
    return float(np.abs(judged.outputs - judged.targets).mean())


def squared_error(judged: Judged) -> float:
    """Mean squared error."""
    return float(((judged.outputs - judged.targets) ** 2).mean())


def token_accuracy(judged: Judged) -> float:
    """The share of tokens that are told right."""
    return float(judged.targets.mean())


def bits_per_token(judged: Judged) -> float:
    """Cross-entropy, in bits."""
    return float(judged.outputs.mean() / math.log(2))


def token_loss(judged: Judged) -> float:
    """Cross-entropy, in nats."""
    return float(judged.outputs.mean())


def _confusion(judged: Judged) -> np.ndarray:
    """(C, C) counts: rows are the classes of examples, columns what was told."""
    classes = judged.outputs.shape[1]
    pairs = judged.targets * classes + judged.outputs.argmax(1)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def _softmax(outputs: np.ndarray) -> np.ndarray:
    powers = np.exp(outputs - outputs.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def _share(task: Task) -> Metric:
    return Metric("", 0, 1, "maximise")


def _error(unit: str = "") -> Callable[[Task], Metric]:
    return lambda task: Metric(unit, 0, math.inf, "minimise")


def _most_bits(task: Task) -> Metric:
    return Metric("bit", 0, 2 * math.log2(max(2, task.outputs)), "minimise")


SCORES: dict[str, dict[str, Score]] = {
    "Classes": {
        "accuracy": Score(accuracy, _share),
        "balanced_accuracy": Score(balanced_accuracy, _share),
        "macro_f1": Score(macro_f1, _share),
        "auc": Score(auc, _share),
        "calibration_error": Score(calibration_error, lambda task: Metric("", 0, 1, "minimise")),
        "loss": Score(class_loss, _error("nat")),
    },
    "Values": {
        "r2": Score(r2, lambda task: Metric("", WORST_R2, 1, "maximise")),
        "rmse": Score(rmse, _error()),
        "mae": Score(mae, _error()),
        "loss": Score(squared_error, _error(), scaled=True),
    },
    "NextToken": {
        "bits_per_token": Score(bits_per_token, _most_bits),
        "accuracy": Score(token_accuracy, _share),
        "loss": Score(token_loss, _error("nat")),
    },
}
"""{kind of output: {name: score}}. Bits per token above twice those of a guess are given as that."""
USUAL = {"Classes": ("accuracy",), "Values": ("r2", "rmse", "mae"), "NextToken": ("bits_per_token", "accuracy")}
"""What is reported where a run file names none; the loss is always."""
