"""Tries to break qd, and counts what fell; see scripts/campaign."""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from bench import Bench
from children import preload
from inputs import TRIALS
from kills import Found, Victim, victims

from qd.errors import QdError
from qd.training.device import pin_threads

FAULTS = ("lost", "doubled", "tracebacks", "hangs", "executions", "other")
"""Work that was lost, rows that are there twice, tracebacks where a message belongs, commands that do not end, code of
a log or a file that was executed, and the rest: what differs, what was touched though refused, what was left lying."""
SHOWN = 20
"""Faults that are printed in full, each cause once; the folder of --keep holds every case."""
RARELY = {"run, cluster": 0.3, "stream": 0.3, "run, networks": 0.5}
"""Victims that take long come up less often."""


@dataclass(frozen=True)
class Case:
    """One thing to try: its kind, and what its random numbers begin with."""

    kind: str
    name: str
    seed: int
    number: int

    def __str__(self) -> str:
        return f"{self.name}:{self.seed}:{self.number}"


def main() -> int:
    """Prepare, try, print; the exit status says whether anything fell."""
    options = _options()
    pin_threads()
    preload()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="campaign-", ignore_cleanup_errors=True)))
        bench = Bench(folder / "bench")
        print("preparing runs, exports and a library to break", file=sys.stderr)
        try:
            bench.prepare()
        except QdError as error:
            print(error, file=sys.stderr)
            return 1
        if options.again:
            name, seed, number = options.again.rsplit(":", 2)
            kind = "input" if name in TRIALS else "kill"
            found = attempt(Case(kind, name, int(seed), int(number)), bench, folder, {})
            print("\n\n".join(found.account) or "nothing fell")
            return int(bool(found.causes))
        return _tried(options, bench, folder)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/campaign", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5, help="at most (default: %(default)s)")
    parser.add_argument("--kills", type=int, default=10**9, help="at most (default: as the time allows)")
    parser.add_argument("--inputs", type=int, default=10**9, help="at most (default: as the time allows)")
    parser.add_argument("--processes", type=int, default=2, help="cases at a time (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the cases (default: %(default)s)")
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="KIND",
        help="some of those that are printed, as export or input: export",
    )
    parser.add_argument("--keep", type=Path, help="folder for an account of every fault")
    parser.add_argument("--again", metavar="KIND:SEED:NUMBER", help="one case alone, with all that it says")
    return parser.parse_args()


def _tried(options: argparse.Namespace, bench: Bench, folder: Path) -> int:
    tried: Counter[str] = Counter()
    cases: Counter[str] = Counter()
    faults: dict[str, Counter[str]] = {}
    causes: dict[str, list[str]] = {}
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    until, said = time.monotonic() + 60 * options.minutes, time.monotonic()
    for case, found in _answers(options, bench, folder, until):
        row = f"{case.kind}: {case.name}"
        cases[row] += 1
        tried[row] += found.tried
        faults.setdefault(row, Counter()).update(found.counts)
        if found.causes:
            account = f"== {case}\n" + "\n".join(found.account)
            causes.setdefault(f"{case.name}: {found.causes[0] if found.causes else ''}", []).append(account)
            if options.keep:
                (options.keep / f"{case}.txt".replace(" ", "_").replace("/", "_")).write_text(account, errors="replace")
        if time.monotonic() - said > 30:
            said = time.monotonic()
            fell = sum((Counter(one) for one in faults.values()), Counter())
            kills, inputs = (sum(n for row, n in tried.items() if row.startswith(kind)) for kind in ("kill", "input"))
            print(f"{kills} kills, {inputs} inputs; fell: {dict(fell) or 'nothing'}", file=sys.stderr)
    for accounts in sorted(causes.values(), key=len, reverse=True)[:SHOWN]:
        print(min(accounts, key=len)[:6000], end="\n\n")
    for cause, accounts in causes.items():
        print(f"{len(accounts)} × {cause}")
    _print(cases, tried, faults)
    return int(bool(causes))


