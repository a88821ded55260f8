"""How much is sent at once follows how long evaluations take."""

from qd.executors.ray.pacing import ENOUGH_SECONDS, JUDGED, MOST, MOST_EXTRA, Pacing


def settled(size: int, seconds: float, idle: float = 0.0, tasks: int = 100) -> Pacing:
    pacing = Pacing()
    for _ in range(tasks):
        pacing.note(size, seconds, idle)
    return pacing


def test_before_anything_is_known_workers_have_two_tasks_as_large_as_the_run_file_says():
    pacing = Pacing()
    assert (pacing.depth, pacing.tasks_ahead(4), pacing.chunk(8)) == (2, 8, 8)


def test_behind_long_tasks_few_wait_and_none_at_a_worker():
    pacing = settled(8, 60.0)
    assert (pacing.depth, pacing.tasks_ahead(1), pacing.tasks_ahead(8)) == (1, 2, 10)
    assert pacing.chunk(8) == 8


def test_quick_candidates_are_sent_many_at_a_time():
    pacing = settled(8, 0.008)
    sizes = [pacing.chunk(8) for _ in range(10)]
    assert sizes == [16, 32, 64, *7 * [round(ENOUGH_SECONDS / 0.001)]]
    assert pacing.depth == 2


def test_a_task_has_an_end():
    pacing = settled(8, 0.0)
    assert [pacing.chunk(8) for _ in range(20)][-1] == MOST


def test_one_slow_task_among_quick_ones_does_not_turn_everything_round():
    pacing = settled(8, 0.08)
    pacing.note(8, 5.0, 0.0)
    assert pacing.depth == 2


def test_workers_that_wait_get_more_ahead_and_less_when_they_no_longer_do():
    pacing = settled(8, 0.1, idle=0.01, tasks=2 * JUDGED)
    assert (pacing.depth, pacing.tasks_ahead(8)) == (4, 32)
    for _ in range(JUDGED):
        pacing.note(8, 0.1, idle=0.001)
    assert pacing.depth == 4
    for _ in range(3 * JUDGED):
        pacing.note(8, 0.1, idle=0.0001)
    assert pacing.depth == 2


def test_there_is_an_end_to_what_is_sent_ahead():
    assert settled(8, 0.1, idle=1.0, tasks=20 * JUDGED).depth == 2 + MOST_EXTRA
