"""Pictures against baselines. `QD_NEW_BASELINES=1 pytest tests/plots` draws those anew: look, then keep them."""

import dataclasses
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

import qd
from qd.analysis.comparison import compare
from qd.analysis.importance import importance
from qd.analysis.run import Run
from qd.archives import Archive, Axis, CategoricalArchive, CVTArchive, GridArchive, Objective, UnstructuredArchive
from qd.errors import UsageError
from qd.plots import treatments
from qd.plots.cells import middles, outlines
from qd.plots.drawing import find_plot
from qd.plots.heatmap import heatmap, map_figure
from qd.plots.importance import importance_figure
from qd.plots.pareto import pareto_front
from qd.plots.style import encoded, new_figure
from qd.runs.campaign import perform, seed_jobs
from qd.testing.pictures import TOLERANCE, assert_looks_as, description, parts, pixels, without_text

BASELINES = Path(__file__).parent / "baselines"
FEW = 3
"""Of many marks of one kind, this many are taken away one after the other."""

COVERED = ("compare_box_plots",)
"""Where parts of few values lie under each other: whiskers without length, caps on the edges of boxes."""

OBJECTIVE = Objective("score", "maximise", 0.0, 1.0, "points")


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


@pytest.fixture
def learned(workbench: Any) -> Run:
    """A run that kept learning curves."""
    file = workbench.write(evaluator={"kind": f"{workbench.module}:Trained"}, budget={"evaluations": 60})
    return qd.run(file, out="learned")


@pytest.fixture
def other(workbench: Any) -> Run:
    return qd.run(workbench.write(search={"seed": 4}, budget={"evaluations": 120}), out="other")


@pytest.fixture
def seeds(workbench: Any) -> list[Run]:
    """Three runs that differ by their seeds alone."""
    return [
        qd.run(workbench.write(f"{seed}.yaml", search={"seed": seed}, budget={"evaluations": 80}), out=f"seed{seed}")
        for seed in (1, 2, 3)
    ]


def picture(kind: str, given: Any, **options: Any) -> Any:
    return find_plot(kind).draw(given, **options)


def kind(name: str, *runs: str, **options: Any) -> Callable[[Callable[[str], Any]], Figure]:
    def draw(given: Callable[[str], Any]) -> Figure:
        values = map(given, runs)
        found = [run for one in values for run in ([one] if isinstance(one, Run) else one)]
        return picture(name, found if find_plot(name).takes == "runs" else found[0], **options)

    return draw


def compared(name: str) -> Callable[[Callable[[str], Any]], Figure]:
    """A picture of two treatments of three runs each."""

    def draw(given: Callable[[str], Any]) -> Figure:
        cheap = given("cheap")
        for treatment in ("map_elites", "random"):
            file = cheap(treatment, emitters=[{"kind": treatment}], budget={"evaluations": 400})
            perform(seed_jobs(file, range(3), Path("all") / treatment))
        return getattr(treatments, name)(compare([Path("all")]))

    return draw


def map_of(name: str) -> Callable[[Callable[[str], Any]], Figure]:
    def draw(_: Any) -> Figure:
        archive = archives()[name]
        figure = new_figure(6.0, 4.6 if len(archive.axes) == 2 else 2.4)
        heatmap(archive, figure.add_subplot(), name)
        return figure

    return draw


FIGURES: dict[str, Callable[[Callable[[str], Any]], Figure]] = {
    "heatmap": kind("heatmap", "run"),
    "heatmap_verified": kind("heatmap", "verified_run"),
    "small_multiples": kind("small_multiples", "run", measures=["width", "height", "order"]),
    "parallel_axes": kind("parallel_axes", "run"),
    "pareto": kind("pareto", "run", cost="order"),
    "pareto_verified": kind("pareto", "verified_run", cost="order"),
    "curves": kind("curves", "run"),
    "curves_two_runs": kind("curves", "run", "other"),
    "curves_seeds": kind("curves", "seeds"),
    "difference": kind("difference", "run", "other"),
    "learning": kind("learning", "learned"),
    "operators": kind("operators", "run"),
    "lineage": kind("lineage", "run"),
    "importance": lambda given: importance_figure(importance(given("run"), bootstraps=3), "finished"),
    "compare_box_plots": compared("box_plots"),
    "compare_merged_maps": compared("merged_maps"),
    "compare_curves": compared("curves"),
    **{
        f"map_{name}": map_of(name)
        for name in ("grid_1d", "grid_log", "categorical", "cvt", "cvt_1d", "unstructured")
    },
}  # fmt: skip


