"""What a library's own records say of a composition before it is trained: for `{kind: guided, surrogate: own}`.

Axes: N genotypes, P positions, M modules of a position, E examples.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel
from torch import Tensor

from qd.surrogates.base import Prediction, Surrogate
from search_spaces import Genotype, Genotypes, Task
from search_spaces.library import Library, ModuleRecord
from search_spaces.library.stitch import make_stitch
from search_spaces.module_library import STITCHES, ModuleLibrary, Position

EXAMPLES = 64
"""Of the new task's training inputs."""
DRAWN = 16
"""Inputs drawn from each module's record, to compare modules of one position by what they compute."""
COORDINATES = 3
"""Of a module, in the space of functional distances."""
SOFTNESS = 0.1
"""Temperature of the prior softmax(accuracy)."""
SCALE = 0.03
"""Accuracy that a unit of log-evidence is worth, before there are answers to learn it from."""
PULL = 0.05
"""Of the belief that the prior is right, against answers: their number times the variance of their priors."""
DEVIATION = 0.15
"""Of the prior, in accuracy."""
LEAST_EVIDENCE = -4.0
"""Nats; the posterior of a module that does not fit at all is as good as 0."""
TRAINED = 0.5
"""How much a bad fit counts where training can fix it: of tuned modules, and beside trained stitches."""


