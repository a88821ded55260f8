"""What only informs ends nothing: streams that cannot be written to."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pty
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import qd
from qd.cli import main

ROUNDS = "import sys; print('from a plug-in', flush=True); print('and more', file=sys.stderr, flush=True)"


@contextlib.contextmanager
def full() -> Iterator[int]:
    with Path("/dev/full").open("w") as file:
        yield file.fileno()


@contextlib.contextmanager
def read_by_nobody() -> Iterator[int]:
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@contextlib.contextmanager
def closed_terminal() -> Iterator[int]:
    person, terminal = pty.openpty()
    os.close(person)
    yield terminal
    os.close(terminal)


@contextlib.contextmanager
def closed() -> Iterator[int | None]:
    yield None


def status_of(words: tuple[object, ...], streams: dict[int, int | None]) -> int | None:
    """The exit status of `qd WORDS` in a process whose streams are these file descriptors, or closed."""

    def child() -> None:
        for number, place in streams.items():
            os.close(number) if place is None else os.dup2(place, number)
        for number, name in ((1, "stdout"), (2, "stderr")):
            if number in streams:
                setattr(sys, name, None if streams[number] is None else os.fdopen(number, "w", closefd=False))
        sys.argv = ["qd", *map(str, words)]
        main()

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join()
    return process.exitcode


PLACES = [full, read_by_nobody, closed_terminal, closed]


@pytest.mark.parametrize("place", PLACES)
def test_a_search_outlasts_what_it_informs(workbench, place: Callable, monkeypatch):
    monkeypatch.setattr("qd.cli.progress.SECONDS_BETWEEN_LINES", 0)
    text = workbench.plugin.read_text()
    workbench.plugin.write_text(text.replace("        luck = seed", f"        {ROUNDS}\n        luck = seed"))
    with place() as number:
        status = status_of(("run", workbench.write(), "--out", "run"), {1: number, 2: number})
    run = qd.open_run("run")
    assert run.count == 200
    assert len(run.archive)
    assert (run.folder.pictures / "map.png").exists()
    assert status == (1 if place is full else 0)  # where what the plug-in printed is lost, and stdout is not closed


@pytest.mark.parametrize("place", [read_by_nobody, closed_terminal, closed])
@pytest.mark.parametrize("words", [["elites"], ["show"], ["elites", "--json"]], ids=" ".join)
def test_who_reads_no_further_hears_no_more(finished, tmp_path, place: Callable, words):
    errors = tmp_path / "errors"
    with place() as number, errors.open("w") as file:
        assert status_of((*words, finished), {1: number, 2: file.fileno()}) == 0
    assert errors.read_text() == ""


def test_a_result_that_is_lost_is_an_error(finished, tmp_path):
    errors = tmp_path / "errors"
    with full() as number, errors.open("w") as file:
        assert status_of(("elites", finished), {1: number, 2: file.fileno()}) == 1
    assert errors.read_text() == "qd: stdout cannot be written to: [Errno 28] No space left on device\n"


def test_a_map_that_cannot_be_drawn_is_a_warning(workbench, qd_command):
    qd.run(workbench.write(budget={"evaluations": 8}), out="run")
    Path("run/pictures/map.png").mkdir()  # in its place
    answer = qd_command("resume", "run", "budget.evaluations=12")
    assert answer.status == 0
    assert "warning: the map cannot be drawn" in answer.err
