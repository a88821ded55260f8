"""What every picture of runs must do."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from ..analysis.run import open_run
from ..plots.base import FORMATS, Plot
from ..plots.drawing import write
from ..plots.style import encoded
from ..runs.launch import run
from .toys import copy_toy

STARTS = {".png": b"\x89PNG", ".pdf": b"%PDF", ".gif": b"GIF89a"}
RUN_FILE = """
space: {kind: "picture_toy:Space"}
evaluator: {kind: "picture_toy:Trained"}
archive:
  objective: score
  measures: [{metric: width, low: 0, high: 30, bins: 5}, {metric: height, low: 0, high: 30, bins: 5}]
emitters: [{kind: map_elites, initial: 16}]
search: {seed: 1, order: id}
budget: {evaluations: 48}
"""
_FINISHED: list[Path] = []
"""The folder of a run that is made once for all tests of a session."""


class PlotConformance:
    """The contract of a plot, as tests. Give `plot`.

    class TestMyPlot(PlotConformance):
        @pytest.fixture
        def plot(self):
            return MyPlot()

    It draws a small finished run; options that it cannot do without are bound in a fixture `draw`.
    """

    @pytest.fixture
    def plot(self) -> Plot:
        """The plot under test."""
        raise NotImplementedError("give the suite a fixture `plot` that returns your plot")

    @pytest.fixture
    def draw(self, plot: Plot) -> Callable[..., Any]:
        """What is called with a run, or with a list of runs."""
        return plot.draw

    @pytest.fixture
    def folder(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Of a small finished run; no test changes it."""
        if not _FINISHED:
            made = tmp_path_factory.mktemp("pictures")
            copy_toy("table", made, "picture_toy")
            (made / "run.yaml").write_text(RUN_FILE)
            _FINISHED.append(run(made / "run.yaml", out=made / "finished", plugins=made).folder.path)
        return _FINISHED[0]

    @pytest.fixture
    def given(self, folder: Path, plot: Plot) -> Any:
        """What `draw` is called with."""
        found = open_run(folder)
        return [found, found] if plot.takes == "runs" else found

    def test_says_what_it_is(self, plot: Plot) -> None:
        assert plot.about, "about: one line for people"
        assert "\n" not in plot.about, "about: one line for people"
        assert plot.takes in ("run", "runs"), f"takes: expected run or runs, got {plot.takes!r}"
        assert set(plot.formats) <= set(STARTS) | {".svg"}, f"formats: {plot.formats}"

    def test_returns_a_figure_an_svg_or_a_gif(self, plot: Plot, draw: Callable[..., Any], given: Any) -> None:
        picture = draw(given)
        if isinstance(picture, Figure):
            assert set(plot.formats) <= set(FORMATS), f"a figure becomes {', '.join(FORMATS)}"
        elif isinstance(picture, str):
            assert tuple(plot.formats) == (".svg",), "a text is an SVG"
            assert ElementTree.fromstring(picture).tag.endswith("svg")
        else:
            assert isinstance(picture, bytes), f"expected a figure, a text or bytes, got {type(picture).__name__}"
            assert tuple(plot.formats) == (".gif",), "bytes are a GIF"
            assert picture.startswith(STARTS[".gif"])

    def test_is_written_in_each_of_its_formats(
        self, plot: Plot, draw: Callable[..., Any], given: Any, tmp_path: Path
    ) -> None:
        assert plot.formats
        for ending in plot.formats:
            path = tmp_path / f"picture{ending}"
            write(draw(given), path)
            content = path.read_bytes()
            if ending == ".svg":
                ElementTree.fromstring(content)
            else:
                assert content.startswith(STARTS[ending]), f"{path.name} begins with {content[:8]!r}"

    def test_equal_calls_give_equal_pictures(self, draw: Callable[..., Any], given: Any) -> None:
        one, other = (self._content(draw(given)) for _ in range(2))
        assert one == other, "two calls drew two pictures"

    def test_a_figure_says_what_its_axes_are(self, draw: Callable[..., Any], given: Any) -> None:
        picture = draw(given)
        if not isinstance(picture, Figure):
            pytest.skip("not a figure")
        assert picture.axes, "the figure has no panel"
        assert picture.findobj(match=_has_words), "nothing in the figure is named"

    def test_no_window_and_no_global_state_knows_of_it(self, draw: Callable[..., Any], given: Any) -> None:
        from matplotlib import pyplot

        before = pyplot.get_fignums()
        draw(given)
        assert pyplot.get_fignums() == before, "make figures with qd.plots.style.new_figure, not with pyplot"

    def test_looking_changes_nothing(self, draw: Callable[..., Any], given: Any, folder: Path) -> None:
        before = _digests(folder)
        draw(given)
        assert _digests(folder) == before, "the run's folder changed"

    def _content(self, picture: Any) -> Any:
        return encoded(picture, "png") if isinstance(picture, Figure) else picture


def _has_words(artist: Any) -> bool:
    return hasattr(artist, "get_text") and bool(artist.get_text())


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
