"""What every search space must do."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
from typing import Any

import numpy as np
import pytest

from search_spaces import Gene, Genotype, Invalid, Metric, SearchSpace, Task
from search_spaces.genes import copy_tree, to_json
from search_spaces.task import Classes, Image

from ..runs.problem import RESERVED
from ..store.graphs import pack_graph, unpack_graph
from ..store.schema import METRIC_NAME


class SpaceConformance:
    """The contract of `SearchSpace`, as tests. Give the `space`; where it builds networks, also a `task` that it takes.

    class TestMySpace(SpaceConformance):
        @pytest.fixture
        def space(self):
            return MySpace()
    """

    samples = 30
    """Genotypes drawn; each is also mutated, and crossed with the next."""
    examples = 4
    """Length of the batch that goes through a network."""

    @pytest.fixture
    def space(self) -> SearchSpace:
        """The space under test."""
        raise NotImplementedError("give the suite a fixture `space` that returns your search space")

    @pytest.fixture
    def task(self) -> Task:
        """What its networks take in and give out."""
        return Task(Image(1, 8, 8), Classes(10))

    @pytest.fixture
    def rng(self) -> np.random.Generator:
        """Where all randomness of the suite comes from."""
        return np.random.default_rng(0)

    @pytest.fixture
    def genotypes(self, space: SearchSpace, rng: np.random.Generator) -> list[Genotype]:
        """Samples of the space."""
        return [space.genes.sample(rng) for _ in range(self.samples)]

    def test_declares_genes(self, space: SearchSpace) -> None:
        assert isinstance(space.genes, Gene)

    def test_metrics_may_be_columns_of_the_log(self, space: SearchSpace) -> None:
        check_metrics(space.metrics)

    def test_samples_are_valid(self, space: SearchSpace, genotypes: list[Genotype]) -> None:
        for genotype in genotypes:
            space.genes.validate(genotype)

    def test_sampling_follows_the_generator(self, space: SearchSpace) -> None:
        first, second = (
            [space.genes.sample(rng) for _ in range(self.samples)]
            for rng in (np.random.default_rng(7), np.random.default_rng(7))
        )
        assert first == second

    def test_mutants_are_valid_and_leave_the_parent_alone(
        self, space: SearchSpace, genotypes: list[Genotype], rng: np.random.Generator
    ) -> None:
        for parent in genotypes:
            before = to_json(parent)
            child = space.genes.mutate(parent, rng)
            space.genes.validate(child)
            assert to_json(parent) == before, "mutate() changed the parent"
            assert not _containers(child) & _containers(parent), "parent and child share a list or dict"

    def test_crossed_children_are_valid_and_leave_the_parents_alone(
        self, space: SearchSpace, genotypes: list[Genotype], rng: np.random.Generator
    ) -> None:
        for a, b in itertools.pairwise(genotypes):
            before = to_json([a, b])
            child = space.genes.crossover(a, b, rng)
            space.genes.validate(child)
            assert to_json([a, b]) == before, "crossover() changed a parent"
            assert not _containers(child) & _containers([a, b]), "a parent and its child share a list or dict"

    def test_genotypes_survive_json(self, space: SearchSpace, genotypes: list[Genotype]) -> None:
        for genotype in genotypes:
            text = to_json(genotype)
            back = json.loads(text)
            assert to_json(back) == text
            space.genes.validate(back)

    def test_keys_are_equal_for_equal_architectures(self, space: SearchSpace, genotypes: list[Genotype]) -> None:
        for genotype in genotypes:
            key = space.key(genotype)
            assert key == space.key(json.loads(to_json(genotype))), "the key differs after a way through JSON"
            canonical = space.canonical(copy_tree(genotype))
            space.genes.validate(canonical)
            assert key == space.key(canonical), "a genotype and its canonical form have different keys"

    def test_canonical_leaves_its_argument_alone(self, space: SearchSpace, genotypes: list[Genotype]) -> None:
        for genotype in genotypes:
            before = to_json(genotype)
            space.canonical(genotype)
            assert to_json(genotype) == before

    def test_readable_form_is_one_line(self, space: SearchSpace, genotypes: list[Genotype]) -> None:
        for genotype in genotypes:
            assert len(space.genes.readable(genotype).splitlines()) == 1

    def test_networks_have_the_tasks_shape(self, space: SearchSpace, task: Task, genotypes: list[Genotype]) -> None:
        for genotype, module in self._networks(space, task, genotypes):
            assert module.training, "build() returns the network in training mode"
            for mode in (True, False):
                outputs = self._outputs(module.train(mode), task)
                assert tuple(outputs.shape) == (self.examples, task.outputs), to_json(genotype)
                assert outputs.isfinite().all(), f"untrained outputs are not finite: {to_json(genotype)}"

    def test_equal_seeds_build_equal_networks(self, space: SearchSpace, task: Task, genotypes: list[Genotype]) -> None:
        twins = zip(
            self._networks(space, task, genotypes),
            self._networks(space, task, json.loads(to_json(genotypes))),
            strict=True,
        )
        for (genotype, module), (_, twin) in twins:
            state, again = module.state_dict(), twin.state_dict()
            assert state.keys() == again.keys()
            for name in state:
                assert state[name].equal(again[name]), f"{name} differs: {to_json(genotype)}"
            assert self._outputs(module.eval(), task).equal(self._outputs(twin.eval(), task)), to_json(genotype)

    def test_building_leaves_the_genotype_alone(
        self, space: SearchSpace, task: Task, genotypes: list[Genotype]
    ) -> None:
        before = to_json(genotypes)
        for _ in self._networks(space, task, genotypes):
            assert to_json(genotypes) == before

    def test_measures_its_own_metrics(self, space: SearchSpace, task: Task, genotypes: list[Genotype]) -> None:
        for genotype, module in self._networks(space, task, genotypes):
            measured = space.measure(genotype, module.eval(), self._outputs(module, task))
            assert set(measured) == set(space.metrics), "measure() reports exactly the space's metrics"
            for name, value in measured.items():
                assert in_range(float(value), space.metrics[name]), f"{name} is {value}: {space.metrics[name]}"

    def test_what_is_known_before_training_is_measured_afterwards(
        self, space: SearchSpace, task: Task, genotypes: list[Genotype]
    ) -> None:
        if type(space).known is SearchSpace.known:
            pytest.skip("the space gives no known()")
        from ..metrics.macs import macs
        from ..metrics.parameters import parameters
        from ..metrics.routing import predict
        from ..metrics.uses import uses_of
        from ..training.inputs import draw_inputs

        for genotype, module in self._networks(space, task, genotypes):
            inputs = draw_inputs(task, self.examples)
            outputs, routing = predict(module.eval(), inputs)
            measured = {"parameters": parameters(module), "macs": macs(module, inputs[:1], uses_of(routing))}
            measured |= space.measure(genotype, module, outputs)
            known = space.known(genotype, task)
            assert known.keys() <= measured.keys(), "only parameters, macs and the space's own metrics may be known"
            assert "macs" not in known or not routing, f"examples may cost more or less: {to_json(genotype)}"
            for name, value in known.items():
                assert measured[name] == pytest.approx(value, rel=1e-6), f"{name}: {to_json(genotype)}"

    def test_stated_costs_are_counted_in_the_network(
        self, space: SearchSpace, task: Task, genotypes: list[Genotype]
    ) -> None:
        if type(space).build is SearchSpace.build:
            pytest.skip("the space builds no network")
        from ..metrics.macs import macs
        from ..metrics.routing import predict
        from ..metrics.uses import uses_of
        from ..training.inputs import draw_inputs

        for genotype, module in self._networks(space, task, genotypes):
            costs = space.costs(genotype, task)
            if costs is None:
                continue
            inputs = draw_inputs(task, self.examples)
            uses = uses_of(predict(module.eval(), inputs)[1])
            assert costs.experts.keys() == uses.keys(), "costs() names the routed modules of the network"
            stated = costs.fixed + sum(uses[name].chosen @ np.array(one) for name, one in costs.experts.items())
            assert stated == pytest.approx(macs(module, inputs[:1], uses), rel=1e-6), to_json(genotype)

    def test_module_graphs_can_be_drawn_and_logged(self, space: SearchSpace, genotypes: list[Genotype]) -> None:
        import networkx

        graphs = [graph for graph in map(space.module_graph, genotypes) if graph is not None]
        if not graphs:
            pytest.skip("the space gives no module_graph()")
        for graph in graphs:
            assert isinstance(graph, networkx.DiGraph)
            assert networkx.is_directed_acyclic_graph(graph), "what flows through a network flows one way"
            for node, data in graph.nodes(data=True):
                assert isinstance(node, str), f"node names are strings, got {node!r}"
                types = {name: type(data.get(name)) for name in ("label", "kind", "size", "layer")}
                assert types == {"label": str, "kind": str, "size": int, "layer": int}, f"node {node}"
            for source, target, data in graph.edges(data=True):
                assert isinstance(data.get("kind"), str), f"edge {source} -> {target} has no `kind`"
                assert graph.nodes[source]["layer"] <= graph.nodes[target]["layer"], f"edge {source} -> {target}"
            back = unpack_graph(pack_graph(graph))
            assert dict(back.nodes(data=True)) == dict(graph.nodes(data=True))
            assert list(back.edges(data=True)) == list(graph.edges(data=True))

    def _networks(self, space: SearchSpace, task: Task, genotypes: list[Genotype]) -> list[tuple[Genotype, Any]]:
        """(genotype, freshly built network) of all that are not `Invalid`; skips where the space builds nothing."""
        if type(space).build is SearchSpace.build:
            pytest.skip("the space has no build(): a table evaluates it")
        from ..training import build_seeded  # torch, which a space that a table evaluates does not need

        built = []
        for genotype in genotypes:
            with contextlib.suppress(Invalid):
                built.append((genotype, build_seeded(lambda one=genotype: space.build(one, task), 0)))
        assert built, f"all of {len(genotypes)} samples are Invalid"
        return built

    def _outputs(self, module: Any, task: Task) -> Any:
        import torch

        from ..training.inputs import draw_inputs

        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return module(draw_inputs(task, self.examples))


def check_metrics(metrics: Any) -> None:
    """Assert that the names are allowed and that `Metric` describes each."""
    for name, metric in metrics.items():
        assert METRIC_NAME.fullmatch(name), f"metric name {name!r} does not match {METRIC_NAME.pattern}"
        assert name not in RESERVED, f"metric name {name!r} is taken by a column of the log"
        assert isinstance(metric, Metric), f"metric {name!r}: expected Metric(...), got {metric!r}"


def in_range(value: float, metric: Metric) -> bool:
    """Whether a value is finite and within the range that its metric declares."""
    return math.isfinite(value) and metric.low <= value <= metric.high


def _containers(value: Genotype) -> set[int]:
    if isinstance(value, dict):
        return {id(value)}.union(*map(_containers, value.values()))
    if isinstance(value, list):
        return {id(value)}.union(*map(_containers, value))
    return set()
