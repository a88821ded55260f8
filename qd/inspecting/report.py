"""`qd data`: all that can be said of a data set before a search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..plots.base import FORMATS
from ..plots.drawing import check_out
from ..plots.style import save
from .baselines import Baseline, baselines
from .epoch import Epoch, epoch
from .facts import facts
from .opening import Opened, keys_of_data, open_file, open_kind
from .sheet import sheet


@dataclass(frozen=True)
class Inspection:
    """What was found.

    Args:
        facts: plain data about what was read; see `facts`.
        baselines: what simple models reach on the validation split, the trivial one first.
        epoch: the time of one; None where the evaluator does not tell.
        main: the metric that people care about first, such as "val_accuracy".
        warnings: what a person may not have meant.
    """

    facts: dict[str, Any]
    baselines: list[Baseline]
    epoch: Epoch | None
    main: str
    warnings: list[str]

    def as_data(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        found = [{**asdict(one), "scores": {k: _plain(v) for k, v in one.scores.items()}} for one in self.baselines]
        return {
            **self.facts,
            "baselines": found,
            "epoch": None if self.epoch is None else asdict(self.epoch),
            "main": self.main,
            "warnings": self.warnings,
        }


def data(
    file: Path | str | None = None,
    *,
    kind: str | None = None,
    path: Path | str | None = None,
    target: str | None = None,
    keys: Sequence[str] = (),
    out: Path | str | None = None,
    overrides: Sequence[str] = (),
    plugins: Path | str | None = None,
) -> Inspection:
    """Look at a data set before a search: what was read, what simple models reach, how long an epoch takes.

    Args:
        file: a run file, whose data are looked at; or give a `kind`.
        kind: of data: a name, or `my_file:MyData`.
        path: its key `path`.
        target: its key `target`.
        keys: other keys of the kind, as "split.test=0.3" strings.
        out: where a sheet of examples is drawn.
        overrides: of a run file, as for `qd.run`.
        plugins: where dotted paths are looked up; default: the run file's folder, or the working directory.

    Raises:
        UsageError: what a search would refuse; nothing was created.
    """
    if (file is None) == (kind is None):
        raise UsageError(
            "expected a run file, or `kind` and its keys, such as `path`; got " + ("both" if file else "neither")
        )
    if file is not None and (path is not None or target is not None or keys):
        raise UsageError(
            f"`path`, `target` and `set` go with `kind`; {file} names its data, change it as qd run does: KEY=VALUE"
        )
    if kind is not None and overrides:
        raise UsageError(f"{overrides[0]}: changes a run file; write --set {overrides[0]}")
    if out is not None:
        check_out(out, FORMATS)
    if file is not None:
        opened = open_file(file, overrides, plugins)
    else:
        assert kind is not None
        opened = open_kind(keys_of_data(kind, path, target, keys, plugins), plugins=plugins)
    with opened.registry.at_hand():
        found = inspect(opened)
        if out is not None:
            save(sheet(opened.data), Path(out))
    return found


def inspect(opened: Opened) -> Inspection:
    """Look at what passed the door."""
    about, task_data = facts(opened.data), opened.evaluator.task_data()
    simple = baselines(opened.data, task_data.score) if task_data else []
    main = next((name for name in simple[0].scores), "") if simple else ""
    said = [*about.pop("warnings"), *_of_baselines(opened, simple, main)]
    return Inspection(about, simple, epoch(opened.space, opened.evaluator, about["parts"]["train"]), main, said)


def _of_baselines(opened: Opened, found: list[Baseline], main: str) -> list[str]:
    if len(found) < 2 or main not in opened.evaluator.metrics:
        return []
    metric = opened.evaluator.metrics[main]
    sign = 1 if metric.direction == "maximise" else -1
    trivial, linear = (one.scores[main] for one in found)
    if sign * (linear - trivial) <= 0:
        return [
            f"the {found[1].name} is no better than the {found[0].name}: either the inputs say little of the target, or"
            " inputs and targets do not belong together"
        ]
    best = metric.high if sign > 0 else metric.low
    if math.isfinite(best) and abs(linear - best) < 1e-3:
        return [f"the {found[1].name} is perfect: is the target among the inputs?"]
    return []


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None
