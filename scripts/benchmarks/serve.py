"""The web page on a log of 100,000 evaluations, in a real browser, and what ten open pages cost a running search.

The log is synthetic: a search over mixtures of experts with an evaluator that is free, on a 20 × 20 grid, module graphs
and all. Times are of a headless Chromium on this machine: from the address to the map on the page (a still picture,
until Plotly's 5 MB of script have started), to the map that answers to clicks, and from the click on a cell to the
elite's metrics. The first view of each sample is that of a server just started.

The slow-down is of a search whose evaluations are 2 ms of arithmetic, in a process of its own: evaluations a second
while ten pages are open and follow it, against the same search while none is, in turns. The pages are read as ten
browsers read them, by the requests that their scripts send every 3 s; what browsers themselves compute is not counted,
as they run where people sit.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import qd
from qd.errors import UsageError
from qd.testing.toys import copy_toy

from .figures import Figure

EVALUATIONS = 100_000
VIEWS = 3
CLICKS = 15
PAGES = 10
SECONDS_BETWEEN = 3.0
SEGMENT = 12.0
"""Seconds of searching with, and without, pages."""
ROUNDS = 5
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
).split()
RUN_FILE = """
space: {{kind: sparse_moe}}
evaluator: {{kind: "free:Free", milliseconds: {milliseconds}}}
archive: {{objective: score, measures: [{{metric: a, low: 0, high: 1}}, {{metric: b, low: 0, high: 1}}]}}
search: {{chunk: {chunk}}}
budget: {{evaluations: {evaluations}}}
"""


def figures() -> list[Figure]:
    """First view, click, and slow-down."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("this benchmark needs a Chromium on PATH: apt-get install chromium")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_toy("free", folder)
        (folder / "run.yaml").write_text(RUN_FILE.format(milliseconds=0, chunk=64, evaluations=EVALUATIONS))
        qd.run(folder / "run.yaml", out=folder / "results" / "big", plugins=folder).close()
        views, live, clicks = _looks(folder / "results", chromium)
        slower = _slow_down(folder)
    return [
        Figure("first view of a run of 100,000 evaluations", views, "s", target=2.0),
        Figure("until the map answers to clicks", live, "s"),
        Figure("a click on a cell answered", clicks, "s", target=0.3),
        Figure("slow-down of a running search with ten pages open", slower, "%", target=2.0),
    ]


@contextlib.contextmanager
def _server(results: Path) -> Iterator[str]:
    """The address of a `qd serve` in a process of its own."""
    command = [sys.executable, "-c", "from qd.cli import main; main()", "serve", str(results), "--port", "0"]
    told = results.parent / "serve.txt"
    with told.open("w") as output:
        process = subprocess.Popen(command, stderr=output, cwd=Path(__file__).parents[2])
    try:
        while "open http" not in told.read_text():
            if process.poll() is not None:
                raise SystemExit(told.read_text())
            time.sleep(0.05)
        yield told.read_text().split()[-1]
    finally:
        process.terminate()
        process.wait()


def _looks(results: Path, chromium: str) -> tuple[list[float], list[float], list[float]]:
    from playwright.sync_api import sync_playwright

    views, live, clicks = [], [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for _ in range(VIEWS):
            with _server(results) as address:
                page = browser.new_page(viewport={"width": 1400, "height": 900})
                started = time.perf_counter()
                page.goto(f"{address}run/big")
                page.wait_for_function("document.querySelector('#preview')?.naturalWidth > 0")
                views.append(time.perf_counter() - started)
                page.wait_for_selector("#map .heatmaplayer image")
                live.append(time.perf_counter() - started)
                page.wait_for_timeout(3000)  # what is below the map is drawn too
                box = page.locator("#map .nsewdrag").bounding_box()
                assert box is not None
                for number in range(CLICKS):
                    before = page.inner_text("#elite-id") if number else ""
                    x, y = (number * 7 % 20 + 0.5) / 20, (number * 3 % 20 + 0.5) / 20
                    started = time.perf_counter()
                    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
                    page.wait_for_function(
                        "before => (document.querySelector('#elite-id')?.textContent ?? before) !== before",
                        arg=before,
                        polling=10,
                    )
                    clicks.append(time.perf_counter() - started)
                    page.wait_for_timeout(200)
                page.close()
        browser.close()
    return views, live, clicks


def _slow_down(folder: Path) -> list[float]:
    """Percent, in each round."""
    (folder / "busy.yaml").write_text(RUN_FILE.format(milliseconds=2, chunk=8, evaluations=10**9))
    out = folder / "results" / "busy"
    command = [
        sys.executable,
        "-c",
        "from qd.cli import main; main()",
        "run",
        str(folder / "busy.yaml"),
        "--out",
        str(out),
    ]
    search = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[2])
    slower = []
    try:
        while not _evaluations(out):
            time.sleep(0.5)
        with _server(folder / "results") as address:
            for _ in range(ROUNDS):
                alone = _rate(out)
                with _pages(address):
                    watched = _rate(out)
                slower.append(100 * (alone / watched - 1))
    finally:
        search.terminate()
        search.wait()
    return slower


