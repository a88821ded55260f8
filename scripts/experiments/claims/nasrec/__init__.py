"""NASRec: networks of two streams found with a supernet, against networks by hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from evaluators.data.split import Part
from search_spaces import Genotype

from .. import Claim, Found, Numbers, difference, mean
from .crafted import Beside, Build, Factorised, count, factorisation_machines, two_towers
from .network import TOKENS, WIDTHS
from .search import (
    BLOCKS,
    DATA,
    EPOCHS,
    SHORT,
    SPACE,
    alone,
    evolved,
    examples,
    inherited,
    judged,
    sub_nets,
    supernet,
    trained,
)
from .stem import EMBEDDING

KEPT = 5
"""Networks of each arm that are trained from scratch, of which validation examples choose one; 15 in the paper."""

NARROW, BESIDE = f"factorisation machine of rank {EMBEDDING}", "NASRec beside such a machine"


@cache
def shortlist(seed: int) -> list[Genotype]:
    """The best of an evolution by what last layers reach on a supernet's features."""
    bank = supernet(seed)
    return evolved(lambda one: inherited(bank, one, True, seed), np.random.default_rng(seed))[:KEPT]


@cache
def chosen(seed: int) -> Genotype:
    """The one of NASRec's networks that is the best after a training of its own."""
    return min(shortlist(seed), key=lambda one: alone(one, seed))


def searched(genotype: Genotype) -> Build:
    """Makes its network."""
    return lambda: SPACE.build(genotype, DATA.task)


def numbers(build: Build, seed: int) -> Numbers:
    """Test loss and area under the curve, after a short training and a long one."""
    short = judged(trained(build, seed), Part.TEST)
    long = judged(trained(build, seed, len(examples(Part.TRAIN)[0])), Part.TEST)
    return {
        "test loss": long[0],
        "AUC, %": 100 * long[1],
        "test loss, a third of the examples": short[0],
        "AUC, %, a third": 100 * short[1],
        "thousand parameters": count(build()) / 1000,
    }


def by_hand(make: Callable[..., list[Build]]) -> Callable[[int], Numbers]:
    """The best, by validation loss after a short training, of networks with at most NASRec's parameters."""

    def measure(seed: int) -> Numbers:
        candidates = make(DATA.preprocessing(), count(searched(chosen(seed))()))
        best = min(candidates, key=lambda one: judged(trained(one, seed), Part.VALIDATION)[0])
        return numbers(best, seed)

    return measure


def narrow_machine() -> Factorised:
    """A factorisation machine whose factors are as many as the embeddings of NASRec's networks."""
    return Factorised(DATA.preprocessing(), EMBEDDING)


def with_machine(seed: int) -> Numbers:
    """NASRec's network, and such a machine beside it."""
    return numbers(lambda: Beside(searched(chosen(seed))(), narrow_machine()), seed)


def at_random(seed: int) -> Numbers:
    """The best of as many sub-nets as NASRec trains from scratch, found by no search."""
    return numbers(searched(min(sub_nets(seed)[:KEPT], key=lambda one: alone(one, seed))), seed)


def verdict(found: Found) -> tuple[str, str]:
    """Holds: less loss than both kinds by hand, by two standard errors."""
    others = ("two towers", "factorisation machine", "at random")
    gaps = {arm: difference(found, "NASRec", arm, "test loss") for arm in others}
    early = {arm: difference(found, "NASRec", arm, "test loss, a third of the examples") for arm in others}
    told = "; ".join(
        f"{arm} {gap:+.4f} ± {error:.4f}, with a third of the examples {early[arm][0]:+.4f} ± {early[arm][1]:.4f}"
        for arm, (gap, error) in gaps.items()
    )
    rank, blur = difference(found, NARROW, others[1], "test loss")
    added, slack = difference(found, BESIDE, "NASRec", "test loss")
    why = (
        f"The test loss of NASRec's network is {mean(found, 'NASRec', 'test loss'):.4f}. Its distance from the others,"
        f" in nats, less is better: {told}. A machine of rank {EMBEDDING}, as many factors as the networks' embeddings"
        f" have, is {rank:+.4f} ± {blur:.4f} from one of equal parameters; the same network with it beside is"
        f" {added:+.4f} ± {slack:.4f} from the network alone, which is given no products of the columns as they are."
        " Holds: less than both kinds by hand by two standard errors."
    )
    hand = [gaps[arm] for arm in others[:2]]
    if any(gap > 2 * error for gap, error in hand):
        return "does not hold", why
    return ("holds" if all(gap < -2 * error for gap, error in hand) else "undecided"), why


CLAIM = Claim(
    system="NASRec (Zhang et al., arXiv 2207.07187)",
    claim=(
        "Networks of a dense and a sparse stream, found with one supernet of all operators and connections, beat a"
        " perceptron of two towers and a factorisation machine made by hand."
    ),
    test=(
        f"Flights from New York, late or not: {SHORT:,} training examples for all that is chosen, three times as many"
        " for the last training, each seen once; 20,000 for validation, 60,000 for the test."
        f" {BLOCKS} blocks that read any earlier outputs, with one dense operator of four (linear, dot product, gate,"
        f" sum; {', '.join(map(str, WIDTHS))} units), one sparse of two (linear over tokens, transformer;"
        f" {', '.join(map(str, TOKENS))} tokens of {EMBEDDING}), and two switches. A supernet of one operator and any"
        f" connection ({EPOCHS} epochs; at first the full network, ever less often), a regularised evolution of 128"
        f" sub-nets whose last layer is tuned, {KEPT} trained from scratch. Controls: {KEPT} shapes of two towers and"
        f" {KEPT} factorisation machines of at most NASRec's parameters, {KEPT} sub-nets at random; the best of each by"
        " validation loss, at equal updates; and, for the reason, a factorisation machine of rank"
        f" {EMBEDDING}, alone and beside NASRec's network. Deviations: norms over true widths, not masked ones; Adam;"
        " tables of 8 categories and 13 numbers; norms in front in the transformer; dot products of equally many tokens"
        " at all widths; no more tokens than columns (up to 2.5 times as many there); a smaller search."
    ),
    arms={
        "NASRec": lambda seed: numbers(searched(chosen(seed)), seed),
        "at random": at_random,
        "two towers": by_hand(two_towers),
        "factorisation machine": by_hand(factorisation_machines),
        NARROW: lambda seed: numbers(narrow_machine, seed),
        BESIDE: with_machine,
    },
    verdict=verdict,
    seeds=3,
    digits=4,
)
