"""`qd ask-tell`: JSON lines, and what the page about it shows."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import qd

ROOT = Path(__file__).resolve().parents[2]
METRICS = {"score": {"low": 0, "high": 2}, "width": {"low": 0, "high": 30}, "height": {"low": 0, "high": 30}}
MEASURED = {"score": 1.5, "width": 3, "height": 4}


@pytest.fixture
def run_file(workbench):
    return workbench.write(
        evaluator={"kind": "outside", "metrics": METRICS}, search={"order": "arrival"}, budget={"evaluations": 6}
    )


@pytest.fixture
def converse(qd_command, monkeypatch):
    """Send requests (objects, or lines as they are) and return the answers."""

    def send(*requests, words):
        lines = [one if isinstance(one, str) else json.dumps(one) for one in requests]
        monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(lines) + "\n"))
        answer = qd_command("ask-tell", *words)
        assert answer.status == 0, answer.err
        return [json.loads(line) for line in answer.out.splitlines()]

    return send


def test_a_conversation(run_file, converse):
    rows = [{"evaluation": 1, "metrics": MEASURED}, {"evaluation": 2, "status": "failed", "error": "no luck"}]
    own = {"x": 20, "y": 3, "colour": "red"}
    asked, told, entered, proposed, again, shown, last, closed = converse(
        {"ask": 2},
        {"tell": rows},
        {"tell": [{"genotype": own, "metrics": MEASURED, "seconds": 0.5}]},
        {"propose": {**own, "y": 4}, "fidelity": 0.5},
        {"propose": own},
        {"show": True},
        {"ask": 9},
        {"close": True},
        {"ask": 1},  # read by nobody
        words=(run_file, "--out", "run"),
    )
    assert [one["evaluation"] for one in asked["candidates"]] == [1, 2]
    assert set(asked["candidates"][0]["genotype"]) == {"x", "y", "colour"}
    assert asked["ending"] is None
    assert told["told"][0] == {"candidate": 1, "evaluation": 1, "twin": None, "elite": True}
    assert entered["told"][0]["evaluation"] == 3
    assert proposed["candidate"]["fidelity"] == 0.5
    assert again == {"candidate": None}
    assert shown["evaluations"] == 3
    assert shown["under_way"] == [4]
    assert shown["metrics"]["score"] == {"unit": "", "low": 0.0, "high": 2.0, "direction": "maximise"}
    assert shown["best"]["objective"] == 1.5
    assert len(last["candidates"]) == 2
    assert last["ending"] == "budget used"
    assert closed == {"closed": "run"}
    assert qd.open_run("run").summary()["evaluations"]["ok"] == 2


WRONG = [
    ("{not json", "expected one JSON object a line"),
    ("[1]", "expected an object with one of the keys ask, tell, propose, show, close, got"),
    ({"aks": 3}, "did you mean 'ask'?"),
    ({"ask": 1, "tell": []}, "expected an object with one of the keys"),
    ({"ask": "three"}, "ask: expected a number of candidates of at least 1, got 'three'"),
    ({"ask": 1, "fidelty": 1}, "ask: unknown key 'fidelty'; did you mean 'fidelity'?"),
    ({"tell": 3}, "tell: expected a list"),
    ({"tell": [{"metrics": MEASURED}]}, "tell[0]: expected the key evaluation, or genotype"),
    ({"tell": [{"evaluation": 1, "metric": {}}]}, "tell[0]: unknown key 'metric'; did you mean 'metrics'?"),
    ({"tell": [{"evaluation": 77, "metrics": MEASURED}]}, "candidates[0]: evaluation 77 was never asked for"),
    ({"tell": [{"genotype": 3, "metrics": MEASURED}]}, "tell[0].genotype: expected an object or a list, got 3"),
    ({"tell": [{"genotype": {"x": 1}, "metrics": MEASURED}]}, "candidates[0]: no genotype of"),
    ('{"tell": [{"evaluation": 1, "metrics": {"score": NaN, "width": 1, "height": 1}}]}', "expected a finite number"),
    ({"propose": {"x": 1}}, "propose: no genotype of"),
]


def test_a_wrong_request_is_answered_and_ends_nothing(run_file, converse):
    asked, *answers, told = converse(
        {"ask": 1},
        *[request for request, _ in WRONG],
        {"tell": [{"evaluation": 1, "metrics": MEASURED}]},
        words=(run_file, "--out", "run"),
    )
    assert len(asked["candidates"]) == 1
    for answer, (request, message) in zip(answers, WRONG, strict=True):
        assert list(answer) == ["error"], request
        assert message in answer["error"]
    assert told["told"][0]["elite"]
    assert qd.open_run("run").count == 1


def test_a_run_file_that_does_not_fit_ends_it_at_once(workbench, qd_command):
    answer = qd_command("ask-tell", workbench.write(), "--out", "run")
    assert answer.status == 2
    assert "search.order: whoever asks and tells decides the order" in answer.err


@pytest.mark.slow
def test_a_killed_process_loses_nothing_that_was_told(run_file, workbench, converse):
    pipe = subprocess.Popen(
        [sys.executable, "-c", "from qd.cli import main; main()", "ask-tell", str(run_file), "--out", "killed"],
        cwd=workbench.folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with pipe:
        assert pipe.stdin is not None
        assert pipe.stdout is not None

        def send(request, requests=pipe.stdin, answers=pipe.stdout):
            requests.write(json.dumps(request) + "\n")
            requests.flush()
            return json.loads(answers.readline())

        asked = send({"ask": 3})["candidates"]
        assert send({"tell": [{"evaluation": 2, "metrics": MEASURED}]})["told"][0]["elite"]
        pipe.send_signal(signal.SIGKILL)
    (again,) = converse({"ask": 2}, words=("killed",))
    assert again["candidates"] == [asked[0], asked[2]]
    assert qd.open_run("killed").count == 1


def blocks(language: str) -> list[str]:
    """The page's code in one language."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs" / "ask_tell.md").read_text(), re.DOTALL)


def test_what_the_page_shows_works(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (run_file,), (code,), (shell,) = blocks("yaml"), blocks("python"), blocks("sh")
    Path("run.yaml").write_text(run_file)
    exec(compile(code, "docs/ask_tell.md", "exec"), {})
    assert "accuracy" in capsys.readouterr().out
    assert qd.open_run("results/mine").count == 100
    Path("bin").mkdir()
    Path("bin/qd").write_text(f"#!/bin/sh\nexec {sys.executable} -c 'from qd.cli import main; main()' \"$@\"\n")
    Path("bin/qd").chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    answers = subprocess.run(["sh", "-c", shell], env=environment, capture_output=True, text=True, check=True).stdout
    asked, told, entered, shown, closed = map(json.loads, answers.splitlines())
    assert len(asked["candidates"]) == 2
    assert [one["elite"] for one in told["told"]] == [True, False]
    assert entered["told"][0]["elite"]
    assert shown["best"]["objective"] == 0.8
    assert closed == {"closed": "results/shell"}
    run = qd.open_run("results/shell")
    assert run.summary()["evaluations"] == {"ok": 2, "invalid": 0, "failed": 1, "timed_out": 0, "lost": 0}
