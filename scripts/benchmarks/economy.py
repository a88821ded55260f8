"""What it costs to reach a map: CPU-seconds to the verified QD score that plain MAP-Elites ends with.

Plain MAP-Elites trains its candidates one by one. Each other way of searching gets the same map, data and training.
Every now and then, once its own QD score is near that of the plain search's end, its elites are judged: trained again
from two fresh seeds and scored on the test split, which no search sees, and summed over the cells. A way ends as soon
as that reaches the plain search's sum, or at the CPU time that the plain search took. Whatever a way does beside
training, models and metrics included, counts; judging does not.

Two problems: `sparse_moe` on digits, and a `chain` on human activity; `--only`, `--seeds` and `--evaluations` choose.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

import qd
from qd.analysis.run import Run
from qd.archives import Archive
from qd.candidates import Candidates, Purpose, Status
from qd.config import check
from qd.runs import problem
from qd.search.problem import Problem

from .figures import Figure

SEEDS, EVALUATIONS = 5, 1000
CHUNK = 8
JUDGED = 1.1
"""Elites are judged whenever the CPU time has grown by this factor."""
NEAR = 0.95
"""Of the plain search's own QD score, from which on elites are judged."""
FRESH_SEEDS = (11, 12)
TARGET = 20.0

DIGITS: dict[str, Any] = {
    "space": {"kind": "sparse_moe"},
    "evaluator": {"kind": "supervised", "data": {"kind": "digits"}, "training": {"epochs": 9, "batch_size": 50}},
    "archive": {
        "objective": {"metric": "val_accuracy", "low": 0.1},
        "measures": [
            {"metric": "parameters", "low": 600, "high": 40_000, "bins": 15, "scale": "log"},
            {"metric": "expert_entropy", "low": 0, "high": 1, "bins": 6},
        ],
    },
}
ACTIVITY: dict[str, Any] = {
    "space": {
        "kind": "chain",
        "port": "tokens",
        "modules": ["dense", "gated_unit", "mixture", "state_space", "attention"],
        "width": [16, 32],
        "depth": [1, 4],
        "patch": 8,
    },
    "evaluator": {
        "kind": "supervised",
        "data": {"kind": "human_activity", "split": {"train": 500, "validation": 500}},
        "training": {"epochs": 9, "batch_size": 50, "learning_rate": 0.006},
    },
    "archive": {
        "objective": {"metric": "val_accuracy", "low": 0.1},
        "measures": [
            {"metric": "parameters", "low": 1000, "high": 30_000, "bins": 15, "scale": "log"},
            {"metric": "expert_entropy", "low": 0, "high": 1, "bins": 6},
        ],
    },
}
PROBLEMS = {"digits": DIGITS, "activity": ACTIVITY}
"""`sparse_moe` on digits; a `chain` of modules on human activity."""

RUNGS = {"rungs": {"fidelities": ["1/9", "1/3", 1], "promote": "cell", "continue": True}}
WAYS: dict[str, dict[str, Any]] = {
    "stacks": {},
    "stacks, 8 children for each place": {"emitters": [{"kind": "map_elites", "screen": {"children": 8}}]},
    "stacks, guided": {"emitters": [{"kind": "guided"}]},
    "stacks, rungs": {"search": RUNGS},
    "stacks, inherited weights": {"search": {"inherit": True}},
    "stacks, guided, rungs": {"emitters": [{"kind": "guided"}], "search": RUNGS},
    "larger stacks, guided": {"emitters": [{"kind": "guided"}], "search": {"chunk": 24}},
    "larger stacks, guided, rungs": {"emitters": [{"kind": "guided"}], "search": {**RUNGS, "chunk": 24}},
}
ALL = "larger stacks, guided, rungs"


class _Reached(Exception):  # noqa: N818 - no error: the search may end
    pass


class _OutOfTime(Exception):  # noqa: N818 - no error either
    pass


def figures(
    names: Sequence[str] = (), seeds: int = SEEDS, evaluations: int = EVALUATIONS, ways: Sequence[str] = ()
) -> list[Figure]:
    """How many times cheaper each way reaches the plain search's map; and what the plain search reached."""
    for what, given, known in (("problem", names, PROBLEMS), ("way", ways, WAYS)):
        if unknown := set(given) - known.keys():
            raise SystemExit(f"there is no {what} {'; '.join(sorted(unknown))}. Known: {'; '.join(known)}")
    chosen = {way: WAYS[way] for way in ways or WAYS}
    found = []
    for name, parts in ((name, PROBLEMS[name]) for name in names or PROBLEMS):
        cheaper: dict[str, list[float]] = {way: [] for way in chosen}
        plain_seconds, plain_scores = [], []
        for seed in range(seeds):
            judge = _Judge(parts)
            goal = _plain(parts, seed, evaluations, judge)
            plain_scores.append(goal.verified)
            plain_seconds.append(goal.seconds)
            print(f"{name}, seed {seed}, plain: {goal}", file=sys.stderr, flush=True)
            for way, changes in chosen.items():
                reached = _seconds_to(goal, {**parts, **changes}, seed, evaluations, judge)
                cheaper[way].append(goal.seconds / reached if reached else 0.0)
                print(f"{name}, seed {seed}, {way}: {cheaper[way][-1]:.2f} times cheaper", file=sys.stderr, flush=True)
        found.append(Figure(f"{name}: plain MAP-Elites, {evaluations} evaluations one by one", plain_seconds, "CPU-s"))
        found.append(Figure(f"{name}: its verified QD score, by test accuracy", plain_scores, ""))
        for way, times in cheaper.items():
            target = TARGET if way == ALL else None
            label = f"{name}: {way}, times cheaper (0: not reached in the same time)"
            found.append(Figure(label, times, "×", target, "higher"))
    return found