@pytest.fixture
def draw(request: pytest.FixtureRequest) -> Callable[[str], Figure]:
    return lambda name: FIGURES[name](request.getfixturevalue)


@pytest.mark.parametrize("name", FIGURES)
def test_pictures_look_as_they_did_and_no_part_may_go_missing(
    name: str, draw: Callable[[str], Figure], tmp_path: Path
) -> None:
    figure = draw(name)
    figure.draw_without_rendering()
    texts, marks = every_part(figure)
    whole = description(figure)
    for part in [*texts, *marks]:
        part.set_visible(False)
        assert description(figure) != whole, f"{part} may go missing unnoticed from what is told"
        part.set_visible(True)
    assert_looks_as(figure, BASELINES / name, tmp_path)
    drawn = pixels(figure).astype(np.float64)
    figure.set_layout_engine("none")  # what is left stays where it is
    for part in marks:
        part.set_visible(False)
        difference = np.sqrt(((pixels(figure) - drawn)[..., :3] ** 2).mean())
        assert difference > TOLERANCE or name in COVERED, f"{part} may go missing unnoticed from what is drawn"
        part.set_visible(True)


def every_part(figure: Figure) -> tuple[list[Any], list[Any]]:
    """All texts and legends, and of the marks of one kind in a panel the first few."""
    texts: list[Any] = []
    marks: list[Any] = []
    counts: dict[tuple[int, type], int] = {}
    panel = 0
    for part in parts(figure):
        if isinstance(part, Axes):
            panel += 1
        elif isinstance(part, Text) or type(part).__name__ == "Legend":
            texts.append(part)
        else:
            counts[panel, type(part)] = counts.get((panel, type(part)), 0) + 1
            if counts[panel, type(part)] <= FEW:
                marks.append(part)
    return texts, marks


def test_another_picture_is_noticed(run: Run, other: Run, tmp_path: Path) -> None:
    figure = map_figure(run)
    figure.axes[0].set_title("another title", loc="left")
    with pytest.raises(AssertionError, match=r"heatmap says something else(?s:.)*another title"):
        assert_looks_as(figure, BASELINES / "heatmap", tmp_path)
    figure = map_figure(run)
    figure.axes[0].collections[0].set_cmap("magma")  # the words stay the same
    with pytest.raises(AssertionError, match="did not match"):
        assert_looks_as(figure, BASELINES / "heatmap", tmp_path)


def test_text_leaves_no_trace_in_what_is_drawn(run: Run) -> None:
    figure, longer = map_figure(run), map_figure(run)
    longer.axes[0].set_ylabel("much longer\nthan it was")
    for one in (figure, longer):
        without_text(one)
    np.testing.assert_array_equal(pixels(figure), pixels(longer))


def test_measures_are_named_with_their_units(draw: Callable[[str], Figure]) -> None:
    for name in ("heatmap", "difference"):
        axes = draw(name).axes[0]
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("width [units]", "height [m]")


def test_seeds_of_one_treatment_share_a_band(seeds: list[Run]) -> None:
    figure = picture("curves", seeds)
    assert [len(axes.collections) for axes in figure.axes] == [1, 1, 1], "one band in each panel"
    assert "3 seeds" in figure.axes[0].get_legend().get_texts()[0].get_text()


