"""Kills: a command is killed again and again, goes on, and must end with what it leaves when nobody disturbs it."""

from __future__ import annotations

import contextlib
import random
import shutil
import subprocess
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import Bench, files_of, tables_of
from children import Outcome, command

from qd.candidates import Status
from qd.search.suspects import DEATHS_ALONE

KILLS = 8
"""At most so many in one case, before it may end."""
OF_EVERY_ONE = ("evaluations", "results", "tells")
"""Tables with a row for every evaluation or batch, whatever came of it."""
STATUS = 2
"""Its place in a row of results, as `tables_of` has it."""
TRIES = 4
"""A case whose command still fails after so many undisturbed calls is lost."""


@dataclass
class Found:
    """What came of a case."""

    tried: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    """Of "lost", "doubled", "tracebacks", "hangs", "executions" and "other"."""
    account: list[str] = field(default_factory=list)
    """What fell, with the commands and their words."""
    causes: list[str] = field(default_factory=list)
    """A line for each; cases of one fault have the same one, as far as that can be told."""

    def note(self, kind: str, text: str, cause: str = "") -> None:
        """Count something that must not be."""
        self.counts[kind] += 1
        self.account.append(f"{kind}: {text}")
        self.causes.append(f"{kind}: {cause or text.splitlines()[0][:150]}")

    def check(self, outcome: Outcome) -> None:
        """Count what is wrong with a command whatever it was given."""
        if outcome.hung:
            self.note("hangs", str(outcome), " ".join(outcome.words[:1]))
        elif outcome.escaped or (outcome.status or 0) < 0:
            self.note("tracebacks", str(outcome), outcome.cause)


class Victim(ABC):
    """A command that is killed.

    Args:
        bench: what it works on.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.seconds = 0.0
        self.whole: Any = None

    @abstractmethod
    def words(self, place: Path) -> Sequence[Any]:
        """The command, as it goes on from what is in `place`."""

    @abstractmethod
    def left(self, place: Path) -> Any:
        """What it left, to be compared."""

    def comparable(self, left: Any, kills: int) -> tuple[Any, Any]:
        """What is compared after so many kills: of the undisturbed command, and of what was left."""
        return self.whole, left

    def prepare(self, place: Path) -> None:
        """Lay down what the command works on."""

    def before(self) -> None:
        """Called in the command's process first."""

    def looked_at(self, place: Path) -> Path | None:
        """A run's folder that anyone may look at after a kill."""
        return None

    def measure(self, place: Path) -> None:
        """Run it undisturbed, for what it leaves and how long it takes."""
        self.prepare(place)
        outcome = self._call(place)
        if outcome.status != 0:
            raise RuntimeError(f"an undisturbed command failed:\n{outcome}")
        self.seconds = outcome.seconds
        self.whole = self.left(place)

    def attempt(self, place: Path, rng: random.Random) -> Found:
        """Kill it some times, let it end, and compare."""
        found = Found()
        self.prepare(place)
        for _ in range(rng.randint(1, KILLS)):
            moment = self.seconds * (rng.random() if rng.random() < 0.7 else rng.uniform(0.7, 1.1))
            outcome = self._call(place, kill_after=moment)
            found.check(outcome)
            found.tried += outcome.killed
            if outcome.status == 0:
                break
            folder = self.looked_at(place)
            if folder and (folder / "log.sqlite").exists() and rng.random() < 0.3:
                looked = command(["show", str(folder)], place)
                found.check(looked)
                if looked.status not in (0, 2):
                    found.note("lost", f"cannot be looked at after a kill\n{outcome}\n{looked}")
        self._end(place, found)
        return found

    def _call(self, place: Path, kill_after: float | None = None) -> Outcome:
        words = [str(word) for word in self.words(place)]
        return command(words, place, kill_after=kill_after, before=self.before)

    def _end(self, place: Path, found: Found) -> None:
        said = []
        for _ in range(TRIES):
            outcome = self._call(place)
            found.check(outcome)
            said.append(str(outcome))
            if outcome.status == 0 or outcome.hung:
                break
            if "exists and is never overwritten" in outcome.err:  # it was done when it was killed
                break
        try:
            left = self.left(place)
        except Exception as error:
            found.note("lost", f"nothing to compare: {error!r}\n" + "\n".join(said))
            return
        kind, difference = differences(*self.comparable(left, found.tried))
        if difference:
            found.note(kind, f"{difference}\n" + "\n".join(said))


