"""Which genes and modules decide a metric, from the log of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from search_spaces.genes.encoding import Column, Encoding
from search_spaces.genes.infer import infer_genes

from ..errors import UsageError
from ..surrogates.attribution import Attribution, Groups, gene_groups, module_groups
from ..surrogates.forest import Forest
from .looking import opened
from .run import Run
from .statistics import rank_correlation

FEWEST = 30
"""Evaluated candidates below which no forest tells genes apart."""
MOST_ROWS = 1000
"""Of more candidates, a bootstrap draws this many."""
PAIRED = 6
"""Interactions are looked for among this many genes, the most important ones."""
INTERVAL = (0.05, 0.95)

Progress = Callable[[int, int], None]
"""Called with how many bootstraps are done, and of how many."""


class Share(NamedTuple):
    """A share of the variance: mean over the bootstraps, and the interval that holds nine tenths of them."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Importance:
    """A gene, a module or a pair of genes.

    Args:
        name: path of the gene ("layers[].moe.top_k"), module ("layers[2]", "layers[]=moe") or both of a pair.
        total: what is lost without knowing it, interactions included; of a pair, what both decide together beyond what
            each decides alone.
        alone: what it decides by itself; None of a pair.
        column: the number in it that goes most with the metric, such as "activation=relu"; None of a pair.
        correlation: of that number with the metric (Spearman's), in [-1, 1]; None of a pair.
    """

    name: str
    total: Share
    alone: Share | None = None
    column: str | None = None
    correlation: float | None = None


@dataclass(frozen=True)
class Ranking:
    """What decides a metric; each list begins with the most important.

    Args:
        metric: its name.
        candidates: how many the forests learnt from.
        explained: share of the metric's variance that they explain out of bag, the rest being noise or unlearnt; shares
            of the others are of what they explain.
        genes: with all positions of lists together.
        modules: entries of lists by position, and kinds of variants.
        interactions: of pairs of the most important genes.
    """

    metric: str
    candidates: int
    explained: Share
    genes: Sequence[Importance]
    modules: Sequence[Importance]
    interactions: Sequence[Importance]

    def data(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "metric": self.metric,
            "candidates": self.candidates,
            "explained": self.explained._asdict(),
            **{kind: [_plain(one) for one in getattr(self, kind)] for kind in ("genes", "modules", "interactions")},
        }


def importance(
    run: Run | Path | str,
    metric: str | None = None,
    *,
    bootstraps: int = 20,
    seed: int = 0,
    progress: Progress = lambda done, of: None,
) -> Ranking:
    """Rank genes and modules by their effect on a metric.

    The question is AutoBuild's (Mills et al. 2024, arXiv 2403.13293): which modules make architectures good. Its answer
    deviates: AutoBuild takes the norms of a graph network's embeddings, aligned with the target by a soft rank
    correlation; here a random forest learns the metric from the genes, and importance is the share of its variance
    that a gene decides (Sobol's total index, see `Attribution`), with intervals over bootstraps of the candidates. The
    genes are inferred from the log, so that no plug-in is imported.

    Args:
        run: a run with a log of all, or its folder.
        metric: default: the objective.
        bootstraps: at least 2; they are where the uncertainty comes from.
        seed: of the bootstraps.
        progress: called after every one of them.

    Raises:
        UsageError: no such metric, a log of what was accepted alone, too few candidates, or a metric without variance.
    """
    run = opened(run)
    metric = metric or run.archive.objective.metric
    run.require_metric(metric)
    if bootstraps < 2:
        raise UsageError(f"`bootstraps`: expected at least 2, got {bootstraps}")
    rows, columns, values = _table(run, metric)
    rng = np.random.default_rng(seed)
    samples = []
    for done in range(bootstraps):
        samples.append(_bootstrap(rows, columns, values, rng))
        progress(done + 1, bootstraps)
    by_gene, by_module = _varying(gene_groups(columns), rows), _varying(module_groups(columns), rows)
    # what stands in one place alone is a module that the list of genes names already
    own = {tuple(part) for part in by_gene.values()}
    by_module = {name: part for name, part in by_module.items() if tuple(part) not in own}

    def ranked(groups: Groups) -> list[Importance]:
        found = []
        for name, part in groups.items():
            totals = np.clip([one.attribution.total(part) for one in samples], 0, 1)  # beyond is sampling error
            alone = np.clip([one.attribution.alone(part) for one in samples], 0, totals)
            strongest = _strongest(part, columns, rows, values)
            found.append(Importance(name, _share(totals), _share(alone), *strongest))
        return sorted(found, key=lambda one: -one.total.mean)

    genes = ranked(by_gene)
    pairs = combinations([one.name for one in genes[:PAIRED]], 2)
    together = [_interaction(a, b, by_gene, [one.attribution for one in samples]) for a, b in pairs]
    return Ranking(
        metric,
        len(values),
        _share([one.explained for one in samples]),
        genes,
        ranked(by_module),
        sorted((one for one in together if one.total.low > 0), key=lambda one: -one.total.mean),
    )


