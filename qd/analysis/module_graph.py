"""The module graph of a candidate."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..module_graph import checked_graph
from ..registry import Registry, is_own, names_plugin
from .folding import FoldedLog

if TYPE_CHECKING:
    import networkx

logger = logging.getLogger(__name__)


def module_graph(run: FoldedLog, candidate: int) -> networkx.DiGraph | None:
    """The module graph of a candidate, where its space has one.

    Of a space of our own it is made from the genotype; of a stranger's, or with a stranger's modules, whose code is not
    run for looking, the log keeps those of elites.

    Raises:
        UsageError: there is no such candidate, or the log has graphs and none of this one.
    """
    graph = run.graph(candidate)
    if graph is not None:
        try:
            return checked_graph(graph)
        except ValueError as error:  # of a log that was written before graphs were checked
            logger.warning(f"{run.folder.path}: candidate {candidate} has no module graph that could be drawn: {error}")
            return None
    run.readable(candidate)  # raises where there is no such candidate
    kind = run.config.space.kind
    if is_own("spaces", kind) and not names_plugin(run.config.space.arguments):
        registry = Registry()
        if not registry.find("spaces", kind, "space").graph_needs_files:
            space = registry.build("spaces", kind, run.config.space.arguments, "space")
            return space.module_graph(run.genotypes([candidate])[candidate])
    if candidate not in run.archive.elites.candidates and run.query("SELECT 1 FROM graphs LIMIT 1"):
        raise UsageError(
            f"{run.folder.path}: of candidate {candidate} there is no module graph: of the space"
            f" {kind} the log keeps those of elites alone; qd elites lists them"
        )
    return None
