"""How much of what a forest says follows from which of its columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from search_spaces.genes.encoding import Column

from .forest import Forest

Groups = Mapping[str, np.ndarray]
"""{name: (C,) int64, columns of the table}"""


ROWS = 1000
"""Put together to estimate a share; its standard error is about 0.03."""


class Attribution:
    """Shares of the variance of a forest's predictions: Sobol's indices over groups of columns.

    As in functional analysis of variance of hyperparameters (Hutter, Hoos & Leyton-Brown 2014), genes are taken to be
    independent of each other: rows are put together from genes that are drawn one by one from the table, also to
    combinations that no genotype has. Shares of genes alone then add up to 1 at most, the rest being interactions,
    however much the genes of good candidates go together. The indices are estimated by Jansen's formulas (1999).

    Args:
        forest: fitted.
        rows: (N, D) float64, at least two; genes are drawn from them.
        columns: D of them, without totals.
        rng: draws.
    """

    def __init__(self, forest: Forest, rows: np.ndarray, columns: Sequence[Column], rng: np.random.Generator) -> None:
        self._forest = forest
        # the options of a choice stay together
        blocks = _grouped((index, (column.name.partition("=")[0],)) for index, column in enumerate(columns))
        self._rows, self._others = (_mixed(rows, blocks, rng) for _ in range(2))
        predicted = forest.predict(self._rows).mean
        self._exponent = int(np.frexp(np.abs(predicted).max())[1])  # predictions are scaled by it: squares are numbers
        self._values = np.ldexp(predicted, -self._exponent)
        self._variance = float(self._values.var())

    def total(self, columns: np.ndarray) -> float:
        """The share that is lost without knowing these columns, interactions with others included; at least 0."""
        rows = self._rows.copy()
        rows[:, columns] = self._others[:, columns]
        return self._share(self._predict(rows) - self._values)

    def alone(self, columns: np.ndarray) -> float:
        """The share that is explained by knowing these columns and nothing else; at most 1."""
        rows = self._others.copy()
        rows[:, columns] = self._rows[:, columns]
        return 1 - self._share(self._predict(rows) - self._values) if self._variance else 0.0

    def _predict(self, rows: np.ndarray) -> np.ndarray:
        return np.ldexp(self._forest.predict(rows).mean, -self._exponent)

    def _share(self, differences: np.ndarray) -> float:
        return float((differences**2).mean() / (2 * self._variance)) if self._variance else 0.0


def gene_groups(columns: Sequence[Column]) -> Groups:
    """{path of a gene: its columns, in all positions of lists}."""
    return _grouped((index, (column.path,)) for index, column in enumerate(columns))


def module_groups(columns: Sequence[Column]) -> Groups:
    """{module: the columns in it}: positions of lists, and kinds of variants wherever they stand."""
    return _grouped((index, column.modules) for index, column in enumerate(columns))


def _mixed(rows: np.ndarray, blocks: Groups, rng: np.random.Generator) -> np.ndarray:
    mixed = np.empty((ROWS, rows.shape[1]))
    for part in blocks.values():
        mixed[:, part] = rows[rng.integers(len(rows), size=ROWS)][:, part]
    return mixed


def _grouped(names: Iterable[tuple[int, Sequence[str]]]) -> Groups:
    groups: dict[str, list[int]] = defaultdict(list)
    for index, of_column in names:
        for name in of_column:
            groups[name].append(index)
    return {name: np.array(columns) for name, columns in groups.items()}