class CompositionSurrogate(Surrogate):
    """PICLE's two models as one (Valkov et al., arXiv 2306.06545).

    Before any answer a composition is worth the evidence for its reused modules: stage by stage the log-posterior of a
    module among those of its stage, softmax(accuracy) times the likelihood of its inputs (what the modules before give
    for the new task's images) under the Gaussian over random projections in its record. For a head it is how likely its
    scores make the new task's labels. Of what stands behind a new module or a `relative` stitch nothing is known.
    Answers then correct that: a Gaussian process over what a composition says of each stage, in which modules lie at
    their functional distances.

    Deviations: PICLE models prefixes and suffixes apart, and takes the rest to be new; here any stage may be new,
    frozen or tuned, so one Gaussian process learns from all answers. The likelihood is that of one mean example and not
    of all, and the posterior is bounded, as a single module would otherwise outweigh all else. The functional distance
    is sqrt(1 - CKA) (linear centred kernel alignment, Kornblith et al., arXiv 1905.00414) instead of a Euclidean one,
    as modules of one stage may differ in size.

    Args:
        space: with a library.
        task: the new one.
        inputs: (E, *task.input_shape), some of its training examples.
        labels: (E,) int64.
    """

    def __init__(self, space: ModuleLibrary, task: Task, inputs: Tensor, labels: Tensor) -> None:
        assert space.library is not None
        self._space, self._library, self._task = space, space.library, task
        self._inputs, self._labels = inputs[:EXAMPLES].cpu(), labels[:EXAMPLES].cpu()
        self._mean_accuracy = float(np.mean([record.accuracy for record in space.library]))
        self._outputs: dict[tuple[str, ...], Tensor] = {}
        self._posteriors: dict[tuple[str, ...], dict[str, float]] = {}
        self._process: GaussianProcessRegressor | None = None
        self._line, self._spread = (0.0, 1.0), 1.0

    def fit(self, genotypes: Genotypes, objectives: np.ndarray) -> None:
        features, priors = self._describe(genotypes)
        known = np.where(np.isnan(priors), self._mean_accuracy, priors)
        self._line = _line(known, objectives)
        residuals = objectives - self._on_line(known)
        spread = max(float(residuals.std()), 1e-3)
        kernel = ConstantKernel(0.1, (1e-2, 1e1)) * DotProduct(1.0, "fixed")
        kernel += ConstantKernel(0.5, (1e-2, 1e1)) * RBF(3.0, (1.0, 30.0)) + WhiteKernel(0.1, (1e-2, 1.0))
        self._spread = spread
        self._process = GaussianProcessRegressor(kernel, alpha=1e-6)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # at a bound: few answers determine no length scale
            self._process.fit(features, residuals / spread)

    def predict(self, genotypes: Genotypes) -> Prediction:
        features, priors = self._describe(genotypes)
        if self._process is None:
            return Prediction(priors, np.where(np.isnan(priors), np.nan, DEVIATION))
        known = np.where(np.isnan(priors), self._mean_accuracy, priors)
        mean, deviation, *_ = self._process.predict(features, return_std=True)
        assert isinstance(mean, np.ndarray) and isinstance(deviation, np.ndarray)
        return Prediction(self._on_line(known) + self._spread * mean, self._spread * deviation)

    def describe(self) -> dict[str, Any]:
        """The line from the records' evidence to the objective, and the Gaussian process's kernel."""
        kernel = "" if self._process is None else str(self._process.kernel_)
        return {"intercept": self._line[0], "slope": self._line[1], "kernel": kernel}

    def _on_line(self, priors: np.ndarray) -> np.ndarray:
        return self._line[0] + self._line[1] * priors

    def _describe(self, genotypes: Genotypes) -> tuple[np.ndarray, np.ndarray]:
        """Features (N, D) of the Gaussian process, and prior objectives (N,), NaN where nothing is reused."""
        rows = [self._row(genotype) for genotype in self._space.genes.trees(genotypes)]
        return np.array([features for features, _ in rows]), np.array([prior for _, prior in rows])

    def _row(self, genotype: Genotype) -> tuple[list[float], float]:
        blank = [0.0] * (4 + 2 * len(STITCHES) + 2 + COORDINATES)
        by_position = {position.name: blank for position in self._space.positions}
        total, reused = 0.0, False
        prefix: tuple[str, ...] | None = ()
        for position, genes, record in self._space.placed(genotype):
            if record is None:
                by_position[position.name] = [1.0, 0.0, 0.0, math.log2(genes.get("size", 1)) / 4, *blank[4:]]
                prefix = None  # what a new module will give cannot be known
                continue
            reused = True
            if genes["stitch"] == "relative":
                prefix = None  # it starts at random
            evidence = 0.0 if prefix is None else self._evidence(position, prefix)[record.name]
            fixed = genes["tuned"] or genes["stitch"] != "none" or genes.get("outlet", "none") != "none"
            if evidence < 0 and fixed:
                evidence *= TRAINED
            total += evidence
            by_position[position.name] = [
                0.0,
                float(not genes["tuned"]),
                float(genes["tuned"]),
                0.0,
                *(float(genes["stitch"] == stitch) for stitch in STITCHES),
                *(float(genes.get("outlet") == stitch) for stitch in STITCHES),
                evidence / 2,
                float(prefix is not None),
                *self._coordinates[record.name],
            ]
            prefix = None if prefix is None else (*prefix, record.name)
        prior = self._mean_accuracy + SCALE * total if reused else math.nan
        return [value for features in by_position.values() for value in features], prior

    def _evidence(self, position: Position, prefix: tuple[str, ...]) -> dict[str, float]:
        """{module: log-posterior, above that of a module drawn at random} behind a row of library modules."""
        if (position.name, *prefix) not in self._posteriors:
            records = list(position.records.values())
            found = self._fits(records, prefix) if position.name == "head" else self._posterior(records, prefix)
            bounded = np.maximum(found, LEAST_EVIDENCE).tolist()
            self._posteriors[position.name, *prefix] = dict(zip(position.records, bounded, strict=True))
        return self._posteriors[position.name, *prefix]

    def _posterior(self, records: Sequence[ModuleRecord], prefix: tuple[str, ...]) -> np.ndarray:
        inputs = self._after(prefix)
        found = [one.statistics.log_likelihood(inputs) if one.statistics else np.nan for one in records]
        likelihoods = np.array(found)
        unknown = np.isnan(likelihoods)
        if unknown.any():  # a stranger's module is taken for an average one
            likelihoods[unknown] = 0.0 if unknown.all() else likelihoods[~unknown].mean()
        logits = np.array([one.accuracy for one in records]) / SOFTNESS + likelihoods
        return logits - np.logaddexp.reduce(logits) + math.log(len(logits))

    def _fits(self, heads: Sequence[ModuleRecord], prefix: tuple[str, ...]) -> np.ndarray:
        """How much likelier each head makes the labels than chance does, in nats an example."""
        inputs, outputs = self._after(prefix), self._task.outputs
        scores = [_run(self._library, head, inputs) for head in heads]
        fitted = [make_stitch("none", tuple(one.shape[1:]), (outputs,))(one) for one in scores]
        losses = [float(torch.nn.functional.cross_entropy(one, self._labels)) for one in fitted]
        return math.log(outputs) - np.array(losses)

    def _after(self, prefix: tuple[str, ...]) -> Tensor:
        """What a row of library modules gives for the new task's inputs, with nothing trained in between."""
        if not prefix:
            return self._inputs
        if prefix not in self._outputs:
            self._outputs[prefix] = _run(self._library, self._library.records[prefix[-1]], self._after(prefix[:-1]))
        return self._outputs[prefix]

    @cached_property
    def _coordinates(self) -> dict[str, list[float]]:
        """Of every module, such that Euclidean distances are near the functional ones within its position."""
        found: dict[str, list[float]] = {}
        for position in self._space.positions:
            records = list(position.records.values())
            if records:
                rows = _scaled(self._distances(records))
                found.update(zip(position.records, rows.tolist(), strict=True))
        return found

    def _distances(self, records: Sequence[ModuleRecord]) -> np.ndarray:
        """(M, M): how differently modules of one position answer to the same inputs."""
        probes = [one.statistics.draw(DRAWN, index) for index, one in enumerate(records) if one.statistics]
        if records[0].input.kind == "image":
            probes = [self._inputs]
        grams = []
        for record in records:
            parts = [make_stitch("none", tuple(probe.shape[1:]), record.input.shape)(probe) for probe in probes]
            outputs = _run(self._library, record, torch.cat(parts)).flatten(1).double().numpy() if parts else np.eye(2)
            centred = outputs - outputs.mean(0)
            gram = centred @ centred.T
            grams.append(gram / max(float(np.linalg.norm(gram)), 1e-12))
        alignment = np.array([[float((a * b).sum()) for b in grams] for a in grams])
        return np.sqrt(np.clip(1 - alignment, 0, None))


