"""The small language in which a search space describes its genotypes.

A genotype is plain data (numbers, strings, lists, dicts) and nothing else; a gene says which plain data is allowed.
Sampling, mutation, crossover, validation, JSON and the readable form follow from the declaration, once, for all
spaces.

    genes = Struct(
        width=Choice(16, 32, 64),
        layers=Repeat(
            Variant(
                dense=Struct(hidden=Integer(8, 128, log=True)),
                moe=Struct(experts=Repeat(Integer(8, 64, log=True), 2, 8), top_k=Integer(1, 2)),
            ),
            1,
            6,
        ),
    )

The value of a `Struct` is a dict, of a `Repeat` a list, of a `Variant` the dict of the chosen struct with one more
entry, `kind`. All randomness comes from the `numpy.random.Generator` that is passed in.
"""

from __future__ import annotations

import json
import math
import operator
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from .columns import Genotypes

Genotype = Any
"""Plain JSON data: None, bool, int, float, str, list or dict with str keys."""

Container = MutableMapping[str, Any] | MutableSequence[Any]
Site = tuple["Gene", Any, Any]
"""A place that can mutate: the gene, the container that holds its value, and the key or index there."""

KIND = "kind"
STEP = 0.1
"""Standard deviation of a numeric mutation, as a share of the gene's range (of its logarithm where `log=True`)."""


class Invalid(Exception):  # noqa: N818 - reads as what it says: `raise Invalid("...")`
    """A genotype that cannot stand for an architecture. The search counts it as `invalid`, not as a failure."""


class Gene(ABC):
    """What one part of a genotype may be."""

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
        for _ in range(steps):
            self._step_anywhere(root, rng, weights)
        if root[0] == value:
            self._step_anywhere(root, rng, weights)
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

    def trees(self, genotypes: Genotypes) -> Sequence[Genotype]:
        """Return the plain-data trees of a column: the other way round."""
        return list(genotypes)

    def texts(self, genotypes: Genotypes) -> list[str]:
        """Return the canonical JSON of each, as `to_json` gives it."""
        return [to_json(genotype) for genotype in self.trees(genotypes)]

    def _step_anywhere(self, root: list[Genotype], rng: np.random.Generator, weights: Mapping[Gene, float]) -> None:
        found: list[Site] = []
        self.sites(root, 0, found)
        while found:
            place = _pick_weighted(found, weights, rng) if weights else pick(len(found), rng)
            gene, container, key = found.pop(place)
            old = container[key]
            new = gene.step(old, rng)
            if new != old:
                container[key] = new
                return


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

    def __repr__(self) -> str:
        return f"Choice({', '.join(map(repr, self.options))})"

    def sample(self, rng: np.random.Generator) -> Genotype:
        return self.options[pick(len(self.options), rng)]

    def validate(self, value: Genotype, path: str = "") -> None:
        if not any(type(value) is type(option) and value == option for option in self.options):
            raise Invalid(f"{_at(path)}expected one of {', '.join(map(repr, self.options))}, got {value!r}")

    def crossover(self, a: Genotype, b: Genotype, rng: np.random.Generator) -> Genotype:
        return a if rng.random() < 0.5 else b

    def step(self, value: Genotype, rng: np.random.Generator) -> Genotype:
        others = [option for option in self.options if option != value]
        return others[pick(len(others), rng)] if others else value

    def sites(self, container: Any, key: Any, found: list[Site]) -> None:
        if len(self.options) > 1:
            found.append((self, container, key))

    def readable(self, value: Genotype) -> str:
        text = str(value)
        return text if text.isprintable() else repr(value)


