"""What the page's callbacks do, beside what a browser shows."""

import threading
from pathlib import Path
from typing import Any

import pytest

import qd
from qd.dashboard import figures
from qd.dashboard.app import make_app
from qd.dashboard.results import Results


def test_a_map_is_drawn_before_anybody_reads_on(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The archive follows the log: while it is drawn, no other callback may read what was written since.
    results = Results(finished.parent)
    free: list[bool] = []

    def try_lock() -> None:
        lock = results.open("finished").lock
        free.append(lock.acquire(blocking=False))
        if free[-1]:
            lock.release()

    def draw(*given: Any) -> Any:
        other = threading.Thread(target=try_lock)
        other.start()
        other.join()
        return original(*given)

    original = figures.map_figure
    monkeypatch.setattr(figures, "map_figure", draw)
    archive = qd.open_run(finished).archive
    given = {
        "version": ("data", 1),
        "x": ("value", archive.axes[0].metric),
        "y": ("value", archive.axes[1].metric),
        "objective": ("value", archive.objective.metric),
        "moment": ("value", 1),
        "brush": ("data", None),
    }
    state = [("moment", "max", 1), ("run", "data", "finished"), ("chosen", "data", None)]
    outputs = [("map", "figure"), ("moment-text", "children"), ("brush-text", "children")]
    body = {
        "output": "..map.figure...moment-text.children...brush-text.children..",
        "outputs": [{"id": id, "property": name} for id, name in outputs],
        "inputs": [{"id": id, "property": name, "value": value} for id, (name, value) in given.items()],
        "changedPropIds": ["version.data"],
        "state": [{"id": id, "property": name, "value": value} for id, name, value in state],
    }
    answer = make_app(results, None).server.test_client().post("/_dash-update-component", json=body)
    assert answer.status_code == 200
    assert "map" in answer.get_json()["response"]
    assert free == [False]