def _rate(out: Path) -> float:
    """Evaluations a second, in the coming seconds."""
    first, started = _evaluations(out), time.perf_counter()
    time.sleep(SEGMENT)
    return (_evaluations(out) - first) / (time.perf_counter() - started)


def _evaluations(out: Path) -> int:
    if not (out / "log.sqlite").exists():
        return 0
    try:
        run = qd.open_run(out)
    except UsageError:  # its first row is not there yet
        return 0
    try:
        return run.count
    finally:
        run.close()


@contextlib.contextmanager
def _pages(address: str) -> Iterator[None]:
    """Ten pages that follow the run: each asks what is new every 2 s, and draws again where something is."""
    stop = threading.Event()
    threads = [threading.Thread(target=_follow, args=(address, number, stop)) for number in range(PAGES)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


class _Page:
    """A page of a running search, as far as the server can tell one: the requests of its script."""

    def __init__(self, address: str) -> None:
        self._address = address
        callbacks = self._get("_dash-dependencies")
        self._callbacks = {one["output"]: one for one in callbacks}
        self._values = {
            "run.data": "busy",
            "version.data": -1,
            "state.data": "running",
            "moment.max": 1,
            "moment.value": 1,
            "x.value": "a",
            "y.value": "b",
            "objective.value": "score",
            "brush.data": {},
            "chosen.data": None,
            "visible-parallel.data": True,
            "visible-curves.data": True,
            "run-clock.n_intervals": 0,
        }

    def follow(self) -> None:
        """Ask what is new; where something is, have everything drawn again."""
        self._values["run-clock.n_intervals"] += 1
        answer = self._call("version.data")
        if answer is None:
            return
        self._values["version.data"] = answer["version"]["data"]
        self._values["moment.max"] = answer["moment"]["max"]
        self._values["moment.value"] = self._values["moment.max"]
        for output in ("map.figure", "parallel-place.children", "curves-place.children"):
            self._call(output)

    def _call(self, output: str) -> dict | None:
        one = next(one for name, one in self._callbacks.items() if name.strip(".").split("...")[0] == output)
        names = [part.rsplit(".", 1) for part in one["output"].strip(".").split("...")]
        outputs = [{"id": id, "property": name} for id, name in names]
        body = {
            "output": one["output"],
            "outputs": outputs if one["output"].startswith("..") else outputs[0],
            "inputs": [{**place, "value": self._value(place)} for place in one["inputs"]],
            "state": [{**place, "value": self._value(place)} for place in one["state"]],
            "changedPropIds": [f"{one['inputs'][0]['id']}.{one['inputs'][0]['property']}"],
        }
        request = urllib.request.Request(
            f"{self._address}_dash-update-component", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request) as answer:
            text = answer.read()
            return json.loads(text)["response"] if answer.status == 200 else None

    def _value(self, place: dict) -> object:
        return self._values[f"{place['id']}.{place['property']}"]

    def _get(self, path: str) -> list:
        with urllib.request.urlopen(f"{self._address}{path}") as answer:
            return json.load(answer)


def _follow(address: str, number: int, stop: threading.Event) -> None:
    time.sleep(number * SECONDS_BETWEEN / PAGES)
    page = _Page(address)
    while not stop.is_set():
        started = time.perf_counter()
        page.follow()
        stop.wait(max(0.0, SECONDS_BETWEEN - (time.perf_counter() - started)))
