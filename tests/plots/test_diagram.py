import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import networkx
import numpy as np
import pytest

import qd
from qd.errors import UsageError
from qd.plots.architecture import architecture, compute_shares, diagram
from qd.plots.comparison import changed_modules, comparison, gene_differences
from qd.plots.diagram_layout import layout
from search_spaces import Task
from search_spaces.sparse_moe import SparseMoE
from search_spaces.task import Classes, Image

TASK = Task(Image(1, 8, 8), Classes(10))
GENOTYPE = {
    "width": 16,
    "activation": "relu",
    "layers": [
        {"kind": "moe", "experts": [8, 24, 40], "top_k": 2, "residual": True},
        {"kind": "dense", "hidden": 31, "residual": False},
    ],
}


def drawn(genotype: dict, **changes: object) -> str:
    space = SparseMoE()
    return diagram(space.module_graph(genotype), TASK, "title", space.genes.readable(genotype), **changes)  # type: ignore[arg-type]


def texts(svg: str) -> str:
    return " ".join("".join(one.itertext()) for one in ElementTree.fromstring(svg).iter())


def test_a_network_could_be_rebuilt_from_its_diagram() -> None:
    svg = drawn(GENOTYPE)
    words = texts(svg)
    for told in ("1 × 8 × 8", "stem 16", "router 2 of 3", "expert 8", "expert 24", "expert 40", "dense 31", "relu"):
        assert told in words
    assert re.search(r"output\s*10", words)
    space = SparseMoE()
    links = {
        (one.attrib["stroke"], one.attrib.get("stroke-dasharray", ""))
        for one in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}path")
    }
    kinds = {data["kind"] for _, _, data in space.module_graph(GENOTYPE).edges(data=True)}
    assert len(links) == len(kinds) == 3, "dense, routed and residual links are told apart"


def test_layers_go_from_left_to_right_and_boxes_do_not_overlap() -> None:
    rng = np.random.default_rng(1)
    space = SparseMoE()
    for _ in range(20):
        graph = space.module_graph(space.genes.sample(rng))
        boxes = {box.name: box for box in layout(graph).boxes}
        for source, target in graph.edges:
            assert boxes[source].x + boxes[source].width / 2 < boxes[target].x - boxes[target].width / 2
        placed = list(boxes.values())
        for index, one in enumerate(placed):
            for other in placed[index + 1 :]:
                apart = abs(one.x - other.x) >= (one.width + other.width) / 2
                assert apart or abs(one.y - other.y) >= (one.height + other.height) / 2


def test_shares_of_the_compute_are_those_of_the_network() -> None:
    shares = compute_shares(SparseMoE().module_graph(GENOTYPE), TASK)
    macs = {
        "stem": 64 * 16,
        "router": 16 * 3,
        "experts": 2 * 16 * (8 + 24 + 40) * 2 / 3,
        "dense": 2 * 16 * 31,
        "head": 16 * 10,
    }
    total = sum(macs.values())
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["stem"] == pytest.approx(macs["stem"] / total)
    assert shares["layer1.expert1"] == pytest.approx(2 * 16 * 24 * 2 / 3 / total)
    assert shares["head"] == pytest.approx(macs["head"] / total)
    assert not compute_shares(SparseMoE().module_graph(GENOTYPE), None), "without the task nothing is claimed"


def test_text_is_escaped() -> None:
    graph = networkx.DiGraph()
    graph.add_node("<b>", label="<script>alert(1)</script>", kind='"><script>', size=3, layer=0)
    graph.add_node("n", label="\x00\x07", kind="k", size=1, layer=1)
    graph.add_edge("<b>", "n", kind="<odd>")
    svg = diagram(graph, TASK, "</title><script>", "<img src=x onerror=alert(1)>")
    assert "<script" not in svg
    assert "<img" not in svg
    ElementTree.fromstring(svg)


def test_odd_graphs_can_be_drawn() -> None:
    cycle = networkx.DiGraph()
    for name in "ab":
        cycle.add_node(name, label=name, kind="neuron", size=1, layer=0)
    cycle.add_edge("a", "b", kind="sparse")
    cycle.add_edge("b", "a", kind="sparse")
    wide = networkx.DiGraph()
    for index in range(200):
        wide.add_node(str(index), label=f"neuron {index}", kind="neuron", size=1, layer=index % 2)
    for index in range(0, 200, 2):
        wide.add_edge(str(index), str(index + 1), kind="sparse")
    for graph in (cycle, wide, networkx.DiGraph(), None):
        ElementTree.fromstring(diagram(graph, None, "odd", "readable"))


def test_what_nothing_reads_is_not_an_output() -> None:
    graph = networkx.DiGraph()
    for name, layer in (("read", 0), ("unread", 0), ("idle", 1), ("last", 2)):
        graph.add_node(name, label=name, kind="neuron", size=1, layer=layer)
    graph.add_edge("read", "last", kind="sparse")
    svg = diagram(graph, TASK, "title", "readable")
    assert len(re.findall("<line[^>]*#8a97a3", svg)) == 3, "two inputs, one output"


def test_only_what_differs_is_marked() -> None:
    space = SparseMoE()
    other = {
        **GENOTYPE,
        "layers": [
            {"kind": "dense", "hidden": 9, "residual": False},  # one more layer, before the others
            {"kind": "moe", "experts": [8, 24, 41], "top_k": 2, "residual": True},
            {"kind": "dense", "hidden": 31, "residual": False},
        ],
    }
    first, second = changed_modules(space.module_graph(GENOTYPE), space.module_graph(other))
    assert first == {"layer1.expert2"}
    assert second == {"layer1", "layer1.dense", "layer2.expert2"}
    assert changed_modules(space.module_graph(other), space.module_graph(other)) == (set(), set())
    assert gene_differences(GENOTYPE, {**GENOTYPE, "activation": "tanh"}) == [("activation", "relu", "tanh")]


def test_two_networks_of_a_run_are_compared(networks: Path) -> None:
    run = qd.open_run(networks)
    ids = run.elites()["id"].tolist()[:2]
    svg = comparison(run, ids)
    ElementTree.fromstring(svg)
    words = texts(svg)
    for id in ids:
        assert f"candidate {id}" in words
        assert f"{run.metrics_of(run.evaluation_of(id))['val_accuracy']:.5g}" in words
    with pytest.raises(UsageError, match="a comparison needs two candidates, got 1"):
        comparison(run, ids[:1])
    with pytest.raises(UsageError, match="there is no candidate 99999"):
        comparison(run, [ids[0], 99999])


def test_a_diagram_is_drawn_from_the_log(networks: Path) -> None:
    run = qd.open_run(networks)
    best = run.archive.best
    assert best is not None
    svg = architecture(run)
    assert f"candidate {best.candidate}" in texts(svg)
    assert f"stem {best.genotype['width']}" in texts(svg)
