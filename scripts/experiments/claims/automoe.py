"""AutoMoE: mixtures of unequal experts found with a supernet, against dense networks."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from evaluators.data.letters import Letters
from evaluators.data.split import Split
from evaluators.supernet import Supernet
from evaluators.supervised import Supervised
from qd.candidates import Candidates, Purpose
from qd.training import BankOptions, TrainingOptions
from search_spaces import Choice, Genotype, Integer, Repeat, Struct, Variant
from search_spaces.sparse_moe import SparseMoE

from . import Claim, Found, Numbers, difference, mean

DATA = Letters(split=Split(train=4000, validation=4000))
TRAINING = TrainingOptions(15, 50, learning_rate=0.003)
BANK_EPOCHS = 20
WIDTHS, DEEPEST, WIDEST = (32, 48, 64), 4, 128
SAVING = 4
"""The full dense network takes this many times the multiply-adds that are allowed."""
EVALUATIONS, POPULATION, PARENTS, CROSSED = 300, 50, 10, 0.5


class Layers(SparseMoE):
    """One to four residual layers, each dense or with two to six experts of which one runs."""

    genes = Struct(
        width=Choice(*WIDTHS),
        activation=Choice("relu"),
        layers=Repeat(
            Variant(
                dense=Struct(hidden=Integer(16, WIDEST, log=True), residual=Choice(True)),
                moe=Struct(experts=Repeat(Integer(8, 64, log=True), 2, 6), top_k=Choice(1), residual=Choice(True)),
            ),
            1,
            DEEPEST,
        ),
    )


SPACE = Layers()


def dense(width: int, hidden: int, depth: int) -> Genotype:
    """Equal layers, as people make them."""
    layer = {"kind": "dense", "hidden": hidden, "residual": True}
    return {"width": width, "activation": "relu", "layers": [layer] * depth}


def multiply_adds(genotype: Genotype) -> float:
    """Of one example, at an even use of experts."""
    width = genotype["width"]
    total = (16 + 26) * width
    for layer in genotype["layers"]:
        if layer["kind"] == "dense":
            total += 2 * width * layer["hidden"]
        else:
            total += width * len(layer["experts"]) + 2 * width * statistics.mean(layer["experts"])
    return total


FULL = dense(WIDTHS[-1], WIDEST, DEEPEST)
LIMIT = multiply_adds(FULL) / SAVING


def allowed(genotype: Genotype) -> bool:
    """Whether it takes no more than the limit, and at least three quarters of it."""
    return 0.75 * LIMIT <= multiply_adds(genotype) <= LIMIT


@cache
def supernet(seed: int) -> Supernet:
    """Trained when it is first asked for its bank."""
    found = Supernet(DATA, TRAINING, bank=BankOptions(BANK_EPOCHS, seed=seed))
    found.bind(SPACE)
    return found


def drawn(rng: np.random.Generator, vary: Callable[[], Genotype] = lambda: None) -> Genotype:
    """One that is allowed."""
    while True:
        genotype = vary() or SPACE.genes.sample(rng)
        if allowed(genotype):
            return genotype


def scores(genotypes: Sequence[Genotype], seed: int) -> np.ndarray:
    """Validation accuracies with inherited weights."""
    numbers = np.arange(len(genotypes))
    results = supernet(seed).evaluate(Candidates(numbers, numbers, numbers, seed, list(genotypes)))
    return results.metrics["inherited_accuracy"][np.argsort(results.evaluation_ids)]


def child(parents: Sequence[Genotype], rng: np.random.Generator) -> Genotype:
    """A mutant of one, or a child of two."""
    first, second = (parents[int(rng.integers(PARENTS))] for _ in range(2))
    return SPACE.genes.crossover(first, second, rng) if rng.random() < CROSSED else SPACE.genes.mutate(first, rng)


def evolved(seed: int) -> list[Genotype]:
    """The best of an evolution: mutants and children of the best so far (after Wang et al., arXiv 2005.14187)."""
    rng = np.random.default_rng(seed)
    found = [drawn(rng) for _ in range(POPULATION)]
    values = scores(found, seed)
    while len(found) < EVALUATIONS:
        best = [found[row] for row in np.argsort(-values)[:PARENTS]]
        new = [drawn(rng, lambda best=best: child(best, rng)) for _ in range(POPULATION)]
        found, values = found + new, np.concatenate([values, scores(new, seed)])
    return [found[int(values.argmax())]]


def best_of_random(seed: int) -> list[Genotype]:
    """The best of as many at random, with the same bank."""
    rng = np.random.default_rng(seed)
    found = [drawn(rng) for _ in range(EVALUATIONS)]
    return [found[int(scores(found, seed).argmax())]]


def some(seed: int) -> list[Genotype]:
    """Five at random, which no one has chosen."""
    rng = np.random.default_rng(seed)
    return [drawn(rng) for _ in range(5)]


def by_hand(seed: int) -> list[Genotype]:
    """Dense networks of one to four equal layers, as large as is allowed."""
    found = []
    for depth in range(1, DEEPEST + 1):
        sizes = [dense(width, hidden, depth) for width in WIDTHS for hidden in range(16, WIDEST + 1, 4)]
        fitting = [one for one in sizes if multiply_adds(one) <= LIMIT]
        found.append(max(fitting, key=multiply_adds))
    return found


def arm(chosen: Callable[[int], list[Genotype]]) -> Callable[[int], Numbers]:
    """Trains what was chosen from scratch; means over all of them, on the test split."""

    def measure(seed: int) -> Numbers:
        genotypes = chosen(seed)
        judge = Supervised(DATA, TRAINING)
        judge.bind(SPACE)
        numbers = np.arange(len(genotypes))
        results = judge.evaluate(
            Candidates(numbers, numbers, 1000 * seed + numbers, seed, genotypes, purpose=Purpose.VERIFICATION)
        )
        experts = [len(layer["experts"]) for one in genotypes for layer in one["layers"] if layer["kind"] == "moe"]
        return {
            "test accuracy": 100 * float(results.metrics["val_accuracy"].mean()),
            "thousand multiply-adds": float(results.metrics["macs"].mean()) / 1000,
            "thousand parameters": float(results.metrics["parameters"].mean()) / 1000,
            "layers": statistics.mean(len(one["layers"]) for one in genotypes),
            "experts of a mixture": statistics.mean(experts) if experts else 0.0,
        }

    return measure


def verdict(found: Found) -> tuple[str, str]:
    """Holds: no worse than the full dense network by two standard errors, and above dense ones of equal cost by two."""
    gap, error = difference(found, "supernet, evolution", "dense in full", "test accuracy")
    lead, slack = difference(found, "supernet, evolution", "dense by hand", "test accuracy")
    over, doubt = difference(found, "supernet, evolution", "at random", "test accuracy")
    search, blur = difference(found, "supernet, evolution", "supernet, random search", "test accuracy")
    macs = "thousand multiply-adds"
    share = mean(found, "supernet, evolution", macs) / mean(found, "dense in full", macs)
    why = (
        f"With {share:.0%} of its multiply-adds the network found is {gap:+.2f} ± {error:.2f} points of test accuracy"
        f" from the full dense one, and {lead:+.2f} ± {slack:.2f} from dense ones of its cost. It is"
        f" {over:+.2f} ± {doubt:.2f} from networks at random, and {search:+.2f} ± {blur:.2f} from the best of as many"
        " at random with the same bank. Holds: no worse than the first, and above the second, by two standard errors."
    )
    if gap < -2 * error or lead < -2 * slack:
        return "does not hold", why
    return ("holds" if lead > 2 * slack else "undecided"), why


CLAIM = Claim(
    system="AutoMoE (Jawahar et al., arXiv 2210.07535)",
    claim=(
        "Mixtures with unequal experts, found by evolution with a supernet's weights and then trained from scratch, are"
        " as good as dense networks by hand at a quarter of their multiply-adds."
    ),
    test=(
        "Letters, 4,000 training and 4,000 validation examples, the 4,000 of the test: `sparse_moe` of 1 to 4 residual"
        f" layers, dense or with 2 to 6 experts of which one runs. A bank trained for {BANK_EPOCHS} epochs of 4"
        f" networks a step; an evolution of {EVALUATIONS} evaluations with inherited weights, within a quarter of the"
        " multiply-adds of the largest dense network; the best is trained from scratch for 15 epochs, as all others"
        " are. Controls: the best of as many at random with the same bank, five networks at random (mean), dense ones"
        " of equal layers within the limit (mean of one to four layers), and the full one. Deviations: feed-forward"
        " layers alone; multiply-adds in place of latency; experts take random slots of the bank in training."
    ),
    arms={
        "supernet, evolution": arm(evolved),
        "supernet, random search": arm(best_of_random),
        "at random": arm(some),
        "dense by hand": arm(by_hand),
        "dense in full": arm(lambda seed: [FULL]),
    },
    verdict=verdict,
    seeds=3,
    digits=2,
)
