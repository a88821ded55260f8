"""The engine's own cost: a search whose evaluator is free, log included.

50,000 evaluations of `sparse_moe` genotypes at batch 64, on a 20 × 20 grid, once as a table-only space would be
searched and once of the space itself, whose networks have module graphs; and 500,000 of vectors at batch 256, with a
log of what entered the archive. Time is the process's own, so that other work on the machine counts little.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import qd
from qd.search.loop import Loop
from qd.testing.toys import copy_toy

from .figures import Figure

EVALUATIONS = 50_000
SEGMENT = 5_000
RUN_FILE = """
space: {{kind: "{space}"}}
evaluator: {{kind: "free:Free"}}
archive: {{objective: score, measures: [{{metric: a, low: 0, high: 1}}, {{metric: b, low: 0, high: 1}}]}}
search: {{chunk: {chunk}}}
log: {log}
budget: {{evaluations: {evaluations}}}
"""


def figures() -> list[Figure]:
    """Microseconds an evaluation, in segments of 5,000, and what memory grows by."""
    plain, growth = _search("free:Trees", EVALUATIONS)
    graphs, _ = _search("sparse_moe", EVALUATIONS // 5)
    vectors, _ = _search("free:Vectors", 10 * EVALUATIONS, chunk=256, log="accepted", segment=10 * SEGMENT)
    return [
        Figure("engine, log included", plain, "µs/evaluation", target=50),
        Figure("memory grown from evaluation 5,000 to 50,000", [growth], "MB", target=100),
        Figure("the same with module graphs", graphs, "µs/evaluation", target=100),
        Figure(
            "vectors of 121 genes, what was accepted logged, batch 256",
            [1e6 / one for one in vectors],
            "evaluations/s",
            target=600_000,
            better="higher",
        ),
    ]


def _search(
    space: str, evaluations: int, chunk: int = 64, log: str = "all", segment: int = SEGMENT
) -> tuple[list[float], float]:
    marks: list[tuple[int, float, float]] = []

    def note(search: Loop) -> None:
        if search.evaluations >= segment * (len(marks) + 1):
            marks.append((search.evaluations, time.process_time(), _peak_mb()))

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_toy("free", folder)
        (folder / "run.yaml").write_text(RUN_FILE.format(space=space, evaluations=evaluations, chunk=chunk, log=log))
        qd.run(folder / "run.yaml", out=folder / "out", plugins=folder, progress=note).close()
    costs = [1e6 * (end - start) / (last - first) for (first, start, _), (last, end, _) in pairwise(marks)]
    return costs, marks[-1][2] - marks[0][2]


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
