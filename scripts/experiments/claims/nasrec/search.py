"""NASRec's search: a supernet trained by one operator and any connection, an evolution, last layers tuned."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from itertools import chain, combinations

import numpy as np
import torch
from torch import Tensor, nn

from evaluators.data.flights import Flights
from evaluators.data.split import Part, Split
from evaluators.scores import Judged, auc
from qd.training import TrainingOptions, build_seeded, train_alone
from qd.training.bank import Bank, places_of
from qd.training.supernet import BankOptions, Draw, train_bank
from search_spaces import Choice, Gene, Genotype, SearchSpace, Struct, Task
from search_spaces.genes import to_json
from search_spaces.genes.columns import copy_tree

from .. import tensors
from .network import DENSE, SPARSE, TOKENS, WIDTHS, Network

DATA = Flights(Split(train=180_000, validation=20_000, test=60_000))
SHORT = 60_000
"""Training examples of everything but the last training."""
BLOCKS = 3
BATCH = 256
OPTIONS = TrainingOptions(1, BATCH, learning_rate=0.01)
"""Each example is seen once, as in the paper; of 0.003, 0.01 and 0.02 the best rate for all on validation examples."""
EPOCHS = 4
"""Of the supernet."""
WARM = 1 / 6
"""Of the steps of the supernet, those in which the full network is drawn, with a probability that falls to 0."""
LAST_LAYER = TrainingOptions(2, BATCH, learning_rate=0.01)
TUNED_ON, JUDGED_ON = 8192, 10_000
"""Training examples that last layers are tuned on, and validation examples that sub-nets are judged by."""
SUB_NETS = 30
POPULATION, ROUNDS, DRAWN, CHILDREN, MUTATIONS = 32, 12, 16, 8, 5


SINGLE, SEVERAL = ("dense", "sparse", "left", "right"), ("from dense", "from sparse")
"""Genes of a block that are one operator or source, and those that are any sources."""


def block(number: int) -> Gene:
    """Genes of a block that may read the input and the `number` blocks before it."""
    sources = range(number + 1)
    some = chain.from_iterable(combinations(sources, count) for count in range(1, number + 2))
    several = Choice(*("".join(map(str, one)) for one in some))
    fields = {"dense": Choice(*DENSE), "sparse": Choice(*SPARSE), "width": Choice(*WIDTHS), "tokens": Choice(*TOKENS)}
    fields |= {"from dense": several, "from sparse": several, "left": Choice(*sources), "right": Choice(*sources)}
    return Struct(**fields, **{"to dense": Choice(False, True), "to sparse": Choice(False, True)})


class NASRec(SearchSpace):
    """Two streams of `BLOCKS` blocks; sources of a block are 0 for the input, 1 for the first block, ..."""

    genes = Struct(**{f"block {number + 1}": block(number) for number in range(BLOCKS)})

    def build(self, genotype: Genotype, task: Task) -> nn.Module:
        return Network([_lists(one) for one in genotype.values()], DATA.preprocessing(), task.outputs)


def _lists(genes: Genotype) -> Genotype:
    """Operators and sources as lists, which the full network's have from the start."""
    single = {key: genes[key] if isinstance(genes[key], list) else [genes[key]] for key in SINGLE}
    return {**genes, **single, **{key: list(map(int, genes[key])) for key in SEVERAL}}


SPACE = NASRec()


def full() -> Genotype:
    """The largest network: all operators, whose outputs add up, and all connections."""
    found = {}
    for number in range(BLOCKS):
        sources = list(range(number + 1))
        found[f"block {number + 1}"] = {
            **{"dense": list(DENSE), "sparse": list(SPARSE), "width": max(WIDTHS), "tokens": max(TOKENS)},
            **dict.fromkeys(SEVERAL, "".join(map(str, sources))),
            **{"left": sources, "right": sources, "to dense": True, "to sparse": True},
        }
    return found


def drawn(rng: np.random.Generator) -> Genotype:
    """One operator and any connection: of a sources 1 + binomial(min(a - 1, 3), 1/2)."""
    genotype = SPACE.genes.sample(rng)
    for number, genes in enumerate(genotype.values()):
        for way in SEVERAL:
            count = 1 + rng.binomial(min(number, 3), 0.5)
            genes[way] = "".join(map(str, sorted(rng.choice(number + 1, count, replace=False).tolist())))
    return genotype