def test_noise_is_shown_where_it_was_measured(verified_run: Run, run: Run) -> None:
    title = map_figure(verified_run).axes[0].get_title(loc="left")
    assert "3 verified" in title
    assert "scatters by ±0.1 " in title, "the standard deviation of 0, 0.1 and 0.2 below the archive's value"
    assert "verified" not in map_figure(run).axes[0].get_title(loc="left")
    figure = picture("pareto", verified_run, cost="order")
    assert "verified" in " ".join(text.get_text() for text in figure.axes[0].get_legend().get_texts())


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
        "cvt": CVTArchive.around(OBJECTIVE, whole, rng.random((40, 2))),
        "cvt_1d": CVTArchive.around(OBJECTIVE, whole[:1], rng.random((12, 1))),
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
            figure = picture(kind, run, measures=["width", "height"])
        else:
            figure = picture(kind, [run] if kind == "curves" else run)
        encoded(figure, "png")
    assert picture("filling", run, frames=2)[:6] == b"GIF89a"
    with pytest.raises(UsageError, match="no elite yet; name a candidate"):
        picture("lineage", run)


def test_a_front_holds_what_no_other_beats(run: Run) -> None:
    frame = run.elites()
    front = pareto_front(run, frame, "order", "score")
    for row in frame.to_dict("records"):
        beaten = ((frame["order"] <= row["order"]) & (frame["score"] >= row["score"])).sum() > 1
        assert (row["id"] in set(front["id"])) == (not beaten)


def test_an_animation_ends_at_the_map(run: Run, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    content = picture("filling", run, frames=5, progress=lambda done, of: told.append((done, of)))
    (tmp_path / "filling.gif").write_bytes(content)
    with Image.open(tmp_path / "filling.gif") as film:
        assert getattr(film, "n_frames", 1) == 5
    assert told == [(number, 5) for number in range(1, 6)]


def test_curves_of_elites_lie_in_front_and_all_end_where_they_ended(learned: Run) -> None:
    behind, front = picture("learning", learned).axes[0].collections
    assert behind.get_zorder() <= front.get_zorder()
    frame = learned.learning_curves()
    for lines, elite in ((front, True), (behind, False)):
        found = frame[frame["elite"] == elite]
        ends = [segment[-1].tolist() for segment in lines.get_segments()]
        assert sorted(ends) == sorted([5.0, value] for value in found["score"][found["epoch"] == 5])
        assert len(np.unique(lines.get_color(), axis=0)) > 10


def test_learning_curves_that_there_are_not_are_told(other: Run, learned: Run) -> None:
    with pytest.raises(UsageError, match=r"its log has no learning curves; evaluator\.training\.curve=true keeps"):
        picture("learning", other)
    with pytest.raises(UsageError, match="`objective`: there are no learning curves of 'width', but of score"):
        picture("learning", learned, objective="width")


def test_points_without_cells_are_not_subtracted(workbench: Any) -> None:
    measures = [{"metric": name, "low": 0, "high": 30} for name in ("width", "height")]
    archive = {"kind": "unstructured", "novelty": 0.1, "measures": measures}
    run = qd.run(workbench.write(archive=archive, budget={"evaluations": 40}), out="points")
    with pytest.raises(UsageError, match="has no cells that runs could share; or name axes: `measures`"):
        picture("difference", [run, run])
    picture("difference", [run, run], measures=["width", "height"])


def test_equal_figures_give_equal_files(run: Run) -> None:
    for format in ("png", "svg", "pdf"):
        assert encoded(map_figure(run), format) == encoded(map_figure(run), format)


def test_names_that_look_like_formulas_are_written_as_they_are(finished: Path, tmp_path: Path) -> None:
    copy = tmp_path / "$\\frac{<script>$"
    shutil.copytree(finished, copy)
    run = qd.open_run(copy)
    for kind in ("heatmap", "parallel_axes", "pareto", "operators", "lineage"):
        encoded(picture(kind, run), "svg")
    encoded(picture("curves", [run]), "svg")
