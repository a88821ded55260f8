"""Scores of all networks of a stack at once, against what others compute for each alone."""

import math

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn_metrics

from evaluators import scores as module
from evaluators.preprocessing import Scaling
from evaluators.scores import Scores
from search_spaces.task import Classes, NextToken, Task, Tokens, Values, Vector

K, N = 3, 90


def judged(scores, outputs, targets):
    """In two batches."""
    parts = [scores.judge(outputs[:, rows], targets[rows]) for rows in (slice(0, 60), slice(60, None))]
    return scores.of(parts)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("at_once", [1, 2**22])
def test_scores_of_classes(classes, at_once, monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", at_once)  # one network after the other, or all together
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(K, N, classes, generator=generator).round(decimals=1)  # some scores tie
    targets = torch.randint(classes - (classes > 2), (N,), generator=generator)  # the last of five has no example
    names = ("accuracy", "balanced_accuracy", "macro_f1", "calibration_error") + ("auc",) * (classes == 2)
    found = judged(Scores(Task(Vector(1), Classes(classes)), names), outputs, targets)
    assert len(found) == K
    for own, scores in zip(outputs, found, strict=True):
        told, probabilities = own.argmax(1).numpy(), own.double().softmax(1).numpy()
        assert scores["val_accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(targets, told))
        recalls = [(told[targets == one] == one).mean() for one in np.unique(targets)]
        assert scores["val_balanced_accuracy"] == pytest.approx(np.mean(recalls))
        assert scores["val_macro_f1"] == pytest.approx(sklearn_metrics.f1_score(targets, told, average="macro"))
        assert scores["val_loss"] == pytest.approx(-np.log(probabilities[range(N), targets]).mean(), rel=1e-5)
        if classes == 2:
            auc = sklearn_metrics.roc_auc_score(targets, own[:, 1] - own[:, 0])
            assert scores["val_auc"] == pytest.approx(auc)
        confidence, right = probabilities.max(1), told == targets.numpy()
        bins = np.minimum((confidence * 15).astype(int), 14)
        gaps = [abs((right - confidence)[bins == one].sum()) for one in range(15)]
        assert scores["val_calibration_error"] == pytest.approx(sum(gaps) / N, rel=1e-5)


def test_scores_of_values_are_in_units_of_the_data():
    generator = torch.Generator().manual_seed(0)
    targets = torch.randn(N, 2, generator=generator)
    outputs = targets + 0.5 * torch.randn(K, N, 2, generator=generator)
    scaling = Scaling(np.array([3.0, -1.0]), np.array([2.0, 10.0]))
    found = judged(Scores(Task(Vector(1), Values(2)), scaling=scaling), outputs, targets)
    wanted = scaling.back(targets.double().numpy())
    for own, scores in zip(outputs.double().numpy(), found, strict=True):
        given = scaling.back(own)
        assert scores["val_r2"] == pytest.approx(sklearn_metrics.r2_score(wanted, given))
        assert scores["val_rmse"] == pytest.approx(math.sqrt(((wanted - given) ** 2).mean()))
        assert scores["val_mae"] == pytest.approx(abs(wanted - given).mean())
        assert scores["val_loss"] == pytest.approx(((own - targets.numpy()) ** 2).mean())


def test_scores_of_next_tokens_keep_losses_and_hits():
    generator = torch.Generator().manual_seed(0)
    scores, outputs = Scores(Task(Tokens(4, 6), NextToken(6))), torch.randn(K, N, 4, 6, generator=generator)
    targets = torch.randint(6, (N, 4), generator=generator)
    assert scores.judge(outputs, targets).outputs.shape == (K, N, 4)
    for own, found in zip(outputs, judged(scores, outputs, targets), strict=True):
        loss = float(torch.nn.functional.cross_entropy(own.flatten(0, 1), targets.flatten()))
        assert found["val_loss"] == pytest.approx(loss, rel=1e-5)
        assert found["val_bits_per_token"] == pytest.approx(loss / math.log(2), rel=1e-5)
        assert found["val_accuracy"] == pytest.approx(float((own.argmax(-1) == targets).double().mean()))


def test_what_has_no_score_is_no_number():
    outputs = torch.randn(2, N, 2, generator=torch.Generator().manual_seed(0))
    scores = Scores(Task(Vector(1), Classes(2)), ("auc",))
    assert all(math.isnan(one["val_auc"]) for one in judged(scores, outputs, torch.zeros(N, dtype=torch.int64)))
    outputs[1, 3] = math.nan  # a network that diverged; the other has its score
    found = judged(scores, outputs, torch.arange(N) % 2)
    assert (
        [math.isnan(one["val_auc"]) for one in found] == [math.isnan(one["val_loss"]) for one in found] == [False, True]
    )


@pytest.mark.parametrize("kind", list(module.SCORES))
def test_scores_are_computed_where_the_outputs_are(kind):
    tokens, values = kind == "NextToken", kind == "Values"
    outputs = torch.zeros(K, N, 4, 2, device="meta") if tokens else torch.zeros(K, N, 2, device="meta")
    targets = torch.zeros(N, 4, dtype=torch.int64) if tokens else torch.zeros(N, 2) if values else torch.zeros(N).long()
    task = Task(Tokens(4, 2), NextToken(2)) if tokens else Task(Vector(1), Values(2) if values else Classes(2))
    judged = Scores(task).judge(outputs, targets.to("meta"))  # the device "meta" refuses tensors of any other
    if values:
        judged = module.Judged(*(module._back(one, Scaling(np.ones(2), np.ones(2))) for one in judged))
    for score in module.SCORES[kind].values():
        found = score.compute(judged)
        assert (found.shape, found.dtype, found.device.type) == ((K,), torch.float64, "meta")
