import subprocess
import sys

import networkx
import numpy as np
import pytest
import torch

from search_spaces import Task
from search_spaces.shelf import ACTIVATIONS
from search_spaces.sparse_moe import SparseMoE
from search_spaces.task import Classes, Image

GENOTYPE = {
    "width": 8,
    "activation": "tanh",
    "layers": [
        {"kind": "moe", "experts": [20, 9, 30], "top_k": 2, "residual": True},
        {"kind": "dense", "hidden": 16, "residual": False},
    ],
}
TASK = Task(Image(1, 5, 4), Classes(3))


def test_every_sampled_genotype_builds_a_network_for_the_task():
    space, rng = SparseMoE(), np.random.default_rng(0)
    for _ in range(50):
        genotype = space.genes.sample(rng)
        space.genes.validate(genotype)
        network = space.build(genotype, TASK)
        assert network.training
        outputs = network(torch.randn(7, *TASK.input_shape))
        assert outputs.shape == (7, 3)
        outputs.sum().backward()
        assert all(parameter.grad is not None for parameter in network.parameters())


def test_parameters_follow_the_genotype():
    network = SparseMoE().build(GENOTYPE, TASK)
    stem, head, router = 20 * 8 + 8, 8 * 3 + 3, 8 * 3
    feed_forward = sum(8 * hidden + hidden + hidden * 8 + 8 for hidden in (20, 9, 30, 16))
    assert sum(parameter.numel() for parameter in network.parameters()) == stem + head + router + feed_forward


def test_residual_layers_add_their_input():
    networks = []
    for residual in (True, False):
        torch.manual_seed(0)
        layer = {"kind": "dense", "hidden": 16, "residual": residual}
        networks.append(SparseMoE().build({**GENOTYPE, "layers": [layer]}, TASK))
    x = torch.randn(5, *TASK.input_shape)
    with_residual, without = (network.get_submodule("layers") for network in networks)
    stem_output = networks[0][:3](x)
    torch.testing.assert_close(with_residual(stem_output), without(stem_output) + stem_output)


def test_the_order_of_experts_does_not_make_another_architecture():
    space = SparseMoE()
    swapped = {**GENOTYPE, "layers": [{**GENOTYPE["layers"][0], "experts": [30, 20, 9]}, GENOTYPE["layers"][1]]}
    other = {**GENOTYPE, "layers": [{**GENOTYPE["layers"][0], "experts": [30, 20, 8]}, GENOTYPE["layers"][1]]}
    assert space.key(swapped) == space.key(GENOTYPE) != space.key(other)
    assert space.key({**GENOTYPE, "layers": GENOTYPE["layers"][::-1]}) != space.key(GENOTYPE)
    space.genes.validate(space.canonical(swapped))

    # With weights in the same order the two compute the same.
    network, twin = space.build(GENOTYPE, TASK), space.build(swapped, TASK)
    order = [2, 0, 1]
    state = network.state_dict()
    state["layers.0.layer.router.weight"] = state["layers.0.layer.router.weight"][order]
    for name in list(twin.state_dict()):
        if ".experts." in name:
            parts = name.split(".")
            parts[4] = str(order[int(parts[4])])
            state[name] = network.state_dict()[".".join(parts)]
    twin.load_state_dict(state)
    x = torch.randn(30, *TASK.input_shape)
    torch.testing.assert_close(network(x), twin(x))


def test_module_graph_holds_every_module():
    graph = SparseMoE().module_graph(GENOTYPE)
    assert networkx.is_directed_acyclic_graph(graph)
    assert networkx.has_path(graph, "stem", "head")
    sizes = {name: data["size"] for name, data in graph.nodes(data=True)}
    assert sizes == {
        "stem": 8,
        "layer1": 8,
        "layer1.router": 3,
        "layer1.expert0": 20,
        "layer1.expert1": 9,
        "layer1.expert2": 30,
        "layer2": 8,
        "layer2.dense": 16,
        "head": 1,
    }
    layers = networkx.get_node_attributes(graph, "layer")
    assert layers["stem"] == 0 and layers["layer1.expert2"] == 1 and layers["head"] == 3
    kinds = networkx.get_edge_attributes(graph, "kind")
    assert kinds["layer1.router", "layer1.expert0"] == "routed"
    assert kinds["stem", "layer1"] == "residual"
    assert ("layer1", "layer2") not in kinds
    for _, data in graph.nodes(data=True):
        assert isinstance(data["label"], str) and isinstance(data["kind"], str)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_keep_silent_units_silent(name):
    assert ACTIVATIONS[name](torch.zeros(3)).tolist() == [0, 0, 0]


def test_balance_is_checked():
    with pytest.raises(ValueError, match=r"balance: expected a number of at least 0, got -1"):
        SparseMoE(balance=-1)


def test_declaring_the_space_does_not_import_torch():
    code = "import sys, search_spaces.sparse_moe; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
