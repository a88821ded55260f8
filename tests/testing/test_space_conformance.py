"""The built-in spaces keep the contract, and the suite notices spaces that do not."""

import inspect

import networkx
import numpy as np
import pytest
import torch

from qd.testing import SpaceConformance
from search_spaces import Choice, Integer, Invalid, Metric, Repeat, SearchSpace, Struct, Task, Variant
from search_spaces.sparse_moe import SparseMoE
from search_spaces.task import Classes, Image, Values, Vector


class TestSparseMoE(SpaceConformance):
    @pytest.fixture
    def space(self) -> SparseMoE:
        return SparseMoE()


class Table(SearchSpace):
    """Builds no network."""

    genes = Struct(layers=Repeat(Variant(a=Struct(x=Integer(0, 9)), b=Struct(x=Integer(5, 20))), 0, 4))


class Perceptron(SearchSpace):
    """All that a space can have."""

    genes = Struct(hidden=Integer(1, 8), bias=Choice(True, False))
    metrics = {"mean_weight": Metric("", 0, 10)}

    def build(self, genotype, task):
        if genotype["hidden"] == 1:
            raise Invalid("a single unit")
        inputs = int(np.prod(task.input_shape))
        return torch.nn.Sequential(
            torch.nn.Flatten(),
            torch.nn.Linear(inputs, genotype["hidden"], bias=genotype["bias"]),
            torch.nn.Linear(genotype["hidden"], task.outputs),
        )

    def module_graph(self, genotype):
        graph = networkx.DiGraph()
        graph.add_node("in", label="in", kind="dense", size=genotype["hidden"], layer=0)
        graph.add_node("out", label="out", kind="head", size=1, layer=1)
        graph.add_edge("in", "out", kind="dense")
        return graph

    def measure(self, genotype, module, outputs):
        return {"mean_weight": float(next(module.parameters()).detach().abs().mean())}


class TestTable(SpaceConformance):
    @pytest.fixture
    def space(self) -> Table:
        return Table()


class TestPerceptron(SpaceConformance):
    @pytest.fixture
    def space(self) -> Perceptron:
        return Perceptron()

    @pytest.fixture
    def task(self) -> Task:
        return Task(Vector(5), Values(3))


class SharingGenes(Integer):
    """Returns a parent's own list."""

    def sample(self, rng):
        return [super().sample(rng)]

    def validate(self, value, path=""):
        super().validate(value[0], path)

    def mutate(self, value, rng):
        return value

    def crossover(self, a, b, rng):
        a.append(0)
        return a


class Sharing(SearchSpace):
    genes = SharingGenes(0, 9)


class Unstable(Perceptron):
    """Keys that never repeat."""

    def canonical(self, genotype):
        return {**genotype, "hidden": 9 - genotype["hidden"]}


class ChangesItsArgument(Perceptron):
    def canonical(self, genotype):
        genotype["bias"] = not genotype["bias"]
        return genotype


class TallChoice(Choice):
    def readable(self, value):
        return "\n".join(value)


class TwoLines(SearchSpace):
    genes = Struct(text=TallChoice("ab", "cd"))


class TooWide(Perceptron):
    def build(self, genotype, task):
        return super().build({**genotype, "hidden": 4}, Task(task.input, Classes(task.outputs + 1)))


class OwnRandomness(Perceptron):
    generator = torch.Generator().manual_seed(1)

    def build(self, genotype, task):
        module = super().build({**genotype, "hidden": 4}, task)
        torch.nn.init.normal_(next(module.parameters()), generator=self.generator)
        return module


class WrongMeasure(Perceptron):
    def measure(self, genotype, module, outputs):
        return {"mean_wait": 1.0}


class OutOfRange(Perceptron):
    def measure(self, genotype, module, outputs):
        return {"mean_weight": -1.0}


class Reserved(Perceptron):
    metrics = {"cell": Metric()}


class Circular(Perceptron):
    def module_graph(self, genotype):
        graph = super().module_graph(genotype)
        graph.add_edge("out", "in", kind="dense")
        return graph


class NumberedNodes(Perceptron):
    def module_graph(self, genotype):
        return networkx.relabel_nodes(super().module_graph(genotype), {"in": 0})


class NumpySizes(Perceptron):
    def module_graph(self, genotype):
        graph = super().module_graph(genotype)
        graph.nodes["in"]["size"] = np.int64(3)
        return graph


@pytest.mark.parametrize(
    ("space", "test", "message"),
    [
        (Sharing, "mutants_are_valid_and_leave_the_parent_alone", "share a list or dict"),
        (Sharing, "crossed_children_are_valid_and_leave_the_parents_alone", "changed a parent"),
        (Unstable, "keys_are_equal_for_equal_architectures", "different keys"),
        (ChangesItsArgument, "canonical_leaves_its_argument_alone", "assert"),
        (TwoLines, "readable_form_is_one_line", "assert 2 == 1"),
        (TooWide, "networks_have_the_tasks_shape", "4, 11"),
        (OwnRandomness, "equal_seeds_build_equal_networks", "1.weight differs"),
        (WrongMeasure, "measures_its_own_metrics", "exactly the space's metrics"),
        (OutOfRange, "measures_its_own_metrics", "mean_weight is -1.0"),
        (Reserved, "metrics_may_be_columns_of_the_log", "'cell' is taken"),
        (Circular, "module_graphs_can_be_drawn_and_logged", "one way"),
        (NumberedNodes, "module_graphs_can_be_drawn_and_logged", "node names are strings, got 0"),
        (NumpySizes, "module_graphs_can_be_drawn_and_logged", "node in"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_space_is_noticed(space: type[SearchSpace], test: str, message: str) -> None:
    suite, broken, rng = SpaceConformance(), space(), np.random.default_rng(0)
    genotypes = [broken.genes.sample(rng) for _ in range(suite.samples)]
    given = {"space": broken, "genotypes": genotypes, "task": Task(Image(1, 8, 8), Classes(10)), "rng": rng}
    method = getattr(suite, f"test_{test}")

    with pytest.raises(AssertionError, match=message):
        method(**{name: given[name] for name in inspect.signature(method).parameters})
