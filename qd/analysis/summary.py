"""A run in a few numbers."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..archives import Axis
from ..candidates import Status
from .calibration import calibration
from .folding import FoldedLog
from .rungs import rung_counts, trainings
from .state import state_of


def summary(run: FoldedLog) -> dict[str, Any]:
    """What `qd show --json` prints."""
    archive = run.archive
    predicted = [dataclasses.asdict(one) for one in calibration(run)]
    counts = run.counts
    duplicates = run.query("SELECT COUNT(*) FROM candidates WHERE id NOT IN (SELECT candidate FROM evaluations)")
    best, stands = archive.best, state_of(run)
    rungs = [dataclasses.asdict(one) for one in rung_counts(run)]
    return {
        "run": run.folder.name,
        "state": stands.word,
        **({"reason": stands.reason} if stands.reason else {}),
        "space": run.config.space.kind,
        "evaluator": run.config.evaluator.kind,
        "chunk": run.config.search.chunk_size,
        "chunk_chosen": run.meta("chunk_as_given") == "auto",
        "evaluations": {status.label: counts.get(status, 0) for status in Status},
        **({"reevaluations": run.reevaluations} if run.reevaluates else {}),
        "duplicates": duplicates[0][0],
        "screened": (run.state() or {}).get("screened", 0),
        "archive": {
            "kind": run.config.archive.kind,
            "cells": archive.cells,
            "elites": len(archive),
            "coverage": archive.coverage,
            "qd_score": archive.qd_score,
            "normalised_qd_score": archive.normalised_qd_score,
            "objective": archive.objective.metric,
            "objective_best": best.objective if best else None,
            "measures": [_axis_data(axis) for axis in archive.axes],
            "outside": archive.outside,
        },
        "best": _record(run, best.candidate, best.evaluation, best.objective) if best else None,
        **({"predictions": predicted} if predicted else {}),
        **({"rungs": rungs} if rungs else {}),
        "trainings": trainings(run),
        "seconds": run.seconds,
    }


def _record(run: FoldedLog, candidate: int, evaluation: int, objective: float) -> dict[str, Any]:
    return {
        "id": candidate,
        "objective": objective,
        "metrics": _means_of(run, candidate) if run.reevaluates else run.metrics_of(evaluation),
        "genotype": run.genotypes([candidate])[candidate],
    }


def _means_of(run: FoldedLog, candidate: int) -> dict[str, float]:
    means = run.means_of([candidate])[candidate]
    return {name: means[name] for name in run.metrics}


def _axis_data(axis: Axis) -> dict[str, Any]:
    return {name: getattr(axis, name) for name in ("metric", "low", "high", "bins", "scale", "unit")}
