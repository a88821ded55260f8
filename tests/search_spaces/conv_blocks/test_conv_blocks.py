import subprocess
import sys

import pytest
import torch

from qd.testing import SpaceConformance
from search_spaces import Task
from search_spaces.conv_blocks import ConvBlocks
from search_spaces.task import Classes, Image

GENOTYPE = {
    "group_size": 4,
    "groups": 2,
    "blocks": [
        {"groups": 3, "attention": True, "mergeable": True, "pool": True},
        {"groups": 1, "attention": False, "mergeable": False, "pool": False},
    ],
}
TASK = Task(Image(1, 28, 28), Classes(10))


class TestConvBlocks(SpaceConformance):
    @pytest.fixture
    def space(self):
        return ConvBlocks()

    @pytest.fixture(params=[(1, 28, 28), (3, 9, 6), (2, 2, 3)], ids=str)
    def task(self, request):
        return Task(Image(*request.param), Classes(10))


def test_parameters_follow_the_genotype():
    space = ConvBlocks()
    network = space.build(GENOTYPE, TASK)
    stem, head = 16 * 8 + 8, 4 * 3 * 3 * 10 + 10
    first, pair, attention = 9 * 4 * 8 + 8, 8 * 12 + 12 + 12 * 12 + 12, 3
    second = 9 * 4 * 12 + 12 + 12 * 4 + 4
    total = sum(parameter.numel() for parameter in network.parameters())
    assert total == stem + first + pair + attention + second + head
    measured = space.measure(GENOTYPE, network, None)  # pyright: ignore[reportArgumentType] - outputs are not read
    assert measured == {"deployed_parameters": total - (12 * 12 + 12)}


def test_what_is_deployed_is_merged_and_computes_the_same():
    space = ConvBlocks()
    network = space.build(GENOTYPE, TASK).eval()
    before = sum(parameter.numel() for parameter in network.parameters())
    deployed = space.deployed(network)
    count = sum(parameter.numel() for parameter in deployed.parameters())
    measured = space.measure(GENOTYPE, network, None)  # pyright: ignore[reportArgumentType] - outputs are not read
    assert measured == {"deployed_parameters": count}
    assert count < before == sum(parameter.numel() for parameter in network.parameters())
    inputs = torch.randn(3, *TASK.input_shape)
    torch.testing.assert_close(deployed(inputs), network(inputs), atol=1e-5, rtol=1e-4)


def test_module_graph_follows_the_blocks():
    graph = ConvBlocks().module_graph(GENOTYPE)
    assert list(graph) == [
        "stem",
        "block1.spatial",
        "block1.pointwise",
        "block1.attention",
        "block2.spatial",
        "block2.pointwise",
        "head",
    ]
    assert graph.nodes["block1.pointwise"]["label"] == "1×1 mergeable 12, halved"
    assert graph.nodes["block2.spatial"] == {"label": "3×3 in 3 groups", "kind": "spatial", "size": 12, "layer": 2}


def test_declaring_the_space_does_not_import_torch():
    code = "import sys, search_spaces.conv_blocks; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
