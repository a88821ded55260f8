"""What a person may write, call or extend stands in the docs; what is missing is told."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import qd.testing
from qd.cli import commands
from qd.config import RunFile
from qd.executors.ray.options import RayConfig
from qd.registry import Registry, keys_of, own_names

ROOT = Path(__file__).resolve().parents[1]
PAGES = {path.name: path.read_text() for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]}
DECISIONS = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))


def code(page: str) -> str:
    """What a page shows as code: in backticks, fenced or indented."""
    fenced = re.findall(r"```.*?```", page, re.DOTALL)
    return "\n".join([*fenced, *re.findall(r"`[^`\n]+`|^ {4}.*$", page, re.MULTILINE)])


WRITTEN = {name: code(text) for name, text in PAGES.items()}


def says(page: str, word: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(word)}(?!\w)|\.{re.escape(word)}(?!\w)", page) is not None


def keys(model: type[BaseModel]) -> Iterator[str]:
    """All keys of a model and of the models in it."""
    for name, field in model.model_fields.items():
        yield field.alias or name
        for inner in models_in(field.annotation):
            yield from keys(inner)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for inner in typing.get_args(annotation):
        yield from models_in(inner)


def test_every_key_of_the_run_file_stands_in_its_page() -> None:
    missing = [name for name in dict.fromkeys(keys(RunFile)) if not says(WRITTEN["run_file.md"], name)]
    assert not missing, f"docs/run_file.md says nothing of: {', '.join(missing)}"


GIVEN = ("space", "evaluator", "objective", "axes")
"""Arguments that come from the engine."""


def components() -> dict[str, list[str]]:
    """{kind: keys that may stand beside it} of all that a run file may name."""
    found: dict[str, Any] = {}
    for room in ("emitters", "archives", "spaces", "evaluators", "metrics"):
        found |= {name: Registry().find(room, name, room) for name in own_names(room)}
    arguments = {name: keys_of(cls) for name, cls in found.items()}
    arguments["ray"] = list(inspect.signature(RayConfig).parameters)
    return {name: [one for one in names if one not in GIVEN] for name, names in arguments.items()}


@pytest.mark.parametrize("kind", components())
def test_every_argument_of_a_component_stands_on_a_page_that_names_it(kind: str) -> None:
    pages = [page for page in WRITTEN.values() if says(page, kind)]
    assert pages, f"no page of docs names `{kind}`"
    missing = [name for name in components()[kind] if not any(says(page, name) for page in pages)]
    assert not missing, f"{kind}: no page that names it says anything of: {', '.join(missing)}"


def test_every_command_stands_in_the_docs() -> None:
    everything = "\n".join(WRITTEN.values())
    missing = [name for name in commands() if not re.search(rf"qd {name}\b", everything)]
    assert not missing, f"no page of docs shows: {', '.join(missing)}"


def test_every_kind_of_picture_stands_in_the_docs() -> None:
    missing = [name for name in own_names("plots") if not says(WRITTEN["inspect.md"], name)]
    assert not missing, f"docs/inspect.md says nothing of: {', '.join(missing)}"


def test_every_suite_stands_in_the_docs() -> None:
    missing = [name for name in qd.testing.__all__ if not any(says(page, name) for page in WRITTEN.values())]
    assert not missing, f"no page of docs names: {', '.join(missing)}"


def test_every_decision_says_why_and_has_a_number_of_its_own() -> None:
    numbers = [path.name[:3] for path in DECISIONS]
    assert len(set(numbers)) == len(numbers), f"two decisions have one number: {numbers}"
    for path in DECISIONS:
        text = path.read_text()
        assert text.startswith("# "), f"{path.name} has no title"
        for part in ("Why", "Rejected"):
            assert re.search(rf"\*\*{part}|^#+ {part}", text, re.MULTILINE), f"{path.name} has no part {part!r}"


def test_pages_link_to_files_that_are_there() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *DECISIONS]:
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
            if not re.match(r"[a-z]+:", target):
                assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


def test_every_decision_that_is_mentioned_is_there() -> None:
    known = {path.name[:3] for path in DECISIONS}
    for name, text in PAGES.items():
        for number in re.findall(r"decisions/(\d{3})", text):
            assert number in known, f"{name} mentions decision {number}"


def test_options_that_the_docs_show_are_options_of_a_command() -> None:
    known = {
        name: {"--help", *(option for one in command.params for option in one.opts)}
        for name, command in commands().items()
    }
    for page, text in WRITTEN.items():
        for line in re.findall(r"qd ((?:library )?[a-z-]+)\b([^\n`|#]*)", text):
            if line[0] in known:
                wrong = [option for option in re.findall(r"(?<!\S)--[a-z-]+", line[1]) if option not in known[line[0]]]
                assert not wrong, f"{page}: qd {line[0]} has no option {', '.join(wrong)}"


@pytest.mark.parametrize(
    "point", ["space", "module", "data set", "evaluator", "emitter", "archive", "metric", "plot", "command"]
)
def test_every_extension_point_has_a_recipe(point: str) -> None:
    titles = re.findall(r"^#+ (.*)$", PAGES["extending.md"], re.MULTILINE)
    assert any(point in title.lower() for title in titles), f"docs/extending.md has no section on: {point}"
