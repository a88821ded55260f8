"""Axes: B examples, U units, F units that they read."""

from typing import Any

import pytest
import torch

from search_spaces.shelf.base import Port
from search_spaces.shelf.grouped import Grouped, HebbianLinear, groups_of, linked, links_of

GENES = {
    "hidden": 64, "groups": 8, "between": 0.15, "grouping": "index", "pruning": "magnitude", "fraction": 0.1,
}  # fmt: skip


def build(**genes: Any) -> Any:
    torch.manual_seed(0)
    return Grouped().build({**GENES, **genes}, Port("vector", 64))


@pytest.mark.parametrize("grouping", ["index", "random", "mixed"])
def test_groups_are_of_equal_size_whatever_the_grouping(grouping: str) -> None:
    torch.manual_seed(0)
    group = groups_of(24, 8, grouping)
    assert group.bincount().tolist() == [3] * 8
    kept = group == groups_of(24, 8, "index")
    assert kept.all() if grouping == "index" else not kept.all()
    assert kept[1::2].all() == (grouping != "random")


def test_units_read_their_own_group_and_few_of_others() -> None:
    torch.manual_seed(0)
    group = groups_of(128, 8, "random")
    mask = linked(group, group, links_of(len(group), len(group), 8, 0.15))
    own = group[:, None] == group
    assert mask[own].all()
    assert float(mask[~own].mean()) == pytest.approx(0.15, abs=1e-4)
    assert float(mask.mean()) == pytest.approx(1 / 8 + 7 / 8 * 0.15, abs=1e-4)


@pytest.mark.parametrize("pruning", ["magnitude", "chance", "hebbian"])
def test_links_are_replaced_and_their_number_stays(pruning: str) -> None:
    network = build(pruning=pruning)
    before = network.observe(torch.zeros(1, 64))["density"]
    masks = [network.up.mask.clone(), network.down.mask.clone()]
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    for step in range(16):
        optimiser.zero_grad()
        network(torch.randn(30, 64)).square().sum().backward()
        optimiser.step()
        for layer in (network.up, network.down):
            layer.after_step(step, 16)
            assert not layer.weight[layer.mask == 0].any()
    assert network.observe(torch.zeros(1, 64))["density"] == before
    for layer, mask in zip((network.up, network.down), masks, strict=True):
        changed = int((layer.mask != mask).sum()) // 2
        assert 0 < changed <= 6 * layer.replaced == 6 * round(0.1 * int(mask.sum()))


def test_links_regrow_between_the_units_that_are_most_alike() -> None:
    layer = HebbianLinear(torch.eye(3), 3, "magnitude", 0.4)
    before_BF, after_BU = torch.randn(20, 3), torch.randn(20, 3)
    after_BU[:, 2] = 7 * before_BF[:, 0]
    with torch.no_grad():
        layer.weight.copy_(torch.diag(torch.tensor([2.0, -1, 3])))
    layer.watch(before_BF, after_BU)
    cosine = torch.nn.functional.cosine_similarity(after_BU[:, :, None], before_BF[:, None], dim=0)
    torch.testing.assert_close(layer.promise(), cosine, rtol=0, atol=1e-6)
    layer.after_step(0, 8)
    assert layer.mask.tolist() == [[1, 0, 0], [0, 0, 0], [1, 0, 1]]
