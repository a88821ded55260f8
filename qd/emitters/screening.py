"""Chooses among proposals by what is known of them before they are evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from search_spaces import Genotypes, Metric, SearchSpace

from ..archives import Archive, CellArchive
from ..errors import suggest
from .base import KnownMetrics

SAMPLE = 8
"""Random genotypes, to see whether anything is known of genotypes before an evaluation."""


def is_known(known: KnownMetrics, space: SearchSpace, archive: Archive) -> bool:
    """Whether any measure is known of some random genotypes."""
    some = space.genes.sample_many(SAMPLE, np.random.default_rng(0))
    return bool(known(some, [axis.metric for axis in archive.axes]))


def check_known(
    key: str, names: Sequence[str], metrics: Mapping[str, Metric], known: KnownMetrics, space: SearchSpace
) -> None:
    """Refuse names of what is no metric, or is not known of some random genotypes before an evaluation.

    Args:
        key: of the run file, that named them.
        names: of metrics.
        metrics: that are reported.
        known: what is known.
        space: gives the genotypes.

    Raises:
        ValueError: says which, and what to do.
    """
    for name in names:
        if name not in metrics:
            raise ValueError(f"{key}: there is no metric {name!r}{suggest(name, list(metrics))}")
    found = known(space.genes.sample_many(SAMPLE, np.random.default_rng(0)), names)
    if missing := [name for name in names if name not in found]:
        raise ValueError(
            f"{key}: nothing is known of {' and '.join(missing)} before an evaluation; name what is, such as"
            " parameters, or a score of untrained networks that `metrics` lists"
        )


def known_positions(known: KnownMetrics, genotypes: Genotypes, archive: Archive) -> np.ndarray:
    """(N, M) float64, on the archive's axes; NaN where a measure is not known, or has no place there."""
    found = known(genotypes, [axis.metric for axis in archive.axes])
    nothing = np.full(len(genotypes), np.nan)
    return np.stack([axis.position(found.get(axis.metric, nothing)) for axis in archive.axes], axis=1)


def better_half(scores: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(M,) int64 rows, ascending: of each group those with the higher scores, half of them and at least one.

    Args:
        scores: (N,) float64, more is better; NaN is worst.
        groups: (N,) int64, which row belongs where.
    """
    kept = []
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        order = np.argsort(-np.nan_to_num(scores[rows], nan=-np.inf), kind="stable")
        kept.append(rows[order[: -(-len(rows) // 2)]])
    return np.sort(np.concatenate(kept))


def weakest(positions: np.ndarray, groups: np.ndarray, archive: CellArchive, rng: np.random.Generator) -> np.ndarray:
    """Rows that would fall into the emptiest or weakest cells: one of each group, in the order of the groups.

    Within a group the row wins whose cell is empty, or has the worst elite; ties are drawn. A cell that an earlier
    group took counts as filled by the best value. What falls nowhere comes last.

    Args:
        positions: (N, M) float64, on the axes; rows with NaN fall nowhere.
        groups: (N,) int64, which row belongs where.
        archive: is only read.
        rng: draws among equals.
    """
    placed = np.isfinite(positions).all(axis=1)
    cells, to_beat = np.full(len(positions), -1), np.full(len(positions), np.inf)
    if placed.any():
        cells[placed], to_beat[placed] = archive.to_beat(positions[placed])
    ties = rng.random(len(positions))
    taken: set[int] = set()
    chosen: list[int] = []
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        used = np.array([cell in taken for cell in cells[rows].tolist()])
        row = int(rows[np.lexsort((ties[rows], to_beat[rows], used & np.isfinite(to_beat[rows])))[0]])
        chosen.append(row)
        if cells[row] >= 0:
            taken.add(int(cells[row]))
    return np.array(chosen, dtype=np.int64)
