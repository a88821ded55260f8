"""Columns over N: rows are taken and joined, and stay whole."""

import numpy as np
import pytest

from qd.candidates import Candidates, Purpose, Results, Status


def candidates(*ids: int) -> Candidates:
    return Candidates(
        ids=np.array(ids),
        evaluation_ids=np.array(ids) + 100,
        seeds=np.array(ids) * 7,
        shared_seed=5,
        genotypes=[{"x": id} for id in ids],
        fidelity=0.5,
        purpose=Purpose.VERIFICATION,
    )


def results() -> Results:
    ok = Results.ok(candidates(1, 2), {"a": [0.1, 0.2], "b": [1, 2]}, [3.0, 4.0], {101: {"w": np.ones(2)}})
    ok.workers = {101: "here", 102: "there"}
    return ok


def test_taken_candidates_are_whole_rows_in_the_given_order() -> None:
    taken = candidates(4, 5, 6).take([2, 0])
    assert len(taken) == 2
    assert taken.ids.tolist() == [6, 4]
    assert taken.evaluation_ids.tolist() == [106, 104]
    assert taken.seeds.tolist() == [42, 28]
    assert taken.genotypes == [{"x": 6}, {"x": 4}]
    assert (taken.shared_seed, taken.fidelity, taken.purpose) == (5, 0.5, Purpose.VERIFICATION)


@pytest.mark.parametrize("rows", [[], np.array([])])
def test_nothing_may_be_taken(rows) -> None:
    assert len(candidates(1, 2).take(rows)) == 0
    assert len(results().take(rows)) == 0


def test_ok_results_may_share_one_time() -> None:
    given = Results.ok(candidates(1, 2, 3), {"a": np.arange(3)}, seconds=0.25)
    assert given.status.tolist() == [Status.OK] * 3
    assert given.metrics["a"].dtype == np.float64
    assert given.seconds.tolist() == [0.25] * 3
    with pytest.raises(ValueError, match="cannot reshape array of size 2 into shape"):
        Results.ok(candidates(1, 2, 3), {"a": [1, 2]})


def test_without_metrics_the_time_of_the_batch_is_shared_out() -> None:
    given = Results.without_metrics(candidates(1, 2), Status.FAILED, "boom", seconds=3.0)
    assert given.status.tolist() == [Status.FAILED] * 2
    assert given.metrics == {}
    assert given.errors == {101: "boom", 102: "boom"}
    assert given.seconds.tolist() == [1.5, 1.5]


def test_taken_results_leave_out_what_belongs_to_others() -> None:
    taken = results().take([1])
    assert taken.evaluation_ids.tolist() == [102]
    assert {name: column.tolist() for name, column in taken.metrics.items()} == {"a": [0.2], "b": [2.0]}
    assert taken.seconds.tolist() == [4.0]
    assert taken.weights == {}
    assert taken.workers == {102: "there"}
    assert set(results().take([0]).weights) == {101}


def test_joined_results_have_all_metrics_and_nan_where_a_part_lacks_one() -> None:
    other = Results.ok(candidates(3), {"c": [9.0], "a": [0.3]})
    broken = Results.without_metrics(candidates(4), Status.INVALID, "never")
    joined = Results.join([results(), other, broken])
    assert joined.evaluation_ids.tolist() == [101, 102, 103, 104]
    assert joined.status.tolist() == [Status.OK, Status.OK, Status.OK, Status.INVALID]
    np.testing.assert_array_equal(joined.metrics["a"], [0.1, 0.2, 0.3, np.nan])
    np.testing.assert_array_equal(joined.metrics["b"], [1, 2, np.nan, np.nan])
    np.testing.assert_array_equal(joined.metrics["c"], [np.nan, np.nan, 9, np.nan])
    assert joined.seconds.tolist() == [3, 4, 0, 0]
    assert joined.errors == {104: "never"}
    assert set(joined.weights) == {101}
    assert joined.workers == {101: "here", 102: "there"}


def test_taking_undoes_joining() -> None:
    first, second = results(), Results.without_metrics(candidates(3), Status.LOST, "gone")
    back = Results.join([second, first]).take([1, 2])
    assert back.evaluation_ids.tolist() == first.evaluation_ids.tolist()
    assert back.errors == first.errors
    assert back.workers == first.workers
    np.testing.assert_array_equal(back.metrics["a"], first.metrics["a"])


@pytest.mark.parametrize(
    ("status", "label", "is_answer"),
    [
        (Status.OK, "ok", True),
        (Status.INVALID, "invalid", True),
        (Status.FAILED, "failed", False),
        (Status.TIMED_OUT, "timed_out", False),
        (Status.LOST, "lost", False),
    ],
)
def test_only_what_says_something_about_the_architecture_is_an_answer(status, label: str, is_answer: bool) -> None:
    assert (status.label, status.is_answer) == (label, is_answer)
