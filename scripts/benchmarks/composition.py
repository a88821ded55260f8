"""Composing trained modules: accuracy, and evaluations to 95% of the best, with and without a library and a surrogate.

A library is made from six tasks (scripts/runs/reuse_library.yaml). Then, on a new task with 100 training examples
(scripts/runs/reuse.yaml) and with equal evaluations: (a) new networks only, (b) random compositions, (c) `map_elites`
on compositions, (d) `guided` by the library's records. All on a coarse map, so that (c) and (d) need not fill many
cells. The best is that of the four searches of a seed.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import numpy as np

from qd.analysis.run import Run, open_run
from qd.runs.campaign import Job, perform
from qd.transfer.stream import stream, test_accuracy

from .figures import Figure

RUNS = Path(__file__).resolve().parents[1] / "runs"
SEEDS = range(5)
EVALUATIONS = 50
SHARE_OF_BEST = 0.95
WITHIN = 0.01
"""Accuracy that a reused network may lack beside the best new one."""
METHODS = {
    "(a) new networks": ("null", "{kind: map_elites, initial: 10}"),
    "(b) random compositions": ("LIBRARY", "{kind: random}"),
    "(c) map_elites": ("LIBRARY", "{kind: map_elites, initial: 10}"),
    "(d) guided": ("LIBRARY", "{kind: guided, surrogate: own, initial: 0, pool: 4000, refit: 4}"),
}


def figures() -> list[Figure]:
    """Makes the library and all searches, two at a time."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        made = stream(RUNS / "reuse_library.yaml", folder / "stream", alone=False)
        assert made is not None
        perform([job for seed in SEEDS for job in _jobs(folder, seed)], processes=2)
        return _figures(folder)


def _jobs(folder: Path, seed: int) -> list[Job]:
    library = folder / "stream" / "library"
    common = (
        f"search.seed={seed}",
        f"budget={{evaluations: {EVALUATIONS}}}",
        "archive.measures[0].bins=4",
        "archive.measures[1].bins=3",
    )
    return [
        Job(
            f"{method} {seed}",
            RUNS / "reuse.yaml",
            _place(folder, method, seed),
            (*common, f"space.library={known.replace('LIBRARY', str(library))}", f"emitters=[{emitter}]"),
        )
        for method, (known, emitter) in METHODS.items()
    ]


def _place(folder: Path, method: str, seed: int) -> Path:
    return folder / f"{method[1]}-{seed}"


def _figures(folder: Path) -> list[Figure]:
    accuracies: dict[str, list[float]] = {method: [] for method in METHODS}
    tested: dict[str, list[float]] = {method: [] for method in METHODS}
    needed: dict[str, list[float]] = {method: [] for method in METHODS}
    shares, gains = [], []
    for seed in SEEDS:
        runs = {method: open_run(_place(folder, method, seed)) for method in METHODS}
        columns = {method: _answers(run) for method, run in runs.items()}
        best = max(float(accuracy.max()) for accuracy, _ in columns.values())
        for method, (accuracy, _) in columns.items():
            reached = np.flatnonzero(accuracy >= SHARE_OF_BEST * best)
            needed[method].append(int(reached[0]) + 1 if len(reached) else EVALUATIONS + 1)
            accuracies[method].append(100 * float(accuracy.max()))
            elite = runs[method].archive.best
            assert elite is not None
            tested[method].append(100 * test_accuracy(runs[method].folder.path, elite.candidate))
        fresh, fresh_parameters = columns["(a) new networks"]
        accuracy, parameters = columns["(d) guided"]
        good = parameters[accuracy >= fresh.max() - WITHIN]
        shares.append(100 * float(good.min()) / float(fresh_parameters[fresh.argmax()]) if len(good) else 100.0)
        gains.append(100 * float(accuracy.max() - fresh.max()))
        for run in runs.values():
            run.close()
    ratios = [d / c for d, c in zip(needed["(d) guided"], needed["(c) map_elites"], strict=True)]
    at_least = f"evaluations to {SHARE_OF_BEST:.0%} of the best ({EVALUATIONS + 1}: not reached)"
    return [
        *(Figure(f"{method}: best validation accuracy", values, "%") for method, values in accuracies.items()),
        *(Figure(f"{method}: its accuracy on test examples", values, "%") for method, values in tested.items()),
        *(Figure(f"{method}: {at_least}", values, "") for method, values in needed.items()),
        Figure("(d) / (c): evaluations", ratios, "×", 0.5),
        Figure("trained parameters of a reused network within 1 point of the best new one", shares, "%", 20),
        Figure("(d) - (a): best validation accuracy", gains, "points"),
    ]


def _answers(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Accuracies and trained parameters in the order of the answers; an evaluation without one counts as 0."""
    rows = run.query("SELECT IFNULL(val_accuracy, 0), IFNULL(trained_parameters, 0) FROM results ORDER BY rowid")
    table = np.array(rows, dtype=np.float64)
    return table[:, 0], table[:, 1]
