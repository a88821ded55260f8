"""Named genes side by side."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Gene, Genotype, Invalid, Site, at, checked_gene, shown


class Struct(Gene):
    """Named genes side by side."""

    def __init__(self, /, **fields: Gene) -> None:
        self.fields = {name: checked_gene(gene, f"Struct({name}=...)") for name, gene in fields.items()}
        self._places = [(name, gene) for name, gene in self.fields.items() if gene.leaf is not False]
        self._named = [(name, gene, isinstance(gene, Struct)) for name, gene in self.fields.items()]

    def __repr__(self) -> str:
        return f"Struct({', '.join(f'{name}={gene!r}' for name, gene in self.fields.items())})"

    def sample(self, rng: np.random.Generator) -> Genotype:
        return {name: gene.sample(rng) for name, gene in self.fields.items()}

    def validate(self, value: Genotype, path: str = "") -> None:
        if not isinstance(value, dict):
            raise Invalid(
                f"{at(path)}expected an object with {', '.join(self.fields) or 'no entries'}, got {shown(value)}"
            )
        self.validate_fields(value, path)

    def validate_fields(self, value: dict[Any, Genotype], path: str = "", beside: str | None = None) -> None:
        """Raise `Invalid` where an entry is not allowed, unknown or missing; one called `beside` may stand there."""
        for name in value:
            if name not in self.fields and name != beside:
                raise Invalid(f"{at(path)}unknown entry {shown(name)}; expected {', '.join(self.fields) or 'none'}")
        for name, gene in self.fields.items():
            if name not in value:
                raise Invalid(f"{at(path)}entry {name!r} is missing")
            gene.validate(value[name], f"{path}.{name}" if path else name)

    def crossover(self, a: Genotype, b: Genotype, rng: np.random.Generator) -> Genotype:
        return {name: gene.crossover(a[name], b[name], rng) for name, gene in self.fields.items()}

    def step(self, value: Genotype, rng: np.random.Generator) -> Genotype:
        return value

    def sites(self, container: Any, key: Any, found: list[Site]) -> None:
        inner = container[key]
        for name, gene in self._places:
            if gene.leaf:
                found.append((gene, inner, name))
            else:
                gene.sites(inner, name, found)

    def readable(self, value: Genotype) -> str:
        return " ".join(self.parts(value))

    def parts(self, value: Genotype) -> list[str]:
        """`name=value` of each field, for people; in brackets where it has fields of its own."""
        return [
            f"{name}=({gene.readable(value[name])})" if nested else f"{name}={gene.readable(value[name])}"
            for name, gene, nested in self._named
        ]
