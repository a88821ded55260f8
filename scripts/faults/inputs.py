"""Inputs: something damaged or hostile is given to a command, which must say so, or work."""

from __future__ import annotations

import json
import random
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from bench import RUN_FILES, Bench, files_of
from children import Outcome, command
from damage import (
    damaged_bytes,
    damaged_log,
    damaged_safetensors,
    damaged_text,
    damaged_tree,
    odd_condition,
    odd_value,
)
from kills import Found

LIMIT = 40.0
"""Seconds that a command may take with such input."""
MEMORY = 6 << 30
"""Bytes of data that it may hold: what takes more fails, instead of the machine."""
LONGEST = 4000
"""Characters that a refusal may have."""
LOOKING: Sequence[Sequence[str]] = (
    ("show",),
    ("elites",),
    ("elites", "--csv"),
    ("elites", "--json"),
    ("importance",),
    ("plot", "curves"),
    ("plot", "operators"),
    ("map",),
    ("report",),
)
"""Commands that read a log, and leave it as it is."""

KEYS = [
    *"budget.evaluations search.chunk search.window search.seed.x archive archive.objective".split(),
    *"archive.measures.0.bins archive.measures.0.low archive.measures.7.bins emitters emitters.0.initial".split(),
    *"space.side evaluator.failing executor executor.kind log metrics a..b .".split(),
    "",
]
"""Of overrides; some do not exist."""

Trial = Callable[[Bench, Path, random.Random, Path, Found], None]
"""Makes an input in a folder, gives it to a command, and notes what is wrong with the answer."""


def give(
    words: Sequence[Any], place: Path, found: Found, what: str, call: Callable[[], object] | None = None
) -> Outcome:
    """Run a command with an input, and note what no input may cause."""
    outcome = command([str(word) for word in words], place, limit=LIMIT, memory=MEMORY, call=call)
    found.check(outcome)
    if outcome.status == 2 and len(outcome.err) > LONGEST:
        found.note("other", f"a refusal of {len(outcome.err)} characters\n{outcome}"[:LONGEST])
    if found.causes and what:
        found.account.append(what[:2000])
    return outcome


def run_file(bench: Bench, place: Path, rng: random.Random, marker: Path, found: Found) -> None:
    """A damaged run file: a search that ends, or a refusal and no folder."""
    data = RUN_FILES[rng.choice(("small", "small", "vectors", "networks", "stream"))]
    if rng.random() < 0.6:
        text = _yaml(damaged_tree(dict(data), rng, marker)).encode(errors="replace")
    else:
        text = damaged_text(yaml.safe_dump(dict(data)), rng, marker, yaml=True)
    (place / "run.yaml").write_bytes(text)
    words = ["run", place / "run.yaml", "--plugins", bench.folder, "--out", place / "out"]
    outcome = give([*words, "budget={evaluations: 12}"], place, found, text.decode(errors="replace"))
    if outcome.status == 2 and (place / "out").exists():
        found.note("other", f"refused, and made a folder\n{outcome}")


def override(bench: Bench, place: Path, rng: random.Random, marker: Path, found: Found) -> None:
    """Odd overrides of a run file."""
    words = []
    for _ in range(rng.choice((1, 1, 2))):
        value = odd_value(rng, marker)
        text = rng.choice([_yaml(value, one_line=True).removesuffix("\n...\n").strip(), str(value)])
        words.append(rng.choice(KEYS) + rng.choice(("=", "=", "=", "", "==")) + text.replace("\x00", "")[:30_000])
    words = [word.encode(errors="surrogateescape").decode(errors="replace") for word in words]
    outcome = give(
        ["run", bench.file("small"), "--out", place / "out", "budget.evaluations=12", "--", *words], place, found, ""
    )
    if outcome.status == 2 and (place / "out").exists():
        found.note("other", f"refused, and made a folder\n{outcome}")


def log(bench: Bench, place: Path, rng: random.Random, marker: Path, found: Found) -> None:
    """A damaged log, looked at; whoever only looks leaves it as it is."""
    name = rng.choice(("table", "table", "vectors", "networks"))
    folder = place / "run"
    shutil.copytree(bench.finished / name, folder)
    damaged_log(folder / "log.sqlite", rng, marker)
    before = (folder / "log.sqlite").read_bytes()
    words = list(rng.choice(LOOKING))
    outcome = give([words[0], folder, *words[1:]], place, found, "")
    if (folder / "log.sqlite").read_bytes() != before:
        found.note("other", f"looking changed the log\n{outcome}")


def log_of_a_search(bench: Bench, place: Path, rng: random.Random, marker: Path, found: Found) -> None:
    """A damaged log, gone on with; what is refused is left as it is."""
    name = rng.choice(("table", "vectors", "networks"))
    folder = place / "run"
    shutil.copytree(bench.finished / name, folder)
    damaged_log(folder / "log.sqlite", rng, marker)
    before = _all_but_lock(folder)
    more = {"table": 132, "vectors": 3100, "networks": 16}[name]
    words = rng.choice(
        [
            ["resume", folder, f"budget.evaluations={more}"],
            ["verify", folder, "--top", "1", "--seeds", "1"],
            ["export", folder, "--best", "--to", place / "best", "--format", "safetensors"],
            ["import", folder, "--into", _copy(bench.file(name), place), "--plugins", bench.folder],
        ]
    )  # fmt: skip
    outcome = give(words, place, found, "")
    left = _all_but_lock(folder)
    if outcome.status == 2 and left != before:
        changed = {path for path, _ in left.items() ^ before.items()}
        found.note("other", f"refused, and changed {sorted(changed)}\n{outcome}")


