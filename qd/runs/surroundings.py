"""What a run was made with, and whether it is there again: a search that goes on with other parts answers nothing."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from .. import environment
from ..analysis.run import Run
from ..config import from_log, parse
from ..errors import UsageError
from ..plain_data import read_text
from ..search.problem import Problem
from ..store.resume import last_session

logger = logging.getLogger(__name__)

RESUMABLE = ("budget", "executor")
"""What a resume may change of the run file."""
PARTS = {
    "genes": "the space's genes",
    "task": "the task (what goes in and out)",
    "space": "what the space is made of, such as a library",
    "evaluator": "what the evaluator has, such as its data",
}


def fixed(parts: Problem) -> dict[str, Any]:
    """Plain data for the log: what must be the same when the run is gone on with, beside run file and metrics."""
    made: dict[str, Any] = {
        "genes": repr(parts.space.genes),
        "task": parts.evaluator.task.plain() if parts.evaluator.task else None,
        "space": parts.space.contents(),
        "evaluator": parts.evaluator.contents(),
    }
    return json.loads(json.dumps(made))


def compare(parts: Problem, before: Run, proposing: bool) -> None:
    """Refuse parts that are others than those the run was made with; warn of other sources, mention other versions.

    Args:
        parts: as they are now.
        before: the run.
        proposing: whether new candidates will be proposed. Who only builds those of the log again may do so from a
            space that has grown since, as a library does that other searches add modules to.

    Raises:
        UsageError: names each difference.
    """
    differences = [*_metrics(parts, before), *_parts(parts, before, proposing)]
    if differences:
        raise UsageError(
            "\n".join([f"{before.folder.path}: the run was made with other parts than there are now:", *differences])
            + "\nPut back what there was, or start a new run; nothing was changed"
        )
    for path, digest in (before.meta("digests") or {}).items():
        if parts.registry.digests.get(path, digest) != digest:
            logger.warning(
                f"the source of {path} has changed since the run began; old and new results may not be comparable"
            )
    _mention_versions(before)


def as_edited(before: Run) -> dict[str, Any]:
    """The run file as it stands in the folder, where a person may have edited budget and executor; else the log's.

    Raises:
        UsageError: it cannot be read, or something else was edited.
    """
    path, logged = before.folder.run_file, before.config.dump()
    if not path.exists():
        return logged
    advice = "put it back, or delete the file: a resume writes it again from the log"
    try:
        edited = from_log(parse(read_text(path), str(path)), str(path)).dump()
    except (OSError, ValueError, UsageError) as error:
        raise UsageError(f"{error}\n{path} differs from what the log says; {advice}") from None
    for key in sorted(edited.keys() | logged.keys()):
        old, new = logged.get(key), edited.get(key)
        if old != new and key not in RESUMABLE:
            raise UsageError(
                f"{path}: {key} was edited since the run began (it was {old}, it is {new}), and only"
                f" {' and '.join(RESUMABLE)} may change; {advice}. To search otherwise, start a new run"
            )
    return edited


def _metrics(parts: Problem, before: Run) -> Iterator[str]:
    old = before.metrics
    new = {name: metric for name, (metric, _) in parts.metrics.items()}
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield f"  metric {name!r} is not reported any more"
        elif name not in old:
            yield f"  metric {name!r} is new"
        else:
            was, now = asdict(old[name]), asdict(new[name])
            yield from (
                f"  metric {name!r}: its {key} was {was[key]!r}, and is {now[key]!r}"
                for key in was
                if was[key] != now[key]
            )


def _parts(parts: Problem, before: Run, proposing: bool) -> Iterator[str]:
    now = fixed(parts)
    task = before.task.plain() if before.task else None
    was = {"genes": before.meta("genes"), "task": task, **(before.meta("contents") or {})}
    changed = {key for key in PARTS if was.get(key, now[key]) != now[key]}
    if not proposing and "space" in changed and was["space"].items() <= now["space"].items():
        changed -= {"space", "genes"}
    for key in PARTS:
        if key in changed:
            yield f"  {PARTS[key]}: {_difference(was[key], now[key])}"


def _difference(was: Any, now: Any) -> str:
    """Of mappings the keys that differ; else both, from a little before the place where they part."""
    if isinstance(was, dict) and isinstance(now, dict):
        found = {
            "changed": [key for key in was if key in now and was[key] != now[key]],
            "gone": [key for key in was if key not in now],
            "new": [key for key in now if key not in was],
        }
        return "; ".join(f"{how}: {', '.join(map(str, keys[:10]))}" for how, keys in found.items() if keys)
    was, now = str(was), str(now)
    same = next((place for place, (a, b) in enumerate(zip(was, now, strict=False)) if a != b), min(len(was), len(now)))
    start = max(0, same - 40)
    dots = "…" if start else ""
    return f"was {dots}{was[start : start + 150]}, and is {dots}{now[start : start + 150]}"


def _mention_versions(before: Run) -> None:
    """Other versions are allowed: results may differ in their last digits."""
    was, now = last_session(before).process.get("versions", {}), environment.versions()
    changed = [f"{name} {old} → {now.get(name, 'none')}" for name, old in was.items() if now.get(name) != old]
    if changed:
        logger.info(f"other versions than before: {', '.join(changed)}; new results may differ in their last digits")
