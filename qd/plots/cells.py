"""Where the cells of an archive lie, in the units of its measures."""

from __future__ import annotations

import numpy as np

from ..archives import Archive, Axis

Outline = np.ndarray
"""(V, 2) corners of a cell; an archive of one measure lies between 0 and 1 in the second direction."""


def values_of(archive: Archive) -> dict[int, float]:
    """{cell: objective} of the elites."""
    return dict(zip(archive.elites.cells, archive.elites.objectives.tolist(), strict=True))


def grid_of(archive: Archive, values: dict[int, float]) -> np.ndarray:
    """(bins, bins), or (bins, 1), of a grid's values; NaN where a cell has none."""
    bins = [axis.bins for axis in archive.axes]
    table = np.full(bins, np.nan)
    for cell, value in values.items():
        table[archive.position(cell)] = value
    return table if len(bins) == 2 else table[:, None]


def outlines(archive: Archive) -> dict[int, Outline]:
    """{cell: its corners} of all cells of an archive of one or two measures.

    Where cells have no bounds, a small square stands for each that holds an elite.
    """
    corners = archive.corners()
    if corners is None:
        return {cell: square(archive, middle) for cell, middle in middles(archive).items()}
    return {cell: _in_units(archive, scaled) for cell, scaled in corners.items()}


def middles(archive: Archive) -> dict[int, np.ndarray]:
    """{cell: (2,) a point inside} of the elites' cells: the middle of a bin, a centroid, or the elite itself."""
    points = archive.middles()
    if points.shape[1] == 1:
        points = np.column_stack([points, np.full(len(points), 0.5)])
    return dict(zip(archive.elites, _in_units(archive, points), strict=True))


def square(archive: Archive, middle: np.ndarray, side: float = 0.03) -> Outline:
    """A square of a share of the picture around a point."""
    scaled = _scaled(archive, middle)
    return _in_units(archive, scaled + side / 2 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]))


def _in_units(archive: Archive, scaled: np.ndarray) -> np.ndarray:
    """(P, 2) shares of the axes → units of the measures."""
    columns = [_units(axis, scaled[:, index]) for index, axis in enumerate(archive.axes[:2])]
    return np.column_stack(columns if len(columns) == 2 else [*columns, scaled[:, 1]])


def _scaled(archive: Archive, point: np.ndarray) -> np.ndarray:
    """(2,) in units of the measures → shares of the axes."""
    shares = []
    for index, axis in enumerate(archive.axes[:2]):
        position = np.log10(point[index]) if axis.scale == "log" else point[index]
        shares.append(float(axis.shares(position)))
    return np.array(shares if len(shares) == 2 else [*shares, point[1]])


def _units(axis: Axis, shares: np.ndarray) -> np.ndarray:
    positions = axis.between(shares)
    return 10.0**positions if axis.scale == "log" else positions
