"""`qd export`: candidates of a run, as folders that stand alone."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import networkx

from ..analysis.lineage import lineage
from ..analysis.run import Run, open_run
from ..analysis.rungs import inherited_from
from ..analysis.selection import Selection, choose
from ..analysis.spread import Spread, verified
from ..errors import UsageError
from ..runs.launch import prepare_again
from ..search.problem import Problem
from ..space_hooks import module_graph_or_none
from ..wording import tested
from .architecture import Architecture
from .folder import LICENCE, Export, appearing, check_formats, check_free, check_raw_is_possible, give_weights
from .formats import USUAL
from .weights import can_build, kept_weights, weights_again

logger = logging.getLogger(__name__)


def export(
    folder: Path | str,
    to: Path | str,
    *,
    best: bool = False,
    id: int | None = None,
    cell: str | None = None,
    where: str | None = None,
    pareto: str | None = None,
    formats: str | None = None,
    raw: bool = False,
    plugins: Path | str | None = None,
    licence: str = LICENCE,
) -> list[int]:
    """Take networks of a run home, each checked against the trained network in every format.

    Which candidates is said by one of `best`, `id`, `cell`, `where` and `pareto`.

    Args:
        folder: the run's.
        to: the folder to make; with `where` and `pareto` one folder in it for each network, named by id.
        best: the best elite; the best verified one where some were verified.
        id: a candidate, which need not be an elite.
        cell: bins along the axes, such as "3,7".
        where: an SQL condition over elites, as of `qd elites`.
        pareto: metrics, such as "val_accuracy,macs": the elites that no other elite beats in all of them.
        formats: some of "safetensors,onnx,torch,circuit"; default: all but the last, or weights alone where the
            evaluator trains no network of torch.
        raw: whether one more file, model_raw.onnx, takes raw inputs and gives class names, or values in units of the
            data.
        plugins: where dotted paths are looked up; default: where they were when the run began.
        licence: of the weights, for the model card.

    Returns:
        Ids of what was exported.

    Raises:
        UsageError: bad input, or nothing fits; nothing was made.
        QdError: damaged weights, or a format that computes something else; nothing was made.
    """
    if sum([best, *(given is not None for given in (id, cell, where, pareto))]) != 1:
        raise UsageError("say which networks: one of `best`, `id`, `cell`, `where`, `pareto`")
    selection = Selection(best=best, id=id, cell=cell, where=where, pareto=pareto)
    to = Path(to)
    names = None if formats is None else check_formats(formats)
    check_raw_is_possible(raw, names)
    run = open_run(folder, plugins=plugins)
    check_free(to)
    ids = choose(run, selection)
    collector = _Collector(run, plugins, licence)
    with appearing(to) as temporary:
        for candidate in ids:
            place = temporary if selection.is_one else temporary / str(candidate)
            place.mkdir(exist_ok=True)
            one = collector.collect(candidate)
            parity = one.write(place, names or USUAL, raw)
            if one.network is None and (names is not None or raw):
                raise UsageError(f"{run.folder.path}: its evaluator has no task, so there is no network to write")
            for remark in one.remarks:
                logger.info(f"{candidate}: {remark}")
            if parity:
                compared, worst = ", ".join(parity.differences), max(parity.differences.values())
                logger.info(f"{candidate}: {compared} compared; largest difference of an output {worst:.1g}")
    return ids


class _Collector:
    """Gathers what an export is made of; imports plug-ins once, and only where a network is to be built."""

    def __init__(self, run: Run, plugins: Path | str | None, licence: str) -> None:
        self._run, self._plugins, self._licence = run, plugins, licence

    def collect(self, candidate: int) -> Export:
        run = self._run
        architecture = Architecture.of(run, candidate)
        found = kept_weights(run, candidate)
        common: dict[str, Any] = {
            "architecture": architecture,
            "units": run.metrics,
            "graph": _logged_graph(run, candidate),
            "ancestors": lineage(run, candidate),
            "licence": self._licence,
        }
        if architecture.task is None:
            if found is None:
                raise UsageError(self._nothing_kept(candidate))
            return Export(measured=found.metrics, weights=found.weights, **common)
        parts = self._parts
        found = found or weights_again(run, candidate, parts)
        where = f"{run.folder.path}: candidate {candidate}"
        network = architecture.build(parts.space, where)
        if not found.weights:
            self._check_fixed(architecture, network, where)
        network = give_weights(network, found.weights, where)
        if common["graph"] is None:
            common["graph"] = module_graph_or_none(parts.space, architecture.genotype)
        spreads = self._spreads.get(candidate)
        one = Export(
            measured=found.metrics,
            network=network,
            deployed=parts.space.deployed(network),
            data=parts.evaluator.task_data(),
            verified={tested(name): _data(spread) for name, spread in spreads.items()} if spreads else None,
            plugins=self._folder,
            **common,
        )
        parent = inherited_from(run, [found.evaluation]).get(found.evaluation)
        if parent is not None:
            one.remarks.append(
                "This network's training began with the weights of its parent, candidate"
                f" {parent}: the same architecture trained from scratch, as `qd verify` does, may reach less."
            )
        if spreads:
            one.remarks.extend(self._luck(found.metrics, spreads))
        return one

    def _check_fixed(self, architecture: Architecture, network: Any, where: str) -> None:
        """Refuse a network that was trained, and whose evaluator does not give the weights."""
        other = replace(architecture, seed=architecture.seed + 1).build(self._parts.space, where).state_dict()
        if any(not tensor.equal(other[name]) for name, tensor in network.state_dict().items()):
            raise UsageError(
                f"{where}: its evaluator gives no trained weights (`Results.weights`), and the genotype does not hold"
                " them either"
            )

    @cached_property
    def _parts(self) -> Problem:
        parts = prepare_again(self._run, self._run.config, self._plugins)
        if not can_build(parts.space):
            raise UsageError(f"{self._run.folder.path}: {self._run.config.space.kind} has no build(), so no network")
        return parts

    @cached_property
    def _spreads(self) -> dict[int, dict[str, Spread]]:
        return verified(self._run)

    @property
    def _folder(self) -> Path | None:
        folder = self._plugins or self._run.meta("plugin_folder")
        return Path(folder) if folder else None

    def _luck(self, measured: Mapping[str, float], spreads: Mapping[str, Spread]) -> list[str]:
        name = self._run.archive.objective.metric
        spread, value = spreads[name], measured[name]
        if tested(name) != name:
            return [
                f"The search chose this network by its {name}, {value:.4g}. On the test split, which it never saw,"
                f" networks of {spread.seeds} fresh seeds have a {tested(name)} of {spread.mean:.4g}"
                f" ({spread.least:.4g} to {spread.most:.4g})."
            ]
        if spread.seeds < 2 or spread.least <= value <= spread.most:
            return []
        side = "above" if value > spread.most else "below"
        return [
            f"This network's {name}, {value:.4g}, lies {side} all {spread.seeds} verified seeds"
            f" ({spread.least:.4g} to {spread.most:.4g})."
        ]

    def _nothing_kept(self, candidate: int) -> str:
        there = self._run.with_weights()
        listed = ", ".join(map(str, there[:20])) + (f" and {len(there) - 20} more" if len(there) > 20 else "")
        return (
            f"{self._run.folder.path}: the trained weights of {candidate} were not kept, and its evaluator has no task,"
            " so there is no network to train again"
            + (f"; weights of elites are there for {listed}" if there else "; nor are those of any other")
        )


def _data(spread: Spread) -> dict[str, Any]:
    return {
        "mean": spread.mean,
        "spread": None if math.isnan(spread.deviation) else spread.deviation,
        **{name: value for name, value in asdict(spread).items() if name in ("least", "most", "seeds")},
    }


def _logged_graph(run: Run, candidate: int) -> networkx.DiGraph | None:
    """The module graph; None where the log keeps those of others, and the space alone could give it."""
    with contextlib.suppress(UsageError):
        return run.module_graph(candidate)
    return None
