"""From a run file, or from a kind of data and its keys, to the data set, its evaluator and a space of networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluators import Evaluator
from evaluators.data import DataSet
from search_spaces import SearchSpace, Task

from ..config import load, override
from ..errors import LONGEST_REASON, UsageError, clipped
from ..registry import Registry
from ..runs.measured import Measured
from ..runs.problem import prepare

SPACE, EVALUATOR = "sparse_moe", "supervised"
"""Whose networks are timed, and who trains them, where no run file says it."""


@dataclass(frozen=True)
class Opened:
    """A data set that passed the door.

    Args:
        data: the examples and their split.
        evaluator: trains networks on them, bound to the space.
        space: of networks.
        registry: that found them.
    """

    data: DataSet
    evaluator: Evaluator
    space: SearchSpace
    registry: Registry

    @property
    def task(self) -> Task:
        """Of the networks."""
        return self.data.task


def open_file(file: Path | str, overrides: Sequence[str] = (), plugins: Path | str | None = None) -> Opened:
    """Open the data of a run file, through the door of a search.

    Raises:
        UsageError: what a search would say, or there is no data set in it.
    """
    folder = Path(plugins).absolute() if plugins else Path(file).resolve().parent
    parts = prepare(load(Path(file), overrides, Registry(folder)), str(file), folder)
    evaluator = parts.evaluator.evaluator if isinstance(parts.evaluator, Measured) else parts.evaluator
    found = getattr(evaluator, "data", None)
    if not isinstance(found, DataSet):
        raise UsageError(
            f"{file}: evaluator: {parts.config.evaluator.kind} has no `data` to look at, as `supervised` has"
        )
    return Opened(found, evaluator, parts.space, parts.registry)


def open_kind(
    keys: Mapping[str, Any], space: Mapping[str, Any] | str = SPACE, plugins: Path | str | None = None
) -> Opened:
    """Open a kind of data without a run file.

    Args:
        keys: `kind` and its arguments, places absolute.
        space: whose networks are timed: its name, or `kind` and its arguments.
        plugins: where dotted paths are looked up; default: the working directory.

    Raises:
        UsageError: what a search would say, naming keys from `data` on.
    """
    registry = Registry(Path(plugins).absolute() if plugins else Path.cwd())
    kind, arguments = keys["kind"], {name: value for name, value in keys.items() if name != "kind"}
    found = registry.build("data", kind, arguments, "data")
    chosen = {"kind": space} if isinstance(space, str) else dict(space)
    try:
        with registry.at_hand():
            evaluator = registry.find("evaluators", EVALUATOR, "evaluator")(data=found)  # which checks it
            networks = registry.build("spaces", chosen.pop("kind"), chosen, "space")
            evaluator.bind(networks)
    except ValueError as error:
        raise UsageError(clipped(error, LONGEST_REASON)) from error
    return Opened(found, evaluator, networks, registry)


def keys_of_data(
    kind: str,
    path: Path | str | None = None,
    target: str | None = None,
    keys: Sequence[str] = (),
    plugins: Path | str | None = None,
) -> dict[str, Any]:
    """What `data` in a run file would hold.

    Args:
        kind: a name, or `my_file:MyData`.
        path: its key `path`.
        target: its key `target`.
        keys: "split.test=0.3" strings; places among them are relative to the working directory.
        plugins: where dotted paths are looked up; default: the working directory.

    Raises:
        UsageError: a string is no key and value.
    """
    registry = Registry(Path(plugins).absolute() if plugins else Path.cwd())
    given = {"path": None if path is None else str(path), "target": target}
    short = {f"data.{name}": value for name, value in given.items() if value is not None}
    found = override({"data": {"kind": kind}}, short, "data", registry)
    return override(found, [f"data.{one}" for one in keys], "data", registry)["data"]
