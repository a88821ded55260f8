"""Pictures of runs: each a function of one or more runs, in a file of its own."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from .style import FORMATS


@dataclass(frozen=True)
class Kind:
    """A kind of picture that `qd plot` draws.

    Args:
        home: module and function, such as "heatmap:map_figure".
        about: one line for people.
        takes: the function's first argument: one run, or a list of runs.
        formats: how the file may end; a figure, an SVG text or the bytes of a GIF comes of the function.
    """

    home: str
    about: str
    takes: Literal["run", "runs"] = "run"
    formats: tuple[str, ...] = FORMATS

    def function(self) -> Any:
        """The function that draws; imported only now, since matplotlib takes a second to load."""
        module, _, name = self.home.partition(":")
        return getattr(import_module(f".{module}", __name__), name)


KINDS = {
    "heatmap": Kind("heatmap:map_figure", "the archive over one or two metrics; qd map is its short form"),
    "small_multiples": Kind("small_multiples:small_multiples", "a map for each bin of a third metric"),
    "parallel_axes": Kind("parallel_axes:parallel_axes", "every elite a line across its metrics"),
    "pareto": Kind("pareto:pareto", "the Pareto front of the objective against a cost"),
    "curves": Kind("curves:curves", "QD score, coverage and best while the search went on", "runs"),
    "difference": Kind("difference:difference", "where the first of two runs is better than the second", "runs"),
    "operators": Kind("operators:operators", "what each emitter and operator brought, over time"),
    "lineage": Kind("lineage:lineage", "the ancestors of an elite"),
    "filling": Kind("filling:filling", "the archive filling, as an animation", formats=(".gif",)),
    "architecture": Kind("architecture:architecture", "the modules of a network, as a diagram", formats=(".svg",)),
    "comparison": Kind("comparison:comparison", "two networks, with what differs marked", formats=(".svg",)),
}
