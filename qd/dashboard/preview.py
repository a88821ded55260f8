"""The map as a still picture: seen at once, while the browser still loads what draws the one that answers to clicks."""

from __future__ import annotations

import base64

from matplotlib.colors import to_hex

from ..archives import Archive, widened
from ..plots.style import EMPTY, colours_of


def preview(archive: Archive) -> str | None:
    """An image address for the area within the axes, of any size; None where bins do not make the cells."""
    if not archive.binned:
        return None
    width, height = ([axis.bins for axis in archive.axes] + [1])[:2]
    values = archive.elites.objectives
    low, high = widened(float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    fills = colours_of(archive.objective)((values - low) / (high - low))
    cells = []
    for cell, fill in zip(archive.elites.cells, fills, strict=True):
        x, y = (*archive.position(cell), 0)[:2]
        cells.append(f'<rect x="{x}" y="{height - 1 - y}" width="1" height="1" fill="{to_hex(fill)}"/>')
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" preserveAspectRatio="none"'
        f' shape-rendering="crispEdges"><rect width="{width}" height="{height}" fill="{EMPTY}"/>{"".join(cells)}</svg>'
    )
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
