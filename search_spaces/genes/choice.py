"""One of a few given options."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .base import Gene, Genotype, Invalid, Site, at, pick, shown


class Choice(Gene):
    """One of a few given options: strings, numbers, booleans or None. A mutation takes any other option."""

    def __init__(self, *options: str | float | bool | None) -> None:
        if not options:
            raise ValueError("Choice() needs at least one option")
        for option in options:
            # exactly these types: a subclass, such as numpy's float64, does not come back from JSON
            if not (option is None or type(option) in (str, int, float, bool)):
                raise TypeError(f"Choice: an option is a string, a number, a boolean or None, got {option!r}")
            if isinstance(option, float) and not math.isfinite(option):
                raise ValueError(f"Choice: a number is finite, got {option!r}")
        if len(set(options)) < len(options):  # True, 1 and 1.0 are equal too
            raise ValueError(f"Choice: two options are equal in {options!r}")
        self.options = options
        self.leaf = len(options) > 1
        self._allowed = frozenset((type(option), option) for option in options)  # True is no 1 here

    def __repr__(self) -> str:
        return f"Choice({', '.join(map(repr, self.options))})"

    def sample(self, rng: np.random.Generator) -> Genotype:
        return self.options[pick(len(self.options), rng)]

    def validate(self, value: Genotype, path: str = "") -> None:
        try:
            allowed = (type(value), value) in self._allowed
        except TypeError:  # what cannot be hashed is none of them
            allowed = False
        if not allowed:
            raise Invalid(f"{at(path)}expected one of {', '.join(map(repr, self.options))}, got {shown(value)}")

    def crossover(self, a: Genotype, b: Genotype, rng: np.random.Generator) -> Genotype:
        return a if rng.random() < 0.5 else b

    def step(self, value: Genotype, rng: np.random.Generator) -> Genotype:
        others = [option for option in self.options if option != value]
        return others[pick(len(others), rng)] if others else value

    def sites(self, container: Any, key: Any, found: list[Site]) -> None:
        if self.leaf:
            found.append((self, container, key))

    def readable(self, value: Genotype) -> str:
        text = str(value)
        return text if text.isprintable() else repr(value)