class Integer(Gene):
    """A whole number in [low, high], both included.

    A mutation adds Gaussian noise (to the logarithm where `log=True`) and moves by at least one.
    """

    def __init__(self, low: int, high: int, log: bool = False) -> None:
        low, high = _whole(low, "Integer"), _whole(high, "Integer")
        if low > high:
            raise ValueError(f"Integer: expected low <= high, got {low} > {high}")
        if log and low < 1:
            raise ValueError(f"Integer: a logarithmic range starts at 1 or more, got {low}")
        self.low, self.high, self.log = low, high, log

    def __repr__(self) -> str:
        return f"Integer({self.low}, {self.high}{', log=True' if self.log else ''})"

    def sample(self, rng: np.random.Generator) -> Genotype:
        if self.log:
            span = math.log(self.high + 1) - math.log(self.low)
            return min(self.high, max(self.low, int(math.exp(math.log(self.low) + rng.random() * span))))
        return self.low + pick(self.high - self.low + 1, rng)

    def validate(self, value: Genotype, path: str = "") -> None:
        if type(value) is not int or not self.low <= value <= self.high:
            raise Invalid(f"{_at(path)}expected an integer in [{self.low}, {self.high}], got {value!r}")

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
        if self.low < self.high:
            found.append((self, container, key))

    def readable(self, value: Genotype) -> str:
        return str(value)


class Real(Gene):
    """A finite number in [low, high]. A mutation adds Gaussian noise (to the logarithm where `log=True`)."""

    def __init__(self, low: float, high: float, log: bool = False) -> None:
        low, high = float(low), float(high)
        if not (math.isfinite(high - low) and low < high):
            raise ValueError(f"Real: expected finite low < high, got {low} and {high}")
        if log and low <= 0:
            raise ValueError(f"Real: a logarithmic range starts above 0, got {low}")
        self.low, self.high, self.log = low, high, log

    def __repr__(self) -> str:
        return f"Real({self.low:g}, {self.high:g}{', log=True' if self.log else ''})"

    def sample(self, rng: np.random.Generator) -> Genotype:
        return self._from_unit(rng.random())

    def validate(self, value: Genotype, path: str = "") -> None:
        if type(value) is not float or not self.low <= value <= self.high:
            raise Invalid(f"{_at(path)}expected a real number in [{self.low:g}, {self.high:g}], got {value!r}")

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


class Repeat(Gene):
    """A list of `low` to `high` values of one gene.

    A mutation inserts a fresh value, duplicates one, deletes one, or swaps two. Crossover aligns by position and takes
    its length from one of the two.
    """

    def __init__(self, gene: Gene, low: int, high: int) -> None:
        low, high = _whole(low, "Repeat"), _whole(high, "Repeat")
        if not 0 <= low <= high:
            raise ValueError(f"Repeat: expected 0 <= low <= high, got {low} and {high}")
        self.gene, self.low, self.high = _gene(gene, "Repeat"), low, high

    def __repr__(self) -> str:
        return f"Repeat({self.gene!r}, {self.low}, {self.high})"

    def sample(self, rng: np.random.Generator) -> Genotype:
        return [self.gene.sample(rng) for _ in range(self.low + pick(self.high - self.low + 1, rng))]

    def validate(self, value: Genotype, path: str = "") -> None:
        if not isinstance(value, list):
            raise Invalid(f"{_at(path)}expected a list, got {value!r}")
        if not self.low <= len(value) <= self.high:
            raise Invalid(f"{_at(path)}expected {self.low} to {self.high} entries, got {len(value)}")
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


