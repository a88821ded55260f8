"""What an evaluator returns is checked at one door: taken where its meaning is plain, else its candidates fail."""

import signal
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from evaluators import Evaluator, Metric
from qd.candidates import Candidates, Curve, Results, Status
from qd.executors import evaluate
from qd.interrupts import Interrupted
from qd.testing.batches import make_candidates
from search_spaces import Genotypes, Real, SearchSpace, Struct, Vector

SIZE = 4


class Space(SearchSpace):
    genes = Struct(x=Real(0, 1))


class Off(Evaluator):
    """Reports x, and then changes the results a little."""

    metrics = {"q": Metric(low=0, high=1), "a": Metric(low=0, high=1)}

    def __init__(self, change: Callable[[Results, int], Any]) -> None:
        self.change = change
        self.bind(Space())

    def evaluate(self, candidates: Candidates) -> Results:
        x = np.array([genotype["x"] for genotype in candidates.genotypes])
        results = Results.ok(candidates, {"q": x, "a": x})
        other = self.change(results, len(candidates))
        return results if other is None else other


def changed(**fields: Callable[[Results, int], Any]) -> Callable[[Results, int], Any]:
    """Each field becomes what its function makes of the results and their number."""

    def change(results: Results, n: int) -> None:
        for name, value in fields.items():
            setattr(results, name, value(results, n))

    return change


def column(make: Callable[[np.ndarray], Any]) -> Callable[[Results, int], Any]:
    return changed(metrics=lambda results, n: {"q": results.metrics["q"], "a": make(results.metrics["a"])})


def weights(make: Callable[[], Any]) -> Callable[[Results, int], Any]:
    return changed(weights=lambda results, n: {int(id): {"w": make()} for id in results.evaluation_ids})


def curve(epochs: Any, **scores: Any) -> Callable[[Results, int], Any]:
    return changed(curves=lambda results, n: {int(id): Curve(epochs, scores) for id in results.evaluation_ids})


def first_fails(error: Any) -> Callable[[Results, int], Any]:
    def change(results: Results, n: int) -> None:
        results.status[0] = Status.FAILED
        results.errors = {int(results.evaluation_ids[0]): error}

    return change


TAKEN = {
    "lists of statuses": changed(status=lambda results, n: [Status.OK] * n),
    "an array of enum members": changed(status=lambda results, n: np.array([Status.OK] * n, dtype=object)),
    "whole floats as statuses": changed(status=lambda results, n: results.status.astype(float)),
    "lists of ids": changed(evaluation_ids=lambda results, n: results.evaluation_ids.tolist()),
    "the rows in reverse": lambda results, n: results.take(range(n)[::-1]),
    "an id twice, which no batch of one has": changed(
        evaluation_ids=lambda results, n: np.repeat(results.evaluation_ids[:1], n)
    ),
    "lists": column(np.ndarray.tolist),
    "float32": column(lambda a: a.astype("float32")),
    "integers": column(lambda a: (10 * a).astype("int32")),
    "booleans": column(lambda a: a > 0.5),
    "big-endian numbers": column(lambda a: a.astype(">f8")),
    "a column of shape (N, 1)": column(lambda a: a[:, None]),
    "a tensor": column(torch.tensor),
    "a tensor with a gradient": column(lambda a: torch.tensor(a, requires_grad=True)),
    "a tensor of bfloat16": column(lambda a: torch.tensor(a, dtype=torch.bfloat16)),
    "a list of tensors": column(lambda a: [torch.tensor(one, requires_grad=True) for one in a]),
    "a pandas column": column(lambda a: pd.Series(a, index=range(5, 5 + len(a)))),
    "a list of seconds": changed(seconds=lambda results, n: [0.1] * n),
    "one number of seconds": changed(seconds=lambda results, n: 0.1),
    "no errors": changed(errors=lambda results, n: None),
    "no weights": changed(weights=lambda results, n: None),
    "weights of nothing": changed(weights=lambda results, n: dict.fromkeys(results.evaluation_ids.tolist(), None)),
    "no curves": changed(curves=lambda results, n: None),
    "a curve of nothing": changed(curves=lambda results, n: dict.fromkeys(results.evaluation_ids.tolist(), None)),
    "a curve of lists": curve([1, 2], q=[0.1, None]),
    "a curve of tensors": curve(torch.tensor([0.5, 1.5]), q=torch.ones(2, requires_grad=True), a=torch.ones(2, 1)),
    "a network without parameters": changed(weights=lambda results, n: {id: {} for id in results.evaluation_ids}),
}

