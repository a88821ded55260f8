"""What a search has been told so far, in columns, for emitters that learn from all of it."""

from __future__ import annotations

import numpy as np

from search_spaces import Genotype, Genotypes, SearchSpace
from search_spaces.genes import to_json
from search_spaces.genes.encoding import Encoding

from ..space_hooks import canonicals_of, keys_of
from .base import Told


class Observations:
    """All candidates that have an answer, in the order in which they were reported.

    Args:
        space: whose genes give the encoding.
        totals: whether lists are encoded with totals.

    Raises:
        ValueError: the space has genes of a kind that cannot be encoded.
    """

    def __init__(self, space: SearchSpace, totals: bool = True) -> None:
        self._space = space
        self._canonical = type(space).canonical is not SearchSpace.canonical
        try:
            self.encoding = Encoding(space.genes, totals)
        except TypeError as error:
            raise ValueError(f"genotypes of {type(space).__name__} cannot be made numbers: {error}") from error
        self.genotypes: list[Genotype] = []
        self.keys: set[str] = set()
        """Of every candidate that was told, answer or not."""
        self._objectives: list[float] = []
        self._rows: list[np.ndarray] = []
        self._metrics: dict[str, list[float]] = {}

    def __len__(self) -> int:
        return len(self.genotypes)

    def append(self, told: Told) -> None:
        """Take in what was told."""
        trees = self._space.genes.trees(told.genotypes)
        self.keys.update(keys_of(self._space, trees))
        rows = np.flatnonzero(np.isfinite(told.objectives)).tolist()
        if not rows:
            return
        new = [trees[row] for row in rows]
        self.genotypes += new
        self._rows += list(self.encode(new))
        self._objectives += told.objectives[rows].tolist()
        for name, column in told.metrics.items():
            self._metrics.setdefault(name, []).extend(column[rows].tolist())

    def keys_of(self, genotypes: Genotypes) -> list[str]:
        """N texts: equal architectures have equal keys."""
        return keys_of(self._space, self._space.genes.trees(genotypes))

    def canonical(self, genotypes: Genotypes) -> tuple[Genotypes, list[str]]:
        """What stands for each architecture, and the keys; quicker than `encode` and `keys_of` apart."""
        if not self._canonical:
            return genotypes, self.keys_of(genotypes)
        forms = canonicals_of(self._space, self._space.genes.trees(genotypes))
        own_keys = type(self._space).key is not SearchSpace.key
        return forms, self.keys_of(genotypes) if own_keys else [to_json(form) for form in forms]

    def encode(self, genotypes: Genotypes) -> np.ndarray:
        """(N, D) float64: equal architectures have equal rows."""
        return self.encode_canonical(self.canonical(genotypes)[0])

    def encode_canonical(self, genotypes: Genotypes) -> np.ndarray:
        """The same of what stands for each architecture."""
        return self.encoding.encode(genotypes)

    def rows(self, first: int) -> np.ndarray:
        """(first, D) float64, of the first this many observations."""
        return np.stack(self._rows[:first])

    def objectives(self, first: int) -> np.ndarray:
        """(first,) float64, signed: more is better."""
        return np.array(self._objectives[:first])

    def metric(self, name: str, first: int) -> np.ndarray:
        """(first,) float64, in the metric's own unit; NaN where it has none."""
        return np.array(self._metrics[name][:first])
