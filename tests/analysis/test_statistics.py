"""The exact test."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, spearmanr

from qd.analysis.statistics import mann_whitney, rank_correlation


@pytest.mark.parametrize("sizes", [(20, 20), (3, 5), (14, 14), (7, 20), (1, 1)])
def test_without_ties_it_equals_scipys(sizes):
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=sizes[0]), rng.normal(size=sizes[1]) + 0.7
    expected = mannwhitneyu(first, second, method="exact")
    found = mann_whitney(first.tolist(), second.tolist())
    assert (found.u, found.p) == (expected.statistic, pytest.approx(expected.pvalue, rel=1e-12))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=5), st.lists(st.integers(0, 3), min_size=1, max_size=5))
def test_with_ties_it_counts_all_ways_to_divide_the_values(first, second):
    def u(a, b) -> float:
        return sum((x > y) + 0.5 * (x == y) for x in a for y in b)

    pooled = first + second
    middle = len(first) * len(second) / 2
    ways = []
    for chosen in combinations(range(len(pooled)), len(first)):
        rest = [pooled[i] for i in range(len(pooled)) if i not in chosen]
        ways.append(abs(u([pooled[i] for i in chosen], rest) - middle))
    found = mann_whitney(first, second)
    assert found.u == u(first, second)
    assert found.p == pytest.approx(np.mean([way >= abs(found.u - middle) for way in ways]))
    assert found.superiority == found.u / (len(first) * len(second))


def test_fourteen_runs_are_the_least_that_can_reach_the_papers_level():
    assert mann_whitney(range(14), range(20, 34)).p < 1e-7 < mann_whitney(range(13), range(20, 33)).p


def test_an_empty_group_is_refused():
    with pytest.raises(ValueError, match="expected values in both groups, got 0 and 1"):
        mann_whitney([], [1.0])


def test_rank_correlation_is_spearmans_and_none_where_nothing_varies():
    rng = np.random.default_rng(3)
    for _ in range(20):
        first, second = rng.integers(0, 6, 12).astype(float), rng.integers(0, 6, 12).astype(float)
        assert rank_correlation(first, second) == pytest.approx(spearmanr(first, second)[0])
    rising = np.arange(5.0)
    assert rank_correlation(rising, rising**3) == pytest.approx(1)
    assert rank_correlation(rising, -rising) == pytest.approx(-1)
    assert rank_correlation(rising, np.ones(5)) is None
    assert rank_correlation(np.empty(0), np.empty(0)) is None
