"""Statistics of values: rank correlation, and a test that compares groups of runs."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from typing import NamedTuple

import numpy as np


class MannWhitney(NamedTuple):
    """Whether values of one group tend to be greater than those of another."""

    u: float
    """Pairs of which the first group's value is greater; ties count half."""
    p: float
    """Two-sided and exact: the share of all ways to divide the values whose U is at least as far from the middle."""
    superiority: float
    """Chance that a value of the first group is greater (Vargha & Delaney's A), in [0, 1]: the effect size."""


def mean_ranks(values: np.ndarray) -> np.ndarray:
    """(N,) ranks from 1 on, the least first; tied values share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (counts.cumsum() - (counts - 1) / 2)[inverse]


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float | None:
    """Spearman's correlation of two (N,) arrays, in [-1, 1]; tied values share their mean rank.

    None where it is not defined: either never varies.
    """
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(np.corrcoef(mean_ranks(first), mean_ranks(second))[0, 1])


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> MannWhitney:
    """The exact two-tailed Mann-Whitney U test, ties included.

    All ways to divide the pooled values into groups of these sizes are counted by dynamic programming over sums of
    ranks; tied values share their mean rank. `scipy.stats.mannwhitneyu` is exact only without ties.
    """
    n, m = len(first), len(second)
    if not n or not m:
        raise ValueError(f"mann_whitney: expected values in both groups, got {n} and {m}")
    ranks = np.rint(2 * mean_ranks(np.concatenate([first, second]))).astype(int)  # doubled: mean ranks are halves
    observed, middle = int(ranks[:n].sum()), n * (n + m + 1)
    ways = [np.zeros(int(ranks.sum()) + 1, dtype=object) for _ in range(n + 1)]  # Python's integers: they get large
    ways[0][0] = 1
    for rank in ranks.tolist():
        for size in range(n, 0, -1):
            ways[size][rank:] += ways[size - 1][: len(ways[size]) - rank]
    sums = np.arange(len(ways[n]))
    extreme = ways[n][np.abs(sums - middle) >= abs(observed - middle)].sum()
    u = observed / 2 - n * (n + 1) / 2
    return MannWhitney(u, int(extreme) / comb(n + m, n), u / (n * m))
