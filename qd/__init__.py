"""qd: a quality-diversity search engine for modular neural networks.

`qd.run("run.yaml")` searches, `qd.open_run("results/run-001")` looks at what came of it, and `qd.resume` goes on:

    run = qd.run("scripts/runs/fashion_moe.yaml", budget={"evaluations": 100})
    run.elites()  # a pandas frame, the best first

Every command of the command line has a function here: `qd export` is `qd.export`, `qd library build` is
`qd.library.build`; `import` is a word of Python's own, so that `qd import` is `qd.import_into`. What they say to people
goes through `logging`, under the name "qd": `logging.basicConfig(level="INFO")` shows it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .display import show_by

if TYPE_CHECKING:
    from .analysis.comparison import compare
    from .analysis.importance import importance
    from .analysis.looking import elites, show
    from .analysis.run import Run, open_run
    from .dashboard.server import serve
    from .environment import __version__
    from .exporting.elites import export
    from .exporting.load import load
    from .exporting.train import train
    from .inspecting.report import data
    from .plots.drawing import map, plot
    from .reporting.page import report
    from .runs.doctor import doctor
    from .runs.launch import resume, run
    from .runs.listing import evaluators, modules, spaces
    from .runs.open_search import open_search
    from .runs.verify import verify
    from .starting.writing import init
    from .transfer import libraries as library
    from .transfer.seeding import import_into
    from .transfer.stream import stream

__all__ = [
    "Run",
    "__version__",
    "compare",
    "data",
    "doctor",
    "elites",
    "evaluators",
    "export",
    "import_into",
    "importance",
    "init",
    "library",
    "load",
    "map",
    "modules",
    "open_run",
    "open_search",
    "plot",
    "report",
    "resume",
    "run",
    "serve",
    "show",
    "spaces",
    "stream",
    "train",
    "verify",
]

_HOMES = {
    "Run": ".analysis.run",
    "__version__": ".environment",
    "compare": ".analysis.comparison",
    "data": ".inspecting.report",
    "doctor": ".runs.doctor",
    "elites": ".analysis.looking",
    "evaluators": ".runs.listing",
    "export": ".exporting.elites",
    "import_into": ".transfer.seeding",
    "importance": ".analysis.importance",
    "init": ".starting.writing",
    "library": ".transfer.libraries",
    "load": ".exporting.load",
    "map": ".plots.drawing",
    "modules": ".runs.listing",
    "open_run": ".analysis.run",
    "open_search": ".runs.open_search",
    "plot": ".plots.drawing",
    "report": ".reporting.page",
    "resume": ".runs.launch",
    "run": ".runs.launch",
    "serve": ".dashboard.server",
    "show": ".analysis.looking",
    "spaces": ".runs.listing",
    "stream": ".transfer.stream",
    "train": ".exporting.train",
    "verify": ".runs.verify",
}


def __getattr__(name: str) -> Any:
    # Imported when asked for: a plug-in that imports `qd.candidates` must not pay for pandas and pyribs.
    if name not in _HOMES:
        raise AttributeError(f"module 'qd' has no attribute {name!r}")
    home = import_module(_HOMES[name], __name__)
    return home if name == "library" else getattr(home, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _html(thing: Any) -> str | None:
    from .reporting.notebook import html  # it draws, and only a notebook asks for that

    return html(thing)


show_by(_html)
