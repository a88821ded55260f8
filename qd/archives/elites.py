"""The elites of an archive, in columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, NamedTuple

import numpy as np

from search_spaces import Genotypes
from search_spaces.genes.columns import copied, copy_tree, take

FIRST_CAPACITY = 256


class Elite(NamedTuple):
    """The best of a cell."""

    evaluation: int
    candidate: int
    objective: float
    """In the metric's own unit."""
    genotype: Any

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><th>{name}</th><td>{escape(str(value))}</td></tr>" for name, value in self._asdict().items()
        )
        return f"<table>{cells}</table>"


class Insertion(NamedTuple):
    """A result that entered the archive."""

    evaluation: int
    cell: int
    displaced: int | None
    """The evaluation that was the cell's elite before; None where the cell was empty."""


class Elites(Mapping[int, Elite]):
    """{cell: elite}, in the order in which the cells were first filled; an elite's place in it is its slot.

    The columns are read by slot; each has one entry for every elite. They are for reading alone, and genotypes are
    handed out as copies: emitters of strangers see this.
    """

    def __init__(self, measures: int) -> None:
        self._slots: dict[int, int] = {}
        self._cells: list[int] = []
        self._evaluations = np.empty(FIRST_CAPACITY, dtype=np.int64)
        self._candidates = np.empty(FIRST_CAPACITY, dtype=np.int64)
        self._objectives = np.empty(FIRST_CAPACITY)
        self._positions = np.empty((FIRST_CAPACITY, measures))
        self._trees: list[Any] = []
        self._rows: np.ndarray | None = None  # instead of trees, where genotypes are rows of an array

    def __len__(self) -> int:
        return len(self._cells)

    def __iter__(self) -> Iterator[int]:
        return iter(self._cells)

    def __getitem__(self, cell: int) -> Elite:
        slot = self._slots[cell]
        genotype = copy_tree(self._trees[slot]) if self._rows is None else self._rows[slot].tolist()
        return Elite(int(self._evaluations[slot]), int(self._candidates[slot]), float(self._objectives[slot]), genotype)

    @property
    def cells(self) -> list[int]:
        """Of each slot."""
        return self._cells

    @property
    def evaluations(self) -> np.ndarray:
        """(L,) int64."""
        return _readable(self._evaluations[: len(self)])

    @property
    def candidates(self) -> np.ndarray:
        """(L,) int64."""
        return _readable(self._candidates[: len(self)])

    @property
    def objectives(self) -> np.ndarray:
        """(L,) float64, in the metric's own unit."""
        return _readable(self._objectives[: len(self)])

    @property
    def positions(self) -> np.ndarray:
        """(L, M) float64, on each axis."""
        return _readable(self._positions[: len(self)])

    def genotypes(self, slots: np.ndarray) -> Genotypes:
        """Those of the given slots, as a column of the space."""
        return copied(take(self._trees, slots)) if self._rows is None else take(self._rows, slots)

    def shared(self, slots: np.ndarray) -> Genotypes:
        """The same, not copied where they are trees: for reading."""
        return take(self._trees if self._rows is None else self._rows, slots)

    def slot(self, cell: int) -> int | None:
        """Where the elite of a cell is; None where the cell is empty."""
        return self._slots.get(cell)

    def row(self, slot: int) -> tuple[int, float]:
        """Evaluation and objective of one slot."""
        return self._evaluations.item(slot), self._objectives.item(slot)

    def slots(self, cells: np.ndarray) -> np.ndarray:
        """(N,) int64 cells → (N,) int64, where their elites are; -1 where a cell is empty."""
        if len(cells) > len(self) > 0:
            order = np.argsort(self._cells)
            filled = np.asarray(self._cells)[order]
            places = np.minimum(np.searchsorted(filled, cells), len(filled) - 1)
            return np.where(filled[places] == cells, order[places], -1)
        get = self._slots.get
        return np.fromiter((get(cell, -1) for cell in cells.tolist()), dtype=np.int64, count=len(cells))

    def put(
        self, cell: int, evaluation: int, candidate: int, objective: float, position: np.ndarray, genotype: Any
    ) -> int:
        """Make this the elite of a cell; returns its slot."""
        slot = self._slots.get(cell)
        if slot is None:
            slot = self._slots[cell] = len(self._cells)
            self._cells.append(cell)
            if slot == len(self._evaluations):
                self._grow()
            if isinstance(genotype, np.ndarray) and self._rows is None:
                self._rows = np.empty((len(self._evaluations), *genotype.shape), dtype=genotype.dtype)
            if self._rows is None:
                self._trees.append(genotype)
        self._evaluations[slot], self._candidates[slot], self._objectives[slot] = evaluation, candidate, objective
        self._positions[slot] = position
        if self._rows is None:
            self._trees[slot] = genotype
        else:
            self._rows[slot] = genotype
        return slot

    def remove(self, cell: int) -> None:
        """Empty a filled cell; the slots behind it move up."""
        gone, size = self._slots[cell], len(self)
        columns = [self._evaluations, self._candidates, self._objectives, self._positions]
        for column in columns if self._rows is None else [*columns, self._rows]:
            column[gone : size - 1] = column[gone + 1 : size]
        if self._rows is None:
            del self._trees[gone]
        self.renumber(self._cells[:gone] + self._cells[gone + 1 :])

    def renumber(self, cells: list[int]) -> None:
        """Give every slot another cell; the cells differ."""
        self._cells = cells
        self._slots = {cell: slot for slot, cell in enumerate(cells)}

    def set_genotypes(self, genotypes: Genotypes) -> None:
        """Replace the genotypes of all slots."""
        if isinstance(genotypes, np.ndarray):
            self._rows = np.empty((len(self._evaluations), *genotypes.shape[1:]), dtype=genotypes.dtype)
            self._rows[: len(self)] = genotypes
        else:
            self._trees, self._rows = list(genotypes), None

    def _grow(self) -> None:
        self._evaluations, self._candidates, self._objectives, self._positions = map(
            _doubled, (self._evaluations, self._candidates, self._objectives, self._positions)
        )
        if self._rows is not None:
            self._rows = _doubled(self._rows)


def _readable(view: np.ndarray) -> np.ndarray:
    view.flags.writeable = False
    return view


def _doubled(column: np.ndarray) -> np.ndarray:
    return np.concatenate([column, np.empty_like(column)])
