"""What every archive must do."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from ..archives import Archive, Axis, CellArchive, Insertion
from ..errors import UsageError


@dataclass(frozen=True)
class Rows:
    """Results in columns over N, in the order in which they are added; genotypes say of which evaluation they are."""

    evaluations: np.ndarray
    metrics: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.evaluations)

    def take(self, rows: Sequence[int] | np.ndarray) -> Rows:
        """The given rows, in the given order."""
        rows = np.asarray(rows, dtype=np.int64)
        return Rows(self.evaluations[rows], {name: column[rows] for name, column in self.metrics.items()})

    def add_to(self, archive: Archive) -> list[Insertion]:
        """Add all in one call; a candidate's id is ten times its evaluation's."""
        genotypes = [{"of": evaluation} for evaluation in self.evaluations.tolist()]
        return archive.add(self.evaluations, 10 * self.evaluations, self.metrics, genotypes)


class ArchiveConformance:
    """The contract of `Archive`, as tests. Give `make_archive`, which returns an empty one that drops what is outside.

    class TestMyArchive(ArchiveConformance):
        @pytest.fixture
        def make_archive(self):
            return lambda: MyArchive(Objective("score", "maximise", 0, 1, ""), [Axis("x", 0, 1, 5, "linear", "")])

    Give it few cells, so that results meet in them.
    """

    size = 200
    """Results that are added."""

    @pytest.fixture
    def make_archive(self) -> Callable[[], Archive]:
        """Makes the archive under test, empty; each call makes an equal one."""
        raise NotImplementedError("give the suite a fixture `make_archive` that returns a function without arguments")

    @pytest.fixture
    def archive(self, make_archive: Callable[[], Archive]) -> Archive:
        """An empty one."""
        return make_archive()

    @pytest.fixture
    def rows(self, archive: Archive) -> Rows:
        """Results within the axes, no two of which are equally good."""
        return draw_rows(archive, self.size, np.random.default_rng(0))

    @pytest.fixture
    def reference(self) -> Callable[[Rows], dict[int, int]] | None:
        """`reference(rows)` returns {cell: evaluation of its elite}, found by a plain loop; None: there is none."""
        return None

    def test_begins_empty(self, archive: Archive) -> None:
        facts = (len(archive), archive.coverage, archive.qd_score, archive.normalised_qd_score, archive.outside)
        assert facts == (0, 0.0, 0.0, 0.0, 0)
        assert archive.best is None
        assert list(archive.occupied) == []
        assert repr(archive)

    def test_what_is_better_enters_and_what_is_equal_or_worse_does_not(self, archive: Archive, rows: Rows) -> None:
        one = rows.take([0] * 5)
        objective = archive.objective
        steps = np.linspace(0.2, 0.8, 3) * (objective.high - objective.low)
        low, middle, high = objective.sign * objective.worst + objective.sign * steps
        values = np.array([middle, middle, low, high, high])
        told = Rows(np.arange(1, 6), {**one.metrics, objective.metric: values}).add_to(archive)
        assert [(one.evaluation, one.displaced) for one in told] == [(1, None), (4, 1)]
        assert told[0].cell == told[1].cell
        assert len(archive) == 1
        elite = archive.elites[told[0].cell]
        assert (elite.evaluation, elite.candidate, elite.objective, elite.genotype) == (4, 40, high, {"of": 4})

    def test_rows_cut_into_calls_in_any_way_give_the_same_archive(
        self, make_archive: Callable[[], Archive], rows: Rows
    ) -> None:
        whole = make_archive()
        expected = rows.add_to(whole)
        for step in (1, 7, 64):
            cut = make_archive()
            told = [
                insertion
                for first in range(0, len(rows), step)
                for insertion in rows.take(range(first, min(len(rows), first + step))).add_to(cut)
            ]
            assert told == expected, f"calls of {step} rows"
            assert dict(cut.elites) == dict(whole.elites)
            assert list(cut.occupied) == list(whole.occupied)
            assert cut.qd_score == pytest.approx(whole.qd_score)
            assert (cut.outside, cut.best) == (whole.outside, whole.best)

    def test_cells_that_are_there_from_the_start_hold_the_same_in_any_order(
        self, make_archive: Callable[[], Archive], rows: Rows
    ) -> None:
        one, other = make_archive(), make_archive()
        if not isinstance(one, CellArchive):
            pytest.skip("the order of results may decide what the cells are")
        rows.add_to(one)
        rows.take(np.random.default_rng(1).permutation(len(rows))).add_to(other)
        assert dict(one.elites) == dict(other.elites)

    def test_what_entered_tells_how_the_archive_came_about(self, archive: Archive, rows: Rows) -> None:
        sign = archive.objective.sign
        values = dict(zip(rows.evaluations.tolist(), rows.metrics[archive.objective.metric].tolist(), strict=True))
        cells: dict[int, int] = {}
        for one in rows.add_to(archive):
            assert one.displaced == cells.get(one.cell), f"{one}: the cell held {cells.get(one.cell)}"
            if one.displaced is not None:
                assert sign * values[one.evaluation] > sign * values[one.displaced], f"{one} is no better"
            cells[one.cell] = one.evaluation
        assert {cell: elite.evaluation for cell, elite in archive.elites.items()} == cells
        assert list(archive.occupied) == list(cells)

    def test_statistics_follow_from_the_elites(self, archive: Archive, rows: Rows) -> None:
        rows.add_to(archive)
        objective, elites = archive.objective, list(archive.elites.values())
        assert 0 < len(archive) == len(elites) == len(archive.occupied) <= archive.cells
        assert archive.coverage == len(elites) / archive.cells
        shares = [objective.sign * elite.objective - objective.worst for elite in elites]
        assert archive.qd_score == pytest.approx(sum(shares))
        span = (objective.high - objective.low) * archive.cells
        assert archive.normalised_qd_score == pytest.approx(sum(shares) / span)
        best = max(elites, key=lambda elite: (objective.sign * elite.objective, -elite.evaluation))
        assert archive.best == best
        assert archive.outside == 0

    def test_what_is_outside_or_no_number_is_counted_and_dropped(self, archive: Archive, rows: Rows) -> None:
        rows.add_to(archive)
        before, outside = dict(archive.elites), 0
        for axis in archive.axes:
            strange = [np.nan] if axis.categories else [np.nan, axis.low - 1, 2 * axis.high + 1]
            for value in strange:
                one = rows.take([0])
                perfect = {archive.objective.metric: np.array([_perfect(archive)]), axis.metric: np.array([value])}
                assert Rows(np.array([10_000]), one.metrics | perfect).add_to(archive) == [], (
                    f"{axis.metric} is {value}"
                )
                outside += 1
                assert archive.outside == outside, f"{axis.metric} is {value}"
        nothing = {archive.objective.metric: np.array([np.nan])}
        assert Rows(np.array([10_000]), rows.take([0]).metrics | nothing).add_to(archive) == []
        assert archive.outside == outside, "a result without an objective lies within the axes"
        assert dict(archive.elites) == before

    def test_positions_lie_within_the_axes_and_cells_have_names(self, archive: Archive, rows: Rows) -> None:
        rows.add_to(archive)
        low, high = np.array([axis.bounds() for axis in archive.axes]).T
        assert archive.elites.positions.shape == (len(archive), len(archive.axes))
        assert ((archive.elites.positions >= low) & (archive.elites.positions <= high)).all()
        by_evaluation = {evaluation: row for row, evaluation in enumerate(rows.evaluations.tolist())}
        chosen = [by_evaluation[evaluation] for evaluation in archive.elites.evaluations.tolist()]
        for place, axis in enumerate(archive.axes):
            expected = axis.position(rows.metrics[axis.metric][chosen])
            np.testing.assert_allclose(archive.elites.positions[:, place], expected)
        names = [archive.position(cell) for cell in archive.occupied]
        assert all(isinstance(part, int) for name in names for part in name), f"a cell's name is of ints: {names[0]}"
        assert len(set(names)) == len(names), "two cells have one name"

    def test_an_emptied_one_begins_anew(self, archive: Archive, rows: Rows) -> None:
        rows.add_to(archive)
        anew = archive.emptied()
        assert type(anew) is type(archive)
        assert (len(anew), anew.qd_score, anew.outside, anew.best) == (0, 0.0, 0, None)
        assert (anew.objective, anew.axes, anew.clips) == (archive.objective, archive.axes, archive.clips)
        rows.add_to(anew)
        assert dict(anew.elites) == dict(archive.elites)

    def test_what_the_log_keeps_makes_it_again(
        self, archive: Archive, rows: Rows, make_archive: Callable[[], Archive]
    ) -> None:
        again = make_archive()
        again.restore(json.loads(json.dumps(archive.recorded())))
        for one in (archive, again):
            rows.add_to(one)
        assert dict(again.elites) == dict(archive.elites)

    def test_pictures_find_the_cells(self, archive: Archive, rows: Rows) -> None:
        rows.add_to(archive)
        middles = archive.middles()
        assert middles.shape == (len(archive), len(archive.axes))
        assert ((middles >= 0) & (middles <= 1)).all()
        corners = archive.corners() if len(archive.axes) <= 2 else None
        if corners is not None:
            assert sorted(corners) == list(range(archive.cells))
            assert all(shape.shape[1] == 2 and ((shape >= 0) & (shape <= 1)).all() for shape in corners.values())

    def test_what_is_to_beat_says_what_would_enter(self, archive: Archive, rows: Rows) -> None:
        if not isinstance(archive, CellArchive):
            pytest.skip("where a result belongs depends on the others")
        half = len(rows) // 2
        rows.take(range(half)).add_to(archive)
        signed = archive.objective.sign * rows.metrics[archive.objective.metric]
        for row in range(half, len(rows)):
            one = rows.take([row])
            position = np.stack([axis.position(one.metrics[axis.metric]) for axis in archive.axes], axis=1)
            (cell,), (value,) = archive.to_beat(position)
            entered = one.add_to(archive)
            assert bool(entered) == (archive.elites[int(cell)].evaluation == int(one.evaluations[0]))
            assert bool(entered) == bool(signed[row] > value) or value == archive.objective.worst
            assert all(insertion.cell == cell for insertion in entered)

    def test_parents_are_drawn_from_all_elites_by_the_generator(self, archive: Archive, rows: Rows) -> None:
        rows.add_to(archive)
        slots = archive.draw(50 * len(archive), np.random.default_rng(3))
        assert set(slots.tolist()) == set(range(len(archive)))
        assert slots.tolist() == archive.draw(50 * len(archive), np.random.default_rng(3)).tolist()

    def test_a_fold_gives_elites_their_genotypes_afterwards(self, archive: Archive, rows: Rows) -> None:
        archive.add(rows.evaluations, 10 * rows.evaluations, rows.metrics, [None] * len(rows))
        archive.set_genotypes({10 * evaluation: {"of": evaluation} for evaluation in rows.evaluations.tolist()})
        assert [elite.genotype["of"] for elite in archive.elites.values()] == archive.elites.evaluations.tolist()

    def test_equals_a_plain_loop(
        self, archive: Archive, rows: Rows, reference: Callable[[Rows], dict[int, int]] | None
    ) -> None:
        if reference is None:
            pytest.skip("no `reference` is given")
        rows.add_to(archive)
        assert {cell: elite.evaluation for cell, elite in archive.elites.items()} == reference(rows)

    def test_the_copy_for_pyribs_agrees(self, archive: Archive, rows: Rows) -> None:
        rows.add_to(archive)
        try:
            copy: Any = archive.pyribs
        except UsageError:
            pytest.skip("pyribs has no such archive")
        data = copy.data()
        found = dict(zip(data["solution"].tolist(), data["objective"].tolist(), strict=True))
        expected = {elite.evaluation: archive.objective.sign * elite.objective for elite in archive.elites.values()}
        assert found.keys() == expected.keys()
        assert [found[id] for id in expected] == pytest.approx(list(expected.values()))
        assert copy.stats.num_elites == len(archive)
        assert copy.stats.qd_score == pytest.approx(archive.qd_score)


def draw_rows(archive: Archive, size: int, rng: np.random.Generator) -> Rows:
    """Results that lie evenly within an archive's axes and its objective's range, whose objectives all differ."""
    objective = archive.objective
    shares = (rng.permutation(size) + 0.5) / size
    metrics = {objective.metric: objective.low + shares * (objective.high - objective.low)}
    metrics |= {axis.metric: _draw(axis, size, rng) for axis in archive.axes}
    return Rows(np.arange(1, size + 1), metrics)


def _draw(axis: Axis, size: int, rng: np.random.Generator) -> np.ndarray:
    if axis.categories:
        return rng.choice(axis.categories, size)
    low, high = axis.bounds()
    return axis.values(low + rng.random(size) * (high - low))


def _perfect(archive: Archive) -> float:
    return archive.objective.high if archive.objective.sign > 0 else archive.objective.low