REFUSED = {
    "no results": (lambda results, n: {"q": [1.0]}, "must return Results, got dict"),
    "a status too few": (changed(status=lambda results, n: results.status[:-1]), "status: expected a number for each"),
    "an unknown status": (changed(status=lambda results, n: np.full(n, 17)), r"expected one of 0 \(ok\), .*got 17"),
    "a negative status": (changed(status=lambda results, n: np.full(n, -1)), "status: expected one of .*got -1"),
    "a broken status": (changed(status=lambda results, n: np.full(n, 0.5)), "status: expected a column of whole"),
    "words as statuses": (changed(status=lambda results, n: ["ok"] * n), "status: expected real numbers, got <U2"),
    "a row too few": (lambda results, n: results.take(range(n - 1)), "one row for each of 1 candidates.*got 0 rows"),
    "other ids": (changed(evaluation_ids=lambda results, n: np.arange(n)), "by evaluation id, got 1 rows: 0 of 9"),
    "metrics without names": (changed(metrics=lambda results, n: [0.5]), "metrics: expected {name: numbers}, got list"),
    "a metric less": (changed(metrics=lambda results, n: {"q": results.metrics["q"]}), r"missing: \['a'\]"),
    "None for a number": (column(lambda a: np.array([None] * len(a))), "metric a is nan: expected finite numbers"),
    "words": (column(lambda a: ["0.5"] * len(a)), "metric a: expected real numbers, got <U3"),
    "objects": (column(lambda a: [object()] * len(a)), "metric a: expected real numbers, got object"),
    "complex numbers": (column(lambda a: a + 0j), "metric a: expected real numbers, got complex128"),
    "lists of different lengths": (column(lambda a: [[1], [1, 2]]), "metric a: expected numbers, got list"),
    "numbers of another batch": (column(lambda a: np.zeros(7)), r"metric a: expected a number for each.*\(7,\)"),
    "too few seconds": (changed(seconds=lambda results, n: np.zeros(n - 1)), "seconds: expected a number for each"),
    "seconds that are none": (changed(seconds=lambda results, n: np.full(n, np.nan)), "seconds: expected .*got nan"),
    "seconds before the start": (changed(seconds=lambda results, n: -1.0), "seconds: expected .*at least 0"),
    "a list of errors": (changed(errors=lambda results, n: []), "errors: expected {evaluation id: ...}, got list"),
    "errors of nobody": (changed(errors=lambda results, n: {0: "no"}), "errors: expected evaluation ids.*got 0"),
    "weights of nobody": (changed(weights=lambda results, n: {"net": {}}), "weights: expected .*got 'net'"),
    "weights without names": (
        changed(weights=lambda results, n: {int(id): [1.0] for id in results.evaluation_ids}),
        r"weights\[\d+\]: expected {name: array}, got list",
    ),
    "weights of objects": (weights(lambda: np.array(["a", None], dtype=object)), r"\['w'\]: expected real.*got object"),
    "complex weights": (weights(lambda: np.ones(2, dtype=complex)), "complex128; store parts of complex numbers apart"),
    "long doubles": (weights(lambda: np.ones(2, dtype=np.longdouble)), "at most 64 bits"),
    "curves of nobody": (changed(curves=lambda results, n: {0: None}), "curves: expected evaluation ids.*got 0"),
    "no curve": (changed(curves=lambda results, n: {int(id): [1.0] for id in results.evaluation_ids}),
                 r"curves\[\d+\]: expected Curve\(epochs, {metric: numbers}\), got list"),
    "a curve without points": (curve([], q=[]), "expected columns of at least one number, .*got 1 scores and epochs"),
    "a curve without end": (curve(np.arange(1, 100_000), q=np.ones(99_999)), r"100,000 in all, got .*\(99999,\)"),
    "epochs that fall": (curve([2, 1], q=[0, 0]), "epochs: expected numbers above 0 that rise, got 2.0, 1.0"),
    "an epoch before the first": (curve([0, 1], q=[0, 0]), "epochs: expected numbers above 0 that rise"),
    "an epoch that is none": (curve([1, np.nan], q=[0, 0]), "epochs: expected numbers above 0 that rise"),
    "a curve of another metric": (curve([1], loss=[0]), "expected scores among the metrics q, a, got 'loss'"),
    "a score too few": (curve([1, 2], q=[0]), r"\]: q: expected a number for each of 2 epochs, got shape \(1,\)"),
    "scores in words": (curve([1], q=["low"]), "q: expected real numbers, got <U3"),
    "complex tensors": (weights(lambda: torch.ones(2, dtype=torch.complex64)), "got complex64"),
}  # fmt: skip

FAILED_WITH = {
    "an exception as error": (ValueError("no"), "ValueError: no"),
    "bytes as error": (b"\xff no", "� no"),
    "an odd text as error": ("a\0b\ud800", "a\0b\ud800"),
    "no reason": (None, "Off.evaluate gave no reason in `errors`"),
}

