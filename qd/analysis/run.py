"""A run as everyone but its driver sees it: read-only, and without importing any plug-in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..archives import Archive
from ..display import Displayed
from . import elites as of_elites
from .folding import FoldedLog
from .history import history
from .learning_curves import learning_curves
from .module_graph import module_graph
from .network import Network, network
from .projection import projection
from .summary import summary

if TYPE_CHECKING:
    import networkx
    import pandas


def open_run(path: Path | str, accepted_only: bool = False, plugins: Path | str | None = None) -> Run:
    """Open a run folder for looking, also while its search goes on.

    Args:
        path: the folder.
        accepted_only: let an accepted log be projected onto other measures, from what it has kept; otherwise that is
            refused, as what it has not kept would be missing.
        plugins: the folder of the archive's kind, where that is a plug-in; without it, the archive is what the log
            tells of it.

    Raises:
        UsageError: it is no run folder, or its log is damaged, foreign or of a newer version.
    """
    return Run(path, accepted_only, plugins)


class Run(FoldedLog, Displayed):
    """One run: configuration, metrics, archive, elites and evaluations, all read from the log.

    One object in front of what the files beside this one compute; those functions take a run as well.
    """

    def __init__(self, path: Path | str, project_accepted: bool = False, plugins: Path | str | None = None) -> None:
        super().__init__(path, plugins)
        self.project_accepted = project_accepted

    def __repr__(self) -> str:
        return f"Run({str(self.folder.path)!r}: {self.count} evaluations, {self.archive!r})"

    def elites(
        self,
        where: str | None = None,
        sort: str | None = None,
        limit: int | None = None,
        archive: Archive | None = None,
    ) -> pandas.DataFrame:
        """The elites, the best first: id, evaluation, cell, objective, one column per metric, and where they came from.

        Args:
            where: an SQL condition over metrics, `id`, `operator` and `emitter`.
            sort: a metric, best first by its direction; default: the objective.
            limit: this many at the most.
            archive: one of `project`; default: the run's own.

        Raises:
            UsageError: `where` is refused, or `sort` is no metric of this run.
        """
        return of_elites.elites(self, where, sort, limit, archive)

    def records(self, elites: pandas.DataFrame) -> list[dict[str, Any]]:
        """Rows of `elites` as plain data, as `qd elites --json` prints them."""
        return of_elites.records(self, elites.to_dict("records"))

    def evaluation_of(self, candidate: int) -> int:
        """The evaluation that an elite is an elite by; of another candidate, its last ok one in the search.

        Raises:
            UsageError: there is no such candidate, or it has none.
        """
        return of_elites.evaluation_of(self, candidate)

    def with_weights(self) -> list[int]:
        """Candidates of the archive whose trained weights were kept, the best first."""
        return of_elites.with_weights(self)

    def network(self, candidate: int) -> Network:
        """A candidate with its metrics and genotype, as a notebook shows it.

        Raises:
            UsageError: there is no such candidate, or it has no metrics.
        """
        return network(self, candidate)

    def module_graph(self, candidate: int) -> networkx.DiGraph | None:
        """The module graph of a candidate, where its space has one.

        Raises:
            UsageError: there is no such candidate, or the log has graphs and none of this one.
        """
        return module_graph(self, candidate)

    def project(self, measures: Sequence[str] = (), objective: str | None = None, bins: int = 20) -> Archive:
        """The archive over other logged metrics, from the log alone: `projection`, folded."""
        return self.fold(self.projection(measures, objective, bins))

    def projection(self, measures: Sequence[str] = (), objective: str | None = None, bins: int = 20) -> Archive:
        """The empty archive over other logged metrics; nothing is evaluated again to fill it.

        Args:
            measures: metric names, for a grid; the run's own axes keep their ranges, others span what was seen.
                Default: the run's own archive, of whatever kind.
            objective: metric name; default: the run's.
            bins: cells along an axis that is not the run's own.

        Raises:
            UsageError: a name is no metric of this run, or an accepted log lacks what this would need.
        """
        return projection(self, measures, objective, bins, self.project_accepted)

    def history(self) -> pandas.DataFrame:
        """How the search went: counts, coverage, QD score and best after every tell."""
        return history(self)

    def learning_curves(self) -> pandas.DataFrame:
        """How networks scored while they were trained: a row for each evaluation and epoch, where curves were kept."""
        return learning_curves(self)

    def summary(self) -> dict[str, Any]:
        """What `qd show --json` prints."""
        return summary(self)
