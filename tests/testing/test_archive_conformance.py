"""All archives keep the contract, and the suite notices archives that do not."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np
import pytest

from qd.archives import Archive, Axis, CategoricalArchive, CVTArchive, GridArchive, Objective, UnstructuredArchive
from qd.testing import ArchiveConformance
from qd.testing.archives import Rows, draw_rows

SCORE = Objective("score", "maximise", -1.0, 3.0, "")
LOSS = Objective("loss", "minimise", 0.0, 2.0, "nat")
X, Y = Axis("x", -1.0, 4.0, 5, "linear", "units"), Axis("y", 1.0, 1000.0, 3, "log", "MAC")
KINDS, PARITY = (
    Axis("kind", -0.5, 2.5, 3, "linear", "", (1.0, 4.0, 2.5)),
    Axis("odd", -0.5, 1.5, 2, "linear", "", (0.0, 1.0)),
)
CENTROIDS = np.random.default_rng(0).random((15, 2))

MAKERS: dict[str, Callable[[], Archive]] = {
    "grid": lambda: GridArchive(SCORE, [X, Y]),
    "grid_minimised": lambda: GridArchive(LOSS, [X, Y]),
    "grid_of_one_axis": lambda: GridArchive(SCORE, [Y]),
    "grid_with_categories": lambda: GridArchive(SCORE, [X, KINDS]),
    "categorical": lambda: CategoricalArchive(SCORE, [KINDS, PARITY]),
    "cvt": lambda: CVTArchive.around(SCORE, [X, Y], CENTROIDS),
    "cvt_minimised": lambda: CVTArchive.around(LOSS, [X, Y], CENTROIDS),
    "unstructured": lambda: UnstructuredArchive(SCORE, [X, Y], 0.2),
    "unstructured_of_three_neighbours": lambda: UnstructuredArchive(LOSS, [X, Y], 0.3, neighbours=3),
}


def best_of_nearest(rows: Rows, objective: Objective, cells: np.ndarray) -> dict[int, int]:
    best: dict[int, tuple[float, int]] = {}
    values = objective.sign * rows.metrics[objective.metric]
    for cell, value, evaluation in zip(cells.tolist(), values.tolist(), rows.evaluations.tolist(), strict=True):
        if cell not in best or value > best[cell][0]:
            best[cell] = (value, evaluation)
    return {cell: evaluation for cell, (_, evaluation) in best.items()}


def on_a_grid(rows: Rows) -> dict[int, int]:
    x = np.minimum(4, np.floor(rows.metrics["x"] + 1)).astype(int)
    y = np.minimum(2, np.floor(np.log10(rows.metrics["y"]))).astype(int)
    return best_of_nearest(rows, SCORE, 3 * x + y)


def on_a_tessellation(rows: Rows) -> dict[int, int]:
    places = np.stack([(rows.metrics["x"] + 1) / 5, np.log10(rows.metrics["y"]) / 3], axis=1)
    return best_of_nearest(rows, SCORE, np.linalg.norm(places[:, None] - CENTROIDS, axis=2).argmin(axis=1))


def of_categories(rows: Rows) -> dict[int, int]:
    kinds = np.array([KINDS.categories.index(value) for value in rows.metrics["kind"].tolist()])
    return best_of_nearest(rows, SCORE, 2 * kinds + rows.metrics["odd"].astype(int))


def far_apart(rows: Rows) -> dict[int, int]:
    places = np.stack([(rows.metrics["x"] + 1) / 5, np.log10(rows.metrics["y"]) / 3], axis=1)
    cells: list[int] = []
    for row in range(len(rows)):
        distances = [float(np.linalg.norm(places[row] - places[other])) for other in cells]
        if not cells or min(distances) >= 0.2:
            cells.append(row)
        elif rows.metrics["score"][row] > rows.metrics["score"][cells[nearest := int(np.argmin(distances))]]:
            cells[nearest] = row
    return {cell: int(rows.evaluations[row]) for cell, row in enumerate(cells)}


REFERENCES = {"grid": on_a_grid, "categorical": of_categories, "cvt": on_a_tessellation, "unstructured": far_apart}


@pytest.mark.parametrize("case", MAKERS)
class TestArchives(ArchiveConformance):
    @pytest.fixture
    def make_archive(self, case: str) -> Callable[[], Archive]:
        return MAKERS[case]

    @pytest.fixture
    def reference(self, case: str) -> Callable[[Rows], dict[int, int]] | None:
        return REFERENCES.get(case)


class LastWins(GridArchive):
    def add(self, evaluations, candidates, metrics, genotypes):
        worst = np.full(len(evaluations), self.objective.low)
        for slot, _ in enumerate(self.elites):
            self.elites._objectives[slot] = self.objective.low  # type: ignore[attr-defined]
        return super().add(
            evaluations, candidates, {**metrics, "score": worst + np.arange(len(evaluations)) * 1e-3}, genotypes
        )


class BestOfTheBatch(GridArchive):
    """Takes the best of a call alone."""

    def add(self, evaluations, candidates, metrics, genotypes):
        rows = [int(np.nanargmax(metrics["score"]))] if len(evaluations) else []
        columns = {name: column[rows] for name, column in metrics.items()}
        return super().add(
            np.asarray(evaluations)[rows], np.asarray(candidates)[rows], columns, [genotypes[i] for i in rows]
        )


class Silent(GridArchive):
    def add(self, evaluations, candidates, metrics, genotypes):
        return super().add(evaluations, candidates, metrics, genotypes)[:1]


class CountsNobody(GridArchive):
    def add(self, evaluations, candidates, metrics, genotypes):
        told = super().add(evaluations, candidates, metrics, genotypes)
        self.outside = 0
        return told


class Underrates(GridArchive):
    @property
    def coverage(self) -> float:
        return super().coverage / 2


class KeepsTheScore(GridArchive):
    def emptied(self):
        anew = super().emptied()
        anew.qd_score = self.qd_score
        return anew


class OneName(GridArchive):
    def position(self, cell):
        return (0, 0)


class FirstParent(GridArchive):
    def draw(self, n, rng):
        return np.zeros(n, dtype=np.int64)


class Shifted(GridArchive):
    def cells_of(self, positions):
        return (super().cells_of(positions) + 1) % self.cells


class StrangeCopy(GridArchive):
    @property
    def pyribs(self):
        return self.emptied().pyribs if len(self) else super().pyribs


@pytest.mark.parametrize(
    ("archive", "test"),
    [
        (LastWins, "what_is_better_enters_and_what_is_equal_or_worse_does_not"),
        (BestOfTheBatch, "rows_cut_into_calls_in_any_way_give_the_same_archive"),
        (BestOfTheBatch, "what_is_better_enters_and_what_is_equal_or_worse_does_not"),
        (Silent, "what_entered_tells_how_the_archive_came_about"),
        (CountsNobody, "what_is_outside_or_no_number_is_counted_and_dropped"),
        (Underrates, "statistics_follow_from_the_elites"),
        (KeepsTheScore, "an_emptied_one_begins_anew"),
        (OneName, "positions_lie_within_the_axes_and_cells_have_names"),
        (FirstParent, "parents_are_drawn_from_all_elites_by_the_generator"),
        (Shifted, "equals_a_plain_loop"),
        (StrangeCopy, "the_copy_for_pyribs_agrees"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_archive_is_noticed(archive: type[GridArchive], test: str) -> None:
    suite = ArchiveConformance()
    made = archive(SCORE, [X, Y])
    rows = draw_rows(made, suite.size, np.random.default_rng(0))
    given = {
        "archive": made,
        "make_archive": lambda: archive(SCORE, [X, Y]),
        "rows": rows,
        "reference": on_a_grid,
    }
    method = getattr(suite, f"test_{test}")
    with pytest.raises(AssertionError, match=r"assert|Not equal"):
        method(**{name: given[name] for name in inspect.signature(method).parameters})
