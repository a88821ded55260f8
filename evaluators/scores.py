"""What predictions are worth: the metrics that follow from outputs and targets alone, by the kind of task.

All networks of a stack are scored at once, where their outputs are; one network is a stack of one. Axes: K networks,
N examples, B of them in a batch, C classes.
"""

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
AT_ONCE = 2**22
"""At most so many outputs are scored at once, or those of one network: each takes up to 60 bytes meanwhile."""


class Judged(NamedTuple):
    """What scores of K networks are computed from, one row for each example.

    Args:
        outputs: (K, N, outputs): scores of classes, or values; of tokens (K, N, steps) each target's loss in nats.
        targets: (N,) int64 classes, (N, outputs) values; of tokens (K, N, steps) bool, whether each was told right.
    """

    outputs: Tensor
    targets: Tensor


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
            outputs: (K, B, *task.output_shape).
            targets: (B,) classes, (B, outputs) values as networks learn them, or (B, steps) tokens.
        """
        if not isinstance(self.task.output, NextToken):
            return Judged(outputs.float(), targets)
        wanted = targets.expand(len(outputs), *targets.shape)
        losses = nn.functional.cross_entropy(outputs.float().movedim(-1, 1), wanted, reduction="none")
        return Judged(losses, outputs.argmax(-1) == targets)

    def of(self, judged: Sequence[Judged]) -> list[dict[str, float]]:
        """The scores of each of K networks on all batches together, by the names of `metrics`."""
        tokens = isinstance(self.task.output, NextToken)
        outputs = torch.cat([one.outputs for one in judged], 1)
        targets = torch.cat([one.targets for one in judged], int(tokens))
        size = max(1, AT_ONCE // outputs[0].numel())
        found: list[dict[str, float]] = []
        for start in range(0, len(outputs), size):
            some = slice(start, start + size)
            found += self._of_some(Judged(outputs[some], targets[some] if tokens else targets))
        return found

    def _of_some(self, scaled: Judged) -> list[dict[str, float]]:
        raw = scaled if self._scaling is None else Judged(*(_back(one, self._scaling) for one in scaled))
        columns = [one.compute(scaled if one.scaled else raw) for one in self._functions.values()]
        ranges = [one.metric(self.task) for one in self._functions.values()]
        values_KS = torch.stack(columns, 1).tolist()  # all that leaves the device
        return [
            {
                f"val_{name}": value if math.isnan(value) else min(max(value, metric.low), metric.high)
                for name, metric, value in zip(self._functions, ranges, row, strict=True)
            }
            for row in values_KS
        ]

    def __call__(self, outputs: np.ndarray, targets: np.ndarray) -> Mapping[str, float]:
        """The scores of one network's outputs (N, *task.output_shape) at once."""
        given, wanted = torch.from_numpy(np.asarray(outputs)), torch.from_numpy(np.asarray(targets))
        return self.of([self.judge(given[None], wanted if wanted.is_floating_point() else wanted.long())])[0]


class Score(NamedTuple):
    """How one is computed and declared; `scaled`: of values as networks learn them, not in units of the data."""

    compute: Callable[[Judged], Tensor]
    """(K,) float64."""
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


def accuracy(judged: Judged) -> Tensor:
    """The share of examples whose highest score is that of their class."""
    return (judged.outputs.argmax(2) == judged.targets).double().mean(1)


def balanced_accuracy(judged: Judged) -> Tensor:
    """The mean over classes of the share of each that is told right; classes without an example do not count."""
    confusion_KCC = _confusion(judged)
    right_KC, there_KC = confusion_KCC.diagonal(dim1=1, dim2=2), confusion_KCC.sum(2)
    return _mean_where(right_KC / there_KC.clamp(min=1), there_KC > 0)


def macro_f1(judged: Judged) -> Tensor:
    """The mean over classes of 2 · precision · recall / (precision + recall); 0 for a class that is never told."""
    confusion_KCC = _confusion(judged)
    sums_KC = confusion_KCC.sum(1) + confusion_KCC.sum(2)
    return _mean_where(2 * confusion_KCC.diagonal(dim1=1, dim2=2) / sums_KC.clamp(min=1), sums_KC > 0)


