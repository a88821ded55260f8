import copy
import subprocess
import sys

import networkx
import numpy as np
import pytest
import torch

from qd.testing import SpaceConformance
from search_spaces import Task
from search_spaces.genes import to_json
from search_spaces.grouped_mlp import GroupedMLP, layers_of, modularity, sparsity
from search_spaces.shelf.grouped.network import GroupedNetwork, GroupSpec
from search_spaces.task import Classes, Image, Vector

TASK = Task(Image(1, 4, 4), Classes(3))
GENOTYPE = {
    "layers": [
        [
            {"width": 5, "activation": "relu", "links": [0, 8, 3]},
            {"width": 4, "activation": "tanh", "links": [7]},
            {"width": 9, "activation": "elu", "links": [1, 2]},
        ],
        [
            {"width": 6, "activation": "silu", "links": [5, 2]},
            {"width": 4, "activation": "leaky_relu", "links": [0, 3]},
        ],
    ],
    "rewiring": {"kind": "none"},
}


class TestGroupedMLP(SpaceConformance):
    @pytest.fixture
    def space(self):
        return GroupedMLP()

    @pytest.fixture(params=[Image(1, 8, 8), Vector(3)], ids=["images", "fewer inputs than slices"])
    def task(self, request):
        return Task(request.param, Classes(10))


def test_links_count_modulo_the_layer_before_and_unread_groups_are_left_out():
    assert layers_of(GENOTYPE, 8) == [
        [GroupSpec(5, "relu", (0, 3)), GroupSpec(9, "elu", (1, 2))],
        [GroupSpec(6, "silu", (1,)), GroupSpec(4, "leaky_relu", (0,))],
    ]


def test_every_parameter_is_trained():
    space, rng = GroupedMLP(), np.random.default_rng(0)
    for _ in range(30):
        network = space.build(space.genes.sample(rng), TASK)
        network(torch.randn(7, *TASK.input_shape)).sum().backward()
        assert all(parameter.grad is not None for parameter in network.parameters())


def test_the_order_of_groups_does_not_make_another_architecture():
    space = GroupedMLP()
    other = copy.deepcopy(GENOTYPE)
    other["layers"][0].reverse()
    for group in other["layers"][1]:
        group["links"] = [2 - link % 3 for link in group["links"]]
    other["layers"][1].reverse()
    assert space.key(other) == space.key(GENOTYPE)
    other["layers"][1][0]["width"] += 1
    assert space.key(other) != space.key(GENOTYPE)


def test_canonical_genotypes_are_fixed_points_of_as_many_parameters():
    space, rng = GroupedMLP(), np.random.default_rng(3)
    for _ in range(50):
        genotype = space.genes.sample(rng)
        canonical = space.canonical(genotype)
        space.genes.validate(canonical)
        assert to_json(space.canonical(canonical)) == to_json(canonical)
        sizes = [sum(one.numel() for one in space.build(g, TASK).parameters()) for g in (genotype, canonical)]
        assert sizes[0] == sizes[1]


def test_sparsity_compares_with_full_layers_of_the_same_units():
    network = GroupedMLP().build(GENOTYPE, TASK)
    present = 5 * 4 + 9 * 4 + 6 * 9 + 4 * 5 + 3 * 10
    dense = 14 * 16 + 10 * 14 + 3 * 10
    assert sparsity(network) == pytest.approx(1 - present / dense)


def test_sparsity_counts_weights_that_are_absent_inside_links():
    pruned = {**GENOTYPE, "rewiring": {"kind": "prune_and_regrow", "density": 0.5, "fraction": 0.2}}
    network = GroupedMLP().build(pruned, TASK)
    present = (5 * 4 + 9 * 4 + 6 * 9 + 4 * 5) // 2 + 3 * 10
    dense = 14 * 16 + 10 * 14 + 3 * 10
    assert sparsity(network) == pytest.approx(1 - present / dense)


def test_separate_ways_are_more_modular_than_tangled_ones():
    ways = [[GroupSpec(4, "relu", (0,)), GroupSpec(4, "relu", (1,))] for _ in range(3)]
    tangle = [[GroupSpec(4, "relu", (0, 1)), GroupSpec(4, "relu", (0, 1))] for _ in range(3)]
    separate, tangled = (GroupedNetwork([4, 4], layers, 2, None) for layers in (ways, tangle))
    with torch.no_grad():
        for network in (separate, tangled):
            for parameter in network.parameters():
                parameter.fill_(0.5)
        separate.head.weight.copy_(torch.tensor([[1.0] * 4 + [0] * 4, [0] * 4 + [1.0] * 4]))
    assert modularity(separate) == pytest.approx(0.5)
    assert modularity(tangled) < 0.3
    assert modularity(tangled) == modularity(tangled)


def test_modularity_of_silence_is_zero():
    network = GroupedMLP().build(GENOTYPE, TASK)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert modularity(network) == 0


def test_module_graph_holds_groups_and_links():
    graph = GroupedMLP().module_graph(GENOTYPE)
    assert networkx.is_directed_acyclic_graph(graph)
    node = graph.nodes["layer1.group1"]
    assert (node["label"], node["kind"], node["size"], node["layer"]) == ("elu 9", "group", 9, 1)
    assert set(graph.predecessors("layer2.group0")) == {"layer1.group1"}
    assert set(graph.predecessors("layer1.group0")) == {"input0", "input3"}
    assert graph.edges["layer1.group1", "layer2.group0"]["kind"] == "sparse"
    assert graph.edges["layer2.group0", "head"]["kind"] == "dense"


def test_declaring_the_space_does_not_import_torch():
    code = "import sys, search_spaces.grouped_mlp; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
