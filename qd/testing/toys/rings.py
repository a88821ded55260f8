"""An archive of rings around the middle of its axes, and an executor that evaluates the last batch first."""

from collections import deque
from collections.abc import Sequence

import numpy as np

from qd.archives import Axis, CellArchive, Objective
from qd.candidates import Candidates
from qd.executors import InlineExecutor


class Rings(CellArchive):
    """A cell is a ring, all axes scaled to [0, 1].

    Args:
        objective: what makes the best.
        axes: one for each measure.
        rings: how many.
        outside: "drop" or "clip".
    """

    def __init__(self, objective: Objective, axes: Sequence[Axis], rings: int = 6, outside: str = "drop") -> None:
        super().__init__(objective, axes, outside)
        self.rings = rings

    @property
    def cells(self) -> int:
        return self.rings

    def cells_of(self, positions: np.ndarray) -> np.ndarray:
        radius = np.linalg.norm(self.shares(positions) - 0.5, axis=1) / np.sqrt(len(self.axes) / 4)
        return np.minimum(self.rings - 1, (radius * self.rings).astype(np.int64))

    def emptied(self) -> "Rings":
        return type(self)(self.objective, self.axes, self.rings, "clip" if self.clips else "drop")


class LastFirst(InlineExecutor):
    """Evaluates in this process, the batch that came last first; `ahead` batches are taken at once."""

    def __init__(self, evaluator, ahead: int = 3) -> None:
        super().__init__(evaluator)
        self.ahead = ahead
        self._queue: deque[Candidates]

    @property
    def slots(self) -> int:
        return self.ahead

    def submit(self, candidates: Candidates) -> None:
        self._queue.appendleft(candidates)
