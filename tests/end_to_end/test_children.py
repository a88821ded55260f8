"""Processes that an evaluator forks inherit the driver's open files and handlers of signals, and may not keep them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time

import pytest

import qd

FORKING = '''
import multiprocessing, os, signal, time
from pathlib import Path
from evaluators import Metric, SingleEvaluator
from search_spaces import Real, SearchSpace, Struct

FORK = multiprocessing.get_context("fork")


class Space(SearchSpace):
    genes = Struct(x=Real(0, 1))


class Evaluator(SingleEvaluator):
    metrics = {"score": Metric(low=0, high=1), "x": Metric(low=0, high=1)}


class Pooled(Evaluator):
    """Evaluates in a pool, whose first work is not done before its driver is killed."""

    def evaluate_one(self, genotype, seed):
        note = Path(__file__).with_name("child")
        with FORK.Pool(1) as pool:
            if not note.exists():
                note.write_text(str(pool.apply(os.getpid)))
                pool.apply(time.sleep, [600])
            return pool.apply(dict, kwds={"score": genotype["x"], "x": genotype["x"]})


class Terminating(Evaluator):
    """Its score says whether a child ended when it was told to."""

    def evaluate_one(self, genotype, seed):
        child = FORK.Process(target=time.sleep, args=[600])
        child.start()
        child.terminate()
        child.join(30)
        told = child.exitcode == -signal.SIGTERM
        child.kill()
        return {"score": float(told), "x": genotype["x"]}
'''


@pytest.fixture
def run_file(tmp_path):
    (tmp_path / "forking.py").write_text(FORKING)

    def write(evaluator):
        file = tmp_path / "run.yaml"
        file.write_text(
            "space: {kind: 'forking:Space'}\n"
            f"evaluator: {{kind: 'forking:{evaluator}'}}\n"
            "archive: {objective: score, measures: [{metric: x, low: 0, high: 1, bins: 4}]}\n"
            "search: {chunk: 2}\n"
            "budget: {evaluations: 4}\n"
        )
        return file

    return write


def test_a_run_is_free_as_soon_as_its_driver_is_killed(run_file, tmp_path):
    settings = {"out": tmp_path / "run"}
    driver = multiprocessing.get_context("fork").Process(target=qd.run, args=[run_file("Pooled")], kwargs=settings)
    driver.start()
    note = tmp_path / "child"
    while not (note.exists() and note.read_text()):
        assert driver.is_alive()
        time.sleep(0.01)
    child = int(note.read_text())
    driver.kill()
    driver.join()
    try:
        os.kill(child, 0)  # it lives on
        assert qd.resume(tmp_path / "run").count == 4
    finally:
        with contextlib.suppress(ProcessLookupError):  # killed before it gave work, the driver lets it end
            os.kill(child, signal.SIGKILL)


def test_children_end_when_they_are_told_to(run_file, tmp_path):
    run = qd.run(run_file("Terminating"), out=tmp_path / "run")
    assert run.elites()["score"].tolist() == [1.0] * len(run.archive)
    assert len(run.archive)
