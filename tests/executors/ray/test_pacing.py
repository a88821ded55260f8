"""How much is sent at once follows how long evaluations take."""

from qd.executors.ray.pacing import ENOUGH_SECONDS, JUDGED, MOST, MOST_EXTRA, Tempo


def settled(size: int, seconds: float, idle: float = 0.0, tasks: int = 100) -> Tempo:
    tempo = Tempo()
    for _ in range(tasks):
        tempo.note(size, seconds, idle)
    return tempo


def test_before_anything_is_known_workers_have_two_tasks_as_large_as_the_run_file_says():
    tempo = Tempo()
    assert (tempo.depth, tempo.tasks_ahead(4), tempo.chunk(8)) == (2, 8, 8)


def test_behind_long_tasks_few_wait_and_none_at_a_worker():
    tempo = settled(8, 60.0)
    assert (tempo.depth, tempo.tasks_ahead(1), tempo.tasks_ahead(8)) == (1, 2, 10)
    assert tempo.chunk(8) == 8


def test_quick_candidates_are_sent_many_at_a_time():
    tempo = settled(8, 0.008)
    sizes = [tempo.chunk(8) for _ in range(10)]
    assert sizes == [16, 32, 64, *7 * [round(ENOUGH_SECONDS / 0.001)]]
    assert tempo.depth == 2


def test_a_task_has_an_end():
    tempo = settled(8, 0.0)
    assert [tempo.chunk(8) for _ in range(20)][-1] == MOST


def test_one_slow_task_among_quick_ones_does_not_turn_everything_round():
    tempo = settled(8, 0.08)
    tempo.note(8, 5.0, 0.0)
    assert tempo.depth == 2


def test_workers_that_wait_get_more_ahead_and_less_when_they_no_longer_do():
    tempo = settled(8, 0.1, idle=0.01, tasks=2 * JUDGED)
    assert (tempo.depth, tempo.tasks_ahead(8)) == (4, 32)
    for _ in range(JUDGED):
        tempo.note(8, 0.1, idle=0.001)
    assert tempo.depth == 4
    for _ in range(3 * JUDGED):
        tempo.note(8, 0.1, idle=0.0001)
    assert tempo.depth == 2


def test_there_is_an_end_to_what_is_sent_ahead():
    assert settled(8, 0.1, idle=1.0, tasks=20 * JUDGED).depth == 2 + MOST_EXTRA
