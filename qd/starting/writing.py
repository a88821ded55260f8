"""`qd init`: looks at the data, plans a search, and writes a run file with comments."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..config import check, parse
from ..config.kinds import settled
from ..errors import UsageError
from ..inspecting.epoch import Epoch, epoch
from ..inspecting.opening import SPACE, Opened, keys_of_data, open_kind
from ..plain_data import dump_yaml
from ..registry import Registry
from ..runs.problem import prepare
from ..store.folder import write_atomically
from ..wording import number
from .guess import guess
from .plan import Plan, plan
from .ranges import Measure, check_goal, measures


def init(
    data: Path | str,
    *,
    target: str | None = None,
    kind: str | None = None,
    keys: Sequence[str] = (),
    out: Path | str = "run.yaml",
    goal: str = "size",
    minutes: float = 5,
    space: str = SPACE,
    plugins: Path | str | None = None,
) -> Path:
    """Write a run file for a data set.

    Args:
        data: a file or folder, the name of a data set, or `my_file:MyData`.
        target: the column to predict, where the kind needs one.
        kind: of a file or folder; default: what its ending says.
        keys: other keys of the kind, as "split.test=0.3" strings.
        out: the run file, which must not exist.
        goal: what the map is about: "size", "speed" or "specialisation".
        minutes: that the search may take.
        space: of networks, such as "sparse_moe", which takes every input.
        plugins: where dotted paths are looked up; default: the working directory.

    Returns:
        The file.

    Raises:
        UsageError: bad input, such as data that a search would refuse; nothing was created.
    """
    out = Path(out)
    check_out(out)
    if not minutes > 0:
        raise UsageError(f"`minutes`: expected more than 0, got {minutes}")
    given = guess(str(data), kind)
    full = keys_of_data(given["kind"], given.get("path"), target, keys, plugins)
    opened = open_kind(full, space, plugins)
    check_goal(goal, opened)
    with opened.registry.at_hand():
        axes = measures(goal, opened)
        examples = len(opened.data.splits().train)
        took = epoch(opened.space, opened.evaluator, examples)
    task_data = opened.evaluator.task_data()
    assert task_data is not None and task_data.options is not None  # `supervised` has both
    chosen = plan(examples, took, task_data.options, minutes * 60)
    text = _text(_relative(full, out), opened, space, axes, chosen, minutes * 60, took)
    folder = Path(plugins).absolute() if plugins else out.resolve().parent
    parsed = settled(None, parse(text, str(out)), Registry(folder), out.resolve().parent)
    with _said_once():
        prepare(check(parsed, str(out)), str(out), folder)  # what is written passes the door
    write_atomically(out, text.encode())
    return out


@contextlib.contextmanager
def _said_once() -> Iterator[None]:
    """Data that are opened again say nothing."""
    logger = logging.getLogger("qd")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


def check_out(out: Path) -> None:
    """Raise `UsageError` where the file is there already, or cannot be written."""
    if out.exists() or out.is_symlink():
        raise UsageError(f"`out` {out}: is there already, and nothing is overwritten; name another file")
    if not out.parent.is_dir():
        raise UsageError(f"`out` {out}: there is no folder {out.parent}")


def _relative(keys: Mapping[str, Any], out: Path) -> dict[str, Any]:
    """Keys of the data, with places below the run file's folder relative to it."""
    home = out.resolve().parent
    registry, found = Registry(), dict(keys)
    for name, value in keys.items():
        if isinstance(value, str) and registry.takes_path("data", str(keys["kind"]), name):
            place = Path(os.path.realpath(value))
            found[name] = str(place.relative_to(home) if place.is_relative_to(home) else place)
    return found


def _text(
    keys: Mapping[str, Any],
    opened: Opened,
    space: str,
    axes: Sequence[Measure],
    chosen: Plan,
    seconds: float,
    took: Epoch | None,
) -> str:
    """The run file."""
    split = dict(keys.get("split") or {})
    if chosen.train is not None and "train" not in split:
        keys = {**keys, "split": {**split, "train": chosen.train}}
    main = next(iter(opened.evaluator.metrics))
    metric = opened.evaluator.metrics[main]
    better = "highest" if metric.direction == "maximise" else "lowest"
    parts = opened.data.splits()
    timed = "" if took is None else f" An epoch took {took.seconds:.2g} s here, {took.together:.2g} s among others."
    few = f"\n  # The search trains on {chosen.train:,} of them; qd train takes all." if chosen.train else ""
    extra = [axis.metric for axis in axes if axis.metric not in opened.evaluator.metrics]
    lines = [
        f"# A search for networks on {opened.data.name}, written by `qd init`; docs/run_file.md explains every key.",
        "",
        "# What networks are made of (`qd spaces` lists others).",
        f"space: {_line({'kind': space})}",
        "evaluator:",
        "  kind: supervised",
        f"  # {len(parts.train):,} examples for training, {len(parts.validation):,} for validation,"
        f" {len(parts.test):,} for the test.{few}",
        f"  data: {_line(keys)}",
        f"  # How each network is trained.{timed}",
        "  training: " + _line({"epochs": chosen.epochs, "batch_size": chosen.batch_size, "learning_rate": 0.005}),
        *(
            [f"# Measured of every network, beside what the evaluator measures.\nmetrics: {_line(extra)}"]
            if extra
            else []
        ),
        "archive:",
        f"  # Of every cell of the map, the network with the {better} {main} is kept.",
        f"  objective: {main}",
        "  # The map; ranges are those of random networks and somewhat more.",
        "  measures:",
        *(f"    - {_line(_axis(axis, chosen.bins))}  # {axis.why}" for axis in axes),
        "  # What lies beyond a range counts for the cell at its end.",
        "  outside: clip",
        "# A model chooses what is tried, by what came of the others (docs/guided.md); map_elites asks none.",
        "emitters:",
        f"  - {_line({'kind': 'guided', 'initial': chosen.initial})}",
        f"search: {_line({'seed': 0, 'chunk': chosen.chunk})}",
        f"# Time for about {number(chosen.candidates)} networks on this machine.",
        f"budget: {_line({'seconds': round(seconds, 3)})}",
    ]
    return "\n".join(lines) + "\n"


def _axis(axis: Measure, bins: int) -> dict[str, Any]:
    return {"metric": axis.metric, "low": axis.low, "high": axis.high, "bins": bins, "scale": axis.scale}


def _line(data: Any) -> str:
    return dump_yaml(_plain(data), one_line=True).strip()


def _plain(value: Any) -> Any:
    """Whole numbers without a point."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