@torch.no_grad()
def _run(library: Library, record: ModuleRecord, inputs: Tensor) -> Tensor:
    shape = tuple(inputs.shape[1:])
    return library.build(record.name).eval()(make_stitch("none", shape, record.takes(shape))(inputs))


def _scaled(distances: np.ndarray) -> np.ndarray:
    """Classical multidimensional scaling: (M, M) distances to (M, COORDINATES)."""
    size = len(distances)
    centring = np.eye(size) - 1 / size
    values, vectors = np.linalg.eigh(-centring @ np.square(distances) @ centring / 2)
    largest = np.argsort(values)[::-1][:COORDINATES]
    coordinates = vectors[:, largest] * np.sqrt(np.clip(values[largest], 0, None))
    return np.pad(coordinates, ((0, 0), (0, COORDINATES - coordinates.shape[1])))


def _line(priors: np.ndarray, objectives: np.ndarray) -> tuple[float, float]:
    """Intercept and slope from the prior to the objective: least squares, drawn towards a slope of 1; at least 0."""
    offsets = priors - priors.mean()
    slope = (PULL + float(offsets @ (objectives - objectives.mean()))) / (PULL + float(offsets @ offsets))
    slope = max(0.0, slope)
    return float(objectives.mean() - slope * priors.mean()), slope
