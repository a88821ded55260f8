"""Pictures against baselines. `QD_NEW_BASELINES=1 pytest tests/plots` draws those anew: look, then keep them."""

import dataclasses
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.testing.compare import compare_images
from PIL import Image

import qd
from qd.archives import Archive, Axis, CategoricalArchive, CVTArchive, GridArchive, Objective, UnstructuredArchive
from qd.errors import UsageError
from qd.plots import KINDS
from qd.plots.cells import middles, outlines
from qd.plots.heatmap import heatmap, map_figure
from qd.plots.pareto import pareto_front
from qd.plots.style import encoded, new_figure
from qd.store.run import Run

BASELINES = Path(__file__).parent / "baselines"
TOLERANCE = 12  # of the root mean square; letters differ a little between builds of FreeType

OBJECTIVE = Objective("score", "maximise", 0.0, 1.0, "points")


def same(figure: Figure, name: str, folder: Path) -> None:
    figure.set_dpi(60)
    drawn = folder / f"{name}.png"
    figure.savefig(drawn, format="png", dpi=60)
    baseline = BASELINES / f"{name}.png"
    if os.environ.get("QD_NEW_BASELINES"):
        BASELINES.mkdir(exist_ok=True)
        Image.open(drawn).convert("RGB").quantize(64).save(baseline, optimize=True)
    expected = folder / f"{name}-expected.png"
    Image.open(baseline).convert("RGB").save(expected)
    Image.open(drawn).convert("RGB").save(drawn)
    assert compare_images(str(expected), str(drawn), tol=TOLERANCE) is None


@pytest.fixture
def run(finished: Path) -> Run:
    return qd.open_run(finished)


@pytest.fixture
def verified_run(finished: Path, tmp_path: Path) -> Run:
    """A copy in which three elites were verified, three times each."""
    copy = tmp_path / "verified"
    shutil.copytree(finished, copy)
    elites = list(qd.open_run(copy).archive.elites.values())[:3]
    log = sqlite3.connect(copy / "log.sqlite")
    for number, (elite, repeat) in enumerate([(elite, repeat) for elite in elites for repeat in range(3)]):
        id = 10**12 + number
        log.execute(
            "INSERT INTO evaluations VALUES (?, ?, 0, 'verification', ?, 1, 0, 0, 1)", (id, elite.candidate, repeat)
        )
        log.execute(
            "INSERT INTO results (_evaluation, _tell, _attempt, _status, _seconds, _worker, score, width, height,"
            ' "order") VALUES (?, 1, 1, 0, 0, ?, ?, 1, 1, 2)',
            (id, "", elite.objective - 0.1 * repeat),
        )
    log.commit()
    log.close()
    return qd.open_run(copy)


PICTURES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "heatmap": lambda run: {},
    "small_multiples": lambda run: {"measures": ["width", "height", "order"]},
    "parallel_axes": lambda run: {},
    "pareto": lambda run: {"cost": "order"},
    "curves": lambda run: {},
    "difference": lambda run: {},
    "operators": lambda run: {},
    "lineage": lambda run: {},
}


@pytest.mark.parametrize("kind", PICTURES)
def test_pictures_look_as_they_did(kind: str, run: Run, workbench: Any, tmp_path: Path) -> None:
    given: Any = run
    if KINDS[kind].takes == "runs":
        other = qd.run(workbench.write(search={"seed": 4}, budget={"evaluations": 120}), out="other")
        given = [run, other]
    figure = KINDS[kind].function()(given, **PICTURES[kind](run))
    figure_text = " ".join(text.get_text() for text in figure.findobj(match=lambda one: hasattr(one, "get_text")))
    if kind in ("heatmap", "difference"):
        assert "width [units]" in figure_text
        assert "height [m]" in figure_text
    same(figure, kind, tmp_path)


def test_seeds_of_one_treatment_share_a_band(workbench: Any, tmp_path: Path) -> None:
    runs = [
        qd.run(workbench.write(f"{seed}.yaml", search={"seed": seed}, budget={"evaluations": 80}), out=f"seed{seed}")
        for seed in (1, 2, 3)
    ]
    figure = KINDS["curves"].function()(runs)
    assert [len(axes.collections) for axes in figure.axes] == [1, 1, 1], "one band in each panel"
    assert "3 seeds" in figure.axes[0].get_legend().get_texts()[0].get_text()
    same(figure, "bands", tmp_path)


def test_noise_is_shown_where_it_was_measured(verified_run: Run, run: Run, tmp_path: Path) -> None:
    title = map_figure(verified_run).axes[0].get_title(loc="left")
    assert "3 verified" in title
    assert "scatters by ±0.1 " in title, "the standard deviation of 0, 0.1 and 0.2 below the archive's value"
    assert "verified" not in map_figure(run).axes[0].get_title(loc="left")
    figure = KINDS["pareto"].function()(verified_run, cost="order")
    assert "verified" in " ".join(text.get_text() for text in figure.axes[0].get_legend().get_texts())
    same(map_figure(verified_run), "verified", tmp_path)


