"""What the pages show runs: every block of code is executed, in order, in a folder of the page's own, or says why not.

A block names its language. `sh`, `python` and `yaml` (run files and parts of them) are executed; a comment before it,
`<!-- not run: why -->`, which no reader sees, excepts one. Budgets and data are small here, and commands of `qd` run in
this process.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml

import qd
from qd.cli import commands
from qd.config import check
from qd.errors import UsageError
from qd.runs.problem import prepare

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXECUTED, SHOWN = {"sh", "python", "yaml"}, {"text", "toml"}
BLOCK = re.compile(
    r"(?:^`(?P<file>\w+\.\w+)`[^\n]*:\n\n)?(?:^ *<!-- not run: (?P<why>[^\n]+) -->\n\n)?"
    r"^ *```(?P<language>\w*)\n(?P<code>.*?)^ *```$",
    re.DOTALL | re.MULTILINE,
)
MOST = {"budget.evaluations=": 60, "--epochs ": 5, "--top ": 3, "--seeds ": 2}
"""What is more than this on a line is this here."""
SMALL: dict[str, Any] = {
    "space": {"kind": "sparse_moe"},
    "evaluator": {"kind": "supervised", "data": {"kind": "digits", "split": {"train": 200}}, "training": {"epochs": 1}},
    "archive": {
        "objective": "val_accuracy",
        "measures": [{"metric": "parameters", "low": 500, "high": 60_000, "bins": 8, "scale": "log"}],
    },
    "budget": {"evaluations": 16},
}


@dataclass(frozen=True)
class Block:
    """A block of code, and the line where it stands."""

    page: Path
    line: int
    language: str
    code: str
    file: str | None
    why: str | None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(
            page, text[: one.start("code")].count("\n"), one["language"], dedent(one["code"]), one["file"], one["why"]
        )
        for one in BLOCK.finditer(text)
    ]


BLOCKS = [block for page in PAGES for block in blocks(page)]


def is_of_a_recipe(block: Block) -> bool:
    """`test_extending` runs these."""
    return block.page.name == "extending.md" and (block.file is not None or block.language == "sh")


RUNNING = [
    page
    for page in PAGES
    if any(b.page == page and not b.why and b.language in EXECUTED and not is_of_a_recipe(b) for b in BLOCKS)
]


def test_every_block_names_its_language_and_says_why_where_it_is_not_run() -> None:
    for block in BLOCKS:
        assert block.language in EXECUTED | SHOWN, f"{block}: expected one of {', '.join(sorted(EXECUTED | SHOWN))}"
    for page in PAGES:
        text = page.read_text()
        assert text.count("```") == 2 * len(blocks(page)), f"{page}: a block that is not told apart"
        assert len(re.findall(r"^ *<!-- not run", text, re.MULTILINE)) == sum(
            b.why is not None for b in blocks(page)
        ), f"{page}: `<!-- not run: why -->`, an empty line, the block"
        outside = BLOCK.sub("", text)
        indented = re.search(r"(?<=\n\n) {4,}(?! *[-*\d])\S.*", outside)
        assert indented is None, f"{page}: write it between ``` lines, with its language: {indented[0]}"


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, networks: Path, request: pytest.FixtureRequest
) -> Callable[[str], Path]:
    """Lay out, in a folder that becomes the working directory, what a text names: runs, run files, a library."""
    monkeypatch.chdir(tmp_path)

    def lay_out(text: str) -> Path:
        for name in set(re.findall(r"results/(?:first|fashion_moe-001|map_elites|random)\b", text)):
            shutil.copytree(networks, tmp_path / name)
        for name in set(re.findall(r"scripts/runs/\w+\.yaml", text)):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(yaml.safe_dump(small(yaml.safe_load((ROOT / name).read_text()))))
        if "my.csv" in text:
            rows = [f"{size},{'north' if size % 3 else 'south'},{size * 1.5}" for size in range(20, 110)]
            (tmp_path / "my.csv").write_text("\n".join(["size,street,price", *rows]))
        if "import best_network" in text:
            qd.export("results/first", best=True, to="best_network", formats="safetensors")
        if "results/modules" in text:
            shutil.move(request.getfixturevalue("library").folder, tmp_path / "results/modules")
        activate = tmp_path / ".venv/bin/activate"
        activate.parent.mkdir(parents=True)
        activate.write_text("")
        return tmp_path

    return lay_out


def small(data: dict[str, Any]) -> dict[str, Any]:
    """A run file that takes a second."""
    if data["evaluator"]["kind"] == "supervised":
        data["evaluator"] = SMALL["evaluator"]
    return data | {"budget": SMALL["budget"]}


@pytest.fixture
def qd_line(
    qd_command: Callable[..., Any], qd_process: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], None]:
    """Run a line that begins with `qd`; it ends well."""

    def call(line: str) -> None:
        for option, most in MOST.items():
            line = re.sub(rf"(?<={option})\d+\b(?!:)", lambda found, most=most: str(min(int(found[0]), most)), line)
        words = shlex.split(line, comments=True)[1:]
        if words[0] == "serve":
            serve(qd_process, words)
            return
        if words[0] == "run" and words[1] == "run.yaml" and not any("budget" in word for word in words):
            words.append("budget.evaluations=16")  # as `qd init` writes it, it has minutes
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        answer = qd_command(*words)
        assert answer.status == 0, f"{line}\n{answer.err}"

    return call


def serve(qd_process: Callable[..., Any], words: list[str]) -> None:
    """Start it, and end it as soon as it says where it listens."""
    process = qd_process(*words, "--port", "0", cwd=Path.cwd())
    assert "open http://127.0.0.1:" in process.stderr.readline()


@pytest.mark.parametrize("page", RUNNING, ids=lambda page: page.stem)
def test_what_a_page_shows_runs(page: Path, here, qd_line) -> None:
    folder = here(page.read_text())
    names: dict[str, Any] = {"__name__": page.stem}
    sections = dict(SMALL)
    for block in BLOCKS:
        if block.page != page or block.why or is_of_a_recipe(block):
            continue
        if block.file:
            (folder / block.file).write_text(block.code)
        try:
            match block.language:
                case "sh":
                    run_lines(block.code, qd_line)
                case "python":
                    exec(compile(block.code, str(block), "exec"), names)
                case "yaml":
                    sections |= yaml.safe_load(block.code)
                    read(sections)
        except Exception as error:
            raise AssertionError(f"{block}: {type(error).__name__}: {error}") from error


def run_lines(code: str, qd_line: Callable[[str], None]) -> None:
    if "<<" in code:
        in_a_shell(code)
        return
    for line in code.splitlines():
        (qd_line if line.startswith("qd ") else in_a_shell)(line)


def in_a_shell(code: str) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-eu", "-c", code],
        env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def read(data: dict[str, Any]) -> None:
    """Check a run file and build its parts; whether its data are on this machine is another matter."""
    try:
        prepare(check(data, "the page"), "the page", Path.cwd())
    except UsageError as error:
        assert "python -m evaluators.data" in str(error), error


def examples() -> Iterator[tuple[str, str]]:
    for name, command in commands().items():
        found = re.search(r"Example: `(qd [^`]+)`", command.help or "")
        assert found, f"qd {name} --help shows no example"
        yield name, found[1]


EXAMPLES = dict(examples())
EXAMPLES_NOT_RUN = {
    "ask-tell": "docs/ask_tell.md does",
    "doctor": "needs a cluster",
    "importance": "fits forests for twenty seconds; tests/analysis/test_importance.py does",
    "library build": "needs the run that scripts/reuse makes",
    "library show": "needs a module of that run",
    "stream": "trains on data that are fetched first",
}


def test_examples_of_help_run(here, qd_line) -> None:
    """Those that no page shows."""
    shown = {line.partition("  #")[0].strip() for block in BLOCKS if not block.why for line in block.code.splitlines()}
    lines = [line for name, line in EXAMPLES.items() if name not in {*EXAMPLES_NOT_RUN, "run"} and line not in shown]
    assert lines
    folder = here(" ".join(lines))
    (folder / "my_search.yaml").write_text(yaml.safe_dump(SMALL))
    for line in lines:
        qd_line(line)


@pytest.mark.slow
@pytest.mark.cluster
def test_the_example_of_run_runs(here, qd_line) -> None:
    here(EXAMPLES["run"])
    shutil.rmtree("results")
    qd_line(EXAMPLES["run"])
    assert Path("results/first/pictures/map.png").exists()
