"""All pictures keep the contract, and the suite notices those that do not."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import qd
from qd.plots import KINDS
from qd.plots.style import new_figure
from qd.testing import PlotConformance

NEEDED: dict[str, dict[str, Any]] = {
    "small_multiples": {"measures": ["width", "height", "order"]},
    "filling": {"frames": 2},
}
"""What a picture cannot do without."""


@pytest.mark.parametrize("kind", KINDS)
class TestPlots(PlotConformance):
    @pytest.fixture(autouse=True)
    def declared(self, kind: str) -> None:
        self.takes, self.formats = KINDS[kind].takes, KINDS[kind].formats

    @pytest.fixture
    def draw(self, kind: str) -> Callable[..., Any]:
        function = KINDS[kind].function()
        if kind == "comparison":  # of the two best
            return lambda run: function(run, run.elites()["id"].tolist()[:2])
        return lambda given: function(given, **NEEDED.get(kind, {}))


def figure(run: Any) -> Any:
    made = new_figure(3, 2)
    made.add_subplot().set_title(f"{len(run.archive)} elites")
    return made


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
    given = {"draw": draw, "given": run, "folder": run.folder.path, "tmp_path": tmp_path}
    method = getattr(PlotConformance(), f"test_{test}")
    with pytest.raises(AssertionError, match=message):
        method(**{name: given[name] for name in inspect.signature(method).parameters})


def test_a_good_plot_passes(workbench: Any) -> None:
    run = qd.run(workbench.write(budget={"evaluations": 8}), out="out")
    PlotConformance().test_returns_a_figure_an_svg_or_a_gif(figure, run)
    PlotConformance().test_equal_calls_give_equal_pictures(figure, run)
    PlotConformance().test_a_figure_says_what_its_axes_are(figure, run)
