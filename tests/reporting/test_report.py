import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import qd
from qd.errors import QdError
from qd.reporting import report as write_report
from qd.reporting import report_html

NASTY = """
from evaluators import Metric, SingleEvaluator
from search_spaces import Choice, Integer, SearchSpace, Struct

class Space(SearchSpace):
    genes = Struct(x=Integer(0, 29), name=Choice("<script>alert(1)</script>", "</code><img src=x onerror=alert(2)>"))

class Table(SingleEvaluator):
    metrics = {"score": Metric("</title><script>alert(3)</script>", 0, 1), "width": Metric("<i>", 0, 30)}

    def evaluate_one(self, genotype, seed):
        if genotype["x"] % 3 == 0:
            raise RuntimeError("</pre><script>alert(4)</script>")
        return {"score": seed / 2**53, "width": genotype["x"]}
"""


@pytest.fixture(scope="module")
def report(networks: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(qd.open_run(networks), tmp_path_factory.mktemp("report") / "moe.html")


def test_a_report_loads_nothing(report: Path) -> None:
    text = report.read_text()
    assert "default-src 'none'" in text
    addresses = set(re.findall(r"https?://[^\s\"'<>)]+", re.sub(r"data:[^\"]+", "", text)))
    assert addresses <= {"http://www.w3.org/2000/svg"}, "the name of a language, which nobody fetches"
    assert not re.search(r"<(?:link|iframe|object|embed)\b|@import|url\(", text)
    assert report.stat().st_size < 8e6


def test_a_report_says_what_the_run_says(report: Path, networks: Path) -> None:
    run = qd.open_run(networks)
    text = report.read_text()
    for elite in run.archive.elites.values():
        assert text.count(f'id="elite-{elite.candidate}"') == 1
        assert f'href="#elite-{elite.candidate}"' in text
    assert text.count("<polygon") == len(run.archive)
    assert f"{run.summary()['archive']['coverage']:.1%}" in text
    best = run.archive.best
    assert best is not None
    assert f"sparse_moe, candidate {best.candidate}</text>" in text
    assert "router" in text
    assert "torch:" in text, "the environment"
    assert "active_parameters, low: 500" in text, "the run file"


def test_a_report_shows_learning_curves_where_there_are_any(workbench: Any, report: Path) -> None:
    file = workbench.write(evaluator={"kind": f"{workbench.module}:Trained"}, budget={"evaluations": 30})
    text = report_html(qd.run(file, out="learned"))
    assert text.count('alt="learning curves"') == 1
    assert 'alt="learning curves"' not in report.read_text()


@pytest.mark.slow
def test_a_report_works_without_network(report: Path, networks: Path, chromium: Any, screenshots: Path) -> None:
    run = qd.open_run(networks)
    context = chromium.new_context(viewport={"width": 1200, "height": 1400}, offline=True)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    page.goto(report.as_uri())

    def column(name: str) -> list[float]:
        place = page.evaluate(
            f"[...document.querySelectorAll('#elites th')].findIndex(h => h.dataset.name == '{name}')"
        )
        return page.evaluate(
            "place => [...document.querySelectorAll('#elites tbody tr:not([hidden])')]"
            ".map(row => Number(row.cells[place].dataset.value))",
            place,
        )

    values = run.elites()["macs"].tolist()
    for falling in (True, False):
        page.click("#elites th[data-name=macs] button")
        assert column("macs") == sorted(values, reverse=falling)
    middle = sorted(values)[len(values) // 2]
    page.fill("#filter", f"macs < {middle} width=")
    assert sorted(column("macs")) == sorted(value for value in values if value < middle)
    page.fill("#filter", "no such words")
    assert column("macs") == []
    page.fill("#filter", "")

    best = run.archive.best
    assert best is not None
    page.locator(f".map a[href='#elite-{best.candidate}'] polygon").click()
    assert page.get_attribute(f"#elite-{best.candidate}", "class") == "chosen open"
    for image in page.query_selector_all("img"):
        assert image.evaluate("image => image.complete && image.naturalWidth > 100")
    page.screenshot(path=screenshots / "report.png", full_page=True)
    assert not problems
    context.close()


@pytest.mark.slow
def test_text_from_a_log_stays_text(tmp_path: Path, chromium: Any) -> None:
    (tmp_path / "nasty_report.py").write_text(NASTY)
    file = tmp_path / "nasty.yaml"
    data = {
        "space": {"kind": "nasty_report:Space"},
        "evaluator": {"kind": "nasty_report:Table"},
        "archive": {"objective": "score", "measures": [{"metric": "width", "low": 0, "high": 30, "bins": 5}]},
        "budget": {"evaluations": 40},
    }
    file.write_text(yaml.safe_dump(data))
    run = qd.run(file, out=tmp_path / "<img src=x onerror=alert(5)>")
    path = write_report(run, tmp_path / "report.html")
    page = chromium.new_page()
    said: list[str] = []
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
    page.goto(path.as_uri())
    page.wait_for_timeout(300)
    assert not said
    assert page.evaluate("document.querySelectorAll('script').length") == 1
    assert page.evaluate("document.querySelectorAll('img[onerror]').length") == 0
    assert "alert(5)" in page.inner_text("h1")
    assert "<script>alert(#)</script>" in page.inner_text("details >> nth=0")
    page.close()


@pytest.mark.parametrize(
    "archive",
    [
        {"measures": [{"metric": "width", "low": 0, "high": 30, "bins": 1}]},
        {"measures": [{"metric": "width", "low": 500, "high": 600}]},
        {"measures": [{"metric": m, "low": 0, "high": 60, "bins": 3} for m in ("width", "height", "order")]},
        {"kind": "cvt", "cells": 12, "samples": 200,
         "measures": [{"metric": m, "low": 0, "high": 30} for m in ("width", "height")]},
        {"kind": "unstructured", "novelty": 0.1,
         "measures": [{"metric": m, "low": 0, "high": 30} for m in ("width", "height")]},
        {"measures": [{"metric": m, "low": 0, "high": 2, "bins": 4} for m in ("score", "height")]},
        {"measures": [{"metric": "score", "low": 0, "high": 2, "bins": 4}]},
    ],
    ids=["one cell", "no elite", "three measures", "tessellation", "unstructured", "objective too", "objective alone"],
)  # fmt: skip
def test_every_kind_of_run_has_a_report(workbench: Any, archive: dict[str, Any]) -> None:
    run = qd.run(workbench.write(archive={"objective": "score", **archive}, budget={"evaluations": 30}), out="run")
    text = report_html(run)
    assert ("No elite yet" in text) == (not len(run.archive))
    if len(run.archive):
        assert '<table id="elites">' in text


def test_a_run_of_nothing_but_failures_has_a_report(workbench: Any) -> None:
    file = workbench.write(evaluator={"kind": f"{workbench.module}:Table", "failing": 1.0})
    with pytest.raises(QdError, match="all failed"):
        qd.run(file, out="failures")
    text = report_html(qd.open_run("failures"))
    assert "RuntimeError: no luck today" in text
    assert "No elite yet" in text


def test_an_accepted_log_has_a_report(workbench: Any) -> None:
    run = qd.run(workbench.write(log={"keep": "accepted"}), out="accepted")
    assert f"{len(run.archive)} of {run.archive.cells}" in report_html(run)


def test_the_command_writes_into_the_run(finished: Path, tmp_path: Path, qd_command: Callable[..., Any]) -> None:
    copy = tmp_path / "run"
    shutil.copytree(finished, copy)
    answer = qd_command("report", copy)
    assert (answer.status, answer.out) == (0, "")
    assert f"report: {copy / 'report.html'}" in answer.err
    assert (copy / "report.html").read_text().startswith("<!doctype html>")
    for words, told in (
        ((copy, "--out", "page.txt"), "expected a file that ends in .html"),
        ((copy, "--out", tmp_path / "no" / "page.html"), "there is no folder"),
        ((tmp_path,), "is no run folder"),
    ):
        answer = qd_command("report", *words)
        assert answer.status == 2
        assert told in answer.err
