"""Where the cells of an archive lie, in the units of its measures."""

from __future__ import annotations

import numpy as np
from scipy.spatial import Voronoi

from ..archives import Archive, Axis, CVTArchive, GridArchive

Outline = np.ndarray
"""(V, 2) corners of a cell; an archive of one measure lies between 0 and 1 in the second direction."""


def values_of(archive: Archive) -> dict[int, float]:
    """{cell: objective} of the elites."""
    return dict(zip(archive.elites.cells, archive.elites.objectives.tolist(), strict=True))


def grid_of(archive: GridArchive, values: dict[int, float]) -> np.ndarray:
    """(bins, bins), or (bins, 1), of a grid's values; NaN where a cell has none."""
    bins = [axis.bins for axis in archive.axes]
    table = np.full(bins, np.nan)
    for cell, value in values.items():
        table[archive.position(cell)] = value
    return table if len(bins) == 2 else table[:, None]


def outlines(archive: Archive) -> dict[int, Outline]:
    """{cell: its corners} of all cells of an archive of one or two measures.

    An unstructured archive has no cells but those of its elites, and no bounds between them: a small square stands for
    each.
    """
    if isinstance(archive, CVTArchive):
        corners = _tessellation(archive.centroids)
        return {cell: _in_units(archive, scaled) for cell, scaled in enumerate(corners)}
    if isinstance(archive, GridArchive):
        return {cell: _bin(archive, cell) for cell in range(archive.cells)}
    return {cell: square(archive, middle) for cell, middle in middles(archive).items()}


def middles(archive: Archive) -> dict[int, np.ndarray]:
    """{cell: (2,) a point inside} of the elites' cells: the middle of a bin, a centroid, or the elite itself."""
    if isinstance(archive, CVTArchive):
        points = archive.centroids[archive.elites.cells]
    elif isinstance(archive, GridArchive):
        bins = np.array([axis.bins for axis in archive.axes])
        points = (np.array([archive.position(cell) for cell in archive.elites]).reshape(-1, len(bins)) + 0.5) / bins
    else:
        low, high = np.array([axis.bounds() for axis in archive.axes]).T
        points = (archive.elites.positions - low) / (high - low)
    if points.shape[1] == 1:
        points = np.column_stack([points, np.full(len(points), 0.5)])
    return dict(zip(archive.elites, _in_units(archive, points), strict=True))


def square(archive: Archive, middle: np.ndarray, side: float = 0.03) -> Outline:
    """A square of a share of the picture around a point."""
    scaled = _scaled(archive, middle)
    return _in_units(archive, scaled + side / 2 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]))


def _bin(archive: GridArchive, cell: int) -> Outline:
    sides = [axis.edges()[index : index + 2] for axis, index in zip(archive.axes, archive.position(cell), strict=True)]
    (left, right), (bottom, top) = sides if len(sides) == 2 else (*sides, (0.0, 1.0))
    return np.array([[left, bottom], [right, bottom], [right, top], [left, top]])


def _tessellation(centroids: np.ndarray) -> list[Outline]:
    """Corners of what is nearest to each centroid, within [0, 1] × [0, 1]."""
    if centroids.shape[1] == 1:
        order = np.argsort(centroids[:, 0])
        ordered = centroids[order, 0]
        edges = np.concatenate([[0.0], (ordered[1:] + ordered[:-1]) / 2, [1.0]])
        found: list[Outline] = [np.empty(0)] * len(order)
        for index, cell in enumerate(order.tolist()):
            left, right = edges[index], edges[index + 1]
            found[cell] = np.array([[left, 0.0], [right, 0.0], [right, 1.0], [left, 1.0]])
        return found
    # Mirrored at the four sides, so that the regions of the centroids themselves end there.
    mirrored = [centroids]
    for axis in (0, 1):
        for side in (0.0, 1.0):
            image = centroids.copy()
            image[:, axis] = 2 * side - image[:, axis]
            mirrored.append(image)
    diagram = Voronoi(np.concatenate(mirrored))
    regions = [diagram.regions[diagram.point_region[cell]] for cell in range(len(centroids))]
    return [np.clip(diagram.vertices[region], 0.0, 1.0) for region in regions]


def _in_units(archive: Archive, scaled: np.ndarray) -> np.ndarray:
    """(P, 2) shares of the axes → units of the measures."""
    columns = [_units(axis, scaled[:, index]) for index, axis in enumerate(archive.axes[:2])]
    return np.column_stack(columns if len(columns) == 2 else [*columns, scaled[:, 1]])


def _scaled(archive: Archive, point: np.ndarray) -> np.ndarray:
    """(2,) in units of the measures → shares of the axes."""
    shares = []
    for index, axis in enumerate(archive.axes[:2]):
        low, high = axis.bounds()
        value = np.log10(point[index]) if axis.scale == "log" else point[index]
        shares.append((value - low) / (high - low))
    return np.array(shares if len(shares) == 2 else [*shares, point[1]])


def _units(axis: Axis, shares: np.ndarray) -> np.ndarray:
    low, high = axis.bounds()
    positions = low + shares * (high - low)
    return 10.0**positions if axis.scale == "log" else positions
