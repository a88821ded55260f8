"""Attempts and blame: every row is answered once, or given up with a reason."""

from __future__ import annotations

import pytest

from qd.candidates import Results, Status
from qd.executors.ray.ledger import MOST_TRIES, Ledger, Loss, Task
from qd.testing.batches import make_candidates
from qd.testing.executors import numbers


def waiting(ledger: Ledger) -> list[list[int]]:
    """Candidates of the tasks that wait, taken out of the queue."""
    return [ledger.next().candidates.ids.tolist() for _ in range(len(ledger))]


def answers(task: Task) -> Results:
    return Results.ok(task.candidates, {"number": task.candidates.ids})


def test_rows_are_queued_in_tasks_of_a_given_size():
    ledger = Ledger(3)
    ledger.add(make_candidates(numbers(5)), most=2)
    ledger.add(make_candidates(numbers(3), first_id=10))
    assert waiting(ledger) == [[1, 2], [3, 4], [5], [10, 11, 12]]


def test_what_no_worker_began_comes_first_again_and_counts_for_nothing():
    ledger = Ledger(1)
    for first in (1, 10):
        ledger.add(make_candidates(numbers(2), first_id=first))
    task = ledger.next()
    ledger.give_back(task)
    assert ledger.next() is task
    assert ledger.answered(task, answers(task)).attempts == {}


@pytest.mark.parametrize("loss", [Loss.WORKER, Loss.TIME])
def test_mates_of_a_culprit_are_tried_alone_before_anything_new(loss):
    ledger = Ledger(2)
    ledger.add(make_candidates(numbers(3)))
    ledger.add(make_candidates(numbers(2), first_id=10))
    assert ledger.lost(ledger.next(), loss, "it broke") is None
    tasks = [ledger.next() for _ in range(4)]
    assert [task.candidates.ids.tolist() for task in tasks] == [[1], [2], [3], [10, 11]]
    assert [task.suspect for task in tasks] == [True, True, True, False]


@pytest.mark.parametrize(("loss", "status"), [(Loss.WORKER, Status.LOST), (Loss.TIME, Status.TIMED_OUT)])
def test_the_culprit_is_given_up_alone_with_the_reason(loss, status):
    ledger = Ledger(2)
    ledger.add(make_candidates(numbers(2)))
    ledger.lost(ledger.next(), loss, "it broke")
    culprit, mate = ledger.next(), ledger.next()
    given_up = ledger.lost(culprit, loss, "it broke again")
    assert given_up is not None
    id = int(culprit.candidates.evaluation_ids[0])
    assert given_up.evaluation_ids.tolist() == [id]
    assert given_up.status.tolist() == [status]
    assert given_up.errors == {id: "attempt 2, the last: it broke again"}
    assert given_up.attempts == {id: 2}
    assert ledger.answered(mate, answers(mate)).attempts == {int(mate.candidates.evaluation_ids[0]): 2}
    assert len(ledger) == 0


def test_with_one_attempt_a_lone_culprit_has_no_second_and_mates_have():
    ledger = Ledger(1)
    ledger.add(make_candidates(numbers(1)))
    ledger.add(make_candidates(numbers(2), first_id=10))
    given_up = ledger.lost(ledger.next(), Loss.WORKER, "it broke")
    assert given_up is not None
    assert list(given_up.errors.values()) == ["the only attempt: it broke"]
    assert ledger.lost(ledger.next(), Loss.WORKER, "it broke") is None
    assert waiting(ledger) == [[10], [11]]


def test_one_that_was_not_alone_on_its_worker_gets_a_chance_to_be():
    ledger = Ledger(1)
    ledger.add(make_candidates(numbers(1)))
    assert ledger.lost(ledger.next(), Loss.WORKER, "it broke", alone=False) is None
    suspect = ledger.next()
    assert suspect.suspect
    assert ledger.lost(suspect, Loss.NODE, "its machine went away", alone=True) is None
    assert ledger.first is not None
    assert ledger.first.suspect
    assert ledger.lost(ledger.next(), Loss.WORKER, "it broke") is not None


def test_of_a_machine_that_goes_away_nobody_is_to_blame():
    ledger = Ledger(1)
    ledger.add(make_candidates(numbers(3)))
    for _ in range(5):
        assert ledger.lost(ledger.next(), Loss.NODE, "it went away") is None
    task = ledger.next()
    assert task.candidates.ids.tolist() == [1, 2, 3]
    assert set(ledger.answered(task, answers(task)).attempts.values()) == {6}


def test_what_takes_one_machine_after_the_other_with_it_is_given_up():
    ledger = Ledger(1)
    ledger.add(make_candidates(numbers(2)))
    for _ in range(MOST_TRIES - 1):
        assert ledger.lost(ledger.next(), Loss.NODE, "it went away") is None
    given_up = ledger.lost(ledger.next(), Loss.NODE, "it went away")
    assert given_up is not None
    assert given_up.status.tolist() == [Status.LOST, Status.LOST]
    assert set(given_up.attempts.values()) == {MOST_TRIES}


def test_attempts_survive_taking_and_joining():
    ledger = Ledger(3)
    ledger.add(make_candidates(numbers(2)))
    ledger.lost(ledger.next(), Loss.NODE, "it went away")
    task = ledger.next()
    results = ledger.answered(task, answers(task))
    first, second = results.evaluation_ids.tolist()
    assert results.take([1]).attempts == {second: 2}
    assert Results.join([results.take([1]), results.take([0])]).attempts == {first: 2, second: 2}
