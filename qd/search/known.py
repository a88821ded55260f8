"""What is known of candidates before they are evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from evaluators import Evaluator
from search_spaces import Genotypes, Metric, SearchSpace
from search_spaces.genes.columns import copied, take

from ..archives import Archive
from ..candidates import Results, Status
from ..emitters.screening import known_positions
from ..interrupts import Interrupted, told_apart
from ..space_hooks import keys_of

REMEMBERED = 100_000
"""Architectures whose known metrics are kept, the latest."""
TOLERANCE = 1e-6
"""Relative difference between a known and a reported value that rounding explains."""


class Known:
    """The metrics that an evaluator knows without an evaluation, remembered by architecture.

    Args:
        space: gives keys.
        evaluator: bound to it.
        metrics: what is reported, by name.
    """

    def __init__(self, space: SearchSpace, evaluator: Evaluator, metrics: Mapping[str, Metric]) -> None:
        self._space, self._evaluator, self._metrics = space, evaluator, metrics
        self._found: dict[str, dict[str, float]] = {}
        """{key: {metric: value}} of what was asked for, NaN where nobody knows it."""
        self.nothing = type(evaluator).known is Evaluator.known
        """Whether the evaluator knows of no metric at all."""

    def __call__(
        self, genotypes: Genotypes, names: Sequence[str], keys: Sequence[str] | None = None, /
    ) -> dict[str, np.ndarray]:
        """{name: (N,) float64} of metrics that are known of any of the candidates; NaN where one is not known.

        Args:
            genotypes: N, valid.
            names: of the metrics that are asked for.
            keys: N, of the candidates' architectures, where they are at hand.
        """
        if self.nothing or not len(genotypes):
            return {}
        keys = keys or keys_of(self._space, self._space.genes.trees(genotypes))
        wanted = set(names)
        new = {key: row for row, key in enumerate(keys) if not self._found.get(key, {}).keys() >= wanted}
        if new:
            given = self._ask(take(genotypes, np.array(list(new.values()))), names)
            nothing = np.full(len(new), np.nan)
            columns = {
                name: np.where(np.isfinite(column := given.get(name, nothing)), column, np.nan) for name in names
            }
            for index, key in enumerate(new):
                self._found.setdefault(key, {}).update({name: float(columns[name][index]) for name in names})
        columns = {name: np.array([self._found[key][name] for key in keys]) for name in names}
        self._forget()
        return {name: column for name, column in columns.items() if not np.isnan(column).all()}

    def outside(self, genotypes: Genotypes, archive: Archive) -> np.ndarray:
        """(N,) bool: whether a known measure lies where the archive takes nothing."""
        if self.nothing or archive.clips:
            return np.zeros(len(genotypes), dtype=bool)
        bounds = np.array([axis.bounds() for axis in archive.axes])
        positions = known_positions(self, genotypes, archive)
        return np.any((positions < bounds[:, 0]) | (positions > bounds[:, 1]), axis=1)

    def ranges(self, archive: Archive) -> str:
        """What is known of the measures so far, and where their axes go, in words."""
        texts = []
        for axis in archive.axes:
            values = [
                found[axis.metric] for found in self._found.values() if np.isfinite(found.get(axis.metric, np.nan))
            ]
            if values:
                texts.append(
                    f"{axis.metric} lies between {min(values):g} and {max(values):g} there,"
                    f" and its axis goes from {axis.low:g} to {axis.high:g}"
                )
        return "; ".join(texts)

    def check(self, results: Results, genotypes: Genotypes, archive: Archive) -> None:
        """Let those fail that report another measure than was known: then who chose them was misled.

        Args:
            results: N; those that are contradicted are changed in place.
            genotypes: N.
            archive: whose measures are compared.
        """
        ok = np.flatnonzero(results.status == Status.OK)
        if self.nothing or not len(ok):
            return
        names = [axis.metric for axis in archive.axes]
        metrics = {name: results.metrics[name][ok] for name in names}
        texts = self.contradicted(take(genotypes, ok), names, metrics)
        for row, text in zip(ok.tolist(), texts, strict=True):
            if text:
                results.status[row] = Status.FAILED
                results.errors[int(results.evaluation_ids[row])] = text
                for column in results.metrics.values():
                    column[row] = np.nan

    def contradicted(self, genotypes: Genotypes, names: Sequence[str], metrics: Mapping[str, np.ndarray]) -> list[str]:
        """What an evaluation reports otherwise than it was known, in words: N texts, empty where nothing is.

        Args:
            genotypes: N, valid.
            names: of metrics that may be known; what a clock says is never compared.
            metrics: {name: (N,)} as reported.
        """
        texts = [""] * len(genotypes)
        for name, expected in self(genotypes, [one for one in names if not self._metrics[one].time]).items():
            if name not in metrics:
                continue
            close = np.isclose(metrics[name], expected, rtol=TOLERANCE, atol=TOLERANCE * TOLERANCE)
            for row in np.flatnonzero(np.isfinite(expected) & ~close).tolist():
                texts[row] = (
                    f"{name}: {float(expected[row])!r} was known before the evaluation, which reports"
                    f" {float(metrics[name][row])!r}; mend what gives the known value (`known` of the evaluator, space"
                    " or metric), or leave it out there"
                )
        return texts

    def _ask(self, genotypes: Genotypes, names: Sequence[str]) -> dict[str, np.ndarray]:
        """As the evaluator says; of a batch that it fails over one by one, and what fails alone is not known."""
        size = len(genotypes)
        try:
            with told_apart():
                given = self._evaluator.known(copied(genotypes), names)
                return {
                    name: np.asarray(given[name], dtype=np.float64).reshape(size) for name in names if name in given
                }
        except Interrupted:
            raise
        except BaseException:
            if size == 1:
                return {}
        parts = [self._ask(take(genotypes, np.array([row])), names) for row in range(size)]
        nothing = np.full(1, np.nan)
        return {name: np.concatenate([part.get(name, nothing) for part in parts]) for name in names}

    def _forget(self) -> None:
        while len(self._found) > REMEMBERED:
            del self._found[next(iter(self._found))]
