"""A real number within bounds."""

from __future__ import annotations

import math

import numpy as np

from .base import STEP, Gene, Genotype, Invalid, at, shown


class Real(Gene):
    """A finite number in [low, high]. A mutation adds Gaussian noise (to the logarithm where `log=True`)."""

    def __init__(self, low: float, high: float, log: bool = False) -> None:
        low, high = float(low), float(high)
        if not (math.isfinite(high - low) and low < high):
            raise ValueError(f"Real: expected finite low < high, got {low} and {high}")
        if log and low <= 0:
            raise ValueError(f"Real: a logarithmic range starts above 0, got {low}")
        self.low, self.high, self.log = low, high, log
        self.leaf = True

    def __repr__(self) -> str:
        return f"Real({self.low:g}, {self.high:g}{', log=True' if self.log else ''})"

    def sample(self, rng: np.random.Generator) -> Genotype:
        return self._from_unit(rng.random())

    def validate(self, value: Genotype, path: str = "") -> None:
        if type(value) is not float or not self.low <= value <= self.high:
            raise Invalid(f"{at(path)}expected a real number in [{self.low:g}, {self.high:g}], got {shown(value)}")

    def crossover(self, a: Genotype, b: Genotype, rng: np.random.Generator) -> Genotype:
        return a if rng.random() < 0.5 else b

    def step(self, value: Genotype, rng: np.random.Generator) -> Genotype:
        moved = self._to_unit(value) + rng.normal() * STEP
        moved = 1 - abs(1 - abs(moved))  # reflected at both bounds
        moved = self._from_unit(min(1.0, max(0.0, moved)))
        return moved if moved != value else self.sample(rng)

    def readable(self, value: Genotype) -> str:
        return f"{value:.4g}"

    def _from_unit(self, share: float) -> float:
        if self.log:
            value = math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + share * (self.high - self.low)
        return min(self.high, max(self.low, float(value)))

    def _to_unit(self, value: float) -> float:
        if self.log:
            return (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return (value - self.low) / (self.high - self.low)