class _Goal(NamedTuple):
    """What the plain search came to: its CPU-seconds, its own QD score, and that of its elites trained again."""

    seconds: float
    own: float
    verified: float


def _plain(parts: dict[str, Any], seed: int, evaluations: int, judge: _Judge) -> _Goal:
    one_by_one = {**parts, "evaluator": {**parts["evaluator"], "stack": 1}}
    started = time.process_time()
    with _searched(one_by_one, seed, evaluations) as run:
        seconds = time.process_time() - started
        return _Goal(seconds, run.archive.qd_score, judge.score(_elites(run.archive)))


def _seconds_to(goal: _Goal, parts: dict[str, Any], seed: int, evaluations: int, judge: _Judge) -> float | None:
    """CPU-seconds until the judged score of a search is the goal's; None where it is not in the goal's time."""
    started, judging, last = time.process_time(), 0.0, 0.0

    def look(search: Any) -> None:
        nonlocal judging, last
        now = time.process_time()
        spent = now - started - judging
        if spent > goal.seconds:
            raise _OutOfTime
        if search.archive.qd_score >= NEAR * goal.own and spent >= JUDGED * last:
            last, score = spent, judge.score(_elites(search.archive))
            judging += time.process_time() - now
            if score >= goal.verified:
                raise _Reached

    try:
        with _searched(parts, seed, 20 * evaluations, look):
            return None
    except _Reached:
        return last
    except _OutOfTime:
        return None


@contextmanager
def _searched(
    parts: dict[str, Any], seed: int, evaluations: int, progress: Callable[[Any], None] = lambda search: None
) -> Iterator[Run]:
    """Run a search in this process to its end, or until `progress` raises something."""
    search = {"seed": seed, "chunk": CHUNK, **parts.get("search", {})}
    data = {"emitters": [{"kind": "map_elites"}], **parts, "search": search, "budget": {"evaluations": evaluations}}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "run.yaml"
        file.write_text(yaml.safe_dump(data))
        run = qd.run(file, out=Path(folder) / "run", progress=progress)
        try:
            yield run
        finally:
            run.close()


def _elites(archive: Archive) -> dict[int, Any]:
    elites = archive.elites
    slots = np.arange(len(archive))
    return dict(zip(elites.cells, elites.genotypes(slots), strict=True))


class _Judge:
    """Trains elites again from fresh seeds, each architecture once, and scores them on the test split."""

    def __init__(self, parts: dict[str, Any]) -> None:
        config = check({**parts, "budget": {"evaluations": 1}}, "economy")
        self._problem: Problem = problem.prepare(config, "economy", None)
        self._scores: dict[str, float] = {}

    def score(self, elites: dict[int, Any]) -> float:
        """Sum over cells of the mean test accuracy, above the archive's worst value."""
        space = self._problem.space
        keys = {cell: space.key(genotype) for cell, genotype in elites.items()}
        new = {keys[cell]: genotype for cell, genotype in elites.items() if keys[cell] not in self._scores}
        if new:
            self._scores.update(zip(new, self._train([*new.values()]), strict=True))
        worst = self._problem.archive.objective.worst
        return float(sum(self._scores[key] - worst for key in keys.values()))

    def _train(self, genotypes: Sequence[Any]) -> list[float]:
        accuracies = []
        for seed in FRESH_SEEDS:
            ids = np.arange(1, len(genotypes) + 1, dtype=np.int64)
            column = self._problem.space.genes.column(genotypes)
            seeds = 1000 * seed + ids
            candidates = Candidates(ids, ids, seeds, seed, column, purpose=Purpose.VERIFICATION)
            results = self._problem.evaluator.evaluate(candidates)
            order = np.argsort(results.evaluation_ids)
            assert (results.status == Status.OK).all(), results.errors
            accuracies.append(results.metrics["val_accuracy"][order])
        return np.mean(accuracies, axis=0).tolist()