def differences(whole: Any, left: Any) -> tuple[str, str]:
    """Of two accounts {part: rows or files}: what kind of fault it is, and where; ("", "") where there is none."""
    for part in whole.keys() | left.keys():
        one, other = whole.get(part), left.get(part)
        if one == other:
            continue
        if one is None or other is None:
            return ("lost" if other is None else "other"), f"{part}: {'missing' if other is None else 'not expected'}"
        if isinstance(one, dict) and isinstance(other, dict):
            missing, extra = sorted(one.keys() - other.keys()), sorted(other.keys() - one.keys())
            changed = sorted(name for name in one.keys() & other.keys() if one[name] != other[name])
            text = f"{part}: missing {missing[:5]}, more {extra[:5]}, changed {changed[:5]}"
            return ("lost" if missing else "other"), text
        if len(one) != len(other):
            return ("lost" if len(other) < len(one) else "doubled"), f"{part}: {len(other)} rows, expected {len(one)}"
        rows = [(a, b) for a, b in zip(one, other, strict=True) if a != b]
        return "other", f"{part}: {len(rows)} rows differ, the first: {rows[0][1]}, expected {rows[0][0]}"
    return "", ""


class Search(Victim):
    """`qd run`, then `qd resume`."""

    deaths = DEATHS_ALONE
    """Of processes until an evaluation is given up."""

    def __init__(self, bench: Bench, file: str, rollback: bool = False) -> None:
        super().__init__(bench)
        self.file, self.rollback = bench.file(file), rollback

    def before(self) -> None:
        if self.rollback:  # as on a filesystem that is shared over a network
            import qd.store.log

            qd.store.log.on_network = lambda path: "nfs4"

    def words(self, place: Path) -> Sequence[Any]:
        folder = place / "run"
        began = (folder / "log.sqlite").exists()  # killed before that, it begins again
        return ["resume", folder] if began else ["run", self.file, "--out", folder]

    def left(self, place: Path) -> Any:
        folder = place / "run"
        beside = {path.name: "" for path in folder.iterdir() if "log.sqlite" in path.name}
        return {**tables_of(folder / "log.sqlite"), "weights": files_of(folder / "weights"), "beside": beside}

    def looked_at(self, place: Path) -> Path | None:
        return place / "run"

    def comparable(self, left: Any, kills: int) -> tuple[Any, Any]:
        """Who went down with several processes is given up as lost, and the search is another one from there on."""
        given_up = [row for row in left["results"] if row[STATUS] == Status.LOST]
        if not given_up or kills < self.deaths * len(given_up):
            return self.whole, left
        whole, left = ({name: [row[:1] for row in one[name]] for name in OF_EVERY_ONE} for one in (self.whole, left))
        return whole, left


class Cluster(Search):
    """A search whose workers are killed, and sometimes its driver."""

    deaths = 3

    def attempt(self, place: Path, rng: random.Random) -> Found:
        found = Found()
        stop = threading.Event()

        def kill_workers() -> None:
            while not stop.wait(rng.uniform(0.1, 0.5)):
                began = (place / "run" / "log.sqlite").exists()
                if began and (workers := _workers_below(place)):
                    found.tried += 1
                    subprocess.run(["kill", "-9", str(rng.choice(workers))], check=False, stderr=subprocess.DEVNULL)
                if found.tried > 2 * KILLS:
                    return

        killer = threading.Thread(target=kill_workers, daemon=True)
        killer.start()
        try:
            if rng.random() < 0.5:
                outcome = self._call(place, kill_after=rng.uniform(0.3, 1.0) * self.seconds)
                found.tried += outcome.killed
                found.check(outcome)
            self._end(place, found)
        finally:
            stop.set()
            killer.join()
        return found

    def left(self, place: Path) -> Any:
        left = super().left(place)
        # which worker answered is not the search's business
        left["results"] = [
            tuple(value for value in row if not str(value).startswith("worker")) for row in left["results"]
        ]
        return left

    def comparable(self, left: Any, kills: int) -> tuple[Any, Any]:
        """Weights that nobody had fetched are lost with their worker; those that are there are right."""
        whole, left = super().comparable(left, kills)
        if kills and "weights" in whole:
            whole = {**whole, "weights": {name: whole["weights"].get(name) for name in left["weights"]}}
        return whole, left