def auc(judged: Judged) -> Tensor:
    """Of two classes: how often an example of the second is ranked above one of the first; ties count half."""
    scores_KN = (judged.outputs[..., 1] - judged.outputs[..., 0]).contiguous()
    sorted_KN = scores_KN.sort(1).values
    below_KN, up_to_KN = (torch.searchsorted(sorted_KN, scores_KN, right=right) for right in (False, True))
    ranks_KN = (below_KN + up_to_KN + 1).double() / 2
    positive_N = (judged.targets == 1).double()
    ones = positive_N.sum()
    zeros = len(positive_N) - ones
    found_K = (ranks_KN @ positive_N - ones * (ones + 1) / 2) / (ones * zeros)  # NaN where there is one class alone
    return torch.where(scores_KN.isnan().any(1), math.nan, found_K)


def calibration_error(judged: Judged) -> Tensor:
    """Expected calibration error (Guo et al., arXiv 1706.04599): |confidence - accuracy| over 15 bins of confidence."""
    confidence_KN, told_KN = judged.outputs.softmax(2).max(2)
    gaps_KN = (told_KN == judged.targets).double() - confidence_KN.double()
    bins_KN = (confidence_KN * BINS).long().clamp(0, BINS - 1)
    marks = bins_KN[..., None] == torch.arange(BINS, device=bins_KN.device)
    gaps_KS = torch.bmm(gaps_KN[:, None], marks.double())[:, 0]
    return gaps_KS.abs().sum(1) / gaps_KN.shape[1]


def class_loss(judged: Judged) -> Tensor:
    """Cross-entropy, in nats."""
    chosen_KN = judged.outputs.gather(2, judged.targets.expand(len(judged.outputs), -1)[..., None])[..., 0]
    return (judged.outputs.logsumexp(2) - chosen_KN).double().mean(1)


def r2(judged: Judged) -> Tensor:
    """1 - squared error / variance, the mean over values; 0 is the mean of the examples, 1 is perfect."""
    outputs, targets = judged.outputs.double(), judged.targets.double()
    errors_KV = (outputs - targets).square().sum(1)
    spread_V = (targets - targets.mean(0)).square().sum(0)
    return torch.where(spread_V > 0, 1 - errors_KV / torch.where(spread_V > 0, spread_V, 1), 0.0).mean(1)


def rmse(judged: Judged) -> Tensor:
    """Root of the mean squared error."""
    return squared_error(judged).sqrt()


def mae(judged: Judged) -> Tensor:
    """Mean absolute error."""
    return (judged.outputs.double() - judged.targets.double()).abs().flatten(1).mean(1)


def squared_error(judged: Judged) -> Tensor:
    """Mean squared error."""
    return (judged.outputs.double() - judged.targets.double()).square().flatten(1).mean(1)


def token_accuracy(judged: Judged) -> Tensor:
    """The share of tokens that are told right."""
    return judged.targets.double().flatten(1).mean(1)


def bits_per_token(judged: Judged) -> Tensor:
    """Cross-entropy, in bits."""
    return token_loss(judged) / math.log(2)


def token_loss(judged: Judged) -> Tensor:
    """Cross-entropy, in nats."""
    return judged.outputs.double().flatten(1).mean(1)


def _back(values: Tensor, scaling: Scaling) -> Tensor:
    """`Scaling.back`, where the values are."""
    scale, mean = (torch.as_tensor(one, device=values.device).double() for one in (scaling.scale, scaling.mean))
    return values.double() * scale + mean


def _confusion(judged: Judged) -> Tensor:
    """(K, C, C) counts: rows are the classes of examples, columns what was told."""
    classes = torch.arange(judged.outputs.shape[2], device=judged.outputs.device)
    told_KNC = (judged.outputs.argmax(2)[..., None] == classes).double()
    are_CN = (judged.targets == classes[:, None]).double()
    return are_CN @ told_KNC


def _mean_where(values_KC: Tensor, there_KC: Tensor) -> Tensor:
    return (values_KC * there_KC).sum(1) / there_KC.sum(1)


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