def run_folder(bench: Bench, place: Path, rng: random.Random, marker: Path, found: Found) -> None:
    """A run's folder with damaged weights, run file or description of the machine."""
    folder = place / "run"
    shutil.copytree(bench.finished / "networks", folder)
    weights = sorted((folder / "weights").iterdir())
    if weights and rng.random() < 0.6:
        damaged_safetensors(rng.choice(weights), rng, marker)
    else:
        damaged_bytes(folder / rng.choice(("run.yaml", "environment.json")), rng)
    words = rng.choice(
        [
            ["export", folder, "--best", "--to", place / "best", "--format", "safetensors"],
            ["library", "build", folder, "--to", place / "library"],
            ["show", folder],
            ["report", folder],
            ["resume", folder, "budget.evaluations=16"],
        ]
    )
    give(words, place, found, "")


def export(bench: Bench, place: Path, rng: random.Random, marker: Path, found: Found) -> None:
    """A damaged export, loaded, trained, imported or taken into a library."""
    folder = place / "export"
    shutil.copytree(bench.export, folder)
    path = folder / "architecture.json"
    if rng.random() < 0.3:
        damaged_safetensors(folder / "weights.safetensors", rng, marker)
    elif rng.random() < 0.6:
        path.write_text(_json(damaged_tree(json.loads(path.read_text()), rng, marker)))
    else:
        path.write_bytes(damaged_text(path.read_text(), rng, marker, yaml=False))

    def load() -> None:
        import qd

        qd.load(folder, plugins=bench.folder)

    plugins = ["--plugins", bench.folder]
    words: list[Any] = rng.choice(
        [
            ["load", folder],
            ["load", folder],
            ["train", folder, "--to", place / "longer", "--epochs", 1, "--format", "safetensors", *plugins],
            ["import", folder, "--into", _copy(bench.file("networks"), place), *plugins],
            ["library", "build", folder, "--to", place / "library", *plugins],
        ]
    )
    give(words, place, found, path.read_text(errors="replace"), call=load if words[0] == "load" else None)


def library(bench: Bench, place: Path, rng: random.Random, marker: Path, found: Found) -> None:
    """A damaged library, listed or searched with."""
    folder = place / "library"
    shutil.copytree(bench.library, folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    path = rng.choice(files)
    what = path.name
    if path.suffix == ".json" and rng.random() < 0.6:
        path.write_text(_json(damaged_tree(json.loads(path.read_text()), rng, marker)))
        what = path.read_text()
    elif path.suffix == ".safetensors":
        damaged_safetensors(path, rng, marker)
    else:
        damaged_bytes(path, rng)
    name = rng.choice(files).stem
    words = rng.choice(
        [
            ["library", "list", folder],
            ["library", "show", folder, name],
            ["run", bench.file("stream"), "--out", place / "out", f"space.library={json.dumps(str(folder))}"],
            ["library", "build", bench.finished / "modules", "--to", folder],
        ]
    )
    give(words, place, found, what)


def condition(bench: Bench, place: Path, rng: random.Random, marker: Path, found: Found) -> None:
    """Odd conditions, columns, ids and cells on the command line."""
    run = bench.finished / rng.choice(("table", "vectors", "networks"))
    before = files_of(run)
    odd = rng.choice(
        ("-1", "0", "1e9", str(2**63), "9" * 5000, "a", "1,2,3", "-1,-1", "nan", "1.5", "", "0,99999999999999")
    )
    where = odd_condition(rng, marker).replace("\x00", "").encode(errors="replace").decode()
    words: list[Any] = rng.choice(
        [
            ["elites", run, "--where", where],
            ["elites", run, "--where", where],
            ["elites", run, "--where", where],
            ["map", run, "--out", place / "map.png", "--where", where],
            ["elites", run, "--limit", odd],
            ["export", run, "--where", where, "--to", place / "some"],
            ["export", run, "--id", odd, "--to", place / "one"],
            ["export", run, "--cell", odd, "--to", place / "one"],
            ["verify", run, "--cells", odd, "--seeds", "1"],
            ["map", run, "--out", place / "map.png", "--x", rng.choice(("score", "nothing", odd, "id"))],
        ]
    )
    give(words, place, found, shlex.join(map(str, words))[:2000])
    if words[0] != "verify" and files_of(run) != before:
        found.note("other", f"looking changed the run: {words}")


def _all_but_lock(folder: Path) -> dict[str, str]:
    return {path: digest for path, digest in files_of(folder).items() if path != ".lock"}


def _copy(file: Path, place: Path) -> Path:
    return Path(shutil.copyfile(file, place / "into.yaml"))


def _yaml(tree: Any, one_line: bool = False) -> str:
    try:
        return yaml.safe_dump(tree, allow_unicode=not one_line, default_flow_style=one_line)
    except RecursionError:  # deeper than this writer goes
        return str(tree)


def _json(tree: Any) -> str:
    try:
        return json.dumps(tree)
    except (ValueError, RecursionError):  # deeper than this writer goes
        return "[" * 5000


TRIALS: Mapping[str, tuple[Trial, float]] = {
    "run file": (run_file, 3),
    "override": (override, 2),
    "log": (log, 4),
    "log of a search": (log_of_a_search, 2),
    "run folder": (run_folder, 1),
    "export": (export, 2),
    "library": (library, 1),
    "condition": (condition, 3),
}
"""{name: (trial, how often in comparison)}."""
