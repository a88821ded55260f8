"""Many runs, one after the other and at the same time."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

import qd
from qd.errors import QdError, UsageError
from qd.runs.campaign import Job, Standing, parse_seeds, perform, seed_jobs

FOLDER = Path("runs")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_each_seed_has_a_run_of_its_own(cheap):
    standings: dict[str, Standing] = {}
    assert perform(seed_jobs(cheap(), range(3), FOLDER), report=standings.update)
    assert names(FOLDER) == ["seed-000", "seed-001", "seed-002"]
    runs = [qd.open_run(FOLDER / name) for name in names(FOLDER)]
    assert [run.config.search.seed for run in runs] == [0, 1, 2]
    assert len({run.archive.qd_score for run in runs}) == 3
    assert list(standings) == ["seed 0", "seed 1", "seed 2"]
    for run, standing in zip(runs, standings.values(), strict=True):
        assert standing.ended
        assert (standing.evaluations, standing.qd_score) == (2000, run.archive.qd_score)


def test_what_is_finished_is_left_alone_and_what_is_not_is_gone_on_with(cheap, digests):
    file = cheap()
    jobs = seed_jobs(file, range(3), FOLDER)

    def after_a_while(standings):
        if len(standings) == 2 and standings["seed 1"].evaluations >= 500:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        perform(jobs, report=after_a_while)
    before = digests(FOLDER / "seed-000")
    assert 500 <= qd.open_run(FOLDER / "seed-001").count < 2000
    (FOLDER / "seed-002").mkdir()
    (FOLDER / "seed-002" / ".log.sqlite.new").write_bytes(b"SQL")  # killed before it began
    assert perform(jobs)
    assert digests(FOLDER / "seed-000") == before
    assert [qd.open_run(FOLDER / name).count for name in names(FOLDER)] == [2000] * 3
    assert perform(seed_jobs(cheap(budget={"evaluations": 2500}), range(2), FOLDER))
    assert [qd.open_run(FOLDER / name).count for name in names(FOLDER)] == [2500, 2500, 2000]


def test_an_interrupted_run_ends_the_campaign(cheap):
    sent = []

    def interrupt(standings):
        if standings["seed 0"].evaluations == 500 and not sent:
            sent.append(True)
            signal.raise_signal(signal.SIGINT)

    assert not perform(seed_jobs(cheap(), range(2), FOLDER), report=interrupt)
    assert names(FOLDER) == ["seed-000"]
    assert qd.open_run(FOLDER / "seed-000").meta("ending") == "interrupted"


def test_a_failed_run_does_not_hinder_the_others(cheap):
    bad, good = cheap("bad", failing=1.0), cheap("good")
    jobs = [Job("bad", bad, FOLDER / "bad"), Job("good", good, FOLDER / "good")]
    with pytest.raises(QdError, match=r"(?s)^bad: the first 50 evaluations all failed"):
        perform(jobs)
    assert qd.open_run(FOLDER / "good").count == 2000


def test_a_folder_with_another_run_is_refused_before_anything_begins(cheap):
    perform(seed_jobs(cheap(), range(1, 2), FOLDER))
    with pytest.raises(UsageError, match="seed-001 holds another run: its emitters differs"):
        perform(seed_jobs(cheap(emitters=[{"kind": "random"}]), range(2), FOLDER))
    assert names(FOLDER) == ["seed-001"]
    (FOLDER / "seed-000").mkdir()
    (FOLDER / "seed-000" / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="seed-000 exists and is no run folder"):
        perform(seed_jobs(cheap(), range(2), FOLDER))


@pytest.mark.parametrize("text", ["3", "0:", "5:5", "2:1", "a:b", "0:2:1", "-1:2"])
def test_seeds_that_are_no_range_are_refused(text):
    with pytest.raises(UsageError, match=r"expected first:end, e.g. 0:20"):
        parse_seeds(text)


@pytest.mark.slow
def test_two_processes_give_the_runs_that_one_gives_and_stop_on_ctrl_c(cheap, log_tables):
    file = cheap(budget={"evaluations": 50_000}, search={"chunk": 500})
    jobs = seed_jobs(file, range(3), FOLDER)
    standings: dict[str, Standing] = {}

    def interrupt() -> None:
        while not standings:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    assert not perform(jobs, 2, standings.update)
    endings = [qd.open_run(FOLDER / name).meta("ending") for name in names(FOLDER)]
    assert "interrupted" in endings
    assert perform(jobs, 2)
    alone = qd.run(file, out="alone", overrides=["search.seed=2"])
    assert qd.open_run(FOLDER / "seed-002").archive.elites == alone.archive.elites
