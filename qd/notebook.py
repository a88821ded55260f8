"""What a notebook shows of runs, archives, elites and genotypes."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .analysis.lineage import Ancestor
    from .archives import Archive
    from .store.run import Run


@dataclass(frozen=True)
class ReadableGenotype:
    """A genotype with its form for people; `data` is the plain data."""

    data: Any
    readable: str

    def __str__(self) -> str:
        return self.readable

    def _repr_html_(self) -> str:
        return (
            f"<code>{escape(self.readable)}</code><details><summary>JSON</summary>"
            f"<pre>{escape(json.dumps(self.data, indent=2))}</pre></details>"
        )


@dataclass(frozen=True)
class Network:
    """A candidate that was evaluated: its metrics, genotype and ancestors. A notebook shows its diagram."""

    run: Run
    id: int
    evaluation: int
    metrics: dict[str, float]
    genotype: ReadableGenotype

    def lineage(self) -> list[Ancestor]:
        """Itself and its ancestors, nearest first."""
        from .analysis.lineage import lineage

        return lineage(self.run, self.id)

    def diagram(self) -> str:
        """An SVG of its modules."""
        from .plots.architecture import architecture

        return architecture(self.run, self.id)

    def _repr_html_(self) -> str:
        return self.diagram() + _table(
            [(name, f"{value:.6g} {self.run.metrics[name].unit}") for name, value in self.metrics.items()]
        )


def run_html(run: Run) -> str:
    """The summary and the map of a run."""
    data = run.summary()
    archive, counts = data["archive"], data["evaluations"]
    best = archive["objective_best"]
    rows = [
        ("folder", str(run.folder.path)),
        ("space", data["space"]),
        ("evaluator", data["evaluator"]),
        ("evaluations", ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "none yet"),
        ("elites", f"{archive['elites']:,} of {archive['cells']:,} cells"),
        ("normalised QD score", f"{archive['normalised_qd_score']:.4f}"),
        (f"best {archive['objective']}", "no elite yet" if best is None else f"{best:.5g}"),
    ]
    return f"<h4>{escape(run.folder.name)}</h4>{_table(rows)}{archive_html(run.archive)}"


def archive_html(archive: Archive) -> str:
    """The map of an archive of one or two measures, or what it is."""
    if len(archive.axes) > 2:
        return f"<code>{escape(repr(archive))}</code>"
    from .plots.heatmap import heatmap
    from .plots.style import new_figure

    figure = new_figure(6.2, 4.6 if len(archive.axes) == 2 else 2.4)
    heatmap(archive, figure.add_subplot())
    return _picture(figure, repr(archive))


def _picture(figure: Figure, words: str) -> str:
    from .plots.style import encoded

    content = base64.b64encode(encoded(figure, "png")).decode()
    return f'<img alt="{escape(words)}" width="620" src="data:image/png;base64,{content}">'


def _table(rows: list[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
    return f"<table>{cells}</table>"
