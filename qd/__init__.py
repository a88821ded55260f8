"""qd: a quality-diversity search engine for modular neural networks.

`qd.run("run.yaml")` searches, `qd.open_run("results/run-001")` looks at what came of it, and `qd.resume` goes on:

    run = qd.run("scripts/runs/fashion_moe.yaml", budget={"evaluations": 100})
    run.elites()  # a pandas frame, the best first

Everything here the command line does too, and the other way round.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .runs.launch import resume, run
    from .runs.verify import verify
    from .store.run import Run, open_run
    from .transfer.seeding import import_into

__version__ = "0.1.0"
__all__ = ["Run", "import_into", "open_run", "resume", "run", "verify"]

_HOMES = {
    "run": ".runs.launch",
    "resume": ".runs.launch",
    "open_run": ".store.run",
    "Run": ".store.run",
    "verify": ".runs.verify",
    "import_into": ".transfer.seeding",
}


def __getattr__(name: str) -> Any:
    # Imported when asked for: a plug-in that imports `qd.candidates` must not pay for pandas and pyribs.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name], __name__), name)
    raise AttributeError(f"module 'qd' has no attribute {name!r}")
