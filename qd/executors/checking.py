"""The executor's door: what an evaluator returned, as the columns that `Results` promises to everybody behind it.

What has one obvious meaning is taken: lists, tensors and pandas columns of numbers, whatever their dtype; one number
for all `seconds`; tensors as weights. Everything else is a breach of the contract, and says so.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

import numpy as np

from evaluators import Evaluator

from ..candidates import Candidates, Curve, Results, Status, Weights

WIDEST = 8
"""Bytes of a number in a file of weights: safetensors has none that is wider."""
LONGEST_CURVE = 100_000
"""Numbers in a learning curve, which is one row of the log."""


class BreachError(Exception):
    """An evaluator did not answer as its contract says; the message says where."""


def checked(evaluator: Evaluator, candidates: Candidates, results: Any) -> Results:
    """A copy of the results; nothing in it belongs to the evaluator.

    A metric that is no finite number fails its row; metrics are NaN where the status is not OK.

    Raises:
        BreachError: the evaluator did not answer as the contract says.
    """
    name, size = f"{type(evaluator).__name__}.evaluate", len(candidates)
    if not isinstance(results, Results):
        raise BreachError(f"{name} must return Results, got {type(results).__name__}")
    ids = _whole(results.evaluation_ids, f"{name}: evaluation_ids")
    if not np.array_equal(np.sort(ids), np.sort(candidates.evaluation_ids)):
        raise BreachError(
            f"{name} must return one row for each of {size} candidates, by evaluation id, got {len(ids)} rows:"
            f" {_shown(ids)} of {_shown(candidates.evaluation_ids)}"
        )
    status = _column(_whole(results.status, f"{name}: status"), size, f"{name}: status")
    unknown = sorted(set(np.unique(status).tolist()) - set(Status))
    if unknown:
        known = ", ".join(f"{one.value} ({one.label})" for one in Status)
        raise BreachError(f"{name}: status: expected one of {known}, got {unknown[0]}")
    checked = Results(
        ids,
        status,
        _metrics(evaluator, results, status == Status.OK),
        _seconds(results.seconds, size, f"{name}: seconds"),
        {id: _text(error) for id, error in _by_id(results.errors, ids, f"{name}: errors").items()},
        {
            id: _tensors(weights, f"{name}: weights[{id}]")
            for id, weights in _by_id(results.weights, ids, f"{name}: weights").items()
            if weights is not None
        },
        curves={
            id: _curve(evaluator, curve, f"{name}: curves[{id}]")
            for id, curve in _by_id(results.curves, ids, f"{name}: curves").items()
            if curve is not None
        },
    )
    for id in ids[status != Status.OK].tolist():
        checked.errors[id] = checked.errors.get(id) or f"{name} gave no reason in `errors`"
    return _without_nan(checked)


def _metrics(evaluator: Evaluator, results: Results, ok: np.ndarray) -> dict[str, np.ndarray]:
    name = f"{type(evaluator).__name__}.evaluate"
    if not isinstance(results.metrics, Mapping):
        raise BreachError(f"{name}: metrics: expected {{name: numbers}}, got {type(results.metrics).__name__}")
    declared = {**evaluator.metrics, **evaluator.space.metrics}
    missing = [one for one in declared if one not in results.metrics]
    unknown = [one for one in results.metrics if one not in declared]
    if ok.any() and (missing or unknown):
        raise BreachError(
            f"{name} must report {', '.join(declared)}; missing: {missing or 'none'}, not declared: {unknown or 'none'}"
        )
    columns = {}
    for metric in declared:
        if metric in results.metrics:
            where = f"{name}: metric {metric}"
            columns[metric] = _column(_numbers(results.metrics[metric], where), len(ok), where).astype(np.float64)
    return columns


def _curve(evaluator: Evaluator, curve: Any, where: str) -> Curve:
    if not isinstance(curve, Curve) or not isinstance(curve.scores, Mapping):
        raise BreachError(f"{where}: expected Curve(epochs, {{metric: numbers}}), got {type(curve).__name__}")
    epochs = _numbers(curve.epochs, f"{where}: epochs").astype(np.float64)
    if epochs.ndim != 1 or not 1 <= len(epochs) * (1 + len(curve.scores)) <= LONGEST_CURVE:
        raise BreachError(
            f"{where}: expected columns of at least one number, {LONGEST_CURVE:,} in all, got {len(curve.scores)}"
            f" scores and epochs of shape {epochs.shape}"
        )
    if not (np.isfinite(epochs).all() and (np.diff(epochs, prepend=0.0) > 0).all()):
        raise BreachError(f"{where}: epochs: expected numbers above 0 that rise, got {_shown(epochs)}")
    unknown = [one for one in curve.scores if one not in evaluator.metrics]
    if unknown:
        raise BreachError(
            f"{where}: expected scores among the metrics {', '.join(evaluator.metrics)}, got {unknown[0]!r}"
        )
    scores = {}
    for metric, values in curve.scores.items():
        at = f"{where}: {metric}"
        numbers = _numbers(values, at).astype(np.float64)
        if numbers.size != len(epochs):
            raise BreachError(f"{at}: expected a number for each of {len(epochs)} epochs, got shape {numbers.shape}")
        scores[metric] = np.where(np.isfinite(numbers), numbers, np.nan).reshape(len(epochs))
    return Curve(epochs, scores)


def _seconds(seconds: Any, size: int, where: str) -> np.ndarray:
    numbers = _numbers(seconds, where)
    if numbers.ndim == 0:
        numbers = np.full(size, numbers)
    column = _column(numbers, size, where).astype(np.float64)
    wrong = column[~(np.isfinite(column) & (column >= 0))]
    if len(wrong):
        raise BreachError(f"{where}: expected numbers of at least 0, as time.perf_counter() gives, got {wrong[0]}")
    return column


def _by_id(values: Any, ids: np.ndarray, where: str) -> dict[int, Any]:
    """{evaluation id: value}; None for no values."""
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise BreachError(f"{where}: expected {{evaluation id: ...}}, got {type(values).__name__}")
    known = set(ids.tolist()) if values else set()
    for id in values:
        if id not in known:
            raise BreachError(f"{where}: expected evaluation ids of the batch as keys ({_shown(ids)}), got {id!r}")
    return {int(id): value for id, value in values.items()}


def _text(error: Any) -> str:
    if error is None:
        return ""
    if isinstance(error, BaseException):
        return "".join(traceback.format_exception(error))
    return error.decode(errors="replace") if isinstance(error, bytes) else str(error)


def _tensors(weights: Any, where: str) -> Weights:
    if not isinstance(weights, Mapping) or not all(isinstance(name, str) for name in weights):
        raise BreachError(f"{where}: expected {{name: array}}, got {type(weights).__name__}")
    return {name: _tensor(value, f"{where}[{name!r}]") for name, value in weights.items()}


def _tensor(value: Any, where: str) -> np.ndarray:
    array = _array(value, where)
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > WIDEST:
        raise BreachError(
            f"{where}: expected real numbers of at most {8 * WIDEST} bits, which a file of weights can hold, got"
            f" {array.dtype}; store parts of complex numbers apart"
        )
    return np.array(array, dtype=array.dtype.newbyteorder("="), order="C")


def _numbers(values: Any, where: str) -> np.ndarray:
    """An array of real numbers; None stands for one that is missing."""
    array = _array(values, where)
    if array.dtype.kind == "O":
        array = _array([np.nan if one is None else one for one in array.ravel().tolist()], where)
    if array.dtype.kind not in "biuf":
        raise BreachError(f"{where}: expected real numbers, got {_kind(array)}")
    return array


def _whole(values: Any, where: str) -> np.ndarray:
    """(N,) int64, a copy."""
    array = _numbers(values, where)
    if array.ndim != 1 or array.dtype.kind == "b" or (array % 1 != 0).any():
        raise BreachError(f"{where}: expected a column of whole numbers, got {_kind(array)} of shape {array.shape}")
    return array.astype(np.int64)


def _column(array: np.ndarray, size: int, where: str) -> np.ndarray:
    if array.size != size:
        raise BreachError(f"{where}: expected a number for each of {size} candidates, got shape {array.shape}")
    return array.reshape(size)


def _array(values: Any, where: str) -> np.ndarray:
    try:
        if isinstance(values, list | tuple):
            return np.asarray([_detached(one) for one in values])
        return np.asarray(_detached(values))
    except Exception as error:  # a stranger's object may raise anything
        raise BreachError(f"{where}: expected numbers, got {type(values).__name__} ({error})") from error


def _detached(value: Any) -> Any:
    """A tensor of torch as an array, wherever it lies; anything else as it is."""
    if not hasattr(value, "detach"):
        return value
    try:
        return value.numpy(force=True)
    except TypeError:  # numpy has no such type: float32 holds bfloat16 and all that is narrower without loss
        if not value.is_floating_point():
            raise
        return value.float().numpy(force=True)


def _kind(array: np.ndarray) -> str:
    if array.dtype.kind == "O":
        return ", ".join(sorted({type(one).__name__ for one in array.ravel().tolist()}))
    return str(array.dtype)


def _shown(ids: np.ndarray) -> str:
    return ", ".join(map(str, ids[:5].tolist())) + (", …" if len(ids) > 5 else "")


def _without_nan(results: Results) -> Results:
    bad = np.zeros(len(results), dtype=bool)
    for column in results.metrics.values():
        bad |= ~np.isfinite(column)
    for row in np.flatnonzero(bad & (results.status == Status.OK)):
        values = {name: float(column[row]) for name, column in results.metrics.items()}
        wrong = ", ".join(f"{name} is {value}" for name, value in values.items() if not np.isfinite(value))
        results.status[row] = Status.FAILED
        results.errors[int(results.evaluation_ids[row])] = (
            f"metric {wrong}: expected finite numbers (one that was not reported counts as nan)"
        )
    answered = results.status == Status.OK
    if not answered.all():
        failed = set(results.evaluation_ids[~answered].tolist())
        results.curves = {id: curve for id, curve in results.curves.items() if id not in failed}
        results.metrics = {name: np.where(answered, column, np.nan) for name, column in results.metrics.items()}
    return results
