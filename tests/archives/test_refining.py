"""Grids that are cut finer as the search goes on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qd.archives import Axis, GridArchive, Objective, Refinement

SCORE = Objective("score", "maximise", 0.0, 1.0, "")
AXES = (Axis("x", 0.0, 0.7, 4, "linear", ""), Axis("y", 1.0, 1000.0, 3, "log", ""))


def refined_to(*bins: tuple[int, int]) -> GridArchive:
    """An archive that may be cut to these bins, one after the other."""
    return GridArchive(SCORE, AXES, "drop", [Refinement(evaluations=n, bins=list(b)) for n, b in enumerate(bins, 1)])


def add(archive: GridArchive, rows: list[tuple[float, float, float]], first: int = 1) -> None:
    score, x, y = np.array(rows, dtype=float).T
    ids = np.arange(first, first + len(rows))
    archive.add(ids, ids, {"score": score, "x": x, "y": y}, [None] * len(rows))


# shares of the axis that lie on, or a hair beside, the edges of coarse and fine bins
SHARE = st.builds(
    lambda share, hair: min(1.0, max(0.0, share + hair)),
    st.sampled_from([0.0, 1 / 12, 0.25, 1 / 3, 0.5, 7 / 12, 0.75, 0.99, 1.0]),
    st.sampled_from([0.0, 1e-16, -1e-16, 1e-9, -1e-9, 2e-7, -2e-7, 1e-3]),
)
ROW = st.tuples(st.floats(0, 1), SHARE.map(lambda s: 0.7 * s), SHARE.map(lambda s: min(1000.0, 1000.0**s)))


@given(st.lists(ROW, min_size=1, max_size=40), st.lists(ROW, max_size=20))
def test_no_elite_is_lost_and_the_score_stays_what_it_was(before, after):
    steps = ((12, 3), (24, 9), (96, 36))
    archive = refined_to(*steps)
    add(archive, before)
    evaluations, score = archive.elites.evaluations.tolist(), archive.qd_score
    for bins in steps:
        archive.refine(bins)
        assert archive.elites.evaluations.tolist() == evaluations
        assert archive.qd_score == score
        assert len(set(archive.occupied)) == len(evaluations)
        assert archive.cells == bins[0] * bins[1]
        assert archive.coverage == len(evaluations) / archive.cells
    if after:
        add(archive, after, first=1000)
    sums = sum(elite.objective for elite in archive.elites.values())
    assert archive.qd_score == pytest.approx(sums)
    best = archive.best
    assert best is not None
    assert best.objective == max(elite.objective for elite in archive.elites.values())


def test_each_elite_is_where_it_would_be_put_now() -> None:
    archive = refined_to((16, 15))
    rng = np.random.default_rng(0)
    add(archive, [(s, 0.7 * x, 1000.0**y) for s, x, y in rng.random((300, 3)).tolist()])
    archive.refine((16, 15))
    for cell, elite in list(archive.elites.items()):
        slot = archive.elites.slot(cell)
        assert slot is not None
        assert archive.cells_of(archive.elites.positions[[slot]]).tolist() == [cell]
        assert elite.evaluation == archive.elites.evaluations[slot]
    fresh = archive.emptied()
    assert fresh.cells_of(archive.elites.positions).tolist() == list(archive.occupied)


def test_refinements_come_when_they_are_due_and_once() -> None:
    steps = [(10, [8, 3]), (20, [8, 6]), (90, [16, 6])]
    refine = [Refinement(evaluations=evaluations, bins=bins) for evaluations, bins in steps]
    archive = GridArchive(SCORE, AXES, "drop", refine)
    assert archive.refine_if_due(9) is None
    assert archive.refine_if_due(10) == (8, 3)
    assert archive.refine_if_due(19) is None
    archive.refine((8, 6))  # as a fold replays it
    assert archive.refine_if_due(25) is None
    assert archive.refines
    assert archive.refine_if_due(1000) == (16, 6)
    assert not archive.refines
    assert [axis.bins for axis in archive.axes] == [16, 6]
