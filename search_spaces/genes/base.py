"""What a gene is: one part of a genotype, which can be drawn, checked, varied and read."""

from __future__ import annotations

import json
import operator
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .columns import Genotypes, copy_tree

Genotype = Any
"""Plain JSON data: None, bool, int, float, str, list or dict with str keys."""

Site = tuple["Gene", Any, Any]
"""A place that can mutate: the gene, the container that holds its value, and the key or index there."""

STEP = 0.1
"""Standard deviation of a numeric mutation, as a share of the gene's range (of its logarithm where `log=True`)."""


class Invalid(Exception):  # noqa: N818 - reads as what it says: `raise Invalid("...")`
    """A genotype that cannot stand for an architecture. The search counts it as `invalid`, not as a failure."""


class Gene(ABC):
    """What one part of a genotype may be.

    Attributes:
        leaf: None where `sites` is to be asked; else the gene has no place but its own, and this says whether another
            value is possible. A `Struct` looks at it, which saves a call for each of its fields.
    """

    leaf: bool | None = None

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> Genotype:
        """Draw a value; every allowed value has a chance."""

    @abstractmethod
    def validate(self, value: Genotype, path: str = "") -> None:
        """Raise `Invalid` with the path of the first value that is not allowed."""

    @abstractmethod
    def crossover(self, a: Genotype, b: Genotype, rng: np.random.Generator) -> Genotype:
        """Combine the aligned parts of two valid values into a new valid one; neither is changed nor shared."""

    @abstractmethod
    def step(self, value: Genotype, rng: np.random.Generator) -> Genotype:
        """Change this value itself, not what is nested in it. Returns an equal value where no other is possible."""

    @abstractmethod
    def readable(self, value: Genotype) -> str:
        """One line for people."""

    def sites(self, container: Any, key: Any, found: list[Site]) -> None:
        """Append every place in `container[key]` that can mutate."""
        found.append((self, container, key))

    def mutate(self, value: Genotype, rng: np.random.Generator) -> Genotype:
        """Change 1, 2, 3, ... random places with probability 1/2, 1/4, 1/8, ...; the result differs from `value`.

        Only where the gene allows a single value is an equal value returned.
        """
        return self.mutate_by_weight(value, rng, {})

    def mutate_by_weight(self, value: Genotype, rng: np.random.Generator, weights: Mapping[Gene, float]) -> Genotype:
        """Mutate where it matters.

        Args:
            value: is not changed.
            rng: draws.
            weights: above 0, of genes within this one: a gene is drawn in proportion, 1 where it has none, and then one
                of its places. Without any, every place is as likely, as `mutate` has it.
        """
        root = [copy_tree(value)]
        steps = 1
        while rng.random() < 0.5:
            steps += 1
        places = None
        for _ in range(steps):
            places = self._step_anywhere(root, rng, weights, places)
        if root[0] == value:
            self._step_anywhere(root, rng, weights, places)
        return root[0]

    # Whole columns. The defaults go row by row; `Vector` does without.

    def sample_many(self, n: int, rng: np.random.Generator) -> Genotypes:
        """Draw n values."""
        return [self.sample(rng) for _ in range(n)]

    def mutate_many(self, genotypes: Genotypes, rng: np.random.Generator) -> Genotypes:
        """Return one mutant of each; the genotypes are not changed."""
        return [self.mutate(genotype, rng) for genotype in genotypes]

    def crossover_many(self, first: Genotypes, second: Genotypes, rng: np.random.Generator) -> Genotypes:
        """Return one child of each pair of rows; the parents are not changed."""
        return [self.crossover(a, b, rng) for a, b in zip(first, second, strict=True)]

    def column(self, genotypes: Genotypes) -> Genotypes:
        """Return valid trees as the column that the methods above give and take."""
        return genotypes

    def accept(self, genotypes: Genotypes) -> Genotypes:
        """Return what somebody else's code proposed as a column of its own; numpy's numbers become plain data.

        Raises:
            Invalid: one of them is not allowed.
        """
        copies = [copy_tree(genotype) for genotype in genotypes]
        for row, genotype in enumerate(copies):
            self.validate(genotype, f"genotypes[{row}]")
        return copies

    def trees(self, genotypes: Genotypes) -> Sequence[Genotype]:
        """Return the plain-data trees of a column: the other way round."""
        return list(genotypes)

    def texts(self, genotypes: Genotypes) -> list[str]:
        """Return the canonical JSON of each, as `to_json` gives it."""
        return [to_json(genotype) for genotype in self.trees(genotypes)]

    def _step_anywhere(
        self,
        root: list[Genotype],
        rng: np.random.Generator,
        weights: Mapping[Gene, float],
        places: list[Site] | None = None,
    ) -> list[Site] | None:
        """Change one place; `places` are all that there are, where they are known.

        Returns:
            All places, where the change left them as they were: finding them takes most of the time.
        """
        if places is None:
            places = []
            self.sites(root, 0, places)
        left = places
        while left:
            place = _pick_weighted(left, weights, rng) if weights else pick(len(left), rng)
            gene, container, key = left[place]
            old = container[key]
            new = gene.step(old, rng)
            if new != old:
                container[key] = new
                return places if gene.leaf else None
            left = left[:place] + left[place + 1 :]
        return places


def pick(count: int, rng: np.random.Generator) -> int:
    """A uniform index below `count`; four times as fast as `rng.integers` for a single one."""
    return int(rng.random() * count)


def _pick_weighted(sites: Sequence[Site], weights: Mapping[Gene, float], rng: np.random.Generator) -> int:
    places = Counter(gene for gene, _, _ in sites)
    chances = np.cumsum([weights.get(gene, 1.0) / places[gene] for gene, _, _ in sites])
    return int(np.searchsorted(chances, rng.random() * chances[-1], side="right"))


def _as_plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"expected plain data (None, bool, int, float, str, list, dict), got {value!r}")


_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), allow_nan=False, check_circular=False, default=_as_plain
).encode


def to_json(genotype: Genotype) -> str:
    """Canonical JSON: sorted keys, no spaces; `json.loads` gives an equal genotype back, floats to the bit."""
    return _encode(genotype)


def checked_gene(gene: Gene, where: str) -> Gene:
    """The same gene.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(gene, Gene):
        raise TypeError(f"{where}: expected a gene (Choice, Integer, Real, Repeat, Variant, Struct), got {gene!r}")
    return gene


def whole_bound(bound: int, where: str) -> int:
    """The same bound as an `int`.

    Raises:
        TypeError: it is no whole number.
    """
    try:
        return operator.index(bound)
    except TypeError:
        raise TypeError(f"{where}: low and high are integers, got {bound!r}") from None


def shown(value: Genotype) -> str:
    """The value for a message: its beginning alone where it is long."""
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


def at(path: str) -> str:
    """The beginning of a message about the value at `path`."""
    return f"{path}: " if path else ""
