"""Claims of papers, one file each, and what a test of one is."""

from __future__ import annotations

import importlib
import json
import pkgutil
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from evaluators.data import DataSet
from evaluators.data.split import Part
from evaluators.supervised import Supervised
from qd.candidates import Candidates
from qd.environment import machine
from qd.training import TrainingOptions
from qd.training.device import pin_threads
from search_spaces import Genotype, SearchSpace

HERE = Path(__file__).parent
Numbers = dict[str, float]
"""What an arm gives for a seed, by name."""
Found = Mapping[str, Sequence[Numbers]]
"""{arm: numbers of each seed}."""


@dataclass(frozen=True)
class Claim:
    """A file of this folder has one, as `CLAIM`.

    Args:
        system: name and paper.
        claim: what is claimed, in one sentence.
        test: what is done here: data, sizes, budget, what differs between the arms, and what differs from the paper.
        arms: {name: seed → numbers}; every arm gives the same names. Budgets are equal. Empty: `verdict` says why it
            cannot be tested here.
        verdict: what was found → "holds", "does not hold", "undecided" or "cannot be tested here", and one sentence
            that says why, with numbers.
        seeds: of each arm.
        digits: of the numbers in the table.
    """

    system: str
    claim: str
    test: str
    arms: Mapping[str, Callable[[int], Numbers]]
    verdict: Callable[[Found], tuple[str, str]]
    seeds: int = 5
    digits: int = 3


def names() -> list[str]:
    """All claims."""
    return sorted(module.name for module in pkgutil.iter_modules([str(HERE)]))


def find(name: str) -> Claim:
    """The claim of a file."""
    return importlib.import_module(f"{__name__}.{name}").CLAIM


def test(name: str, seeds: int | None = None) -> dict[str, object]:
    """Run every arm for every seed, seed by seed, and keep what was found where the seeds are the claim's own."""
    claim = find(name)
    pin_threads()
    found: dict[str, list[Numbers]] = {arm: [] for arm in claim.arms}
    for seed in range(seeds or claim.seeds):
        for arm, measure in claim.arms.items():
            found[arm].append({key: float(value) for key, value in measure(seed).items()})
            print(f"{name}, seed {seed}, {arm}: {found[arm][-1]}", file=sys.stderr, flush=True)
    word, why = claim.verdict(found)
    result = {"verdict": word, "why": why, "machine": f"one core of {machine()['processor']}", "found": found}
    if seeds in (None, claim.seeds):
        (HERE / "results").mkdir(exist_ok=True)
        _file(name).write_text(json.dumps(result, indent=1) + "\n")
    return result


def section(name: str, result: Mapping[str, object]) -> str:
    """What the page says of a claim."""
    claim = find(name)
    found: Found = result["found"]  # type: ignore[assignment]
    lines = [f"## {claim.system}", "", f"**Claim.** {claim.claim}", "", f"**Test.** {claim.test}", ""]
    if found:
        columns = list(next(iter(found.values()))[0])
        lines += [f"| arm | {' | '.join(columns)} |", f"|---{'|---' * len(columns)}|"]
        lines += [
            f"| {arm} | {' | '.join(_spread([row[key] for row in rows], claim.digits) for key in columns)} |"
            for arm, rows in found.items()
        ]
        seeds = len(next(iter(found.values())))
        where = f"{seeds} seeds, on {result['machine']}"
        lines += ["", f"Mean ± standard deviation, {where}: `python scripts/claims.py {name}`.", ""]
    return "\n".join([*lines, f"**Verdict: {result['verdict']}.** {result['why']}", ""])


def page() -> str:
    """docs/claims.md."""
    found = {name: json.loads(_file(name).read_text()) for name in names() if _file(name).exists()}
    lines = [
        "# Claims",
        "",
        "What papers say of modules that are on the shelf, tested small: minutes on one core, several seeds, equal"
        " budgets in all arms. A verdict is about this test, at this size; it is no verdict on the paper.",
        "",
        "| system | verdict |",
        "|---|---|",
        *(f"| {_link(find(name).system)} | {one['verdict']} |" for name, one in found.items()),
        "",
        *(section(name, one) for name, one in found.items()),
    ]
    return "\n".join(lines)


def difference(found: Found, arm: str, other: str, key: str) -> tuple[float, float]:
    """Mean difference of an arm and another, seed by seed, and its standard error."""
    pairs = [a[key] - b[key] for a, b in zip(found[arm], found[other], strict=True)]
    spread = statistics.stdev(pairs) if len(pairs) > 1 else float("inf")
    return statistics.mean(pairs), spread / len(pairs) ** 0.5


def trained(
    space: SearchSpace, genotypes: Sequence[Genotype], data: DataSet, training: TrainingOptions, seed: int
) -> list[Numbers]:
    """Train a network for each genotype and measure it on the validation split, as a search would."""
    evaluator = Supervised(data, training)
    evaluator.bind(space)
    numbers = np.arange(len(genotypes))
    seeds = 1_000_000 * seed + numbers
    results = evaluator.evaluate(Candidates(numbers, numbers, seeds, seed, list(genotypes)))
    rows = {int(one): row for row, one in enumerate(results.evaluation_ids)}
    return [
        {name: float(column[rows[one]]) for name, column in results.metrics.items()} for one in range(len(genotypes))
    ]


def tensors(data: DataSet, part: Part) -> tuple[torch.Tensor, torch.Tensor]:
    """Preprocessed inputs and targets of a part of a data set, for networks that are in no space."""
    found = data.splits().part(part)
    inputs = np.asarray(data.preprocessing().apply(found.inputs[:]))
    return torch.from_numpy(inputs), torch.from_numpy(data.targets(found))


def mean(found: Found, arm: str, key: str) -> float:
    """Of an arm over all seeds."""
    return statistics.mean(row[key] for row in found[arm])


def _file(name: str) -> Path:
    return HERE / "results" / f"{name}.json"


def _spread(values: Sequence[float], digits: int) -> str:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    shown = digits if max(map(abs, values)) < 100 else 0
    return f"{statistics.mean(values):,.{shown}f} ± {deviation:,.{shown}f}"


def _link(title: str) -> str:
    kept = "".join(letter for letter in title.lower() if letter.isalnum() or letter in " -")
    return f"[{title}](#{kept.replace(' ', '-')})"
