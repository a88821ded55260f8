"""Archives other than grids of numbers."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

import qd
from qd.archives import Axis, CVTArchive, Objective, UnstructuredArchive, make_archive
from qd.archives.cvt import tessellate
from qd.config import ArchiveConfig, check
from qd.errors import UsageError
from search_spaces import Metric

SCORE = Objective("score", "maximise", 0.0, 1.0, "")
AXES = (Axis("x", 0.0, 10.0, 20, "linear", ""), Axis("y", 1.0, 100.0, 20, "log", ""))
METRICS = {"score": Metric("", 0, 1), "x": Metric(), "y": Metric()}


def fill(archive: Any, size: int, step: int, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    score, x, y = rng.random(size), 10 * rng.random(size), 100.0 ** rng.random(size)
    for first in range(0, size, step):
        rows = np.arange(first, min(size, first + step))
        metrics = {"score": score[rows], "x": x[rows], "y": y[rows]}
        archive.add(rows, rows, metrics, [{"of": int(row)} for row in rows])
    return archive


def from_file(**keys: Any) -> Any:
    text = json.dumps({"objective": "score", **keys})
    return make_archive(ArchiveConfig.model_validate_json(text), METRICS)


def test_centroids_divide_the_measures_evenly() -> None:
    centroids = tessellate(64, 2, 20_000, 0)
    assert ((centroids >= 0) & (centroids <= 1)).all()
    points = np.random.default_rng(1).random((50_000, 2))
    counts = np.bincount(np.linalg.norm(points[:, None] - centroids, axis=2).argmin(axis=1), minlength=len(centroids))
    assert counts.min() > 0.5 * counts.mean()
    assert counts.max() < 1.7 * counts.mean()
    np.testing.assert_array_equal(tessellate(64, 2, 20_000, 0), centroids)


def test_a_cvt_keeps_the_best_of_what_is_nearest_to_each_centroid() -> None:
    archive = fill(CVTArchive(SCORE, AXES, cells=20, samples=2000), 500, 7)
    assert archive.elites == fill(archive.emptied(), 500, 500).elites
    rng = np.random.default_rng(0)
    score, places = rng.random(500), np.stack([rng.random(500), rng.random(500)], axis=1)
    nearest = np.linalg.norm(places[:, None] - archive.centroids, axis=2).argmin(axis=1)
    best = {int(cell): float(score[nearest == cell].max()) for cell in np.unique(nearest)}
    assert {cell: elite.objective for cell, elite in archive.elites.items()} == best
    data = archive.pyribs.data()
    assert dict(zip(data["index"].tolist(), data["solution"].tolist(), strict=True)) == {
        cell: elite.evaluation for cell, elite in archive.elites.items()
    }


def test_an_unstructured_archive_holds_what_is_far_apart_and_the_best_of_what_is_near() -> None:
    archive = fill(UnstructuredArchive(SCORE, AXES, 0.2), 400, 13)
    assert archive.elites == fill(archive.emptied(), 400, 1).elites
    assert (archive.cells, archive.coverage) == (len(archive), 1.0)
    assert 10 < len(archive) < 60
    worse = {"score": np.array([0.0]), "x": np.array([5.0]), "y": np.array([10.0])}
    assert archive.add([1000], [1000], worse, [None]) == []
    better = {**worse, "score": np.array([2.0])}
    (insertion,) = archive.add([1001], [1001], better, [None])
    assert insertion.displaced is not None
    assert archive.pyribs.stats.num_elites == len(archive)


def test_a_categorical_archive_has_a_cell_for_each_combination() -> None:
    archive = from_file(
        kind="categorical", measures=[{"metric": "x", "categories": [4, 1, 2.5]}, {"metric": "y", "categories": [0, 1]}]
    )
    x, y = np.array([1.0, 4.0, 4.0, 3.0, 2.5, math.nan]), np.array([0.0, 1.0, 1.0, 0.0, 1.0, 0.0])
    archive.add(range(6), range(6), {"score": np.arange(6) / 10, "x": x, "y": y}, [None] * 6)
    assert archive.cells == 6
    found = {archive.position(cell): elite.evaluation for cell, elite in archive.elites.items()}
    assert found == {(1, 0): 0, (0, 1): 2, (2, 1): 4}
    assert archive.outside == 2  # 3 is no category, nor is nan
    assert archive.pyribs.stats.num_elites == 3


def test_a_grid_may_have_categories_on_one_axis() -> None:
    measures = [{"metric": "x", "categories": [1, 2]}, {"metric": "y", "low": 0, "high": 10, "bins": 5}]
    archive = from_file(measures=measures)
    archive.add([1], [1], {"score": np.array([0.5]), "x": np.array([2.0]), "y": np.array([9.0])}, [None])
    assert archive.position(archive.occupied[0]) == (1, 4)


PLAIN = {"metric": "x", "low": 0, "high": 1, "bins": 4}
OTHER = {"metric": "y", "low": 0, "high": 1, "bins": 4}


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        ({"kind": "cvt", "measures": [PLAIN]}, "archive.cells: this key is missing; CVTArchive needs it"),
        (
            {"kind": "cvt", "cells": 10, "samples": 9, "measures": [PLAIN]},
            "at least as many samples as cells, got 9 and",
        ),
        (
            {"kind": "unstructured", "measures": [PLAIN]},
            "archive.novelty: this key is missing; UnstructuredArchive needs it",
        ),
        ({"kind": "categorical", "measures": [PLAIN]}, "every measure of a categorical archive needs categories"),
        ({"cells": 10, "measures": [PLAIN]}, "archive.cells: belongs to kind: cvt, and this is of kind: grid"),
        ({"kind": "cvt", "cells": 4, "measures": [{"metric": "x", "categories": [1]}]}, "categories need kind: grid"),
        ({"measures": [{"metric": "x", "categories": [1, 1]}]}, "each category is given once"),
        ({"measures": [{"metric": "x", "categories": []}]}, "categories: list should have at least 1 item"),
        ({"measures": [{"metric": "x", "categories": ["a"]}]}, "categories.*valid number, got 'a'"),
        ({"measures": [{"metric": "x", "categories": [1], "bins": 3}]}, "categories have a bin each"),
        ({"measures": [PLAIN], "refine": [{"evaluations": 5, "bins": 6}]}, r"multiples .* got \[6\] after \[4\]"),
        ({"measures": [PLAIN], "refine": [{"evaluations": 5, "bins": 4}]}, "multiples of those before"),
        (
            {"measures": [PLAIN], "refine": [{"evaluations": 5, "bins": 8}, {"evaluations": 5, "bins": 16}]},
            "evaluations must rise, got 5 after 5",
        ),
        ({"measures": [PLAIN, OTHER], "refine": [{"evaluations": 5, "bins": [8]}]}, "expected 2 bins, .* got"),
        ({"measures": [PLAIN, OTHER], "refine": [{"evaluations": 5, "bins": 4096}]}, "at most 10,000,000 cells"),
    ],
)
def test_what_no_archive_can_be_is_refused(archive: dict[str, Any], message: str) -> None:
    data = {
        "space": {"kind": "retina"},
        "evaluator": {"kind": "retina"},
        "archive": {"objective": "score", **archive},
        "budget": {"evaluations": 1},
    }
    with pytest.raises(UsageError, match=message):
        make_archive(check(data, "run.yaml").archive, METRICS)


@pytest.mark.parametrize(
    "archive",
    [
        {"kind": "cvt", "cells": 30, "samples": 500},
        {"kind": "unstructured", "novelty": 0.1, "neighbours": 2},
        {"kind": "categorical", "measures": [{"metric": "width", "categories": list(range(0, 30, 2))}]},
    ],
    ids=lambda one: one["kind"],
)
def test_a_run_with_any_kind_of_archive_resumes_and_is_looked_at(workbench, archive, log_tables) -> None:
    # a window of one chunk: whatever the budget, each is asked when all before it are told
    settings: dict[str, Any] = {"archive": archive, "search": {"window": 4}, "budget": {"evaluations": 120}}
    whole = qd.run(workbench.write("whole.yaml", **settings), out="whole")
    settings["budget"] = {"evaluations": 60}
    qd.run(workbench.write("half.yaml", **settings), out="half").close()
    half = qd.resume("half", budget={"evaluations": 120})
    assert half.archive.elites == whole.archive.elites
    assert log_tables(half.folder.path, resumed=True)["insertions"] == log_tables(whole.folder.path)["insertions"]
    assert half.summary()["archive"]["kind"] == archive["kind"]
    assert len(half.elites()) == len(half.archive)
    if archive["kind"] == "cvt":
        assert isinstance(half.archive, CVTArchive)
        np.testing.assert_array_equal(half.archive.centroids, np.array(half.recorded["centroids"]))
    if archive["kind"] == "categorical":
        assert half.archive.outside > 20  # odd widths
