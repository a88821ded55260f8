"""Who goes up a rung."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from qd.search.promotion import RULES, Rung

VALUES = np.array([0.9, 0.8, 0.7, 0.3, 0.2, 0.1])
CELLS = np.array([4, 4, 4, 7, 7, 2])
FEATURES = np.array([[-5.0], [-1.0], [-6.0], [-1.0], [-4.0], [-0.5]])
RUNG = Rung(VALUES, CELLS, FEATURES, {})


def promoted(rule: str, places: int, rung: Rung = RUNG, seed: int = 0) -> list[int]:
    return RULES[rule](rung, places, np.random.default_rng(seed))


def test_cells_take_turns():
    assert promoted("cell", 6) == [0, 3, 5, 1, 4, 2]
    assert promoted("cell", 2) == [0, 3]


def test_a_cell_that_was_promoted_from_waits_for_the_others():
    assert promoted("cell", 3, Rung(VALUES, CELLS, FEATURES, {4: 2, 7: 1, 9: 1})) == [5, 3, 0][:1] + [3, 4][:0] + [3, 0]


def test_the_best_wherever_they_lie():
    assert promoted("best", 4) == [0, 1, 2, 3]


def test_what_nothing_dominates_comes_first():
    # value and feature: 0, 1 and 5 are dominated by none; then 3 (by 1 alone) and 2, 4
    assert set(promoted("front", 3)) == {0, 1, 5}
    assert set(promoted("front", 5)) >= {0, 1, 5, 3}


def test_a_drawn_cell_gives_its_best_and_holes_are_filled_from_the_rest():
    firsts = Counter(promoted("drawn", 1, seed=seed)[0] for seed in range(600))
    assert set(firsts) == {0, 3, 5}
    assert min(firsts.values()) > 150
    assert all(sorted(promoted("drawn", 6, seed=seed)) == [*range(6)] for seed in range(20))
    emptied = Rung(VALUES[:3], CELLS[:3], FEATURES[:3], {7: 1, 2: 1})  # two cells of three have none left
    firsts = Counter(promoted("drawn", 1, emptied, seed)[0] for seed in range(900))
    assert firsts[0] > 420  # a third by its cell, and a third of the holes
    assert min(firsts[1], firsts[2]) > 130


@pytest.mark.parametrize("rule", RULES)
def test_no_more_are_promoted_than_there_are(rule):
    assert sorted(promoted(rule, 50)) == [*range(6)]
    assert promoted(rule, 0) == []
    assert promoted(rule, 3, Rung(VALUES[:0], CELLS[:0], FEATURES[:0], {})) == []