def archives() -> dict[str, Archive]:
    rng = np.random.default_rng(0)
    x = Axis("width", 0, 30, 10, "linear", "units")
    y = Axis("height", 1, 1000, 6, "log", "m")
    words = Axis("kind", -0.5, 2.5, 3, "linear", "", (1.0, 2.0, 5.0))
    whole = [dataclasses.replace(axis, bins=1) for axis in (x, y)]
    made: dict[str, Archive] = {
        "grid_1d": GridArchive(OBJECTIVE, [x]),
        "grid_log": GridArchive(OBJECTIVE, [x, y]),
        "categorical": CategoricalArchive(OBJECTIVE, [words, dataclasses.replace(words, metric="other")]),
        "cvt": CVTArchive(OBJECTIVE, whole, rng.random((40, 2))),
        "cvt_1d": CVTArchive(OBJECTIVE, whole[:1], rng.random((12, 1))),
        "unstructured": UnstructuredArchive(OBJECTIVE, whole, novelty=0.08),
    }
    columns = {
        "width": rng.uniform(0, 30, 60),
        "height": 10 ** rng.uniform(0, 3, 60),
        "kind": rng.choice([1.0, 2.0, 5.0], 60),
        "other": rng.choice([1.0, 5.0], 60),
        "score": rng.random(60),
    }
    for archive in made.values():
        archive.add(np.arange(60), np.arange(60), columns, [None] * 60)
    return made


@pytest.mark.parametrize("name", archives())
def test_every_kind_of_archive_has_a_map(name: str, tmp_path: Path) -> None:
    archive = archives()[name]
    figure = new_figure(6.0, 4.6 if len(archive.axes) == 2 else 2.4)
    heatmap(archive, figure.add_subplot(), name)
    same(figure, f"map_{name}", tmp_path)


@pytest.mark.parametrize("name", archives())
def test_the_middle_of_a_cell_lies_in_its_outline(name: str) -> None:
    from matplotlib.path import Path as Shape

    archive = archives()[name]
    shapes = outlines(archive)
    assert len(shapes) == archive.cells
    for cell, middle in middles(archive).items():
        assert Shape(shapes[cell]).contains_point((middle[0], middle[1])), cell


def test_a_tessellation_covers_the_map_once() -> None:
    archive = archives()["cvt"]
    corners = outlines(archive).values()
    scaled = [np.column_stack([one[:, 0] / 30, np.log10(one[:, 1]) / 3]) for one in corners]
    areas = [0.5 * abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) for x, y in (one.T for one in scaled)]
    assert sum(areas) == pytest.approx(1.0)


def test_a_run_without_elites_and_one_cell_can_be_drawn(workbench: Any) -> None:
    nobody = workbench.write(
        archive={"measures": [{"metric": "width", "low": 100, "high": 200, "bins": 1}]}, budget={"evaluations": 20}
    )
    run = qd.run(nobody, out="nobody")
    assert not len(run.archive)
    for kind in ("heatmap", "parallel_axes", "pareto", "curves", "operators"):
        if kind == "parallel_axes":
            figure = KINDS[kind].function()(run, measures=["width", "height"])
        else:
            figure = KINDS[kind].function()([run] if kind == "curves" else run)
        encoded(figure, "png")
    assert KINDS["filling"].function()(run, frames=2)[:6] == b"GIF89a"
    with pytest.raises(UsageError, match="no elite yet; name a candidate"):
        KINDS["lineage"].function()(run)


def test_a_front_holds_what_no_other_beats(run: Run) -> None:
    frame = run.elites()
    front = pareto_front(run, frame, "order", "score")
    for row in frame.to_dict("records"):
        beaten = ((frame["order"] <= row["order"]) & (frame["score"] >= row["score"])).sum() > 1
        assert (row["id"] in set(front["id"])) == (not beaten)


def test_an_animation_ends_at_the_map(run: Run, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    content = KINDS["filling"].function()(run, frames=5, progress=lambda done, of: told.append((done, of)))
    (tmp_path / "filling.gif").write_bytes(content)
    with Image.open(tmp_path / "filling.gif") as picture:
        assert getattr(picture, "n_frames", 1) == 5
    assert told == [(number, 5) for number in range(1, 6)]


def test_points_without_cells_are_not_subtracted(workbench: Any) -> None:
    measures = [{"metric": name, "low": 0, "high": 30} for name in ("width", "height")]
    archive = {"kind": "unstructured", "novelty": 0.1, "measures": measures}
    run = qd.run(workbench.write(archive=archive, budget={"evaluations": 40}), out="points")
    with pytest.raises(UsageError, match="has no cells to compare; name axes: --measures A,B"):
        KINDS["difference"].function()([run, run])
    KINDS["difference"].function()([run, run], measures=["width", "height"])


def test_equal_figures_give_equal_files(run: Run) -> None:
    for format in ("png", "svg", "pdf"):
        assert encoded(map_figure(run), format) == encoded(map_figure(run), format)


def test_names_that_look_like_formulas_are_written_as_they_are(finished: Path, tmp_path: Path) -> None:
    copy = tmp_path / "$\\frac{<script>$"
    shutil.copytree(finished, copy)
    run = qd.open_run(copy)
    for kind in ("heatmap", "parallel_axes", "pareto", "operators", "lineage"):
        encoded(KINDS[kind].function()(run), "svg")
    encoded(KINDS["curves"].function()([run]), "svg")
