"""Every emitter and archive goes on where nothing, one, or little is answered, or all answers are the same."""

from __future__ import annotations

from typing import Any

import pytest

import qd
from qd.registry import own_names

EVALUATOR = '''

class Few(Sums):
    """Answers as its argument says; what fails gives no metrics at all."""

    def __init__(self, answers: str) -> None:
        super().__init__()
        self.answers = answers

    def evaluate(self, candidates: Candidates) -> Results:
        if self.answers == "equal":
            ones = np.ones(len(candidates))
            return Results.ok(candidates, dict.fromkeys(self.metrics, ones))
        results = super().evaluate(candidates)
        wanted = {"none": [], "one": [17], "few": [3, 4, 20]}[self.answers]
        rows = np.flatnonzero(np.isin(results.evaluation_ids, wanted))
        if not len(rows):
            return Results.without_metrics(candidates, Status.FAILED, "no luck")
        bad = ~np.isin(results.evaluation_ids, wanted)
        results.status[bad] = Status.FAILED
        results.errors = {int(id): "no luck" for id in results.evaluation_ids[bad]}
        results.metrics = {name: np.where(bad, np.nan, column) for name, column in results.metrics.items()}
        return results
'''
X = {"metric": "x", "low": 0, "high": 100}
EMITTERS: dict[str, dict[str, Any]] = {
    "guided": {"initial": 5, "pool": 10, "trees": 2},
    "nsga2": {"objectives": ["score", "most"], "initial": 5, "population": 4},
    "evolutionary": {"initial": 5, "population": 4},
    "novelty_local_competition": {"initial": 5, "population": 4, "neighbours": 2},
    "regularised_evolution": {"population": 5, "sample": 2},
    "map_elites": {"initial": 5},
}
ARCHIVES: dict[str, dict[str, Any]] = {
    "grid": {"measures": [X], "refine": [{"evaluations": 10, "bins": 40}]},
    "cvt": {"measures": [X], "cells": 6, "samples": 50},
    "categorical": {"measures": [{"metric": "x", "categories": [1, 2, 3]}]},
    "unstructured": {"measures": [X], "novelty": 0.1},
}
CASES = [
    *[(name, "grid", log) for name in own_names("emitters") for log in ("all", "accepted")],
    *[("map_elites", name, "all") for name in own_names("archives")],
]
LEARNS = {("guided", "accepted")}
"""Pairs that a run file may not have: an emitter that learns from all answers needs a log of all."""


@pytest.mark.parametrize("answers", ["none", "one", "few", "equal"])
@pytest.mark.parametrize(("emitter", "archive", "log"), [one for one in CASES if (one[0], one[2]) not in LEARNS])
def test_a_search_goes_on(cheap, emitter: str, archive: str, log: str, answers: str) -> None:
    file = cheap(
        evaluator={"failing": 0.0},
        archive={"kind": archive, "objective": "score", **ARCHIVES[archive]},
        emitters=[{"kind": emitter, **EMITTERS.get(emitter, {})}],
        search={"seed": 1, "chunk": 5, "window": 10, "order": "id"},
        log={"keep": log, "every": 2},
        budget={"evaluations": 25},
    )
    module = next(path for path in file.parent.glob("cheap_*.py"))
    module.write_text(module.read_text() + EVALUATOR)
    text = file.read_text()
    file.write_text(text.replace(":Sums", ":Few").replace("failing: 0.0", f"answers: {answers}"))
    run = qd.run(file, out="out")
    assert run.count == 25
    counts = run.summary()["evaluations"]
    assert counts["ok"] == {"none": 0, "one": 1, "few": 3, "equal": 25}[answers]
    assert len(run.elites()) == len(run.archive)
