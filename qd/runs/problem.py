"""The door: turns a run file into a space, an evaluator, an archive and emitters that fit together, or refuses it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from evaluators import Evaluator
from search_spaces import Gene, Invalid, Metric, SearchSpace

from ..analysis.elites import ELITE_COLUMNS, INHERITED, SAMPLES
from ..archives import Archive, CellArchive, make_archive
from ..config import RunFile
from ..errors import LONGEST_REASON, UsageError, clipped
from ..registry import Registry, is_own
from ..search.known import Known
from ..search.problem import Problem, WeightedEmitter, emitter_names
from ..search.promotion import NEEDS_CELLS
from ..search.seeds import stream_seed
from ..store.reader import EVALUATION_COLUMNS
from ..store.schema import METRIC_NAME, MOST_METRICS
from .components import Components, build_components

RESERVED = frozenset((*EVALUATION_COLUMNS, *ELITE_COLUMNS, SAMPLES, INHERITED))
"""Names of the columns that stand beside metrics in the tables of elites and evaluations."""


def prepare(
    config: RunFile, name: str, plugin_folder: Path | None, recorded: Mapping[str, Any] | None = None
) -> Problem:
    """Build every part of a run.

    Args:
        config: the run file.
        name: its path, for messages.
        plugin_folder: where dotted paths are looked up.
        recorded: what the log of the run has of its archive; None for a new run.

    Raises:
        UsageError: naming file and key.
    """
    try:
        return _prepare(config, plugin_folder, recorded)
    except UsageError as error:
        raise UsageError(f"{name}: {clipped(error, LONGEST_REASON)}") from error


def _prepare(config: RunFile, folder: Path | None, recorded: Mapping[str, Any] | None) -> Problem:
    registry = Registry(folder)
    components = build_components(config, registry)
    with registry.at_hand():
        return _bound(config, registry, components, recorded)


def _bound(config: RunFile, registry: Registry, components: Components, recorded: Mapping[str, Any] | None) -> Problem:
    space, evaluator = components.space, components.evaluator
    if not isinstance(getattr(space, "genes", None), Gene):
        raise UsageError(f"space: {config.space.kind} declares no `genes`, such as Struct(width=Choice(16, 32))")
    metrics = _metrics(space, evaluator)
    _check_named(config, metrics)
    definitions = {metric: definition for metric, (definition, _) in metrics.items()}
    archive = make_archive(config.archive, definitions, registry, recorded)
    _check_times(config, metrics)
    _check_imported(config, space)
    if config.search.noise == "reevaluate":
        _average(config, archive)
    _check_rungs(config, evaluator, archive)
    _check_inherited(config, evaluator)
    components.bind(config)
    known = Known(space, evaluator, definitions)
    emitters = _emitters(config, registry, space, evaluator, archive, definitions, known)
    return Problem(config, space, evaluator, metrics, archive, emitters, known, registry)


def _metrics(space: SearchSpace, evaluator: Evaluator) -> dict[str, tuple[Metric, str]]:
    if not getattr(evaluator, "metrics", None):
        raise UsageError(f"evaluator: {type(evaluator).__name__} declares no `metrics`")
    metrics: dict[str, tuple[Metric, str]] = {}
    for owner, source in ((evaluator, "evaluator"), (space, "space")):
        if not isinstance(owner.metrics, Mapping):
            raise UsageError(f"{source}: expected metrics = {{name: Metric(...)}}, got {owner.metrics!r}")
        for name, metric in owner.metrics.items():
            if not isinstance(name, str) or not METRIC_NAME.fullmatch(name):
                raise UsageError(
                    f"{source}: metric name {name!r} is not allowed: lower case letters, digits and _, a letter first,"
                    " at most 63"
                )
            if name in RESERVED:
                raise UsageError(f"{source}: metric name {name!r} is taken by a column of the log; choose another")
            if name in metrics:
                raise UsageError(f"{source}: metric {name!r} is reported by the evaluator already; choose another name")
            if not isinstance(metric, Metric):
                raise UsageError(f"{source}: metric {name!r}: expected Metric(...), got {metric!r}")
            metrics[name] = (metric, source)
    if len(metrics) > MOST_METRICS:
        raise UsageError(f"evaluator: at most {MOST_METRICS} metrics, got {len(metrics)}")
    return metrics


def _named(config: RunFile) -> dict[str, str]:
    """{key: metric} of objective and measures."""
    named = {f"archive.measures[{index}]": axis.metric for index, axis in enumerate(config.archive.measures)}
    return {"archive.objective": config.archive.objective.metric, **named}


def _check_named(config: RunFile, metrics: Mapping[str, tuple[Metric, str]]) -> None:
    """Say of a metric that nobody reports where the run file could add it; what is unknown, the archive refuses."""
    for key, name in _named(config).items():
        if name not in metrics and is_own("metrics", name):
            raise UsageError(f"{key}: no metric {name!r} is reported; write metrics: [{name}] to have it measured")


def _check_times(config: RunFile, metrics: Mapping[str, tuple[Metric, str]]) -> None:
    if config.search.order != "id":
        return
    for key, metric in _named(config).items():
        if metrics[metric][0].time:
            raise UsageError(
                f"{key}: {metric!r} is a time and differs between equal runs, and `order: id` promises equal logs;"
                " choose another metric, or order: arrival"
            )


def _average(config: RunFile, archive: Archive) -> None:
    try:
        archive.average()
    except ValueError as error:
        raise UsageError(f"search.noise: `reevaluate` {error}") from error
    if config.log.keep != "all":
        raise UsageError("search.noise: `reevaluate` needs every evaluation in the log; write log: all")


def _check_rungs(config: RunFile, evaluator: Evaluator, archive: Archive) -> None:
    rungs, kind = config.search.rungs, config.evaluator.kind
    if rungs is None:
        return
    if not evaluator.has_fidelity:
        raise UsageError(
            f"search.rungs: {kind} evaluates every candidate in full, whatever the fidelity; leave rungs out, or use an"
            " evaluator that trains, such as supervised"
        )
    if rungs.continued and not evaluator.continues:
        raise UsageError(f"search.rungs.continue: {kind} cannot go on from trained weights; write continue: false")
    if rungs.promote in NEEDS_CELLS and not isinstance(archive, CellArchive):
        raise UsageError(
            f"search.rungs.promote: `{rungs.promote}` needs an archive whose cells are there from the start, and those"
            f" of {config.archive.kind} are not; write promote: best, or front"
        )
    if config.log.keep != "all":
        raise UsageError("search.rungs: needs every evaluation in the log; write log: all")


def _check_inherited(config: RunFile, evaluator: Evaluator) -> None:
    if not config.search.inherit:
        return
    if not evaluator.continues:
        raise UsageError(
            f"search.inherit: {config.evaluator.kind} cannot start from the weights of a parent; leave inherit out"
        )
    if config.log.keep != "all":
        raise UsageError("search.inherit: needs every evaluation in the log; write log: all")


def _check_imported(config: RunFile, space: SearchSpace) -> None:
    if config.imported and config.log.keep != "all":
        raise UsageError("imported: needs every candidate in the log; write log: all")
    for index, genotype in enumerate(config.imported):
        try:
            space.genes.validate(genotype)
        except Invalid as error:
            raise UsageError(f"imported[{index}]: {error}; qd import completes genotypes for this space") from None


def _emitters(
    config: RunFile,
    registry: Registry,
    space: SearchSpace,
    evaluator: Evaluator,
    archive: Archive,
    metrics: Mapping[str, Metric],
    known: Known,
) -> list[WeightedEmitter]:
    names = emitter_names([one.kind for one in config.emitters])
    emitters = []
    for index, (name, one) in enumerate(zip(names, config.emitters, strict=True)):
        where = f"emitters[{index}]"
        emitter = registry.build("emitters", one.kind, one.arguments, where, ("kind", "weight"), space=space)
        try:
            emitter.bind(metrics, archive, evaluator.surrogate, known)
        except ValueError as error:
            raise UsageError(f"{where}: {clipped(error, LONGEST_REASON)}") from error
        if emitter.remembers and config.log.keep != "all":
            raise UsageError(
                f"{where}: {one.kind} learns from every result, and fits again from the log; write log: all"
            )
        rng = np.random.default_rng(stream_seed(config.search.seed, f"emitter {name}"))
        emitters.append(WeightedEmitter(name, emitter, one.weight, rng))
    return emitters
