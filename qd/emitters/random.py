"""Random sampling: the control that every search must beat."""

from __future__ import annotations

import numpy as np

from ..archives import GridArchive
from .base import Emitter, Proposals


class Random(Emitter):
    """Draws every genotype afresh from the space's genes."""

    def ask(self, n: int, archive: GridArchive, rng: np.random.Generator) -> Proposals:
        return Proposals([self.space.genes.sample(rng) for _ in range(n)], [()] * n, ["sample"] * n)
