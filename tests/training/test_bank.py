"""Networks share the weights of a bank."""

import pytest
import torch
from torch import nn

from qd.plain_data.tensors import read_tensors
from qd.training import build_seeded
from qd.training.bank import Bank, experts_of, places_of
from search_spaces import Task
from search_spaces.shelf import FeedForward, MixtureOfExperts
from search_spaces.sparse_moe import SparseMoE
from search_spaces.task import Classes, Vector

TASK = Task(Vector(6), Classes(3))


def dense(width, *hidden):
    layers = [{"kind": "dense", "hidden": one, "residual": True} for one in hidden]
    return build_seeded(
        lambda: SparseMoE().build({"width": width, "activation": "relu", "layers": layers}, TASK), width
    )


def mixture(*experts):
    return build_seeded(lambda: MixtureOfExperts(8, experts, 1, "relu", 0.01), len(experts))


def grow(bank, network, **slots):
    return bank.grow(network, places_of(network, **slots))


def test_a_small_network_has_the_first_rows_and_columns_of_a_large_one():
    large, small, bank = dense(16, 20, 12), dense(8, 10), Bank()
    assert len(grow(bank, large)) == len(list(large.parameters()))
    assert grow(bank, small) == []
    assert bank.inherit(small) == 1
    for name, tensor in small.named_parameters():
        whole = large.get_parameter(name)
        assert torch.equal(tensor, whole[tuple(slice(0, size) for size in tensor.shape)]), name


def test_it_grows_where_a_network_is_larger_and_keeps_what_it_had():
    narrow, wide, bank = dense(8, 20), dense(16, 10), Bank()
    grow(bank, narrow)
    assert grow(bank, wide)
    again = dense(8, 20)
    before = {name: tensor.clone() for name, tensor in narrow.named_parameters()}
    assert bank.inherit(again) == 1
    assert all(torch.equal(tensor, before[name]) for name, tensor in again.named_parameters())
    up = bank.tensors["layers(Sequential).0(Residual).layer(FeedForward).up(Linear).weight"]
    own = dict(wide.named_parameters())["layers.0.layer.up.weight"]
    assert up.shape == (20, 16)
    assert torch.equal(up[:10, 8:], own[:, 8:])
    assert torch.isin(up[10:, 8:], own).all()  # neither network has these


def test_other_modules_in_a_place_and_other_kernels_do_not_share():
    def network(*parts):
        return nn.Sequential(*parts)

    bank = Bank()
    grow(bank, network(nn.Conv2d(2, 4, 3), nn.Linear(4, 4)))
    assert bank.inherit(network(nn.Conv2d(2, 4, 5), FeedForward(4, 4, "relu"))) == 0
    assert bank.inherit(network(nn.Conv2d(2, 2, 3))) == 1
    share = bank.inherit(network(nn.Conv2d(2, 8, 3), nn.Linear(4, 4)))  # half of the first, all of the second
    assert share == pytest.approx((76 + 20) / (152 + 20))


def test_gradients_of_a_networks_slices_arrive_in_the_bank():
    bank, small = Bank(), dense(8, 10)
    grow(bank, dense(16, 20))
    gradients = {name: torch.randn_like(tensor) for name, tensor in small.named_parameters()}
    for _ in range(2):
        bank.add_gradients(places_of(small), gradients)
    for name, place in places_of(small).items():
        own, shared = 2 * gradients[name], bank.tensors[place.key].grad
        assert shared is not None
        inside = tuple(slice(0, size) for size in own.shape)
        torch.testing.assert_close(shared[inside], own)
        shared[inside] = 0
        assert not shared.any(), name


def test_experts_are_put_into_slots_with_their_routers_rows():
    bank, two = Bank(), mixture(4, 6)
    grow(bank, mixture(4, 4, 4))
    assert bank.slots(two) == {"": 3} and bank.slots(FeedForward(8, 4, "relu")) == {}
    assert experts_of(two) == 2 and experts_of(FeedForward(8, 4, "relu")) == 0
    slots = {"": [2, 0]}
    assert grow(bank, two, slots=slots) == [
        f"experts(ModuleList).0(FeedForward).{one}"
        for one in ("up(Linear).weight", "up(Linear).bias", "down(Linear).weight")
    ]
    places, shared = places_of(two, slots), bank.tensors
    slices = bank.slices(places)
    assert torch.equal(slices["router.weight"], shared["router(Linear).weight"][[2, 0]])
    assert torch.equal(slices["experts.0.up.weight"], shared["experts(ModuleList).2(FeedForward).up(Linear).weight"])
    assert torch.equal(slices["experts.1.up.bias"], shared["experts(ModuleList).0(FeedForward).up(Linear).bias"])
    bank.add_gradients(places, {name: torch.ones_like(tensor) for name, tensor in slices.items()})
    of_router = shared["router(Linear).weight"].grad
    assert of_router is not None and of_router[:, 0].tolist() == [1, 0, 1]
    assert shared["experts(ModuleList).1(FeedForward).up(Linear).bias"].grad is None


def test_another_spaces_network_is_refused():
    bank = Bank({"0(Linear).weight": torch.zeros(3, 4, 5)})
    with pytest.raises(
        ValueError, match=r"does not fit this space: 0\(Linear\)\.weight has 3 axes, and the network's 2"
    ):
        bank.inherit(nn.Sequential(nn.Linear(4, 3)))


def test_it_is_written_as_safetensors(tmp_path):
    bank = Bank()
    grow(bank, dense(8, 10))
    bank.save(tmp_path / "bank.safetensors")
    read = Bank(read_tensors(tmp_path / "bank.safetensors"))
    assert len(read) == len(bank) > 0
    assert all(torch.equal(read.tensors[key], tensor) for key, tensor in bank.tensors.items())
    assert [path.name for path in tmp_path.iterdir()] == ["bank.safetensors"]
