"""The networks of the claim of NASRec are the paper's, and share one bank."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch

from evaluators.data.flights import Flights
from evaluators.data.split import Part
from evaluators.data.table.preprocessing import CategoryColumn, NumberColumn, TablePreprocessing
from qd.training import build_seeded
from qd.training.bank import Bank, places_of
from scripts.experiments.claims.nasrec import search
from scripts.experiments.claims.nasrec.crafted import Beside, Factorised, count, factorisation_machines, two_towers
from scripts.experiments.claims.nasrec.network import PAIRED, DotProduct, Gate, Joined, Linear, Network, Sum
from scripts.experiments.claims.nasrec.search import BLOCKS, SPACE, drawn, evolved, full, inherited, judged, schedule
from scripts.experiments.claims.nasrec.stem import EMBEDDING, Stem, products
from search_spaces import Task
from search_spaces.task import Classes, Vector

TASK = Task(Vector(8), Classes(2))


def category(name: str, *values: str) -> CategoryColumn:
    return CategoryColumn(name, values, missing=False, other=False, source=values)


COLUMNS = TablePreprocessing(
    (
        category("carrier", "AA", "UA"),
        NumberColumn("distance", 0.0, 0.0, 1.0, indicator=False),
        category("origin", "EWR", "JFK", "LGA"),
        NumberColumn("wind", 0.0, 0.0, 1.0, indicator=True),
    )
)
ROWS = COLUMNS.apply(np.array([[0, 1.5, 2, np.nan], [1, -1, 0, 0.5], [0, 0, np.nan, 2]]))


@pytest.fixture
def columns(monkeypatch: pytest.MonkeyPatch) -> TablePreprocessing:
    """Those of a small table in place of the flights'."""
    monkeypatch.setattr(Flights, "preprocessing", lambda self: COLUMNS)
    return COLUMNS


def network_of(genotype: Any, seed: int = 0) -> Network:
    network = build_seeded(lambda: SPACE.build(genotype, TASK), seed)
    assert isinstance(network, Network)
    return network


def test_the_stem_gives_numbers_and_the_embedding_of_each_category() -> None:
    stem = Stem(COLUMNS)
    numbers, embedded = stem(torch.from_numpy(ROWS))
    assert numbers.tolist() == [[1.5, 0, 1], [-1, 0.5, 0], [0, 2, 0]]
    rows = [[1, 6], [2, 4], [1, 0]]  # features count from 1, and 0 stands for an unknown value
    assert torch.equal(embedded, stem.table.weight[torch.tensor(rows)])


def test_networks_of_all_kinds_learn_with_every_parameter(columns: TablePreprocessing) -> None:
    rng = np.random.default_rng(0)
    seen: set[str] = set()
    for genotype in [full(), *(drawn(rng) for _ in range(12))]:
        network = network_of(genotype)
        x = torch.from_numpy(ROWS)
        scores = network(x)
        assert scores.shape == (3, 2)
        torch.testing.assert_close(network.head(network.features(x)), scores)
        scores.logsumexp(1).sum().backward()
        last = [name for name, one in network.blocks[-1].named_parameters() if one.grad is None]
        assert not last, "the last block is used as a whole"
        seen |= {type(one).__name__ for one in network.modules()}
    assert {"DotProduct", "Gate", "Sum", "Linear", "OverTokens", "FactorisationMachine", "SoftmaxAttention"} <= seen


def test_sub_nets_have_slices_of_the_full_network(columns: TablePreprocessing) -> None:
    bank, whole = Bank(), network_of(full())
    bank.grow(whole, places_of(whole))
    size = len(bank)
    rng = np.random.default_rng(1)
    for _ in range(5):
        small = network_of(drawn(rng), seed=1)
        assert not bank.grow(small, places_of(small)), "the full network has all there is"
        assert bank.inherit(small) == 1
    assert len(bank) == size == count(whole)


def test_unchosen_sources_count_as_zeros_beside_the_others() -> None:
    both = Linear({"0": 3, "1": 4}, 5)
    one = Linear({"1": 4}, 5)
    one.load_state_dict({name: value for name, value in both.state_dict().items() if name != "map.maps.0"})
    x = torch.randn(6, 4)
    torch.testing.assert_close(one({"1": x}), both({"0": torch.zeros(6, 3), "1": x}))


def test_norms_are_over_the_true_width() -> None:
    wide = Linear({"0": 3}, 8)
    narrow = Linear({"0": 3}, 4)
    bank = Bank()
    bank.grow(wide, places_of(wide))
    bank.inherit(narrow)
    before = narrow.map({"0": torch.randn(6, 3)})
    after = narrow.norm(before)
    torch.testing.assert_close(after.mean(1), torch.zeros(6), atol=1e-5, rtol=0)


