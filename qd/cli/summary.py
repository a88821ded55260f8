"""The summary that people read, after a search and from `qd show`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..analysis.rungs import rung_counts
from ..wording import duration, number

if TYPE_CHECKING:
    from ..analysis.run import Run


def print_summary(run: Run, to: Console) -> None:
    """A table of what `Run.summary` gives."""
    data = run.summary()
    archive = data["archive"]
    table = Table(title=f"{data['run']}", title_justify="left", title_style="bold", show_header=False, box=None)
    table.add_column(style="dim")
    table.add_column()
    table.add_row("folder", str(run.folder.path))
    table.add_row("state", _state(data))
    table.add_row("space", data["space"])
    table.add_row("evaluator", data["evaluator"])
    table.add_row("chunk", f"{data['chunk']:,} candidates" + (", chosen by auto" if data["chunk_chosen"] else ""))
    table.add_row("evaluations", _counts(data))
    if "rungs" in data:
        table.add_row("rungs", ", ".join(map(str, rung_counts(run))))
        table.add_row("trainings", f"{number(data['trainings'])} in full")
    table.add_row("search time", duration(data["seconds"]))
    bins = run.archive.binned
    axes = " × ".join(f"{one['metric']} ({one['bins']})" if bins else one["metric"] for one in archive["measures"])
    table.add_row("archive", f"{archive['kind']}: {axes}")
    filled = f"{archive['elites']:,} of {archive['cells']:,} cells, coverage {archive['coverage']:.1%}"
    table.add_row("elites", filled + (f"; {archive['outside']:,} results outside" if archive["outside"] else ""))
    table.add_row("QD score", f"{number(archive['qd_score'])} (normalised {archive['normalised_qd_score']:.4f})")
    best = data["best"]
    if best:
        table.add_row(f"best {archive['objective']}", f"{number(best['objective'])} (id {best['id']})")
        units = {name: metric.unit for name, metric in run.metrics.items()}
        others = {name: value for name, value in best["metrics"].items() if name != archive["objective"]}
        table.add_row("", ", ".join(f"{name} {number(value)} {units[name]}".strip() for name, value in others.items()))
        table.add_row("", escape(run.readable(best["id"])))
    else:
        table.add_row(f"best {archive['objective']}", "no elite yet")
    for one in data.get("predictions", []):
        table.add_row(f"calibration of {one['metric']}", _calibration(one))
    to.print(table)


def _state(data: dict[str, Any]) -> str:
    """The state, with the first line of the reason."""
    reason = data.get("reason", "").strip().partition("\n")[0].rstrip(":")
    return escape(f"{data['state']} ({reason})" if reason else data["state"])


def _counts(data: dict[str, Any]) -> str:
    counts = data["evaluations"]
    parts = [f"{count:,} {status.replace('_', ' ')}" for status, count in counts.items() if count or status == "ok"]
    again = f", {data['reevaluations']:,} of them of elites and challengers again" if "reevaluations" in data else ""
    screened = f", {data['screened']:,} known to be outside the map" if data["screened"] else ""
    return ", ".join(parts) + f"{again}; {data['duplicates']:,} duplicates{screened} not evaluated"


def _calibration(data: dict[str, Any]) -> str:
    return (
        f"{data['count']:,} times, rank correlation {data['rank_correlation']:.2f}, error {number(data['error'])}"
        f" (expected {number(data['deviation'])}); {data['coverage_50']:.0%} in the 50% interval,"
        f" {data['coverage_90']:.0%} in the 90% interval"
    )
