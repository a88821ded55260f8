"""A list of values of one gene."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Gene, Genotype, Invalid, Site, at, checked_gene, pick, shown, whole_bound
from .columns import copy_tree


class Repeat(Gene):
    """A list of `low` to `high` values of one gene.

    A mutation inserts a fresh value, duplicates one, deletes one, or swaps two. Crossover aligns by position and takes
    its length from one of the two.
    """

    def __init__(self, gene: Gene, low: int, high: int) -> None:
        low, high = whole_bound(low, "Repeat"), whole_bound(high, "Repeat")
        if not 0 <= low <= high:
            raise ValueError(f"Repeat: expected 0 <= low <= high, got {low} and {high}")
        self.gene, self.low, self.high = checked_gene(gene, "Repeat"), low, high

    def __repr__(self) -> str:
        return f"Repeat({self.gene!r}, {self.low}, {self.high})"

    def sample(self, rng: np.random.Generator) -> Genotype:
        return [self.gene.sample(rng) for _ in range(self.low + pick(self.high - self.low + 1, rng))]

    def validate(self, value: Genotype, path: str = "") -> None:
        if not isinstance(value, list):
            raise Invalid(f"{at(path)}expected a list, got {shown(value)}")
        if not self.low <= len(value) <= self.high:
            raise Invalid(f"{at(path)}expected {self.low} to {self.high} entries, got {len(value)}")
        for index, item in enumerate(value):
            self.gene.validate(item, f"{path}[{index}]")

    def crossover(self, a: Genotype, b: Genotype, rng: np.random.Generator) -> Genotype:
        longer, shorter = (a, b) if len(a) > len(b) else (b, a)
        child = [self.gene.crossover(x, y, rng) for x, y in zip(a, b, strict=False)]
        if rng.random() < 0.5:
            child.extend(copy_tree(item) for item in longer[len(shorter) :])
        return child

    def step(self, value: Genotype, rng: np.random.Generator) -> Genotype:
        size = len(value)
        operations: list[str] = []
        if size < self.high:
            operations.append("insert")
            if size:
                operations.append("duplicate")
        if size > self.low:
            operations.append("delete")
        if size > 1 and any(item != value[0] for item in value):
            operations.append("swap")
        if not operations:
            return value
        operation = operations[pick(len(operations), rng)]
        items = list(value)
        if operation == "insert":
            items.insert(pick(size + 1, rng), self.gene.sample(rng))
        elif operation == "duplicate":
            index = pick(size, rng)
            items.insert(index, copy_tree(items[index]))
        elif operation == "delete":
            items.pop(pick(size, rng))
        else:
            first = pick(size, rng)
            different = [index for index, item in enumerate(items) if item != items[first]]
            second = different[pick(len(different), rng)]
            items[first], items[second] = items[second], items[first]
        return items

    def sites(self, container: Any, key: Any, found: list[Site]) -> None:
        items = container[key]
        if self.low < self.high or len(items) > 1:
            found.append((self, container, key))
        for index in range(len(items)):
            self.gene.sites(items, index, found)

    def readable(self, value: Genotype) -> str:
        return f"[{', '.join(map(self.gene.readable, value))}]"
