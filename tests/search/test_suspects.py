"""Candidates that take the search's process down with them."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

import qd
from qd.candidates import Status
from qd.search.suspects import NOBODY, Suspects
from qd.store.resume import LastSession
from qd.testing.toys import copy_toy

DEADLY = """
import faulthandler, os, signal
from vectors_to_die import Sums


class Deadly(Sums):
    def __init__(self, how: str = "exit") -> None:
        super().__init__()
        self.how = how

    def evaluate(self, candidates):
        if 7 in candidates.ids:
            if self.how == "exit":
                os._exit(0)
            faulthandler.disable()
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            os.kill(os.getpid(), getattr(signal, self.how))
        return super().evaluate(candidates)
"""
SETTINGS = """
space: {kind: "vectors_to_die:Vectors"}
evaluator: {kind: "deadly:Deadly"}
archive: {objective: score, measures: [{metric: x, low: 0, high: 100, bins: 10}]}
budget: {evaluations: 24}
"""


@pytest.fixture
def deaths(tmp_path: Path):
    """Run a search and resume it until it comes to its end; how often it died, and the run."""
    copy_toy("vectors", tmp_path, "vectors_to_die")
    (tmp_path / "deadly.py").write_text(DEADLY)
    (tmp_path / "run.yaml").write_text(SETTINGS)
    folder = tmp_path / "run"

    def search(*overrides: str) -> tuple[int, qd.Run]:
        for died in range(6):
            words = (qd.resume, [folder], {})
            if not died:
                words = (qd.run, [tmp_path / "run.yaml"], {"out": folder, "overrides": overrides})
            process = multiprocessing.get_context("fork").Process(target=words[0], args=words[1], kwargs=words[2])
            process.start()
            process.join()
            run = qd.open_run(folder)
            if run.meta("ending"):
                return died, run
            run.close()
        raise AssertionError("it never came to its end")

    return search


@pytest.mark.parametrize(
    ("overrides", "times"),
    [
        (["search.chunk=1"], 2),
        (["search.chunk=1", "search.window=6"], 2),
        (["search.chunk=5"], 3),
        (["search.chunk=5", "search.order=id"], 4),  # as it is once more: the log depends on what goes together
        (["search.chunk=5", "log=accepted"], 3),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_who_is_alone_at_two_deaths_is_lost_and_the_search_goes_on(deaths, overrides, times):
    died, run = deaths(*overrides)
    assert died == times
    assert run.meta("ending") == "budget used"
    assert run.counts == {Status.OK: 23, Status.LOST: 1}
    if not run.accepted_only:
        sql = "SELECT candidate, _attempt, _error FROM results JOIN evaluations ON id = _evaluation WHERE _status = 4"
        assert run.query(sql) == [
            (7, times, "the search's process died while this was evaluated alone, 2 times"),
        ]


@pytest.mark.parametrize("how", ["SIGABRT", "SIGSEGV", "SIGALRM", "SIGKILL"])
def test_whatever_it_dies_of(deaths, how):
    died, run = deaths("search.chunk=1", f"evaluator.how={how}")
    assert (died, run.counts[Status.LOST]) == (2, 1)


def in_process(**noted: object) -> dict[str, object]:
    return {"in_process": True, **noted}


def test_only_deaths_count(logged):
    batch = [7]
    once = Suspects.after(LastSession(in_process(), died=True), batch, ordered=False)
    assert once.one_by_one and once.alone == {7: 1} and not once.is_lost(7)
    noted = in_process(suspects=once.dump(), evaluating=7)
    assert Suspects.after(LastSession(noted, died=True), batch, ordered=False).is_lost(7)
    assert Suspects.after(LastSession(noted, died=False), batch, ordered=False) == once
    elsewhere = {**noted, "in_process": False}
    assert Suspects.after(LastSession(elsewhere, died=True), batch, ordered=False) == once
    begun_before = in_process(suspects=once.dump())  # it died of something else than an evaluation
    assert Suspects.after(LastSession(begun_before, died=True), batch, ordered=False).alone == {7: 1}
    assert Suspects.after(LastSession(noted, died=True), [8, 9], ordered=False) == Suspects(8, 1, True)
    assert Suspects.after(LastSession(noted, died=True), [], ordered=False) is NOBODY
    assert "evaluation 7 is given up as lost" in logged.text
