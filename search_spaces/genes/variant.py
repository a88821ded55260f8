"""One of several named structs."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Gene, Genotype, Invalid, Site, at, pick, shown
from .columns import copy_tree
from .struct import Struct

KIND = "kind"
"""The entry of a value that names the struct chosen."""


class Variant(Gene):
    """One of several named structs; the value is the struct's dict with its name under `kind`.

    A mutation switches to another struct and keeps the entries that both have and both allow.
    """

    def __init__(self, /, **variants: Struct) -> None:
        if not variants:
            raise ValueError("Variant() needs at least one named Struct")
        for name, struct in variants.items():
            if not isinstance(struct, Struct):
                raise TypeError(f"Variant({name}=...): expected a Struct, got {struct!r}; write {name}=Struct(...)")
            if KIND in struct.fields:
                raise ValueError(f"Variant({name}=...): the entry {KIND!r} is taken by the variant's own name")
        self.variants = variants

    def __repr__(self) -> str:
        return f"Variant({', '.join(f'{name}={struct!r}' for name, struct in self.variants.items())})"

    def sample(self, rng: np.random.Generator) -> Genotype:
        return self._sample(list(self.variants)[pick(len(self.variants), rng)], rng)

    def validate(self, value: Genotype, path: str = "") -> None:
        if not isinstance(value, dict) or KIND not in value:
            raise Invalid(f"{at(path)}expected an object with {KIND!r}, got {shown(value)}")
        kind = value[KIND]
        if not isinstance(kind, str) or kind not in self.variants:
            where = at(f"{path}.{KIND}" if path else KIND)
            raise Invalid(f"{where}expected one of {', '.join(map(repr, self.variants))}, got {shown(kind)}")
        self.variants[kind].validate_fields(value, path, KIND)

    def crossover(self, a: Genotype, b: Genotype, rng: np.random.Generator) -> Genotype:
        if a[KIND] != b[KIND]:
            return copy_tree(a if rng.random() < 0.5 else b)
        return {KIND: a[KIND], **self.variants[a[KIND]].crossover(a, b, rng)}

    def step(self, value: Genotype, rng: np.random.Generator) -> Genotype:
        others = [name for name in self.variants if name != value[KIND]]
        if not others:
            return value
        switched = self._sample(others[pick(len(others), rng)], rng)
        for name, gene in self.variants[switched[KIND]].fields.items():
            if name in value and _allows(gene, value[name]):
                switched[name] = value[name]
        return switched

    def sites(self, container: Any, key: Any, found: list[Site]) -> None:
        if len(self.variants) > 1:
            found.append((self, container, key))
        self.variants[container[key][KIND]].sites(container, key, found)

    def readable(self, value: Genotype) -> str:
        kind = value[KIND]
        return f"{kind}({', '.join(self.variants[kind].parts(value))})"

    def _sample(self, kind: str, rng: np.random.Generator) -> Genotype:
        return {KIND: kind, **self.variants[kind].sample(rng)}


def _allows(gene: Gene, value: Genotype) -> bool:
    try:
        gene.validate(value)
    except Invalid:
        return False
    return True