def test_operators_of_two_sources() -> None:
    x = {"0": torch.randn(6, 3), "1": torch.randn(6, 5)}
    added = Sum({"0": 3}, {"1": 5}, 4)
    torch.testing.assert_close(added(x), added.norm(added.map(x)))
    twice = Sum({"1": 5}, {"1": 5}, 4)
    torch.testing.assert_close(twice(x), twice.norm(2 * twice.map(x)))
    gate = Gate({"0": 3}, {"1": 5}, 4)
    inner = gate.gates["1"]
    assert isinstance(inner, Joined)
    by_hand = (x["0"] @ inner.maps["0"].T + inner.bias).sigmoid() * x["1"] @ gate.map.maps["1"].T
    torch.testing.assert_close(gate(x), gate.norm(by_hand))


def test_the_dot_product_has_every_pair_once() -> None:
    module = DotProduct({"0": 3}, {"0": 4}, 7)
    dense, sparse = {"0": torch.randn(2, 3)}, {"0": torch.randn(2, 4, EMBEDDING)}
    tokens = torch.cat([module.dense_norm(module.dense(dense))[:, None], module.sparse(sparse)], 1)
    pairs = [(tokens[:, b] * tokens[:, a]).sum(-1) for b in range(PAIRED + 1) for a in range(b)]
    torch.testing.assert_close(module(dense, sparse), module.norm(module.out(torch.stack(pairs, 1))))


def test_products_are_those_of_all_pairs() -> None:
    x = torch.randn(2, 4, 3)
    pairs = sum((x[:, a] * x[:, b] for a, b in combinations(range(4), 2)), torch.zeros(2, 3))
    torch.testing.assert_close(products(x), 2 * pairs)


def test_networks_by_hand_keep_within_the_parameters() -> None:
    for make in (two_towers, factorisation_machines):
        sizes = [count(build()) for build in make(COLUMNS, 2000)]
        assert len(sizes) == 5 and 1500 < max(sizes) <= 2000
        assert all(build()(torch.from_numpy(ROWS)).shape == (3, 2) for build in make(COLUMNS, 2000))


def test_the_factorisation_machine_is_a_sum_over_features_and_pairs() -> None:
    machine, x = Factorised(COLUMNS, 2), torch.from_numpy(ROWS)
    found = machine(x)
    table = machine.stem.table.weight
    for row, (numbers, rows) in enumerate([([1.5, 0, 1], [1, 6]), ([-1, 0.5, 0], [2, 4]), ([0, 2, 0], [1, 0])]):
        parts = [number * one for number, one in zip(numbers, machine.numbers, strict=True)] + [
            table[one] for one in rows
        ]
        score = machine.bias + sum(one[-1] for one in parts)
        score = score + sum(a[:-1] @ b[:-1] for a, b in combinations(parts, 2))
        torch.testing.assert_close(found[row], torch.stack([torch.zeros(()), score[0]]))
    torch.testing.assert_close(Beside(machine, machine)(x), 2 * found)


def test_a_supernet_begins_with_the_full_network() -> None:
    rng, draw = np.random.default_rng(0), schedule(600)
    taken = [draw(rng)[0] == full() for _ in range(600)]
    assert taken[0] and not any(taken[100:]), "a sixth of the steps"
    assert 30 < sum(taken) < 70, "with a probability that falls from 1 to 0"
    for genotype in (drawn(rng) for _ in range(20)):
        SPACE.genes.validate(genotype)


def test_evolution_finds_what_is_good() -> None:
    def judge(genotype: Any) -> float:
        return -sum(one["width"] + 10 * (one["dense"] == "gate") for one in genotype.values())

    best = evolved(judge, np.random.default_rng(0))
    assert judge(best[0]) == min(map(judge, best))
    assert len({SPACE.key(one) for one in best}) == len(best)
    assert judge(best[0]) <= -74 * BLOCKS + 32, "all but one step from the best there is"


def test_sub_nets_are_judged_with_a_supernets_weights(
    columns: TablePreprocessing, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = torch.from_numpy(ROWS).repeat(200, 1)
    monkeypatch.setattr(search, "examples", lambda part: (x, torch.tensor([0, 1, 1]).repeat(200)))
    bank, whole = Bank(), network_of(full())
    bank.grow(whole, places_of(whole))
    genotype = drawn(np.random.default_rng(0))
    network = network_of(genotype, seed=3)
    fresh, _ = judged(network, Part.VALIDATION)
    assert inherited(None, genotype, False, 3) == pytest.approx(fresh)
    bank.inherit(network)
    loss, area = judged(network, Part.VALIDATION)
    assert 0 <= area <= 1
    assert inherited(bank, genotype, False, 3) == pytest.approx(loss) != pytest.approx(fresh)
    assert inherited(bank, genotype, True, 3) < loss, "the last layer has learnt"
