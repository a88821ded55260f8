"""What it costs to reach a map: CPU-seconds to the verified QD score that plain MAP-Elites ends with.

Plain MAP-Elites trains its candidates one by one. Each other way of searching gets the same map, data and training, and
stops at the CPU time that the plain one took. Every now and then its elites are noted; afterwards they are trained
again from two fresh seeds and scored on the test split, which no search sees, and the sum over the cells is compared
with that of the plain search at its end. Whatever a way does beside training, models and metrics included, counts.

Two problems: `sparse_moe` on digits, and a `chain` on human activity. One seed of both with 1,000 evaluations takes
about two hours; `--only`, `--seeds` and `--evaluations` choose.
"""

from __future__ import annotations

import bisect
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import qd
from qd.archives import Archive
from qd.candidates import Candidates, Purpose, Status
from qd.config import check
from qd.runs import problem
from qd.search.problem import Problem

from .figures import Figure

SEEDS, EVALUATIONS = 5, 1000
CHUNK = 8
NOTED = 1.2
"""Elites are noted whenever the CPU time has grown by this factor."""
FIRST = 0.01
"""Of the plain search's CPU time, when elites are noted first."""
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
}
ALL = "stacks, guided, rungs"


class _Enough(Exception):  # noqa: N818 - no error: the time is up
    pass


@dataclass
class _Noted:
    """The elites of a search at some times.

    Args:
        seconds: CPU time of each.
        elites: {cell: genotype} of each.
    """

    seconds: list[float] = field(default_factory=list)
    elites: list[dict[int, Any]] = field(default_factory=list)


def figures(names: Sequence[str] = (), seeds: int = SEEDS, evaluations: int = EVALUATIONS) -> list[Figure]:
    """How many times cheaper each way reaches the plain search's map; and what the plain search reached."""
    unknown = set(names) - PROBLEMS.keys()
    if unknown:
        raise SystemExit(f"there is no problem {', '.join(sorted(unknown))}; known: {', '.join(PROBLEMS)}")
    found = []
    for name, parts in ((name, PROBLEMS[name]) for name in names or PROBLEMS):
        cheaper: dict[str, list[float]] = {way: [] for way in WAYS}
        plain_seconds, plain_scores = [], []
        for seed in range(seeds):
            judge = _Judge(parts)
            plain = _search(parts, {}, seed, evaluations, alone=True)
            target, spent = judge.score(plain.elites[-1]), plain.seconds[-1]
            plain_scores.append(target)
            plain_seconds.append(spent)
            for way, changes in WAYS.items():
                noted = _search(parts, changes, seed, evaluations, most=spent)
                reached = judge.first(noted, target)
                cheaper[way].append(spent / reached if reached else 0.0)
                print(f"{name}, seed {seed}, {way}: {cheaper[way][-1]:.2f} times cheaper", file=sys.stderr, flush=True)
        found.append(Figure(f"{name}: plain MAP-Elites, {evaluations} evaluations one by one", plain_seconds, "CPU-s"))
        found.append(Figure(f"{name}: its verified QD score, by test accuracy", plain_scores, ""))
        for way, times in cheaper.items():
            target = TARGET if way == ALL else None
            label = f"{name}: {way}, times cheaper (0: not reached in the same time)"
            found.append(Figure(label, times, "×", target, "higher"))
    return found


def _search(
    parts: dict[str, Any],
    changes: dict[str, Any],
    seed: int,
    evaluations: int,
    alone: bool = False,
    most: float = float("inf"),
) -> _Noted:
    """Run a search in this process, and note its elites; it is ended after `most` CPU-seconds."""
    data = {**parts, "emitters": [{"kind": "map_elites"}], **changes}
    data["search"] = {"seed": seed, "chunk": CHUNK, **changes.get("search", {})}
    if alone:
        data["evaluator"] = {**data["evaluator"], "stack": 1}
    data["budget"] = {"evaluations": evaluations if alone else 20 * evaluations}
    noted, started = _Noted(), time.process_time()

    def note(search: Any) -> None:
        spent = time.process_time() - started
        due = NOTED * noted.seconds[-1] if noted.seconds else (0.0 if most == float("inf") else FIRST * most)
        if spent >= due:
            noted.seconds.append(spent)
            noted.elites.append(_elites(search.archive))
        if spent >= most:
            raise _Enough

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "run.yaml"
        file.write_text(_yaml(data))
        try:
            run = qd.run(file, out=Path(folder) / "run", progress=note)
        except _Enough:
            return noted
        noted.seconds.append(time.process_time() - started)
        noted.elites.append(_elites(run.archive))
        run.close()
    return noted


def _elites(archive: Archive) -> dict[int, Any]:
    elites = archive.elites
    slots = np.arange(len(archive))
    return dict(zip(elites.cells, elites.genotypes(slots), strict=True))


def _yaml(data: dict[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(data)


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

    def first(self, noted: _Noted, target: float) -> float | None:
        """CPU-seconds at which the verified score reaches a target, by bisection; None where it never does."""
        if self.score(noted.elites[-1]) < target:
            return None
        index = bisect.bisect_left(
            range(len(noted.elites)), True, key=lambda at: self.score(noted.elites[at]) >= target
        )
        return noted.seconds[index]

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
