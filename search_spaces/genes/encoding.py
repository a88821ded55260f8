"""Genotypes as rows of numbers, for models that learn from them: one fixed length for every space.

The encoding follows from the genes alone. Numbers stay as they are; options that are no numbers, and kinds of a
variant, have a column each that is 1 where they are chosen. A list is padded: every position that it may have has
columns of its own, 0 where the list is shorter or another kind is chosen. As an inserted entry moves all that follow,
a list also has its length and, for each column of its entries, the total over the entries.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import singledispatch

import numpy as np

from .base import Gene, Genotype
from .choice import Choice
from .columns import Genotypes
from .integer import Integer
from .real import Real
from .repeat import Repeat
from .struct import Struct
from .variant import KIND, Variant
from .vector import Vector

MOST_POSITIONS = 32
"""Entries of a longer list beyond these are left out; its length still counts them."""


@dataclass(frozen=True)
class Column:
    """What a number of the encoding stands for.

    Args:
        name: for people: "layers[2].moe.top_k", "activation=relu", "len(layers)", "total(layers).moe.top_k".
        path: of the gene, equal in all positions of a list: "layers[].moe.top_k", "activation", "len(layers)".
        modules: the parts of the architecture that it is in: ("layers[2]", "layers[]=moe").
        gene: whose value it tells of.
        total: whether it adds up the entries of a list.
    """

    name: str
    path: str
    modules: tuple[str, ...]
    gene: Gene
    total: bool = False


class Encoding:
    """Encodes the genotypes of a space.

    Args:
        genes: of the space.
        totals: whether lists have columns for the totals over their entries. Without, every column tells of one place.

    Raises:
        TypeError: a gene is of a kind that this does not know.
    """

    def __init__(self, genes: Gene, totals: bool = True) -> None:
        self._genes = genes
        self._vector = isinstance(genes, Vector)
        self._part = _part(genes, _Place("", "", ()))
        self._lists = self._part.lists(0)
        every = self._part.columns
        self._kept = np.array([index for index, one in enumerate(every) if totals or not one.total], dtype=np.int64)
        self.columns: Sequence[Column] = [every[index] for index in self._kept.tolist()]
        """D of them."""

    def encode(self, genotypes: Genotypes) -> np.ndarray:
        """N valid genotypes → (N, D) float64."""
        if self._vector:
            return np.asarray(self._genes.column(genotypes), dtype=np.float64)
        table = np.zeros((len(genotypes), len(self._part.columns)))
        for index, genotype in enumerate(genotypes):
            row: list[float] = []
            self._part.write(genotype, row)
            table[index] = row
        for start, positions, width in self._lists:  # inner lists come first: totals of an outer one hold theirs
            end = start + positions * width
            entries = table[:, start:end].reshape(len(table), positions, width)
            table[:, end : end + width] = entries.sum(axis=1)
        return table[:, self._kept]


@dataclass(frozen=True)
class _Place:
    """Where a gene stands; see `Column`."""

    name: str
    path: str
    modules: tuple[str, ...]
    total: bool = False

    def at(self, field: str) -> _Place:
        return replace(self, name=_joined(self.name, field), path=_joined(self.path, field))

    def column(self, gene: Gene, suffix: str = "") -> Column:
        return Column(self.name + suffix, self.path, self.modules, gene, self.total)


class _Part(ABC):
    """The columns of one gene at one place."""

    columns: list[Column]

    @abstractmethod
    def write(self, value: Genotype, row: list[float]) -> None:
        """Append the numbers of a value."""

    def lists(self, start: int) -> list[tuple[int, int, int]]:
        """(first column, positions, columns of an entry) of every list, the inner ones first."""
        return []


class _Number(_Part):
    def __init__(self, gene: Gene, place: _Place) -> None:
        self.columns = [place.column(gene)]

    def write(self, value: Genotype, row: list[float]) -> None:
        row.append(value)


class _Options(_Part):
    def __init__(self, gene: Choice, place: _Place) -> None:
        self._options = gene.options
        self.columns = [place.column(gene, f"={option}") for option in gene.options]

    def write(self, value: Genotype, row: list[float]) -> None:
        row.extend([value == option for option in self._options])


class _Numbers(_Part):
    def __init__(self, gene: Vector, place: _Place) -> None:
        indices = [f"[{index}]" for index in range(gene.size)]
        self.columns = [replace(place, path=place.path + one).column(gene, one) for one in indices]

    def write(self, value: Genotype, row: list[float]) -> None:
        row.extend(value)


class _Fields(_Part):
    def __init__(self, gene: Struct, place: _Place) -> None:
        self._fields = [(name, _part(inner, place.at(name))) for name, inner in gene.fields.items()]
        self.columns = [column for _, part in self._fields for column in part.columns]

    def write(self, value: Genotype, row: list[float]) -> None:
        for name, part in self._fields:
            part.write(value[name], row)

    def lists(self, start: int) -> list[tuple[int, int, int]]:
        found = []
        for _, part in self._fields:
            found += part.lists(start)
            start += len(part.columns)
        return found


class _Kinds(_Part):
    def __init__(self, gene: Variant, place: _Place) -> None:
        self._parts: dict[str, _Part] = {}
        self.columns = []
        kind = place.at(KIND)
        for name, struct in gene.variants.items():
            inside = place.at(name)
            modules = (*place.modules, f"{place.path}={name}" if place.path else name)
            self._parts[name] = _part(struct, replace(inside, modules=modules))
            self.columns.append(replace(kind, modules=modules).column(gene, f"={name}"))
            self.columns += self._parts[name].columns

    def write(self, value: Genotype, row: list[float]) -> None:
        for name, part in self._parts.items():
            chosen = value[KIND] == name
            row.append(chosen)
            if chosen:
                part.write(value, row)
            else:
                row.extend([0.0] * len(part.columns))

    def lists(self, start: int) -> list[tuple[int, int, int]]:
        found = []
        for part in self._parts.values():
            found += part.lists(start + 1)
            start += 1 + len(part.columns)
        return found


class _Entries(_Part):
    def __init__(self, gene: Repeat, place: _Place) -> None:
        self._positions = min(gene.high, MOST_POSITIONS)
        label = place.name or "list"
        path = f"{place.path}[]"
        names = [f"{place.name}[{index}]" for index in range(self._positions)]
        places = [replace(place, name=name, path=path, modules=(*place.modules, name)) for name in names]
        self._parts = [_part(gene.gene, one) for one in places]
        total = _part(gene.gene, replace(place, name=f"total({label})", path=path, total=True))
        length = replace(place, name=f"len({label})", path=f"len({place.path or 'list'})").column(gene)
        self._width = len(total.columns)
        self.columns = [length, *(column for part in self._parts for column in part.columns), *total.columns]

    def write(self, value: Genotype, row: list[float]) -> None:
        row.append(len(value))
        for part, item in zip(self._parts, value, strict=False):
            part.write(item, row)
        missing = self._positions - min(len(value), self._positions)
        row.extend([0.0] * (self._width * (missing + 1)))  # totals are filled in for all rows at once

    def lists(self, start: int) -> list[tuple[int, int, int]]:
        found = []
        for index, part in enumerate(self._parts):
            found += part.lists(start + 1 + index * self._width)
        return [*found, (start + 1, self._positions, self._width)]


@singledispatch
def _part(gene: Gene, place: _Place) -> _Part:
    raise TypeError(f"expected a gene that can be encoded, got {gene!r}")


@_part.register
def _(gene: Choice, place: _Place) -> _Part:
    plain = all(isinstance(option, int | float) for option in gene.options)  # True and False are 1 and 0
    return _Number(gene, place) if plain else _Options(gene, place)


_part.register(Integer | Real, _Number)
_part.register(Vector, _Numbers)
_part.register(Struct, _Fields)
_part.register(Variant, _Kinds)
_part.register(Repeat, _Entries)


def _joined(path: str, field: str) -> str:
    return f"{path}.{field}" if path else field
