"""Mutation that prefers the genes that decide the objective."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from search_spaces import Gene, Genotypes, SearchSpace, Vector

from ..surrogates.attribution import Attribution, gene_groups
from ..surrogates.base import FEWEST_ROWS
from ..surrogates.forest import Forest
from .base import Told
from .observations import Observations


class ImportanceBias:
    """Draws the gene that mutates in proportion to the mean weight of all genes plus its own importance.

    After AutoBuild (Mills et al. 2024, arXiv 2403.13293), which narrows a space to its important modules. Deviations:
    importance is a forest's, as `qd importance` reports it, fitted to the observations so far; and no gene is left out:
    one that decides nothing yet is drawn half as often, or more, as it would be if all were equal.

    Args:
        space: with genes that are trees.

    Raises:
        ValueError: its genotypes are vectors, or cannot be made numbers.
    """

    def __init__(self, space: SearchSpace) -> None:
        if isinstance(space.genes, Vector):
            raise ValueError(
                f"bias: importance needs genes that are trees, and those of {type(space).__name__} are none"
            )
        self._genes = space.genes
        self._observations = Observations(space, totals=False)
        self._weights: Mapping[Gene, float] = {}
        self.fitted = 0
        """To this many observations."""

    def tell(self, told: Told) -> None:
        """Take in what was told."""
        self._observations.append(told)

    def fit_if_due(self) -> None:
        """Learn again where observations are half as many again as those that the weights are from."""
        if len(self._observations) >= max(4 * FEWEST_ROWS, self.fitted * 3 // 2):
            self.fit(len(self._observations))

    def fit(self, first: int) -> None:
        """Learn from the first this many observations; from none, all genes weigh the same."""
        self.fitted = first
        if not first:
            return
        rows, columns = self._observations.rows(first), self._observations.encoding.columns
        forest = Forest()
        forest.fit(rows, self._observations.objectives(first))
        attribution = Attribution(forest, rows, columns, np.random.default_rng(first))
        weights: dict[Gene, float] = defaultdict(float)
        for part in gene_groups(columns).values():
            weights[columns[part[0]].gene] += attribution.total(part)
        mean = sum(weights.values()) / len(weights)
        self._weights = {gene: mean + weight for gene, weight in weights.items()} if mean else {}  # nothing decides it

    def mutate_many(self, genotypes: Genotypes, rng: np.random.Generator) -> Genotypes:
        """Return one mutant of each; the genotypes are not changed."""
        return [self._genes.mutate_by_weight(genotype, rng, self._weights) for genotype in genotypes]
