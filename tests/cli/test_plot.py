import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import qd
from qd.plots.drawing import find_plot
from qd.registry import own_names

OPTIONS: dict[str, list[str]] = {
    "small_multiples": ["--measures", "width,height,order"],
    "pareto": ["--cost", "order"],
    "curves": ["--over", "seconds"],
    "filling": ["--frames", "3"],
}


@pytest.mark.parametrize("kind", [kind for kind in own_names("plots") if kind not in ("difference", "comparison")])
def test_every_kind_is_drawn(kind: str, finished: Path, tmp_path: Path, qd_command: Callable[..., Any]) -> None:
    formats = find_plot(kind).formats
    for format in formats if kind == "heatmap" else formats[-1:]:
        out = tmp_path / f"{kind}{format}"
        answer = qd_command("plot", kind, finished, "--out", out, *OPTIONS.get(kind, []))
        assert (answer.status, answer.out) == (0, "")
        assert f"drawn: {out}" in answer.err
        start = {".png": b"\x89PNG", ".pdf": b"%PDF", ".gif": b"GIF89a"}.get(format)
        if start:
            assert out.read_bytes().startswith(start)
        else:
            ElementTree.fromstring(out.read_bytes())


def test_the_help_lists_the_kinds_and_only_it_loads_them(qd_command: Callable[..., Any]) -> None:
    told = qd_command("plot", "--help").out
    for kind in own_names("plots"):
        assert f"{kind}: {find_plot(kind).about}" in " ".join(told.split()) or kind in told, kind
    code = "import sys; import qd.cli; qd.cli.commands(); assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_kinds_of_two(finished: Path, tmp_path: Path, qd_command: Callable[..., Any]) -> None:
    ids = qd.open_run(finished).elites()["id"].tolist()[:2]
    words = ["--out", tmp_path / "two.svg"]
    assert qd_command("plot", "difference", finished, finished, *words).status == 0
    assert qd_command("plot", "comparison", finished, "--id", ids[0], "--id", ids[1], *words).status == 0
    assert f"candidate {ids[1]}" in (tmp_path / "two.svg").read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["heatmop", "RUN", "--out", "x.png"], "there is no picture 'heatmop'; did you mean 'heatmap'?"),
        (["filling", "RUN", "--out", "x.png"], "--out x.png: expected a file that ends in .gif"),
        (["architecture", "RUN", "--out", "x.png"], "expected a file that ends in .svg"),
        (["heatmap", "RUN", "--out", "no/x.png"], "there is no folder no"),
        (
            ["heatmap", "RUN", "--out", "x.png", "--cost", "order"],
            "has no option --cost; it takes --measures, --objective",
        ),
        (
            ["heatmap", "RUN", "--out", "x.png", "--measures", "widht"],
            "no metric 'widht' was logged; did you mean 'width'",
        ),
        (["heatmap", "RUN", "--out", "x.png", "--measures", "width,height,order"], "or draw small_multiples"),
        (["heatmap", "RUN", "RUN", "--out", "x.png"], "takes one run, got 2"),
        (["heatmap", ".", "--out", "x.png"], "is no run folder"),
        (["small_multiples", "RUN", "--out", "x.png"], "need three metrics, got 2"),
        (["small_multiples", "RUN", "--out", "x.png", "--measures", "order,height,width"], None),
        (["parallel_axes", "RUN", "--out", "x.png", "--measures", "score"], "need two metrics at least"),
        (["pareto", "RUN", "--out", "x.png", "--cost", "score"], "score is the objective already"),
        (["curves", "RUN", "--out", "x.png", "--over", "time"], "expected evaluations or seconds, got 'time'"),
        (["difference", "RUN", "--out", "x.png"], "difference compares two runs, got 1"),
        (["lineage", "RUN", "--out", "x.png", "--id", "99999"], "there is no candidate 99999"),
        (["lineage", "RUN", "--out", "x.png", "--id", "1", "--id", "2"], "--id: expected one candidate, got 2"),
        (["comparison", "RUN", "--out", "x.svg"], "--id is missing: name two candidates"),
        (["comparison", "RUN", "--out", "x.svg", "--id", "1"], "a comparison needs two candidates, got 1"),
        (["filling", "RUN", "--out", "x.gif", "--frames", "1"], "--frames: expected at least 2, got 1"),
    ],
)
def test_what_cannot_be_drawn_is_told(
    words: list[str], told: str | None, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    qd_command: Callable[..., Any],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    answer = qd_command("plot", *[finished if word == "RUN" else word for word in words])
    if told is None:
        assert answer.status == 0
        return
    assert answer.status == 2
    assert told in answer.err
    assert not list(tmp_path.iterdir()), "nothing was written"


def test_serve_tells_what_is_wrong(tmp_path: Path, qd_command: Callable[..., Any]) -> None:
    answer = qd_command("serve", tmp_path / "nothing")
    assert answer.status == 2
    assert "there is no such folder" in answer.err
