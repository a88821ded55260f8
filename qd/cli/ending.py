"""What is said when a search has ended, and with which exit status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .output import console, note
from .summary import print_summary

if TYPE_CHECKING:
    from ..analysis.run import Run

INTERRUPTED = 130  # what a shell reports for Ctrl-C


def finish(run: Run) -> int:
    """Draw the final map, say what came out, and return the exit status."""
    from ..analysis.state import nothing_ok
    from ..search.loop import Ending

    print_summary(run, console)
    folder = run.folder
    if len(run.archive) and len(run.archive.axes) <= 2:
        from ..plots.heatmap import save_heatmap  # matplotlib takes a second to load

        path = folder.pictures / "map.png"
        try:
            save_heatmap(run.archive, path, title=folder.name)
        except Exception as error:  # a full disk: the search is done all the same
            note(f"warning: the map cannot be drawn ({error}); again with: qd map {folder.path} --out map.png")
        else:
            note(f"map: {folder.path / 'pictures' / path.name}")
    ending = run.meta("ending")
    if ending == Ending.INTERRUPTED:
        note(f"interrupted; go on with: qd resume {folder.path}")
        return INTERRUPTED
    if reason := nothing_ok(run):
        note(reason)
        note(f"Fix its cause, then: qd resume {folder.path} budget.evaluations={2 * sum(run.counts.values())}")
        return 1
    if ending == Ending.PATIENCE:
        note("the search ended because the QD score gained too little (budget.patience)")
    if ending == Ending.EXHAUSTED:
        note("the search ended because the space is exhausted: it proposed nothing but what it had evaluated already")
    note(f"next: qd elites {folder.path} --limit 10")
    return 0