def _print(cases: Counter[str], tried: Counter[str], faults: dict[str, Counter[str]]) -> None:
    print(f"{'':<28}{'cases':>8}{'tried':>8}" + "".join(f"{name:>12}" for name in FAULTS))

    def line(name: str, rows: list[str]) -> None:
        counts = [sum(faults[row][fault] for row in rows) for fault in FAULTS]
        numbers = "".join(f"{count:>12}" for count in counts)
        print(f"{name:<28}{sum(cases[row] for row in rows):>8}{sum(tried[row] for row in rows):>8}{numbers}")

    for kind in ("kill", "input"):
        rows = sorted(row for row in cases if row.startswith(kind))
        for row in rows:
            line(row, [row])
        line(f"all {kind}s", rows)


def _plan(options: argparse.Namespace, share: int) -> Iterator[Case]:
    """Cases of one process, without end."""
    rng = random.Random(f"{options.seed}:{share}")
    wanted = options.only

    def named(kind: str, name: str) -> bool:
        return not wanted or name in wanted or f"{kind}: {name}" in wanted

    kills = {name: RARELY.get(name, 1.0) for name in victims(Bench(Path())) if named("kill", name)}
    inputs = {name: weight for name, (_, weight) in TRIALS.items() if named("input", name)}
    if not kills and not inputs:
        raise SystemExit(f"--only: unknown; known: {', '.join([*victims(Bench(Path())), *TRIALS])}")
    number = share
    while True:
        number += options.processes
        kind = "kill" if kills and (not inputs or rng.random() < 0.5) else "input"
        weights = kills if kind == "kill" else inputs
        (name,) = rng.choices(list(weights), list(weights.values()))
        yield Case(kind, name, options.seed, number)


def _answers(options: argparse.Namespace, bench: Bench, folder: Path, until: float) -> Iterator[tuple[Case, Found]]:
    """What came of cases, from several processes; ends with the time, or when enough was tried."""
    fork = multiprocessing.get_context("fork")
    left = fork.Array("q", [options.kills, options.inputs])
    ends: dict[Connection, BaseProcess] = {}
    for share in range(options.processes):
        here, there = fork.Pipe(duplex=False)
        process = fork.Process(target=_work, args=(options, bench, folder, until, share, left, there))
        process.start()
        there.close()
        ends[here] = process
    try:
        while ends:
            for end in wait(list(ends)):
                assert isinstance(end, Connection)
                try:
                    yield end.recv()
                except EOFError:
                    ends.pop(end).join()
    finally:
        for process in ends.values():
            process.terminate()


def _work(options: argparse.Namespace, bench: Bench, folder: Path, until: float, share: int, left, answers) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    known: dict[str, Victim] = {}
    spent = {"kill": 0.0, "input": 0.0}
    for case in _plan(options, share):
        kill = case.kind == "kill"
        if time.monotonic() >= until or (left[0] <= 0 and left[1] <= 0):
            return
        if left[0 if kill else 1] <= 0:
            continue
        if not options.only and spent[case.kind] > spent["input" if kill else "kill"] + 60:  # both get their time
            continue
        started = time.monotonic()
        found = attempt(case, bench, folder, known)
        spent[case.kind] += time.monotonic() - started
        with left.get_lock():
            left[0 if kill else 1] -= found.tried
        answers.send((case, found))


def attempt(case: Case, bench: Bench, folder: Path, known: dict[str, Victim]) -> Found:
    """Try one case, in a folder of its own."""
    rng = random.Random(str(case))
    place = folder / f"{os.getpid()}-{case.number}"
    place.mkdir()
    marker = place / "executed"
    try:
        if case.kind == "kill":
            found = _victim(case.name, bench, folder, known).attempt(place, rng)
        else:
            found = Found(tried=1)
            TRIALS[case.name][0](bench, place, rng, marker, found)
    except Exception:  # of the campaign itself
        found = Found()
        found.note("other", f"the campaign failed: {traceback.format_exc()}")
    if marker.exists():
        found.note("executions", str(case))
    shutil.rmtree(place, ignore_errors=True)
    return found


def _victim(name: str, bench: Bench, folder: Path, known: dict[str, Victim]) -> Victim:
    if name not in known:
        known[name] = victims(bench)[name]()
        place = folder / f"{os.getpid()}-whole-{len(known)}"
        place.mkdir()
        known[name].measure(place)
        shutil.rmtree(place)
    return known[name]


if __name__ == "__main__":
    sys.exit(main())
