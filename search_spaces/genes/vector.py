"""Genotypes of fixed length: all genes of all candidates in one array, varied as a whole."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .base import STEP, Gene, Genotype, Invalid, at, shown
from .columns import Genotypes

DTYPES = ("int8", "int16", "int32", "int64", "float32", "float64")
LARGEST_WHOLE = 2**53
"""Whole numbers beyond are not exact as float64, nor in the JSON of every other tool."""


class Vector(Gene):
    """D numbers, each within bounds of its own. A column of N of them is an (N, D) array; one alone is a list.

    A mutation moves one gene or more: each with probability 1 / D, and one in any case. Real genes move by Gaussian
    noise, a tenth of their range wide, reflected at the bounds; whole ones by its rounding, and by one at the least.
    Crossover takes each gene from either parent. A space with operators of its own overrides `sample_many`,
    `mutate_many` and `crossover_many`; those of a single genotype follow.

    Args:
        low: least value of every gene, or D of them.
        high: greatest value, included; not below `low`.
        size: D; not needed where another argument has D entries.
        dtype: "int8" to "int64" for whole numbers, "float32" or "float64"; one for all genes, or D of them. The array's
            own type is the one that holds them all.
    """

    def __init__(
        self,
        low: float | Sequence[float],
        high: float | Sequence[float],
        size: int | None = None,
        dtype: str | Sequence[str] = "float64",
    ) -> None:
        names = [dtype] if isinstance(dtype, str) else list(dtype)
        for name in names:
            if name not in DTYPES:
                raise ValueError(f"Vector: a dtype is one of {', '.join(DTYPES)}, got {name!r}")
        lengths = {len(one) for one in (low, high, names) if isinstance(one, Sequence) and one != [dtype]}
        lengths |= set() if size is None else {size}
        if len(lengths) != 1 or min(lengths) < 1:
            raise ValueError(f"Vector: expected one length of at least 1 (give size, or D bounds), got {lengths or 0}")
        self.size = lengths.pop()
        self.dtype = np.result_type(*names)
        self.low = np.broadcast_to(np.asarray(low, dtype=np.float64), (self.size,))
        self.high = np.broadcast_to(np.asarray(high, dtype=np.float64), (self.size,))
        self.whole = np.broadcast_to([np.issubdtype(name, np.integer) for name in names], (self.size,))
        self._check_bounds(names)
        # as the array holds them: float32(0.1) is above 0.1
        self.low, self.high = (bound.astype(self.dtype).astype(np.float64) for bound in (self.low, self.high))
        self._free = np.flatnonzero(self.low < self.high)
        self._rounds = bool(self.whole.all())
        self._short = self._rounds and max(-self.low.min(), self.high.max()) < 10_000

    def _check_bounds(self, names: Sequence[str]) -> None:
        wrong = ~(np.isfinite(self.low) & np.isfinite(self.high) & (self.low <= self.high))
        for gene in np.flatnonzero(wrong)[:1]:
            raise ValueError(f"Vector: expected finite low <= high, got {self.low[gene]} and {self.high[gene]}")
        for gene in range(self.size):
            name = names[gene % len(names)]
            most = min(np.iinfo(name).max, LARGEST_WHOLE) if self.whole[gene] else float(np.finfo(name).max)
            if max(-self.low[gene], self.high[gene]) > most:
                raise ValueError(f"Vector: {name} cannot hold [{self.low[gene]:g}, {self.high[gene]:g}] (gene {gene})")
            if self.whole[gene] and (self.low[gene] % 1 or self.high[gene] % 1):
                raise ValueError(f"Vector: bounds of whole numbers are whole, got {self.low[gene]}, {self.high[gene]}")

    def __repr__(self) -> str:
        low, high = self.low.min(), self.high.max()
        return f"{type(self).__name__}({self.size} × {self.dtype} in [{low:g}, {high:g}])"

    # ------------------------------------------------------------ whole columns

    def sample_many(self, n: int, rng: np.random.Generator) -> np.ndarray:
        share = rng.random((n, self.size))
        span = self.high - self.low + self.whole
        values = self.low + share * span
        values = np.where(self.whole, np.floor(values), values)
        return np.clip(values, self.low, self.high).astype(self.dtype)

    def mutate_many(self, genotypes: Genotypes, rng: np.random.Generator) -> np.ndarray:
        mutants = np.array(genotypes, dtype=self.dtype)
        n, free = len(mutants), len(self._free)
        if not (n and free):
            return mutants
        chosen = rng.random((n, free)) < 1 / free
        chosen[np.arange(n), rng.integers(free, size=n)] = True
        rows, places = np.nonzero(chosen)
        genes = self._free[places]
        mutants[rows, genes] = self._moved(mutants[rows, genes].astype(np.float64), genes, rng)
        return mutants

    def crossover_many(self, first: Genotypes, second: Genotypes, rng: np.random.Generator) -> np.ndarray:
        a, b = np.asarray(first), np.asarray(second)
        return np.where(rng.random(a.shape) < 0.5, a, b)

    def column(self, genotypes: Genotypes) -> np.ndarray:
        if isinstance(genotypes, np.ndarray):
            return genotypes
        return np.array(genotypes, dtype=self.dtype).reshape(-1, self.size)

    def accept(self, genotypes: Genotypes) -> np.ndarray:
        given = np.asarray(genotypes)
        if given.ndim != 2 or given.shape[1] != self.size or given.dtype.kind not in "biuf":
            raise Invalid(
                f"genotypes: expected numbers of shape (N, {self.size}), got {given.dtype} of shape {given.shape}"
            )
        with np.errstate(invalid="ignore"):  # NaN is no whole number, and is refused below
            column = given.astype(self.dtype)
        wrong = ~((self.low <= column) & (column <= self.high)) | (self.whole & (column != given))
        for row, gene in np.argwhere(wrong)[:1].tolist():
            kind = "an integer" if self.whole[gene] else "a real number"
            raise Invalid(
                f"genotypes[{row}][{gene}]: expected {kind} in [{self.low[gene]:g}, {self.high[gene]:g}], got"
                f" {given[row, gene]}"
            )
        return column

    def trees(self, genotypes: Genotypes) -> list[Genotype]:
        rows = np.asarray(genotypes).tolist()
        if self._rounds or not self.whole.any():
            return rows
        return [[int(x) if whole else x for x, whole in zip(row, self.whole, strict=True)] for row in rows]

    def texts(self, genotypes: Genotypes) -> list[str]:
        # of a list of finite numbers the JSON is the repr without spaces, and that is five times as fast
        return [repr(row).replace(" ", "") for row in self.trees(genotypes)]

    def _moved(self, values: np.ndarray, genes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(M,) values of the given genes, moved: within their bounds, and whole ones never where they were."""
        low, high, whole = self.low[genes], self.high[genes], self.whole[genes]
        noise = rng.normal(size=len(values))
        moved = values + noise * STEP * (high - low)
        stepped = np.round(moved)
        direction = np.where(noise > 0, 1.0, -1.0)
        stepped = np.clip(np.where(stepped == values, values + direction, stepped), low, high)
        stepped = np.where(stepped == values, values - direction, stepped)  # pushed back by a bound: the other way
        share = (moved - low) / (high - low)
        reflected = low + np.clip(1 - np.abs(1 - np.abs(share)), 0, 1) * (high - low)
        return np.where(whole, stepped, np.clip(reflected, low, high))

    # --------------------------------------------------------- a single genotype

    def sample(self, rng: np.random.Generator) -> Genotype:
        return self.trees(self.sample_many(1, rng))[0]

    def mutate(self, value: Genotype, rng: np.random.Generator) -> Genotype:
        return self.trees(self.mutate_many(self.column([value]), rng))[0]

    def step(self, value: Genotype, rng: np.random.Generator) -> Genotype:
        return self.mutate(value, rng)

    def crossover(self, a: Genotype, b: Genotype, rng: np.random.Generator) -> Genotype:
        return self.trees(self.crossover_many(self.column([a]), self.column([b]), rng))[0]

    def validate(self, value: Genotype, path: str = "") -> None:
        if not isinstance(value, list) or len(value) != self.size:
            got = f"{len(value)} entries" if isinstance(value, list) else shown(value)
            raise Invalid(f"{at(path)}expected a list of {self.size} numbers, got {got}")
        for index, number in enumerate(value):
            expected = int if self.whole[index] else float
            low, high = self.low[index], self.high[index]
            if type(number) is not expected or not math.isfinite(number) or not low <= number <= high:
                kind = "an integer" if self.whole[index] else "a real number"
                raise Invalid(f"{path}[{index}]: expected {kind} in [{low:g}, {high:g}], got {shown(number)}")

    def readable(self, value: Genotype) -> str:
        if self._short:
            return repr(value)  # the same, ten times as fast
        return f"[{', '.join(f'{number:.4g}' for number in value)}]"
