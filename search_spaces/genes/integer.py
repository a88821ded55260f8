"""A whole number within bounds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .base import STEP, Gene, Genotype, Invalid, Site, at, pick, shown, whole_bound


class Integer(Gene):
    """A whole number in [low, high], both included.

    A mutation adds Gaussian noise (to the logarithm where `log=True`) and moves by at least one.
    """

    def __init__(self, low: int, high: int, log: bool = False) -> None:
        low, high = whole_bound(low, "Integer"), whole_bound(high, "Integer")
        if low > high:
            raise ValueError(f"Integer: expected low <= high, got {low} > {high}")
        if log and low < 1:
            raise ValueError(f"Integer: a logarithmic range starts at 1 or more, got {low}")
        self.low, self.high, self.log = low, high, log
        self.leaf = low < high

    def __repr__(self) -> str:
        return f"Integer({self.low}, {self.high}{', log=True' if self.log else ''})"

    def sample(self, rng: np.random.Generator) -> Genotype:
        if self.log:
            span = math.log(self.high + 1) - math.log(self.low)
            return min(self.high, max(self.low, int(math.exp(math.log(self.low) + rng.random() * span))))
        return self.low + pick(self.high - self.low + 1, rng)

    def validate(self, value: Genotype, path: str = "") -> None:
        if type(value) is not int or not self.low <= value <= self.high:
            raise Invalid(f"{at(path)}expected an integer in [{self.low}, {self.high}], got {shown(value)}")

    def crossover(self, a: Genotype, b: Genotype, rng: np.random.Generator) -> Genotype:
        return a if rng.random() < 0.5 else b

    def step(self, value: Genotype, rng: np.random.Generator) -> Genotype:
        noise = rng.normal() * STEP
        if self.log:
            moved = round(value * math.exp(noise * (math.log(self.high) - math.log(self.low))))
        else:
            moved = round(value + noise * (self.high - self.low))
        if moved == value:
            moved += 1 if noise > 0 else -1
        moved = min(self.high, max(self.low, moved))
        if moved == value:  # pushed back by a bound: step the other way
            moved = value - 1 if value == self.high else value + 1
        return min(self.high, max(self.low, moved))

    def sites(self, container: Any, key: Any, found: list[Site]) -> None:
        if self.leaf:
            found.append((self, container, key))

    def readable(self, value: Genotype) -> str:
        return str(value)