class Struct(Gene):
    """Named genes side by side."""

    def __init__(self, **fields: Gene) -> None:
        self.fields = {name: _gene(gene, f"Struct({name}=...)") for name, gene in fields.items()}

    def __repr__(self) -> str:
        return f"Struct({', '.join(f'{name}={gene!r}' for name, gene in self.fields.items())})"

    def sample(self, rng: np.random.Generator) -> Genotype:
        return {name: gene.sample(rng) for name, gene in self.fields.items()}

    def validate(self, value: Genotype, path: str = "") -> None:
        if not isinstance(value, dict):
            raise Invalid(f"{_at(path)}expected an object with {', '.join(self.fields) or 'no entries'}, got {value!r}")
        for name in value:
            if name not in self.fields:
                raise Invalid(f"{_at(path)}unknown entry {name!r}; expected {', '.join(self.fields) or 'none'}")
        for name, gene in self.fields.items():
            if name not in value:
                raise Invalid(f"{_at(path)}entry {name!r} is missing")
            gene.validate(value[name], f"{path}.{name}" if path else name)

    def crossover(self, a: Genotype, b: Genotype, rng: np.random.Generator) -> Genotype:
        return {name: gene.crossover(a[name], b[name], rng) for name, gene in self.fields.items()}

    def step(self, value: Genotype, rng: np.random.Generator) -> Genotype:
        return value

    def sites(self, container: Any, key: Any, found: list[Site]) -> None:
        inner = container[key]
        for name, gene in self.fields.items():
            gene.sites(inner, name, found)

    def readable(self, value: Genotype) -> str:
        return " ".join(f"{name}={_bracketed(gene, value[name])}" for name, gene in self.fields.items())


class Variant(Gene):
    """One of several named structs; the value is the struct's dict with its name under `kind`.

    A mutation switches to another struct and keeps the entries that both have and both allow.
    """

    def __init__(self, **variants: Struct) -> None:
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
            raise Invalid(f"{_at(path)}expected an object with {KIND!r}, got {value!r}")
        kind = value[KIND]
        if not isinstance(kind, str) or kind not in self.variants:
            where = _at(f"{path}.{KIND}" if path else KIND)
            raise Invalid(f"{where}expected one of {', '.join(map(repr, self.variants))}, got {kind!r}")
        self.variants[kind].validate({name: item for name, item in value.items() if name != KIND}, path)

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
        struct = self.variants[value[KIND]]
        inside = ", ".join(f"{name}={_bracketed(gene, value[name])}" for name, gene in struct.fields.items())
        return f"{value[KIND]}({inside})"

    def _sample(self, kind: str, rng: np.random.Generator) -> Genotype:
        return {KIND: kind, **self.variants[kind].sample(rng)}


def pick(count: int, rng: np.random.Generator) -> int:
    """A uniform index below `count`; four times as fast as `rng.integers` for a single one."""
    return int(rng.random() * count)


def _pick_weighted(sites: Sequence[Site], weights: Mapping[Gene, float], rng: np.random.Generator) -> int:
    places = Counter(gene for gene, _, _ in sites)
    chances = np.cumsum([weights.get(gene, 1.0) / places[gene] for gene, _, _ in sites])
    return int(np.searchsorted(chances, rng.random() * chances[-1], side="right"))


def copy_tree(value: Genotype) -> Genotype:
    """A deep copy of plain data; ten times as fast as `copy.deepcopy`."""
    if isinstance(value, dict):
        return {name: copy_tree(item) for name, item in value.items()}
    if isinstance(value, list):
        return [copy_tree(item) for item in value]
    return value


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def to_json(genotype: Genotype) -> str:
    """Canonical JSON: sorted keys, no spaces; `json.loads` gives an equal genotype back, floats to the bit."""
    return _encode(genotype)


def _gene(gene: Gene, where: str) -> Gene:
    if not isinstance(gene, Gene):
        raise TypeError(f"{where}: expected a gene (Choice, Integer, Real, Repeat, Variant, Struct), got {gene!r}")
    return gene


def _whole(bound: int, where: str) -> int:
    try:
        return operator.index(bound)
    except TypeError:
        raise TypeError(f"{where}: low and high are integers, got {bound!r}") from None


def _at(path: str) -> str:
    return f"{path}: " if path else ""


def _allows(gene: Gene, value: Genotype) -> bool:
    try:
        gene.validate(value)
    except Invalid:
        return False
    return True


def _bracketed(gene: Gene, value: Genotype) -> str:
    text = gene.readable(value)
    return f"({text})" if isinstance(gene, Struct) else text