def _table(run: Run, metric: str) -> tuple[np.ndarray, Sequence[Column], np.ndarray]:
    """(N, D) numbers of genotypes, what they stand for, and (N,) the metric."""
    if run.accepted_only:
        raise UsageError(
            f"{run.folder.path}: the log keeps what entered the archive, which says nothing of what is bad;"
            " importance needs a search with log: all"
        )
    told = run.query(
        f'SELECT c.genotype, results."{metric}" FROM results JOIN evaluations e ON e.id = _evaluation'
        " JOIN candidates c ON c.id = e.candidate"
        " WHERE e.purpose = 'search' AND e.fidelity = 1 AND _status = 0"
        f' AND results."{metric}" IS NOT NULL ORDER BY e.id'
    )
    values = np.array([value for _, value in told], dtype=np.float64)
    if len(told) < FEWEST:
        raise UsageError(
            f"{run.folder.path}: {len(told)} candidates have a {metric}; importance needs {FEWEST} of them at least"
        )
    if values.min() == values.max():
        raise UsageError(f"{run.folder.path}: {metric} is {values[0]:g} for every candidate; nothing decides it")
    genotypes = [run.genotype(text) for text, _ in told]
    values = np.ldexp(values, -int(np.frexp(np.abs(values).max())[1]))  # shares stay what they are, squares are numbers
    encoding = Encoding(infer_genes(genotypes), totals=False)
    return encoding.encode(genotypes), encoding.columns, values


def _varying(groups: Groups, rows: np.ndarray) -> Groups:
    varies = rows.min(axis=0) < rows.max(axis=0)
    return {name: part for name, part in groups.items() if varies[part].any()}


class _Sample(NamedTuple):
    """What one bootstrap gave."""

    attribution: Attribution
    explained: float


def _bootstrap(rows: np.ndarray, columns: Sequence[Column], values: np.ndarray, rng: np.random.Generator) -> _Sample:
    drawn = rng.integers(len(rows), size=min(len(rows), MOST_ROWS))
    rest = np.setdiff1d(np.arange(len(rows)), drawn)
    forest = Forest()
    forest.fit(rows[drawn], values[drawn])
    errors = forest.predict(rows[rest]).mean - values[rest]
    return _Sample(Attribution(forest, rows[drawn], columns, rng), float(1 - (errors**2).mean() / values.var()))


def _interaction(first: str, second: str, groups: Groups, samples: Sequence[Attribution]) -> Importance:
    a, b = groups[first], groups[second]
    both = np.concatenate([a, b])
    beyond = [attribution.alone(both) - attribution.alone(a) - attribution.alone(b) for attribution in samples]
    return Importance(f"{first} × {second}", _share(beyond))


def _strongest(part: np.ndarray, columns: Sequence[Column], rows: np.ndarray, values: np.ndarray) -> tuple[str, float]:
    """The number among these that goes most with the metric, and its rank correlation."""
    varying = [index for index in part.tolist() if rows[:, index].min() < rows[:, index].max()]
    correlations = {index: rank_correlation(rows[:, index], values) or 0.0 for index in varying}
    strongest = max(varying, key=lambda index: abs(correlations[index]))
    return columns[strongest].name, correlations[strongest]


def _share(values: Sequence[float] | np.ndarray) -> Share:
    low, high = np.quantile(values, INTERVAL)
    return Share(float(np.mean(values)), float(low), float(high))


def _plain(one: Importance) -> dict[str, Any]:
    data = {"name": one.name, "total": one.total._asdict()}
    if one.alone is not None:
        data |= {"alone": one.alone._asdict(), "column": one.column, "correlation": one.correlation}
    return data