def _workers_below(place: Path) -> list[int]:
    """Processes of Ray's workers that belong to a driver whose working directory is `place`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                title = entry.joinpath("cmdline").read_bytes()
                # an agent that dies takes the cluster down, and with it the driver, before either can say a word
                is_worker = title.startswith(b"ray::") and not title.startswith((b"ray::Dashboard", b"ray::RuntimeEnv"))
                if is_worker and entry.joinpath("cwd").resolve() == place.resolve():
                    found.append(int(entry.name))
    return found


class Making(Victim):
    """A command that makes files in one place, and is called again with the same words."""

    def __init__(self, bench: Bench, words: Callable[[Bench, Path], Sequence[Any]], made: Sequence[str]) -> None:
        super().__init__(bench)
        self._words, self.made = words, made
        self.steady: set[str] | None = None

    def words(self, place: Path) -> Sequence[Any]:
        return self._words(self.bench, place)

    def prepare(self, place: Path) -> None:
        shutil.copytree(self.bench.finished / "networks", place / "networks")
        shutil.copyfile(self.bench.file("networks"), place / "search.yaml")

    def measure(self, place: Path) -> None:
        """What differs between two undisturbed calls (times, mostly) is not compared."""
        first, second = place / "first", place / "second"
        for one in (first, second):
            one.mkdir()
            super().measure(one)
        one, other = self._all(first), self._all(second)
        self.steady = {name for name in one if one[name] == other.get(name)}
        self.whole = self.left(second)

    def left(self, place: Path) -> Any:
        found = self._all(place)
        return {"files": {name: digest if name in (self.steady or ()) else "" for name, digest in found.items()}}

    def _all(self, place: Path) -> dict[str, str]:
        """Files that were made, and whatever else lies about but for the input."""
        return {
            name: digest
            for name, digest in files_of(place).items()
            if not name.startswith(".") and (not name.startswith("networks/") or "networks" in self.made)
        }


class Verified(Making):
    """`qd verify`, whose answers are in the run's log."""

    def left(self, place: Path) -> Any:
        return tables_of(place / "networks" / "log.sqlite")


class Streams(Making):
    """`qd stream`: runs, and the library that grows between them."""

    def prepare(self, place: Path) -> None:
        pass

    def left(self, place: Path) -> Any:
        out = place / "stream"
        library = {name: digest for name, digest in files_of(out / "library").items()}
        runs = {path.parent.name: tables_of(path) for path in sorted(out.rglob("log.sqlite"))}
        rows = {f"{run} {table}": value for run, tables in runs.items() for table, value in tables.items()}
        return {"library": library, **rows}


class Seeds(Making):
    """`qd run --seeds`: several runs side by side."""

    def prepare(self, place: Path) -> None:
        pass

    def left(self, place: Path) -> Any:
        runs = sorted((place / "seeds").glob("*/log.sqlite"))
        return {f"{run.parent.name} {table}": rows for run in runs for table, rows in tables_of(run).items()}


def victims(bench: Bench) -> dict[str, Callable[[], Victim]]:
    """{name: what makes it} of everything that is killed."""
    return {
        "run": lambda: Search(bench, "table"),
        "run, accepted log": lambda: Search(bench, "vectors"),
        "run, evaluated again": lambda: Search(bench, "reevaluated"),
        "run, rollback journal": lambda: Search(bench, "table", rollback=True),
        "run, networks": lambda: Search(bench, "networks"),
        "run, cluster": lambda: Cluster(bench, "cluster"),
        "run --seeds": lambda: Seeds(
            bench,
            lambda b, place: ["run", b.file("table"), "--seeds", "0:3", "--processes", 2, "--out", place / "seeds",
                              "budget.evaluations=80"],
            ["seeds"],
        ),
        "verify": lambda: Verified(
            bench, lambda b, place: ["verify", place / "networks", "--top", 3, "--seeds", 2], ["networks"]
        ),
        "export": lambda: Making(
            bench, lambda b, place: ["export", place / "networks", "--best", "--to", place / "best"], ["best"]
        ),
        "train": lambda: Making(
            bench, lambda b, place: ["train", b.export, "--to", place / "longer", "--epochs", 6, "--plugins", b.folder],
            ["longer"],
        ),
        "report": lambda: Making(
            bench, lambda b, place: ["report", place / "networks", "--out", place / "report.html"], ["report.html"]
        ),
        "library build": lambda: Making(
            bench, lambda b, place: ["library", "build", b.finished / "modules", "--to", place / "library"], ["library"]
        ),
        "import": lambda: Making(
            bench, lambda b, place: ["import", place / "networks", "--into", place / "search.yaml", "--plugins",
                                     b.folder], ["search.yaml"]
        ),
        "stream": lambda: Streams(
            bench, lambda b, place: ["stream", b.file("stream"), "--out", place / "stream"], ["stream"]
        ),
    }  # fmt: skip
