"""`noise: reevaluate`: the mean decides, and luck does not pile up."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

import qd
from qd.analysis.history import history
from qd.archives import Axis, CategoricalArchive, CVTArchive, GridArchive, Objective
from qd.candidates import Purpose
from qd.errors import UsageError
from qd.search.seeds import candidate_seed, shared_seed

SETTINGS = {
    "space": {"side": 12},
    "emitters": [{"kind": "map_elites", "initial": 20}, {"kind": "random", "weight": 0.3}],
    "search": {"chunk": 4, "window": 12, "order": "id", "noise": "reevaluate"},
    "budget": {"evaluations": 180},
}
PLANTED = '''
import numpy as np

from evaluators import Metric, SingleEvaluator
from search_spaces import Real, SearchSpace, Struct

TARGET = 0.7


class Hills(SearchSpace):
    genes = Struct(x=Real(0.0, 1.0), y=Real(0.0, 1.0), **{f"q{index}": Real(0.0, 1.0) for index in range(6)})


class Noisy(SingleEvaluator):
    """A smooth hill over six genes; what is seen of it is planted noise beside it. `truth` is without."""

    metrics = {
        "seen": Metric("", -4, 2),
        "truth": Metric("", -4, 1),
        "x": Metric("", 0, 1),
        "y": Metric("", 0, 1),
    }

    def __init__(self, noise: float = 0.3):
        self.noise = noise

    def evaluate_one(self, genotype, seed):
        truth = 1 - 4 * sum((genotype[f"q{index}"] - TARGET) ** 2 for index in range(6)) / 6
        seen = truth + self.noise * float(np.clip(np.random.default_rng(seed).normal(), -3, 3))
        return {"seen": seen, "truth": truth, "x": genotype["x"], "y": genotype["y"]}
'''


@pytest.mark.slow
def test_reevaluating_beats_not_at_equal_evaluations(workbench):
    """In corrected QD score: elites at what they are truly worth. Three searches each, alike but for the policy."""
    workbench.plugin.write_text(PLANTED)
    corrected, believed = {}, {}
    for noise in ("none", "reevaluate"):
        runs = [
            qd.run(
                workbench.write(
                    space={"kind": f"{workbench.module}:Hills"},
                    evaluator={"kind": f"{workbench.module}:Noisy"},
                    archive={
                        "objective": "seen",
                        "measures": [{"metric": name, "low": 0, "high": 1, "bins": 7} for name in ("x", "y")],
                    },
                    emitters=[{"kind": "map_elites", "initial": 100}],
                    search={"seed": seed, "order": "id", "chunk": 8, "noise": noise},
                    budget={"evaluations": 4000},
                ),
                out=f"{noise}_{seed}",
            )
            for seed in (1, 2, 3)
        ]
        assert {run.count for run in runs} == {4000}
        assert all((run.reevaluations > 400) == (noise == "reevaluate") for run in runs)
        corrected[noise] = [sum(run.elites()["truth"] + 4) / (5 * 49) for run in runs]
        believed[noise] = [sum(run.elites()["seen"] + 4) / (5 * 49) for run in runs]
    for none, reevaluate in zip(*corrected.values(), strict=True):
        assert reevaluate > none
    assert 1 - np.mean(corrected["reevaluate"]) < 0.85 * (1 - np.mean(corrected["none"]))  # what is left to gain
    luck = {noise: np.mean(believed[noise]) - np.mean(corrected[noise]) for noise in corrected}
    assert luck["reevaluate"] < 0.7 * luck["none"]


def interrupted_everywhere(file, folder, moments: random.Random) -> int:
    """Run, stop and resume until the end; returns how often it was stopped."""
    times, resumed = 0, False
    while True:
        left = moments.randint(1, 4)

        def stop(search):
            nonlocal left
            left -= 1
            if not left:
                raise RuntimeError("power cut")

        try:
            if resumed:
                qd.resume(folder, progress=stop)
            else:
                qd.run(file, out=folder, progress=stop)
        except RuntimeError:
            times, resumed = times + 1, True
        else:
            return times


@pytest.mark.parametrize(("failing", "seed"), [(0.0, 0), (0.3, 1)])
def test_a_run_stopped_anywhere_and_resumed_equals_one_that_was_not(workbench, log_tables, failing, seed):
    settings = SETTINGS | {"evaluator": {"kind": f"{workbench.module}:Trained", "failing": failing}}
    whole = qd.run(workbench.write(**settings), out="whole")
    assert whole.reevaluations > 20
    assert interrupted_everywhere(workbench.folder / "run.yaml", "parts", random.Random(seed)) > 8
    parts = qd.open_run("parts")
    assert parts.archive.elites == whole.archive.elites
    assert list(parts.archive.elites) == list(whole.archive.elites)
    assert log_tables(whole.folder.path, resumed=True) == log_tables(parts.folder.path, resumed=True)
    assert parts.summary()["reevaluations"] == whole.summary()["reevaluations"]


MOVING = '''


class Moving(Trained):
    """Places are seen with noise, so elites leave their cells, and come back."""

    def evaluate_one(self, genotype, seed):
        found = super().evaluate_one(genotype, seed)
        return {**found, "width": min(30.0, found["width"] + 9 * (seed / 2**53))}
'''


def test_weights_are_those_of_elites_also_where_elites_move_and_after_resumes(workbench):
    workbench.plugin.write_text(workbench.plugin.read_text() + MOVING)
    settings = SETTINGS | {"evaluator": {"kind": f"{workbench.module}:Moving"}}
    seen = []

    def look(search):
        seen.append(search._folder.with_weights() - set(search.archive.elites.evaluations.tolist()))

    whole = qd.run(workbench.write(**settings), out="whole", progress=look)
    assert whole.reevaluations > 20
    assert not any(seen)
    interrupted_everywhere(workbench.folder / "run.yaml", "parts", random.Random(1))
    parts = qd.open_run("parts")
    assert parts.archive.elites == whole.archive.elites
    assert parts.folder.with_weights() == whole.folder.with_weights()


def test_the_live_archive_is_the_one_that_is_folded_from_the_log(workbench):
    search, _ = workbench.search("run", **SETTINGS)
    run = qd.open_run("run")
    assert {cell: elite[:3] for cell, elite in search.archive.elites.items()} == {
        cell: elite[:3] for cell, elite in run.archive.elites.items()
    }
    assert search.archive.qd_score == run.archive.qd_score
    assert search.archive.best is not None
    assert run.archive.best is not None
    assert search.archive.best[:3] == run.archive.best[:3]
    assert search.evaluations == sum(run.counts.values()) == 180
    assert search.reevaluations == run.reevaluations > 0


def test_elites_are_the_best_means_of_all_that_was_evaluated(workbench):
    run = qd.run(workbench.write(**SETTINGS), out="run")
    scores: dict[int, list[float]] = {}
    cells: dict[int, tuple[int, int]] = {}
    for row in run.evaluations().to_dict("records"):
        if row["status"] == "ok":
            scores.setdefault(row["id"], []).append(row["score"])
            cells[row["id"]] = (int(row["width"] // 3), int(row["height"] // 3))
    means = {id: float(np.mean(values)) for id, values in scores.items()}
    best: dict[tuple[int, int], float] = {}
    for id, cell in cells.items():
        best[cell] = max(best.get(cell, 0.0), means[id])
    elites = run.elites()
    assert set(elites["cell"]) == set(best)
    for row in elites.to_dict("records"):
        assert row["objective"] == row["score"] == pytest.approx(best[row["cell"]])
        assert row["samples"] == len(scores[row["id"]])
    assert run.records(elites)[0]["samples"] >= 1
    assert run.summary()["best"]["metrics"]["score"] == pytest.approx(elites["score"][0])
    projected = run.project(["order"], bins=6)
    assert {elite.candidate for elite in projected.elites.values()} <= set(means)
    for elite in projected.elites.values():
        assert elite.objective == pytest.approx(means[elite.candidate])


def test_who_fights_over_a_cell_is_evaluated_again_under_a_seed_of_its_own(workbench):
    run = qd.run(workbench.write(**SETTINGS), out="run")
    rows = run.query(
        "SELECT candidate, repeat, seed, shared_seed, batch FROM evaluations WHERE purpose = 'reevaluation' ORDER BY id"
    )
    repeats: Counter[int] = Counter()
    for candidate, repeat, seed, shared, _ in rows:
        repeats[candidate] += 1
        assert repeat == repeats[candidate]
        assert seed == candidate_seed(3, candidate, Purpose.REEVALUATION, repeat)
        assert shared == shared_seed(3, Purpose.REEVALUATION, repeat)
    assert len({seed for _, _, seed, _, _ in rows}) == len(rows)
    shared = {}
    for _, _, _, one, batch in rows:
        assert shared.setdefault(batch, one) == one  # what is sent together shares its seed
    displaced = {
        candidate
        for pair in run.query(
            "SELECT a.candidate, b.candidate FROM insertions JOIN evaluations a ON a.id = evaluation"
            " JOIN evaluations b ON b.id = displaced"
        )
        for candidate in pair
    }
    assert repeats.keys() <= displaced


def test_history_tells_means(workbench):
    run = qd.run(workbench.write(**SETTINGS), out="run")
    frame = history(run)
    last = frame.iloc[-1]
    assert last["evaluations"] == 180
    assert last["qd_score"] == run.archive.qd_score
    assert last["elites"] == len(run.archive)
    assert last["best"] == run.elites()["objective"][0]
    assert np.diff(frame["qd_score"].to_numpy()).min() < 0  # luck that is unmasked costs score


def test_counts_are_shown(workbench, qd_command):
    qd.run(workbench.write(**SETTINGS), out="run")
    run = qd.open_run("run")
    assert f"{run.reevaluations} of them of elites and challengers again" in qd_command("show", "run").out
    assert "samples" in qd_command("elites", "run").out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"log": "accepted"}, "needs every evaluation in the log"),
        (
            {
                "archive": {
                    "kind": "unstructured",
                    "novelty": 0.1,
                    "measures": [{"metric": "width", "low": 0, "high": 30}],
                }
            },
            "needs an archive whose cells stay what they are",
        ),
        (
            {"archive": {"refine": [{"evaluations": 50, "bins": 20}]}},
            "needs an archive whose cells stay what they are",
        ),
    ],
)
def test_what_cannot_be_averaged_is_refused(workbench, changes, message):
    with pytest.raises(UsageError, match=message):
        qd.run(workbench.write(**SETTINGS | changes), out="run")


def archives():
    objective = Objective("score", "minimise", 0.0, 1.0, "")
    axes = [Axis("a", 0, 1, 3, "linear", ""), Axis("b", 0, 1, 2, "linear", "")]
    centroids = np.random.default_rng(0).random((5, 2))
    named = Axis("a", -0.5, 2.5, 3, "linear", "", (0.0, 1.0, 2.0))
    return {
        "grid": GridArchive(objective, axes),
        "clipped": GridArchive(objective, axes, "clip"),
        "cvt": CVTArchive.around(objective, axes, centroids),
        "categorical": CategoricalArchive(objective, [named]),
    }


@pytest.mark.parametrize("kind", archives())
@pytest.mark.parametrize("seed", range(5))
def test_averages_equal_a_plain_archive_of_means(kind, seed):
    """Cut into calls anyhow, with measures that scatter too, so that candidates move between cells."""
    rng = np.random.default_rng(seed)
    averaged, plain = archives()[kind], archives()[kind]
    averaged.average()
    rows = 200
    candidates = rng.integers(0, 40, rows)
    home = {name: rng.random(40) for name in ("a", "b")}
    metrics: dict[str, np.ndarray] = {"score": rng.random(rows)}
    for name in ("a", "b"):
        metrics[name] = home[name][candidates] + rng.normal(0, 0.2, rows)
    if kind == "categorical":
        metrics["a"] = (candidates % 3).astype(np.float64)
    start = 0
    while start < rows:
        stop = start + int(rng.integers(1, 20))
        part = {name: column[start:stop] for name, column in metrics.items()}
        size = len(part["a"])
        averaged.add(np.arange(start, start + size), candidates[start:stop], part, [None] * size)
        start = stop
    order = list(dict.fromkeys(candidates.tolist()))
    means = {name: np.array([column[candidates == id].mean() for id in order]) for name, column in metrics.items()}
    firsts = [int(np.flatnonzero(candidates == id)[0]) for id in order]
    plain.add(firsts, order, means, [None] * len(order))
    assert set(averaged.elites) == set(plain.elites)
    for cell, elite in plain.elites.items():
        assert averaged.elites[cell].candidate == elite.candidate
        assert averaged.elites[cell].evaluation == elite.evaluation
        assert averaged.elites[cell].objective == pytest.approx(elite.objective)
    assert averaged.qd_score == pytest.approx(plain.qd_score)
    assert averaged.best.candidate == plain.best.candidate
