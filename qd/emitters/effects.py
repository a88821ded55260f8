"""How much of what a forest says follows from which of its columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from search_spaces.encoding import Column

from .forest import Forest

Groups = Mapping[str, np.ndarray]
"""{name: (C,) int64, columns of the table}"""


class Effects:
    """Shares of the variance of a forest's predictions: Sobol's indices over groups of columns.

    They are estimated by Jansen's formulas (1999): rows are paired at random, and exchange the columns of a group. Rows
    come from the table, so those that have exchanged columns may be combinations that the space does not allow.

    Args:
        forest: fitted.
        rows: (N, D) float64, at least two.
        rng: pairs the rows.
        repeats: how often.
    """

    def __init__(self, forest: Forest, rows: np.ndarray, rng: np.random.Generator, repeats: int = 2) -> None:
        self._forest = forest
        self._rows = np.tile(rows, (repeats, 1))
        self._others = np.concatenate([rows[rng.permutation(len(rows))] for _ in range(repeats)])
        self._values = forest.predict(self._rows).mean
        self._variance = float(self._values.var())

    def total(self, columns: np.ndarray) -> float:
        """The share that is lost without knowing these columns, interactions with others included; in [0, 1]."""
        rows = self._rows.copy()
        rows[:, columns] = self._others[:, columns]
        return self._share(self._forest.predict(rows).mean - self._values)

    def alone(self, columns: np.ndarray) -> float:
        """The share that is explained by knowing these columns and nothing else; in [0, 1] but for sampling error."""
        rows = self._others.copy()
        rows[:, columns] = self._rows[:, columns]
        return 1 - self._share(self._forest.predict(rows).mean - self._values) if self._variance else 0.0

    def _share(self, differences: np.ndarray) -> float:
        return float((differences**2).mean() / (2 * self._variance)) if self._variance else 0.0


def gene_groups(columns: Sequence[Column]) -> Groups:
    """{path of a gene: its columns, in all positions of lists}."""
    return _grouped((index, (column.path,)) for index, column in enumerate(columns))


def module_groups(columns: Sequence[Column]) -> Groups:
    """{module: the columns in it}: positions of lists, and kinds of variants wherever they stand."""
    return _grouped((index, column.modules) for index, column in enumerate(columns))


def _grouped(names: Iterable[tuple[int, Sequence[str]]]) -> Groups:
    groups: dict[str, list[int]] = defaultdict(list)
    for index, of_column in names:
        for name in of_column:
            groups[name].append(index)
    return {name: np.array(columns) for name, columns in groups.items()}
