"""All pictures keep the contract, and the suite notices those that do not."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import qd
from qd.plots.base import Plot
from qd.plots.drawing import find_plot
from qd.plots.style import new_figure
from qd.registry import own_names
from qd.testing import PlotConformance

NEEDED: dict[str, dict[str, Any]] = {
    "small_multiples": {"measures": ["width", "height", "order"]},
    "filling": {"frames": 2},
}
"""What a picture cannot do without."""


@pytest.mark.parametrize("kind", own_names("plots"))
class TestPlots(PlotConformance):
    @pytest.fixture
    def plot(self, kind: str) -> Plot:
        return find_plot(kind)

    @pytest.fixture
    def draw(self, kind: str, plot: Plot) -> Callable[..., Any]:
        if kind == "comparison":  # of the two best
            return lambda run: plot.draw(run, run.elites()["id"].tolist()[:2])
        return lambda given: plot.draw(given, **NEEDED.get(kind, {}))


def figure(run: Any) -> Any:
    made = new_figure(3, 2)
    made.add_subplot().set_title(f"{len(run.archive)} elites")
    return made


def plot_of(function: Callable[..., Any]) -> Plot:
    class Made(Plot):
        about = "how many elites there are"
        draw = staticmethod(function)

    return Made()


def nothing(run: Any) -> Any:
    return None


def broken_svg(run: Any) -> Any:
    return "<p>no picture</p>"


CALLS = itertools.count()


def counts(run: Any) -> Any:
    made = new_figure(3, 2)
    made.add_subplot().set_title(str(next(CALLS)))
    return made


def nameless(run: Any) -> Any:
    made = new_figure(3, 2)
    made.add_subplot().set_axis_off()
    return made


def with_pyplot(run: Any) -> Any:
    from matplotlib import pyplot

    return pyplot.figure()


def scribbles(run: Any) -> Any:
    (run.folder.path / "cache.txt").write_text("for the next time")
    return figure(run)


@pytest.mark.parametrize(
    ("draw", "test", "message"),
    [
        (nothing, "returns_a_figure_an_svg_or_a_gif", "expected a figure, a text or bytes, got NoneType"),
        (broken_svg, "returns_a_figure_an_svg_or_a_gif", "a text is an SVG"),
        (counts, "equal_calls_give_equal_pictures", "two calls drew two pictures"),
        (nameless, "a_figure_says_what_its_axes_are", "nothing in the figure is named"),
        (with_pyplot, "no_window_and_no_global_state_knows_of_it", "not with pyplot"),
        (scribbles, "looking_changes_nothing", "folder changed"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_plot_is_noticed(
    draw: Callable[..., Any], test: str, message: str, workbench: Any, tmp_path: Path
) -> None:
    run = qd.run(workbench.write(budget={"evaluations": 8}), out="out")
    given = {
        "plot": plot_of(draw),
        "draw": draw,
        "given": run,
        "folder": run.folder.path,
        "tmp_path": tmp_path,
    }
    method = getattr(PlotConformance(), f"test_{test}")
    with pytest.raises(AssertionError, match=message):
        method(**{name: given[name] for name in inspect.signature(method).parameters})


def test_a_good_plot_passes(workbench: Any) -> None:
    run = qd.run(workbench.write(budget={"evaluations": 8}), out="out")
    PlotConformance().test_says_what_it_is(plot_of(figure))
    PlotConformance().test_returns_a_figure_an_svg_or_a_gif(plot_of(figure), figure, run)
    PlotConformance().test_equal_calls_give_equal_pictures(figure, run)
    PlotConformance().test_a_figure_says_what_its_axes_are(figure, run)
