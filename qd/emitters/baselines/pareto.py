"""Sorting by several objectives at once, as NSGA-II does (Deb, Pratap, Agarwal & Meyarivan 2002)."""

from __future__ import annotations

import numpy as np

from ...compiled import njit


def pareto_order(values: np.ndarray) -> np.ndarray:
    """(N, M) float64, more is better → (N,) rows: by front, and within a front the least crowded first.

    Equal rows keep their order.
    """
    fronts = fronts_of(values)
    crowding = np.zeros(len(values))
    for front in np.unique(fronts):
        rows = np.flatnonzero(fronts == front)
        crowding[rows] = crowding_distances(values[rows])
    return np.lexsort((-crowding, fronts))


def fronts_of(values: np.ndarray) -> np.ndarray:
    """(N,) int64: 0 for what nothing dominates, 1 for what nothing but front 0 dominates, ..."""
    if values.shape[1] == 2:
        return _fronts_of_two(values, np.lexsort((-values[:, 1], -values[:, 0])))
    return _fronts(values)


def crowding_distances(values: np.ndarray) -> np.ndarray:
    """(N, M) values of one front → (N,) float64: how far a row's neighbours are; infinite at the ends."""
    distances = np.zeros(len(values))
    for column in values.T:
        order = np.argsort(column, kind="stable")
        span = column[order[-1]] - column[order[0]]
        distances[order[[0, -1]]] = np.inf
        if span > 0:
            distances[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / span
    return distances


@njit(cache=True)
def _fronts_of_two(values, order):
    """Jensen's sweep (2003): in falling order of the first, a row joins the first front whose second it exceeds.

    `lasts` holds the best second number of each front; it falls from front to front, so a bisection finds the place.
    """
    size = len(order)
    fronts = np.zeros(size, dtype=np.int64)
    lasts = np.empty(size)
    count = 0
    for index in range(size):
        row = order[index]
        before = order[index - 1]
        if index and values[row, 0] == values[before, 0] and values[row, 1] == values[before, 1]:
            fronts[row] = fronts[before]
            continue
        low, high = 0, count
        while low < high:
            middle = (low + high) // 2
            if lasts[middle] < values[row, 1]:
                high = middle
            else:
                low = middle + 1
        fronts[row] = low
        lasts[low] = values[row, 1]
        count = max(count, low + 1)
    return fronts


@njit(cache=True)
def _fronts(values):
    """Peel front after front."""
    size, width = values.shape
    fronts = np.full(size, -1, dtype=np.int64)
    left, front = size, 0
    while left:
        for row in range(size):
            if fronts[row] >= 0:
                continue
            dominated = False
            for other in range(size):
                if other == row or (0 <= fronts[other] < front):
                    continue
                better, worse = False, False
                for column in range(width):
                    better |= values[other, column] > values[row, column]
                    worse |= values[other, column] < values[row, column]
                if better and not worse:
                    dominated = True
                    break
            if not dominated:
                fronts[row] = front
        for row in range(size):
            left -= fronts[row] == front
        front += 1
    return fronts