KEPT = {
    "a list": ([1.0, 2.0], np.float64),
    "a tensor": (torch.ones(2), np.float32),
    "a parameter": (torch.nn.Parameter(torch.ones(2)), np.float32),
    "bfloat16, without loss": (torch.tensor([1.0078125, 3e38], dtype=torch.bfloat16), np.float32),
    "float16": (np.ones(2, dtype="float16"), np.float16),
    "big-endian numbers": (np.ones(2, dtype=">f4"), np.float32),
    "a scalar": (np.float32(3), np.float32),
    "nothing of a shape": (np.ones((0, 3)), np.float64),
    "columns first": (np.ones((2, 3), order="F"), np.float64),
}


def batch(genotypes: Genotypes | None = None) -> Candidates:
    return make_candidates([{"x": 0.2 * row} for row in range(SIZE)] if genotypes is None else genotypes)


@pytest.mark.parametrize("change", TAKEN.values(), ids=TAKEN)
def test_what_has_one_meaning_is_taken(change) -> None:
    results = evaluate(Off(change), batch())
    assert results.status.tolist() == [Status.OK] * SIZE, results.errors
    assert results.status.dtype == results.evaluation_ids.dtype == np.int64
    assert results.seconds.shape == (SIZE,)
    order = np.argsort(-results.evaluation_ids)
    for values in (*results.metrics.values(), results.seconds):
        assert values.dtype == np.float64
    np.testing.assert_allclose(results.metrics["q"][order], [0.0, 0.2, 0.4, 0.6])


@pytest.mark.parametrize(("change", "message"), REFUSED.values(), ids=REFUSED)
def test_everything_else_fails_the_candidates_and_says_why(change, message) -> None:
    results = evaluate(Off(change), batch())
    assert results.status.tolist() == [Status.FAILED] * SIZE
    assert set(results.errors) == set(results.evaluation_ids.tolist())
    assert results.weights == {}
    assert np.isfinite(results.seconds).all()
    with pytest.raises(AssertionError, match=f"(?s){message}"):
        raise AssertionError(next(iter(results.errors.values())))


@pytest.mark.parametrize(("error", "text"), FAILED_WITH.values(), ids=FAILED_WITH)
def test_errors_become_text(error, text) -> None:
    results = evaluate(Off(first_fails(error)), batch())
    assert results.status.tolist() == [Status.FAILED] + [Status.OK] * (SIZE - 1)
    assert results.errors[int(results.evaluation_ids[0])].strip() == text


@pytest.mark.parametrize(("given", "dtype"), KEPT.values(), ids=KEPT)
def test_weights_are_arrays_that_a_file_can_hold(given, dtype) -> None:
    results = evaluate(Off(weights(lambda: given)), batch())
    assert set(results.weights) == set(results.evaluation_ids.tolist())
    kept = results.weights[int(results.evaluation_ids[0])]["w"]
    assert isinstance(kept, np.ndarray)
    assert kept.dtype == dtype
    assert kept.dtype.isnative
    assert kept.flags.c_contiguous
    expected = given.detach().float().numpy() if isinstance(given, torch.Tensor) else np.asarray(given)
    np.testing.assert_array_equal(kept, expected)
    assert kept.shape == expected.shape


def test_a_curve_is_columns_and_what_is_no_number_is_nan() -> None:
    results = evaluate(Off(curve([1, 2, 3], q=[0.1, None, np.inf])), batch())
    kept = results.curves[int(results.evaluation_ids[0])]
    assert kept.epochs.dtype == kept.scores["q"].dtype == np.float64
    np.testing.assert_array_equal(kept.scores["q"], [0.1, np.nan, np.nan])


def test_a_column_of_vectors_stays_as_it_is() -> None:
    class Scales(Evaluator):
        metrics = {"q": Metric()}

        def evaluate(self, candidates: Candidates) -> Results:
            genotypes = np.asarray(candidates.genotypes)
            genotypes *= 10
            candidates.seeds[:] = 0
            if len(candidates) > 1:
                raise RuntimeError("one by one, please")
            return Results.ok(candidates, {"q": genotypes[:, 0]})

    class Vectors(SearchSpace):
        genes = Vector(-1, 1, size=2)

    evaluator = Scales()
    evaluator.bind(Vectors())
    given = batch(np.array([[0.1, 0.2], [0.3, 0.4]]))
    seeds = given.seeds.tolist()
    assert evaluate(evaluator, given).metrics["q"].tolist() == [1.0, 3.0]
    assert np.asarray(given.genotypes).tolist() == [[0.1, 0.2], [0.3, 0.4]]
    assert given.seeds.tolist() == seeds


def test_a_persons_ctrl_c_ends_an_evaluation() -> None:
    def press(results: Results, n: int) -> None:
        signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted):
        evaluate(Off(press), batch())
    assert signal.getsignal(signal.SIGINT) is before
