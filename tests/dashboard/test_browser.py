"""The pages in a real Chromium that can reach nothing but 127.0.0.1."""

import json
import re
import shutil
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import qd
from qd.analysis.run import Run
from qd.dashboard import Server
from qd.errors import QdError, UsageError

TREE = """
from evaluators import Metric, SingleEvaluator
from search_spaces import Choice, Integer, SearchSpace, Struct
import networkx

class Space(SearchSpace):
    genes = Struct(x=Integer(0, 29), name=Choice("<script>alert(1)</script>", "<img src=x onerror=alert(2)>"))

    def module_graph(self, genotype):
        graph = networkx.DiGraph()
        graph.add_node("n", label=genotype["name"], kind="<b>", size=1, layer=0)
        return graph

class Table(SingleEvaluator):
    metrics = {"score": Metric("</script><script>alert(3)</script>", 0, 1), "width": Metric("<i>", 0, 30)}

    def __init__(self, failing=False):
        self.failing = failing

    def evaluate_one(self, genotype, seed):
        if self.failing:
            raise RuntimeError("<script>alert(4)</script>")
        return {"score": seed / 2**53, "width": genotype["x"]}
"""


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server runs in this process: it may connect to no other host."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        assert not isinstance(address, tuple) or address[0] in ("127.0.0.1", "::1", "localhost"), address
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def serve() -> Iterator[Callable[[Path], Server]]:
    started: list[tuple[Server, threading.Thread]] = []

    def start(folder: Path) -> Server:
        server = Server(folder, port=0)
        thread = threading.Thread(target=server.serve)
        thread.start()
        started.append((server, thread))
        return server

    yield start
    for server, thread in started:
        server.stop()
        thread.join()


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A page that notes what it asks for and what goes wrong on it."""
    context = chromium.new_context(viewport={"width": 1400, "height": 1800})
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.requested, page.problems = [], []
    page.on("request", lambda request: page.requested.append(request.url))
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("dialog", lambda dialog: (page.problems.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("console", lambda line: page.problems.append(line.text) if line.type == "error" else None)
    yield page
    hosts = {urllib.parse.urlsplit(url).hostname for url in page.requested if not url.startswith(("data:", "blob:"))}
    assert hosts <= {"127.0.0.1"}
    assert not page.problems
    context.close()


def open_run(page: Any, server: Server, name: str) -> None:
    page.goto(f"{server.address}run/{urllib.parse.quote(name)}")
    page.wait_for_selector("#map .nsewdrag")


def click_cell(page: Any, run: Run, candidate: int) -> None:
    """Click in the middle of the cell of an elite."""
    archive = run.archive
    cell = next(cell for cell, elite in archive.elites.items() if elite.candidate == candidate)
    box = page.locator("#map .nsewdrag").bounding_box()
    x, y = [(index + 0.5) / axis.bins for index, axis in zip(archive.position(cell), archive.axes, strict=True)]
    page.mouse.click(box["x"] + x * box["width"], box["y"] + (1 - y) * box["height"])
    page.wait_for_function(f"document.querySelector('#elite-id')?.textContent === '{candidate}'")


def colours(page: Any) -> list[Any]:
    """The values of the cells that are not faded."""
    rows = page.evaluate(
        "document.querySelector('#map .js-plotly-plot').data.filter(t => t.type == 'heatmap').at(-1).z"
    )
    return [value for row in rows for value in row if value is not None]


@pytest.mark.slow
def test_a_run_from_the_list_to_an_elite(
    networks: Path, page: Any, serve: Callable[[Path], Server], qd_command: Callable[..., Any], screenshots: Path
) -> None:
    run = qd.open_run(networks)
    server = serve(networks.parent)
    page.goto(server.address)
    page.wait_for_selector("table.runs")
    page.screenshot(path=screenshots / "list.png")
    row = page.locator("table.runs tbody tr").inner_text()
    assert "finished" in row
    assert "sparse_moe" in row
    page.click("table.runs a")
    page.wait_for_selector("#map .nsewdrag")
    assert len(colours(page)) == len(run.archive)

    elites = json.loads(qd_command("elites", networks, "--json").out)
    child = next(elite for elite in elites if elite["parents"])
    click_cell(page, run, child["id"])
    shown = page.evaluate(
        "[...document.querySelectorAll('#elite [data-metric]')]"
        ".map(cell => [cell.dataset.metric, cell.dataset.value, cell.innerText])"
    )
    assert {name: float(value) for name, value, _ in shown} == child["metrics"]
    for name, value, text in shown:
        assert float(text.replace(",", "")) == pytest.approx(float(value), rel=1e-5), name
    assert json.loads(page.inner_text("#elite .genotype")) == child["genotype"]
    assert f"--id {child['id']}" in page.inner_text("#export-command")
    assert page.evaluate("document.querySelector('#elite .diagram img').naturalWidth") > 300
    lineage = page.inner_text("#elite .lineage")
    for parent in child["parents"]:
        assert re.search(rf"\b{parent}\b", lineage)
    page.screenshot(path=screenshots / "run.png")

    page.click("#pin")
    parent = child["parents"][0]
    page.click(f"#elite .lineage button:text-is('{parent}')")
    page.wait_for_function(f"document.querySelector('#elite-id')?.textContent === '{parent}'")
    page.wait_for_selector("#elite .comparison img")
    page.screenshot(path=screenshots / "comparison.png")


def choose(page: Any, dropdown: str, option: str) -> None:
    page.click(f"#{dropdown}")
    page.click(f".dash-dropdown-option:has-text('{option}') >> nth=0")


@pytest.mark.slow
def test_axes_brush_and_time(networks: Path, page: Any, serve: Callable[[Path], Server], screenshots: Path) -> None:
    run = qd.open_run(networks)
    open_run(page, serve(networks.parent), "moe")
    choose(page, "x", "macs")
    choose(page, "objective", "val loss")
    projected = run.project(["macs", "specialisation"], "val_loss")
    expected = sorted(elite.objective for elite in projected.elites.values())
    page.wait_for_function(
        "count => {"
        " const plot = document.querySelector('#map .js-plotly-plot');"
        " const shown = plot.data[0].z.flat().filter(value => value !== null);"
        " return plot.layout.xaxis.title.text.startsWith('macs') && shown.length == count"
        " && plot.data[0].colorbar.title.text.startsWith('val loss'); }",
        arg=len(expected),
    )
    assert sorted(colours(page)) == expected
    page.screenshot(path=screenshots / "other_axes.png")

    # brush the upper half of the first axis, the accuracy
    page.wait_for_selector("#parallel .axis-brush .background")
    box = page.locator("#parallel .axis-brush .background").first.bounding_box()
    x = box["x"] + box["width"] / 2
    page.mouse.move(x, box["y"] + box["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(x, box["y"] + box["height"] * 0.2, steps=5)
    page.mouse.move(x, box["y"] + 1, steps=5)
    page.mouse.up()
    page.wait_for_function("document.querySelector('#brush-text').innerText.includes('within the brush')")
    page.wait_for_timeout(500)
    kept, total = map(int, re.findall(r"\d+", page.inner_text("#brush-text")))
    assert 0 < kept < total == len(projected)
    left = colours(page)
    assert len(left) == kept
    low, high = page.evaluate(
        "document.querySelector('#parallel .js-plotly-plot').data[0].dimensions[0].constraintrange"
    )
    frame = run.elites(archive=projected)
    assert sorted(left) == sorted(frame["val_loss"][frame["val_accuracy"].between(low, high)])
    page.screenshot(path=screenshots / "brush.png")

    open_run(page, serve(networks.parent), "moe")
    before = page.inner_text("#moment-text")
    box = page.locator(".moment .dash-slider-track").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.4, box["y"] + box["height"] / 2)
    page.wait_for_function("before => document.querySelector('#moment-text').innerText !== before", arg=before)
    evaluations = int(re.findall(r"\d+", page.inner_text("#moment-text"))[0])
    frame = run.history()
    tell = max(row["tell"] for row in frame.to_dict("records") if row["evaluations"] <= evaluations)
    assert 0 < tell < run.last_tell
    early = run.archive.emptied()
    run.replay(early, up_to=tell)
    page.wait_for_timeout(500)
    assert sorted(colours(page)) == sorted(elite.objective for elite in early.elites.values())
    page.screenshot(path=screenshots / "earlier.png")


@pytest.mark.slow
def test_a_page_follows_a_search_that_runs(
    workbench: Any, page: Any, serve: Callable[[Path], Server], qd_process: Callable[..., Any], screenshots: Path
) -> None:
    file = workbench.write(evaluator={"milliseconds": 20}, budget={"evaluations": 100_000})
    results = workbench.folder / "results"
    process = qd_process("run", file, "--out", results / "live", cwd=workbench.folder)
    log = results / "live" / "log.sqlite"
    _wait(lambda: log.exists() and _told(results / "live") > 20)
    open_run(page, serve(results), "live")
    assert "running" in page.inner_text("#facts")

    def shown() -> int:
        return int(re.search(r"evaluations\s+([\d,]+)", page.inner_text("#facts"))[1].replace(",", ""))  # type: ignore[index]

    for _ in range(2):
        told = max(_told(results / "live"), shown() + 1)
        page.wait_for_function(
            "count => {"
            " const text = document.querySelector('#facts').innerText;"
            " return Number(/evaluations\\s+([\\d,]+)/.exec(text)[1].replace(',', '')) >= count; }",
            arg=told,
        )
    page.screenshot(path=screenshots / "running.png")
    process.terminate()
    process.wait()
    page.wait_for_function("document.querySelector('#facts').innerText.includes('stopped')")
    assert not log.with_name("log.sqlite-wal").exists(), "the log is one file, though it was looked at"
    assert qd.open_run(results / "live").count == shown()


@pytest.mark.slow
def test_names_from_a_log_are_text(
    tmp_path: Path, page: Any, serve: Callable[[Path], Server], screenshots: Path
) -> None:
    (tmp_path / "nasty_tree.py").write_text(TREE)
    measures = [{"metric": "width", "low": 0, "high": 30, "bins": 5}]
    data = {
        "space": {"kind": "nasty_tree:Space"},
        "evaluator": {"kind": "nasty_tree:Table"},
        "archive": {"objective": "score", "measures": measures},
        "budget": {"evaluations": 30},
    }
    file = tmp_path / "nasty.yaml"
    name = "<img src=x onerror=alert(5)>"
    file.write_text(yaml.safe_dump(data))
    run = qd.run(file, out=tmp_path / "results" / name)
    file.write_text(yaml.safe_dump({**data, "evaluator": {"kind": "nasty_tree:Table", "failing": True}}))
    with pytest.raises(QdError, match="all failed"):
        qd.run(file, out=tmp_path / "results" / "failures")
    (tmp_path / "nasty_tree.py").unlink()
    server = serve(tmp_path / "results")
    page.goto(server.address)
    page.wait_for_selector("table.runs")
    assert name in page.inner_text("table.runs")
    open_run(page, server, name)
    assert run.archive.best is not None
    box = page.locator("#map .nsewdrag").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    page.wait_for_selector("#elite-id")
    assert "<" in page.inner_text("#elite .genotype")
    open_run(page, server, "failures")
    page.click("#failures summary")
    assert "alert(4)" in page.inner_text("#failures")
    assert "no" in page.inner_text("#facts").lower() or "–" in page.inner_text("#facts")
    page.screenshot(path=screenshots / "failures.png")
    page.wait_for_timeout(500)


def test_what_cannot_be_read_is_said(
    finished: Path, tmp_path: Path, page: Any, serve: Callable[[Path], Server]
) -> None:
    folder = tmp_path / "results"
    shutil.copytree(finished, folder / "damaged")
    log = folder / "damaged" / "log.sqlite"
    log.write_bytes(log.read_bytes()[:4096] + b"\xff" * 20000)
    page.goto(f"{serve(folder).address}run/damaged")
    page.wait_for_selector(".problem")
    assert "damaged" in page.inner_text(".problem")
    page.click("text=all runs")
    page.wait_for_selector("table.runs")
    assert "unreadable" in page.inner_text("table.runs")


def _told(folder: Path) -> int:
    try:
        run = qd.open_run(folder)
    except UsageError as error:
        assert "begins just now" in str(error)
        return 0
    try:
        return run.count
    finally:
        run.close()


def _wait(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.1)
