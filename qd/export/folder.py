"""Writes an export: architecture.json, weights.safetensors, and how to load them. Imports no plug-in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import UsageError
from ..store.run import Run

README = """# {space} {id}

Found by a quality-diversity search (`qd` {version}, run `{run}`).

    {readable}

| metric | value |
|---|---|
{metrics}

`architecture.json` holds the genotype and what it takes in and gives out, `weights.safetensors` the trained weights.

    from qd.export import load

    network = load("{folder}"){plugins}

`network` is a `torch.nn.Module` in evaluation mode; it takes {input} and gives {outputs} outputs.
"""


def export_elite(run: Run, candidate: int, to: Path | str) -> None:
    """Write the export of a candidate whose trained weights were kept.

    Args:
        run: where it was found.
        candidate: its id.
        to: the folder to make; its parent must be there.

    Raises:
        UsageError: there is no such candidate or it has no weights (names those that have), or the folder exists.
    """
    to, candidate = Path(to), int(candidate)  # an id out of a frame is numpy's, which JSON does not take
    if to.exists():
        raise UsageError(f"{to} exists and is never overwritten; choose another --to")
    if not to.resolve().parent.is_dir():
        raise UsageError(f"{to}: there is no folder {to.resolve().parent}")
    readable = run.readable(candidate)
    evaluation = _evaluation_with_weights(run, candidate)
    data = _architecture(run, candidate, evaluation)
    task = data["task"]
    text = README.format(
        space=data["space"]["kind"],
        id=candidate,
        version=__version__,
        run=run.folder.name,
        readable=readable,
        metrics="\n".join(
            f"| {name} | {value:.6g} {run.metrics[name].unit} |".replace(" |", " |")
            for name, value in data["metrics"].items()
        ),
        folder=to.name,
        plugins="  # needs the plug-in's folder: load(..., plugins=...)" if ":" in data["space"]["kind"] else "",
        input=f"float32 of shape (batch, {', '.join(map(str, task['input_shape']))})"
        if task
        else "what its task gives",
        outputs=task["outputs"] if task else "its task's",
    )
    temporary = to.with_name(f".{to.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        (temporary / "architecture.json").write_text(json.dumps(data, indent=2) + "\n")
        (temporary / "README.md").write_text(text)
        run.folder.read_weights(evaluation)  # refuses a damaged file
        shutil.copyfile(run.folder.weights_path(evaluation), temporary / "weights.safetensors")
        temporary.rename(to)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _evaluation_with_weights(run: Run, candidate: int) -> int:
    rows = run.query("SELECT id FROM evaluations WHERE candidate = ? ORDER BY id DESC", [candidate])
    for (evaluation,) in rows:
        if run.folder.has_weights(evaluation):
            return evaluation
    there = run.with_weights()
    listed = ", ".join(map(str, there[:20])) + (f" and {len(there) - 20} more" if len(there) > 20 else "")
    raise UsageError(
        f"{run.folder.path}: the trained weights of {candidate} were not kept"
        + (f"; those of elites are: {listed}" if there else ", nor those of any other")
    )


def _architecture(run: Run, candidate: int, evaluation: int) -> dict[str, Any]:
    return {
        "format": 1,
        "space": run.config.space.model_dump(),
        "genotype": run.genotypes([candidate])[candidate],
        "task": run.meta("task"),
        "metrics": run.metrics_of(evaluation),
        "run": run.folder.name,
        "candidate": candidate,
        "evaluation": evaluation,
        "qd_version": __version__,
    }
