"""What every space with `build_stack` must do: a stack computes what its networks compute alone, to rounding."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from search_spaces import Genotype, SearchSpace, Task
from search_spaces.kernels import plain_torch
from search_spaces.task import Classes, Image, Series

from ..metrics.predicting import last, predict_alone, predict_together
from ..metrics.routing import routed_modules
from ..training import Augmentation, EarlyStopping, TrainingOptions, build_seeded, train_alone, train_stack
from ..training.device_steps import DeviceSteps, why_not
from ..training.inputs import draw_inputs, draw_targets
from .recording import Waits, record

TOLERANCE = 1e-9
"""Norm of the difference of every tensor, as a share of its norm, in float64."""


class StackConformance:
    """The contract of `SearchSpace.build_stack`, as tests. Give a `space`, and a `task` of small inputs.

    class TestMyStacks(StackConformance):
        @pytest.fixture
        def space(self):
            return MySpace()
    """

    samples = 12
    """Genotypes, over all signatures."""
    steps = 100
    """Minibatches to train for."""

    @pytest.fixture
    def space(self) -> SearchSpace:
        """The space under test."""
        raise NotImplementedError("give the suite a fixture `space` that returns a search space")

    @pytest.fixture
    def task(self) -> Task:
        """What the networks are built for."""
        return Task(Image(1, 8, 8), Classes(5))

    @pytest.fixture
    def genotypes(self, space: SearchSpace) -> list[Genotype]:
        """Random ones, which may be replaced by those that deserve a look."""
        rng = np.random.default_rng(0)
        return [space.genes.sample(rng) for _ in range(self.samples)]

    @pytest.fixture
    def inputs(self, task: Task) -> torch.Tensor:
        """Random examples, and some that are all zeros, at which routers and maxima tie."""
        inputs = draw_inputs(task, 200, dtype=torch.float64)
        inputs[::10] = 0
        return inputs

    @pytest.fixture
    def targets(self, task: Task) -> torch.Tensor:
        """For either loss."""
        return draw_targets(task, 200, seed=1, dtype=torch.float64)

    def test_a_network_comes_out_as_it_went_in(
        self, space: SearchSpace, task: Task, genotypes: list[Genotype], inputs: torch.Tensor
    ) -> None:
        for group in stackable(space, genotypes):
            stack, networks = make_stack(space, group, task)
            stack.eval()
            outputs = stack(inputs[:20])
            assert outputs.shape == (len(group), 20, *task.output_shape)
            for index, network in enumerate(networks):
                assert_close(stack.unstack(index), network.state_dict(), 0.0)
                alone = network.eval()(inputs[:20])
                assert torch.allclose(outputs[index], alone, rtol=1e-9, atol=1e-9 * float(alone.detach().abs().max()))

    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
    def test_scores_all_networks_as_each_alone(
        self,
        space: SearchSpace,
        task: Task,
        genotypes: list[Genotype],
        inputs: torch.Tensor,
        targets: torch.Tensor,
        dtype: torch.dtype,
    ) -> None:
        # What every metric reads of a network comes from its stack. In single precision routers may tie by rounding.
        if inputs.is_floating_point():
            inputs = inputs.to(dtype)
        inputs, targets = (one.repeat(6, *[1] * (one.ndim - 1)) for one in (inputs, targets))  # several batches
        tolerance, ties = (1e-10, 0.0) if dtype == torch.float64 else (1e-5, 0.01)
        for group in stackable(space, genotypes):
            stack, networks = make_stack(space, group, task)
            for module in (stack, *networks):
                module.double() if dtype == torch.float64 else module.float()
                module.eval()
            found = predict_together(stack, networks, inputs, targets, task, lambda outputs, rows: last(outputs, task))
            silent = [_observers(one) or (routed_modules(one) and not hasattr(stack, "predict")) for one in networks]
            if found is None:
                assert 2 * sum(map(bool, silent)) > len(group), "the stack can say all of most of its networks"
                continue
            kept, uses = found
            together = torch.cat(kept, 1)
            for index, (network, used) in enumerate(zip(networks, uses, strict=True)):
                if used is None:
                    assert silent[index], "the stack can say all of this network"
                    continue
                observed = {name: module.observed for name, module in _observers(network).items()}
                alone = predict_alone(network, inputs, targets, task)
                largest = float(alone.outputs.abs().max())
                apart = (together[index] - alone.outputs).abs().flatten(1).amax(1) > tolerance * largest
                assert float(apart.double().mean()) <= ties, "outputs differ"
                assert used.keys() == alone.uses.keys(), "the stack's predict() names the routed modules of the network"
                for name, use in alone.uses.items():
                    np.testing.assert_allclose(used[name].chosen, use.chosen, rtol=0, atol=ties, err_msg=name)
                    np.testing.assert_allclose(used[name].weight, use.weight, atol=ties or 1e-10, err_msg=name)
                    one, other = used[name].by_class, use.by_class
                    assert (one is None) == (other is None)
                    if one is not None and other is not None:
                        np.testing.assert_allclose(one, other, atol=ties or 1e-10, err_msg=name)
                for name, module in _observers(network).items():
                    assert observed[name] == pytest.approx(module.observed, rel=ties or 1e-9, abs=ties or 1e-9), name

    def test_owned_parameters_are_all_that_is_trained(
        self, space: SearchSpace, task: Task, genotypes: list[Genotype]
    ) -> None:
        for group in stackable(space, genotypes):
            stack, _ = make_stack(space, group, task)
            for tensor, networks in stack.owned():
                assert len(networks) == len(tensor)
                assert set(networks) <= set(range(len(group)))
            owned = {id(tensor) for tensor, _ in stack.owned()}
            assert owned == {id(tensor) for tensor in stack.parameters()}

    @pytest.mark.parametrize("optimiser", ["adam", "adamw", "sgd"])
    def test_trains_each_network_as_alone(
        self,
        space: SearchSpace,
        task: Task,
        genotypes: list[Genotype],
        inputs: torch.Tensor,
        targets: torch.Tensor,
        optimiser: Any,
    ) -> None:
        # Learning rates and decays differ within a stack; SGD takes small steps, lest networks diverge.
        rate = 1e-2 if optimiser == "sgd" else 3e-3
        more = every_option(task) if optimiser == "adamw" else {}
        validation = (inputs[1::2], targets[1::2])
        for group in stackable(space, genotypes):
            stack, networks = make_stack(space, group, task)
            options = [
                TrainingOptions(self.steps // 10, 20, optimiser, rate * (1 + index % 3), 1e-3 * (index % 2), **more)
                for index in range(len(group))
            ]
            train_stack(stack, inputs, targets, options, task.loss, 7, validation=validation)
            for index, network in enumerate(networks):
                train_alone(network, inputs, targets, options[index], task.loss, 7, validation=validation)
                assert_close(stack.unstack(index), network.state_dict(), TOLERANCE)

    @pytest.mark.parametrize("optimiser", ["adam", "adamw", "sgd"])
    def test_one_recorded_step_stands_for_all(
        self,
        space: SearchSpace,
        task: Task,
        genotypes: list[Genotype],
        inputs: torch.Tensor,
        targets: torch.Tensor,
        optimiser: Any,
    ) -> None:
        # As on a GPU, where Python is asked for the first steps alone. A stack that cannot be recorded says so.
        rate = 1e-2 if optimiser == "sgd" else 3e-3
        more = every_option(task) if optimiser == "adamw" else {}
        more.pop("early_stopping", None)
        for group in stackable(space, genotypes[: self.samples // 2]):
            stack, networks = make_stack(space, group, task)
            if why_not(stack, inputs):
                continue
            stack.train()
            options = [
                TrainingOptions(1, 20, optimiser, rate * (1 + index % 3), 1e-3 * (index % 2), **more)
                for index in range(len(group))
            ]
            with plain_torch():
                DeviceSteps(stack, inputs, targets, options, task.loss, 10, 7, record=record).all()
            for index, network in enumerate(networks):
                train_alone(network, inputs, targets, options[index], task.loss, 7)
                assert_close(stack.unstack(index), network.state_dict(), TOLERANCE)

    def test_no_step_waits_for_the_host(
        self, space: SearchSpace, task: Task, genotypes: list[Genotype], inputs: torch.Tensor, targets: torch.Tensor
    ) -> None:
        for group in stackable(space, genotypes):
            stack, _ = make_stack(space, group, task)
            if why_not(stack, inputs):
                continue
            stack.train().to("meta")
            options = [TrainingOptions(1, 20, clip=0.5)] * len(group)
            steps = DeviceSteps(stack, inputs.to("meta"), targets.to("meta"), options, task.loss, 10, 7)
            steps.take()
            with Waits() as waits:
                steps.take()
            assert waits.found == []

    def test_nothing_is_left_behind_on_another_device(
        self, space: SearchSpace, task: Task, genotypes: list[Genotype], inputs: torch.Tensor, targets: torch.Tensor
    ) -> None:
        # Torch's "meta" device computes shapes alone, and refuses tensors of any other device.
        for group in stackable(space, genotypes):
            stack, _ = make_stack(space, group, task)
            stack.to("meta")
            options = [TrainingOptions(1, 20)] * len(group)
            train_stack(stack, inputs.to("meta"), targets.to("meta"), options, task.loss, shared_seed=7)
            assert stack(inputs[:20].to("meta")).device.type == "meta"
            if hasattr(stack, "predict"):
                outputs, gates, _ = stack.eval().predict(inputs[:20].to("meta"))
                assert outputs.device.type == "meta"
                assert all(one.device.type == "meta" for of_network in gates for one in of_network.values())


def every_option(task: Task) -> dict[str, Any]:
    """What `TrainingOptions` has for a task beside the optimiser, with values at which all of it takes effect."""
    found: dict[str, Any] = {"clip": 0.5, "early_stopping": EarlyStopping(2)}
    if task.loss == "cross_entropy":
        found["label_smoothing"] = 0.1
    if isinstance(task.output, Classes):
        found["class_weights"] = "balanced"
    if isinstance(task.input, Image):
        found["augmentation"] = Augmentation(crop=1, flip=True, noise=0.1)
    if isinstance(task.input, Series):
        found["augmentation"] = Augmentation(jitter=0.1, scale=0.1)
    return found


def stackable(space: SearchSpace, genotypes: Sequence[Genotype]) -> list[list[Genotype]]:
    """Groups of equal signatures."""
    groups: dict[Hashable, list[Genotype]] = {}
    for genotype in genotypes:
        signature = space.stack_signature(genotype)
        assert signature is not None, f"no signature: {space.genes.readable(genotype)}"
        groups.setdefault(signature, []).append(genotype)
    return list(groups.values())


def make_stack(space: SearchSpace, genotypes: Sequence[Genotype], task: Task) -> tuple[Any, list[torch.nn.Module]]:
    """A stack in float64, and the networks that it holds, each from its own seed."""
    networks = []
    for seed, genotype in enumerate(genotypes):
        networks.append(build_seeded(lambda genotype=genotype: space.build(genotype, task), seed).double())
    stack: Any = space.build_stack(genotypes, task)
    stack.double()
    for index, network in enumerate(networks):
        stack.load(index, network.state_dict())
    return stack, networks


def _observers(network: torch.nn.Module) -> dict[str, Any]:
    return {name: module for name, module in network.named_modules() if hasattr(type(module), "observe")}


def assert_close(actual: Any, expected: Any, tolerance: float) -> None:
    """Assert that two states have the same tensors, but for a share of their norms."""
    assert list(actual) and set(actual) == set(expected)
    for name, tensor in expected.items():
        difference = float((actual[name].double() - tensor.double()).norm())
        assert difference <= tolerance * float(tensor.double().norm()) + 1e-300, f"{name} differs by {difference:g}"
