"""What every module of the shelf must do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from search_spaces import Genotype, Task
from search_spaces.chain import Chain
from search_spaces.shelf.base import Port, ShelfModule
from search_spaces.task import Classes, Image, NextToken, Series, Tokens, Vector

from ..exporting.formats import FORMATS, as_function
from ..metrics.macs import macs
from ..metrics.routing import predict
from ..metrics.uses import uses_of
from ..module_graph import checked_graph
from ..training import TrainingOptions, build_seeded, train_alone, train_stack
from ..training.inputs import draw_inputs, draw_targets
from .spaces import check_metrics, in_range
from .stacks import TOLERANCE, assert_close, make_stack

PORTS = {
    "vector": [Port("vector", 8), Port("vector", 24)],
    "tokens": [Port("tokens", 8, (5,)), Port("tokens", 24, (12,)), Port("tokens", 8, (1,))],
    "image": [Port("image", 8, (6, 5)), Port("image", 16, (8, 8)), Port("image", 8, (1, 1))],
}
TASKS = {
    "vector": Task(Vector(5), Classes(3)),
    "tokens": Task(Series(6, 2), Classes(3)),
    "image": Task(Image(1, 6, 6), Classes(3)),
}
NEXT = Task(Tokens(6, 7), NextToken(7))


class ModuleConformance:
    """The contract of `ShelfModule`, as tests. Give the `module`.

    class TestMyModule(ModuleConformance):
        @pytest.fixture
        def module(self):
            return MyModule()
    """

    samples = 4
    """Genes that are drawn."""
    steps = 50
    """Minibatches that a stack is trained for."""

    @pytest.fixture
    def module(self) -> ShelfModule:
        """The module under test."""
        raise NotImplementedError("give the suite a fixture `module` that returns your module")

    @pytest.fixture
    def genes(self, module: ShelfModule) -> list[Genotype]:
        """Some of its genes."""
        rng = np.random.default_rng(0)
        return [module.genes.sample(rng) for _ in range(self.samples)]

    @pytest.fixture
    def ports(self, module: ShelfModule) -> list[Port]:
        """Those of several sizes; causal ones too, where the module can be."""
        found = [port for kind in module.ports for port in PORTS[kind]]
        causal = [Port("tokens", 16, (9,), True)] if "tokens" in module.ports and module.causal else []
        return [*found, *causal]

    def test_says_what_it_is(self, module: ShelfModule) -> None:
        assert module.ports and set(module.ports) <= set(PORTS)
        assert module.name.isidentifier()
        assert type(module).__doc__, "the docstring says what it is, with the paper and the deviations"
        check_metrics(module.metrics)
        assert set(module.elsewhere) <= set(module.metrics)

    def test_keeps_the_shape_and_every_parameter_has_a_gradient(
        self, module: ShelfModule, genes: list[Genotype], ports: list[Port]
    ) -> None:
        for port in ports:
            for one in genes:
                network = build(module, one, port)
                assert network.training
                reached: dict[str, float] = {}
                for seed in range(4):  # a part that few examples choose may be left out once
                    x = draw(port, 16, seed).requires_grad_()
                    output = network(x)
                    assert output.shape == x.shape and output.isfinite().all(), f"{one} at {port}"
                    total = (output * draw(port, 16, 100 + seed)).sum() + sum(losses(network))
                    network.zero_grad()
                    total.backward()
                    for name, parameter in network.named_parameters():
                        assert parameter.grad is not None, f"{name} has no gradient: {one} at {port}"
                        assert parameter.grad.isfinite().all(), f"{name}: gradient not finite: {one} at {port}"
                        reached[name] = reached.get(name, 0.0) + float(parameter.grad.abs().sum())
                if np.prod(port.size) > 1 or port.kind == "vector":  # a single step has nothing to attend to
                    silent = [name for name, total in reached.items() if total == 0]
                    assert not silent, f"no gradient reaches {', '.join(silent)}: {one} at {port}"

    def test_draws_nothing_and_changes_nothing_in_forward(
        self, module: ShelfModule, genes: list[Genotype], ports: list[Port]
    ) -> None:
        for port in ports:
            for one in genes:
                network, twin = build(module, one, port), build(module, one, port)
                before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
                assert all(before[name].equal(tensor) for name, tensor in twin.state_dict().items()), "equal seeds"
                for mode in (True, False):
                    network.train(mode)
                    if not (mode and module.random):
                        generator = torch.get_rng_state()
                        assert network(draw(port, 3)).equal(network(draw(port, 3))), f"{one} at {port}"
                        assert torch.get_rng_state().equal(generator), "forward() draws random numbers"
                after = network.state_dict()
                assert all(after[name].equal(tensor) for name, tensor in before.items()), "forward() changes a buffer"

    def test_is_built_without_memory_to_see_how_large_it_is(
        self, module: ShelfModule, genes: list[Genotype], ports: list[Port]
    ) -> None:
        for port in ports:
            for one in genes:
                with torch.device("meta"):
                    network = module.build(one, port)
                shapes = {name: tensor.shape for name, tensor in build(module, one, port).state_dict().items()}
                assert {name: tensor.shape for name, tensor in network.state_dict().items()} == shapes

    def test_examples_do_not_touch_one_another(
        self, module: ShelfModule, genes: list[Genotype], ports: list[Port]
    ) -> None:
        for port in ports:
            for one in genes:
                network, x = build(module, one, port).double().eval(), draw(port, 5).double()
                together = network(x)
                alone = torch.cat([network(x[row : row + 1]) for row in range(len(x))])
                torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-9)

    def test_what_is_deployed_computes_the_same(
        self, module: ShelfModule, genes: list[Genotype], ports: list[Port]
    ) -> None:
        for one in genes:
            network, x = build(module, one, ports[0]).double().eval(), draw(ports[0], 5).double()
            deployed = Chain(ports[0].kind, (module,)).deployed(network)
            torch.testing.assert_close(deployed(x), network(x), rtol=1e-9, atol=1e-9)

    def test_no_step_looks_at_a_later_one_where_none_may(self, module: ShelfModule, genes: list[Genotype]) -> None:
        if "tokens" not in module.ports or not module.causal:
            pytest.skip("it is not causal")
        port = Port("tokens", 16, (11,), True)
        for one in genes:
            network, x = build(module, one, port).double(), draw(port, 3).double()
            for mode in (True, False):
                network.train(mode)
                output = network(x)
                for step in (1, 6, 10):
                    changed = x.clone()
                    changed[:, step:] += draw(port, 3, seed=1).double()[:, step:]
                    assert torch.equal(network(changed)[:, :step], output[:, :step]) or torch.allclose(
                        network(changed)[:, :step], output[:, :step], rtol=1e-9, atol=1e-11
                    ), f"{one}: step {step} is seen before"

    def test_reports_its_metrics(self, module: ShelfModule, genes: list[Genotype], ports: list[Port]) -> None:
        for port in ports:
            for one in genes:
                network = build(module, one, port).eval()
                predict(network, draw(port, 10), batch_size=4)
                measured = module.measure(one, network)
                assert set(measured) == set(module.metrics), f"{one} at {port}"
                for name, value in measured.items():
                    assert in_range(float(value), module.metrics[name]), f"{name} is {value}: {one} at {port}"

    def test_multiply_accumulates_are_counted(
        self, module: ShelfModule, genes: list[Genotype], ports: list[Port]
    ) -> None:
        for one in genes:
            network, x = build(module, one, ports[0]).eval(), draw(ports[0], 6)
            count = macs(network, x[:1], uses_of(predict(network, x)[1]))
            matrices = any(parameter.ndim > 1 for parameter in network.parameters())
            assert count > 0 or not matrices, f"{one}: matrices, and no multiply-accumulates"

    def test_what_is_known_is_what_is_built(
        self, module: ShelfModule, genes: list[Genotype], ports: list[Port]
    ) -> None:
        for port in ports:
            for one in genes:
                known = dict(module.known(one, port))
                if not known:
                    continue
                network = build(module, one, port).eval()
                counted: dict[str, float] = {"parameters": sum(parameter.numel() for parameter in network.parameters())}
                if not module.routes:
                    counted["macs"] = macs(network, draw(port, 1), {})
                assert known == counted, f"{one} at {port}"

    def test_module_graphs_can_be_drawn(self, module: ShelfModule, genes: list[Genotype]) -> None:
        for one in genes:
            graph = checked_graph(module.graph(one, 16))
            assert {data["layer"] for _, data in graph.nodes(data=True)} == {0}

    def test_trains_in_a_stack_as_alone(self, module: ShelfModule) -> None:
        if module.random:
            pytest.skip("its networks are trained alone")
        causal = "tokens" in module.ports and module.causal
        task = NEXT if causal else TASKS[module.ports[-1]]
        space = Chain("tokens" if causal else module.ports[-1], (module,), width=(8,), depth=(1, 2), patch=1)
        rng = np.random.default_rng(1)
        genotypes = [space.genes.sample(rng) for _ in range(2)]
        genotypes += [{**genotypes[0]}, {**genotypes[1], "layers": genotypes[0]["layers"]}]  # equal genes share a call
        stack, networks = make_stack(space, genotypes, task)
        inputs, targets = draw_inputs(task, 100, dtype=torch.float64), draw_targets(task, 100, 1, torch.float64)
        options = [TrainingOptions(self.steps // 5, 20, "adam", 2e-3 * (1 + row % 2)) for row in range(len(genotypes))]
        train_stack(stack, inputs, targets, options, task.loss, 7)
        for row, network in enumerate(networks):
            train_alone(network, inputs, targets, options[row], task.loss, 7)
            assert_close(stack.unstack(row), network.state_dict(), TOLERANCE)

    @pytest.mark.parametrize("file", ["safetensors", "onnx", "torch"])
    def test_comes_back_from_files(self, module: ShelfModule, genes: list[Genotype], file: str, tmp_path: Any) -> None:
        port = [port for port in (Port("vector", 8), Port("tokens", 8, (6,)), Port("image", 8, (5, 6)))
                if port.kind in module.ports][-1]  # fmt: skip
        for one in genes[:1] if file != "safetensors" else genes:
            network = build(module, one, port).eval()
            with torch.no_grad():
                wanted = network(draw(port, 7)).numpy()
            if file == "safetensors":
                from safetensors.torch import load, save

                state = {key: tensor.contiguous().clone() for key, tensor in network.state_dict().items()}
                again = build(module, one, port, seed=1).eval()
                again.load_state_dict(load(save(state)))
                got = as_function(again)(draw(port, 7).numpy())
            else:
                FORMATS[file].write(network, draw(port, 2), tmp_path)
                got = FORMATS[file].read(tmp_path, None)(draw(port, 7).numpy())
            np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5, err_msg=f"{one}")


def build(module: ShelfModule, genes: Genotype, port: Port, seed: int = 0) -> nn.Module:
    """A network from a seed, whose parameters are moved a little: what starts at zero then passes on gradients."""
    network = build_seeded(lambda: module.build(genes, port), seed)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for parameter in network.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    return network


def draw(port: Port, size: int, seed: int = 0) -> Tensor:
    """Random examples: (size, *port.shape)."""
    return torch.randn(size, *port.shape, generator=torch.Generator().manual_seed(seed))


def losses(network: nn.Module) -> list[Tensor]:
    """What the modules hold as `auxiliary_loss`."""
    found = [getattr(module, "auxiliary_loss", None) for module in network.modules()]
    return [loss for loss in found if isinstance(loss, Tensor)]
