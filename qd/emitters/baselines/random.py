"""Random sampling: the control that every search must beat."""

from __future__ import annotations

import numpy as np

from ...archives import Archive
from ..base import Emitter, Proposals


class Random(Emitter):
    """Draws every genotype afresh from the space's genes."""

    def ask(self, n: int, archive: Archive, rng: np.random.Generator) -> Proposals:
        return Proposals(self.space.genes.sample_many(n, rng), [()] * n, ["sample"] * n)