def schedule(steps: int) -> Draw:
    """What a supernet is trained by, step by step."""
    taken = 0

    def draw(rng: np.random.Generator) -> list[Genotype]:
        nonlocal taken
        warm = 1 - taken / (WARM * steps)
        taken += 1
        return [full() if rng.random() < warm else drawn(rng)]

    return draw


@cache
def examples(part: Part) -> tuple[Tensor, Tensor]:
    """Of a part of the data."""
    return tensors(DATA, part)


def built(genotype: Genotype, seed: int) -> Network:
    """With fresh weights."""
    network = build_seeded(lambda: SPACE.build(copy_tree(genotype), DATA.task), seed)
    assert isinstance(network, Network)
    return network


@cache
def supernet(seed: int, epochs: int = EPOCHS) -> Bank:
    """A trained bank for all networks."""
    bank, whole, (x, y) = Bank(), built(full(), seed), examples(Part.TRAIN)
    bank.grow(whole, places_of(whole))
    draw = schedule(epochs * OPTIONS.steps_of_epoch(SHORT))
    given = BankOptions(epochs, networks=1, keep=1, seed=seed)
    train_bank(bank, SPACE, DATA.task, x[:SHORT], y[:SHORT], OPTIONS, given, draw)
    return bank


def inherited(bank: Bank | None, genotype: Genotype, tune: bool, seed: int) -> float:
    """The validation loss of a sub-net with a supernet's weights.

    Args:
        bank: the supernet; None: fresh weights.
        genotype: of the sub-net.
        tune: whether its last layer alone is trained before.
        seed: of minibatches, and of fresh weights.
    """
    network = built(genotype, seed).eval()
    if bank is not None:
        bank.inherit(network)
    (x, y), (x_judge, y_judge) = examples(Part.TRAIN), examples(Part.VALIDATION)
    with torch.no_grad():
        seen = network.features(x_judge[:JUDGED_ON])
        known = network.features(x[:TUNED_ON]) if tune else None
    if known is not None:
        train_alone(network.head, known, y[:TUNED_ON], LAST_LAYER, "cross_entropy", seed)
    with torch.no_grad():
        return float(nn.functional.cross_entropy(network.head(seen), y_judge[:JUDGED_ON]))


def evolved(judge: Callable[[Genotype], float], rng: np.random.Generator, rounds: int = ROUNDS) -> list[Genotype]:
    """All that regularised evolution met, the best first.

    In each round the best of a few that are drawn from the population has `CHILDREN`, and as many of the oldest die.
    The first have `MUTATIONS` + 1 mutations each, the last ones 1.
    """
    met = [(judge(one), one) for one in (drawn(rng) for _ in range(POPULATION))]
    for number in range(rounds):
        living = met[-POPULATION:]
        picked = rng.choice(POPULATION, DRAWN, replace=False)
        parent = min((living[one] for one in picked), key=lambda pair: pair[0])[1]
        mutations = (rounds - number) * MUTATIONS // rounds + 1
        for _ in range(CHILDREN):
            child = copy_tree(parent)
            for _ in range(mutations):
                child = SPACE.genes.mutate(child, rng)
            met.append((judge(child), child))
    keys = {SPACE.key(one): one for _, one in sorted(met, key=lambda pair: -pair[0])}
    return list(keys.values())[::-1]


@torch.no_grad()
def judged(network: nn.Module, part: Part) -> tuple[float, float]:
    """Loss, in nats, and area under the curve."""
    x, y = examples(part)
    scores = torch.cat([network.eval()(one) for one in x.split(5000)])
    return float(nn.functional.cross_entropy(scores, y)), float(auc(Judged(scores[None], y)))


def trained(build: Callable[[], nn.Module], seed: int, size: int = SHORT) -> nn.Module:
    """From scratch, on so many examples."""
    network, (x, y) = build_seeded(build, seed), examples(Part.TRAIN)
    train_alone(network, x[:size], y[:size], OPTIONS, "cross_entropy", seed)
    return network


def alone(genotype: Genotype, seed: int) -> float:
    """The validation loss of a sub-net that is trained alone."""
    return _alone(to_json(genotype), seed)


@cache
def _alone(text: str, seed: int) -> float:
    return judged(trained(lambda: SPACE.build(json.loads(text), DATA.task), seed), Part.VALIDATION)[0]


def sub_nets(seed: int) -> list[Genotype]:
    """Those that a seed's ranking is measured on."""
    rng = np.random.default_rng(500 + seed)
    return [drawn(rng) for _ in range(SUB_NETS)]
