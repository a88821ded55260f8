"""An emitter that mutates the best elite."""

from typing import Any

import numpy as np

from qd.archives import Archive
from qd.emitters.base import Emitter, Proposals
from search_spaces import SearchSpace


class Climber(Emitter):
    """Random genotypes first, then mutants of the best that was found.

    Args:
        space: gives the genes.
        initial: this many random genotypes come first.
    """

    def __init__(self, space: SearchSpace, initial: int = 20) -> None:
        super().__init__(space)
        self.initial = initial
        self._proposed = 0

    def ask(self, n: int, archive: Archive, rng: np.random.Generator) -> Proposals:
        sampling = self._proposed < self.initial or archive.best is None
        self._proposed += n
        genes = self.space.genes
        if sampling or archive.best is None:
            return Proposals(genes.sample_many(n, rng), [()] * n, ["sample"] * n)
        best = archive.best
        mutants = genes.mutate_many(genes.column([best.genotype] * n), rng)
        return Proposals(mutants, [(best.candidate,)] * n, ["mutation"] * n)

    def state(self) -> dict[str, Any]:
        return {"proposed": self._proposed}

    def restore(self, state: dict[str, Any]) -> None:
        self._proposed = state["proposed"]
