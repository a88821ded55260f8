"""How long a command takes that searches nothing: the help, and a look at a small run.

Every sample is a process of its own, as a person starts it, with Python's bytecode cached as an installation has it.
Seconds are from the start of the process to its end; other work on the machine lengthens them. Beside them stand the
seconds of processor time, and these as multiples of what importing NumPy takes on this machine at the same time: the
commands take turns, so that other work weighs on all alike.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import qd
from qd.testing.toys import copy_toy

from .figures import Figure

ROUNDS = 7
ROOT = Path(__file__).parents[2]
QD = "from qd.cli import main; main()"
RUN_FILE = """
space: {kind: "table:Space"}
evaluator: {kind: "table:Table"}
archive: {objective: score, measures: [{metric: width, low: 0, high: 30}, {metric: height, low: 0, high: 30}]}
budget: {evaluations: 500}
"""


def figures() -> list[Figure]:
    """Help and looks, beside bare Python and NumPy."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_toy("table", folder)
        (folder / "run.yaml").write_text(RUN_FILE)
        run = qd.run(folder / "run.yaml", out=folder / "run")
        run.close()
        words = {
            "python -c pass": ["-c", "pass"],
            "import numpy": ["-c", "import numpy"],
            "qd --help": ["-c", QD, "--help"],
            "qd show --help": ["-c", QD, "show", "--help"],
            "qd show": ["-c", QD, "show", str(folder / "run")],
            "qd elites": ["-c", QD, "elites", str(folder / "run")],
            "qd run of 1 evaluation": ["-c", QD, "run", str(folder / "run.yaml"), "budget.evaluations=1", "--out"],
        }
        seconds: dict[str, list[float]] = {name: [] for name in words}
        busy: dict[str, list[float]] = {name: [] for name in words}
        for number in range(ROUNDS + 1):  # the first writes the bytecode
            for name, arguments in words.items():
                new = [str(folder / f"out-{number}")] if arguments[-1] == "--out" else []
                taken = _time([*arguments, *new], folder / "bytecode")
                if number:
                    seconds[name].append(taken[0])
                    busy[name].append(taken[1])
    targets = {"qd --help": 0.3, "qd show": 1.0, "qd elites": 1.0}
    found = [Figure(name, samples, "s", targets.get(name)) for name, samples in seconds.items()]
    found += [Figure(f"{name}, processor time", samples, "s") for name, samples in busy.items()]
    for name in list(words)[2:]:
        ratios = [own / numpy for own, numpy in zip(busy[name], busy["import numpy"], strict=True)]
        found.append(Figure(f"{name}, by the time of importing NumPy", ratios, "times"))
    return found


def _time(words: list[str], bytecode: Path) -> tuple[float, float]:
    """Seconds, and seconds of processor time, of one process."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(bytecode)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *words], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        raise SystemExit(f"{words} failed")
    return seconds, used.ru_utime + used.ru_stime
