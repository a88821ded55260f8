"""How far one gets without a network: by a guess that looks at no input, and by a linear model."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluators.data import DataSet, Examples
from evaluators.task_data import Prepared
from search_spaces.task import Classes, NextToken, Tokens

Score = Callable[[np.ndarray, np.ndarray], Mapping[str, float]]
MOST_ROWS = 20_000
"""Training examples that a linear model is fitted to, and validation examples that it is asked."""
MOST_WORK = 4e8
"""Examples x inputs x classes that one iteration of it may take; else it is fitted to fewer examples."""
FEWEST_ROWS = 500
ITERATIONS = 100
BELIEF = 1.0
"""How many times the shares of all tokens count, beside what was counted behind the token before."""


@dataclass(frozen=True)
class Baseline:
    """What a simple model reaches.

    Args:
        name: of the model.
        scores: on the validation split, by the evaluator's names, the one that people care about first.
        rows: training examples that it was fitted to.
    """

    name: str
    scores: Mapping[str, float]
    rows: int


def baselines(data: DataSet, score: Score) -> list[Baseline]:
    """Fit the trivial and the linear model to training examples, and score them on the validation split.

    Args:
        data: that passed the door.
        score: (outputs, targets as networks learn them) to metrics, as `TaskData.score`.

    Returns:
        The trivial one first.
    """
    splits, output = data.splits(), data.task.output
    if isinstance(output, NextToken):
        return _of_tokens(data)
    width = math.prod(data.task.input_shape) if not isinstance(data.task.input, Tokens) else data.task.input.steps
    classes = output.count if isinstance(output, Classes) else 1
    rows = max(FEWEST_ROWS, min(MOST_ROWS, int(MOST_WORK / (width * classes))))
    train, asked = _some(splits.train, rows), _some(splits.validation, MOST_ROWS)
    targets, wanted = data.targets(train), data.targets(asked)
    if isinstance(output, Classes):
        shares = np.bincount(data.splits().train.targets, minlength=output.count) + 1e-3
        guess = np.tile(np.log(shares / shares.sum()), (len(asked), 1))
        trivial = "majority class"
    else:
        guess = np.tile(data.targets(splits.train).mean(0), (len(asked), 1))
        trivial = "mean"
    found = [Baseline(trivial, dict(score(guess.astype(np.float32), wanted)), len(splits.train))]
    inputs, asked_inputs = _features(data, train), _features(data, asked)
    if isinstance(output, Classes):
        predicted = _logistic(inputs, targets, asked_inputs, output.count)
        name = "logistic regression"
    else:
        predicted = _ridge(inputs, targets, asked_inputs)
        name = "ridge regression"
    if isinstance(data.task.input, Tokens):
        name = f"{name} on bags of tokens"
    return [*found, Baseline(name, dict(score(predicted.astype(np.float32), wanted)), len(train))]


def _some(part: Examples, most: int) -> Examples:
    """At most so many examples, spread over the part."""
    if len(part) <= most:
        return part
    return part.take(np.unique(np.linspace(0, len(part) - 1, most).astype(np.int64)))


def _features(data: DataSet, part: Examples) -> Any:
    """(N, features) as a linear model takes them: flattened, or how often each token is there, (N, vocabulary)."""
    prepared = np.asarray(Prepared.of(part.inputs, data.preprocessing())[:])
    if not isinstance(data.task.input, Tokens):
        return prepared.reshape(len(prepared), -1)
    from scipy.sparse import csr_array

    rows, columns = np.nonzero(prepared > 0)
    size = (len(prepared), data.task.input.vocabulary)
    bags = csr_array((np.ones(len(rows), np.float32), (rows, prepared[rows, columns])), shape=size)
    bags.sum_duplicates()
    bags.data = np.log1p(bags.data)
    return bags


def _logistic(inputs: Any, classes: np.ndarray, asked: Any, count: int) -> np.ndarray:
    """(N, classes) logarithms of probabilities; a class without a training example has hardly any."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    found = np.full((asked.shape[0], count), -30.0)
    if len(np.unique(classes)) < 2:
        found[:, classes[0]] = 0.0
        return found
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(max_iter=ITERATIONS).fit(inputs, classes)
    with np.errstate(divide="ignore"):  # a probability of 0, whose logarithm is bounded below
        found[:, model.classes_] = model.predict_log_proba(asked)
    return np.maximum(found, -30.0)


def _ridge(inputs: Any, values: np.ndarray, asked: Any) -> np.ndarray:
    from sklearn.linear_model import Ridge

    model = Ridge(max_iter=ITERATIONS, solver="auto").fit(inputs, values)
    return np.asarray(model.predict(asked)).reshape(asked.shape[0], -1)


def _of_tokens(data: DataSet) -> list[Baseline]:
    """Bits of the next token by the shares of all tokens, and by those behind the token before (smoothed by them)."""
    assert isinstance(data.task.output, NextToken)
    size, train, asked = data.task.output.vocabulary, data.splits().train, data.splits().validation
    before = np.asarray(data.preprocessing().apply(train.inputs[:])).ravel()
    after, wanted = data.targets(train).ravel(), data.targets(asked).ravel()
    counts = np.bincount(after, minlength=size)
    shares = (counts + 1 / size) / (counts.sum() + 1)
    single = {
        "val_bits_per_token": float(-np.log2(shares[wanted]).mean()),
        "val_accuracy": float((wanted == shares.argmax()).mean()),
    }
    pairs, times = np.unique(before * size + after, return_counts=True)
    firsts, seconds = np.divmod(pairs, size)
    of_first = np.bincount(firsts, times, minlength=size)
    likeliest = np.full(size, shares.argmax())
    order = np.argsort(times, kind="stable")
    likeliest[firsts[order]] = seconds[order]
    context = np.asarray(data.preprocessing().apply(asked.inputs[:])).ravel()
    place = np.minimum(np.searchsorted(pairs, context * size + wanted), len(pairs) - 1)
    seen = np.where(pairs[place] == context * size + wanted, times[place], 0)
    chances = (seen + BELIEF * shares[wanted]) / (of_first[context] + BELIEF)
    double = {
        "val_bits_per_token": float(-np.log2(chances).mean()),
        "val_accuracy": float((likeliest[context] == wanted).mean()),
    }
    rows = len(train)
    return [Baseline("shares of tokens (unigram)", single, rows), Baseline("token before (bigram)", double, rows)]
