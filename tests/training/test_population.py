"""Networks trained together equal networks trained alone, whoever wrote their space."""

from typing import Any

import pytest
import torch
from torch import nn

from qd.testing.stacks import assert_close
from qd.training import (
    Augmentation,
    EarlyStopping,
    StackSize,
    TrainingOptions,
    build_seeded,
    train_alone,
    train_population,
)
from qd.training import population as population_module
from qd.training.inputs import draw_inputs, draw_targets
from qd.training.memory import training_bytes
from search_spaces import Choice, Integer, Invalid, Real, SearchSpace, Struct, Task
from search_spaces.sparse_moe import SparseMoE
from search_spaces.task import Classes, Image, Series, Values, Vector

TASK = Task(Vector(6), Classes(3))
OPTIONS = TrainingOptions(3, 20, "adam", 0.01, schedule="cosine")


class Perceptrons(SearchSpace):
    """A stranger's space: no stacks, and genes of the training."""

    genes = Struct(
        hidden=Choice(4, 8),
        learning_rate=Real(1e-3, 1e-1, log=True),
        weight_decay=Real(1e-6, 1e-2, log=True),
        epochs=Integer(1, 3),
        extra=Choice("none", "dropout", "norm", "branch", "loss"),
    )

    def build(self, genotype, task):
        if genotype["hidden"] == 8 and genotype["extra"] == "norm":
            raise Invalid("no norm at 8 units")
        layers = [nn.Linear(6, genotype["hidden"]), nn.Tanh()]
        extra = {"dropout": nn.Dropout(0.3), "norm": nn.BatchNorm1d(4), "branch": Branch(), "loss": Loss()}
        if genotype["extra"] in extra:
            layers.append(extra[genotype["extra"]])
        return nn.Sequential(*layers, nn.Linear(genotype["hidden"], task.outputs))

    def training_options(self, genotype):
        return {name: genotype[name] for name in ("learning_rate", "weight_decay", "epochs")}


class Branch(nn.Module):
    """Depends on its data in a way that torch cannot vmap."""

    def forward(self, x):
        return x if x.detach().sum().item() > 0 else 2 * x


class Loss(nn.Module):
    """A loss of its own."""

    def forward(self, x):
        self.auxiliary_loss = 0.1 * x.square().mean()
        return x


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(100, 6, generator=generator, dtype=torch.float64)
    return inputs, torch.randint(0, 3, (100,), generator=generator)


def genotype(**genes):
    return {"hidden": 4, "learning_rate": 0.01, "weight_decay": 1e-3, "epochs": 2, "extra": "none", **genes}


def check(space, genotypes, data, task=TASK, size=None, options=OPTIONS, validation=None, fidelity=1.0):
    """Train together and alone; returns how many networks were trained with each."""
    (inputs, targets), seeds = data, [11 * index for index in range(len(genotypes))]
    together: list[Any] = train_population(
        space, genotypes, seeds, task, inputs, targets, options, 5, fidelity, size, validation
    )
    for one, seed, result in zip(genotypes, seeds, together, strict=True):
        network = build_seeded(lambda one=one: space.build(one, task), seed).double()
        own = options.with_overrides(space.training_options(one))
        train_alone(network, inputs, targets, own, task.loss, 5, fidelity, seed, validation)
        assert_close(result.network.state_dict(), network.state_dict(), 1e-9)
    return [result.stacked for result in together]


@pytest.mark.parametrize("optimiser", ["adam", "adamw", "sgd"])
def test_equal_architectures_of_a_stranger_are_stacked(data, optimiser):
    genotypes = [
        genotype(hidden=hidden, learning_rate=rate, weight_decay=decay)
        for hidden in (4, 8)
        for rate, decay in [(0.01, 1e-3), (0.03, 1e-3), (0.01, 1e-2), (0.01, 1e-3)]
    ]
    order = [0, 4, 1, 5, 2, 6, 3, 7]  # what is stacked need not be neighbours
    options = TrainingOptions(3, 20, optimiser)
    assert check(Perceptrons(), [genotypes[index] for index in order], data, options=options) == [4] * 8


def test_losses_of_modules_count_in_stacks(data):
    assert check(Perceptrons(), [genotype(extra="loss")] * 3, data) == [3, 3, 3]


@pytest.mark.parametrize("extra", ["dropout", "norm", "branch"])
def test_what_cannot_be_stacked_is_trained_alone(data, extra):
    assert check(Perceptrons(), [genotype(extra=extra)] * 2, data) == [1, 1]


def test_epochs_are_genes(data):
    genotypes = [genotype(epochs=epochs) for epochs in (1, 2, 1, 3)]
    assert check(Perceptrons(), genotypes, data) == [2, 1, 2, 1]


def test_modules_that_look_alike_but_differ_are_not_mixed_up(data):
    class Scaled(SearchSpace):
        genes = Struct(scale=Real(0.0, 2.0))

        def build(self, genotype, task):
            network = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 3))
            network[1].register_forward_hook(lambda module, inputs, output: output * genotype["scale"])
            return network

    # The hook is invisible in the structure; comparing outputs finds the difference.
    assert check(Scaled(), [{"scale": 0.5}, {"scale": 1.5}], data) == [1, 1]


def test_mean_squared_error(data):
    inputs, _ = data
    targets = torch.randn(100, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    task = Task(Vector(6), Values(3))
    assert check(Perceptrons(), [genotype(), genotype(learning_rate=0.02)], (inputs, targets), task) == [2, 2]


EVERY = {"label_smoothing": 0.1, "clip": 0.1, "class_weights": "balanced", "early_stopping": EarlyStopping(2)}


@pytest.mark.parametrize("change", [*({name: value} for name, value in EVERY.items()), EVERY])
def test_options_change_networks_of_a_stack_as_they_do_alone(data, change):
    inputs, targets = data
    targets = targets * (inputs[:, 0] > -0.5)  # classes differ in size
    validation = (inputs[60:], targets[60:])
    rates = [(0.01, 1e-3), (0.1, 1e-3), (0.01, 1e-2), (0.03, 1e-3)]
    genotypes = [genotype(epochs=3, learning_rate=rate, weight_decay=decay) for rate, decay in rates]
    options = TrainingOptions(3, 20, **change)
    training = (inputs[:60], targets[:60])
    for fidelity in (1.0, 0.5):
        assert check(Perceptrons(), genotypes, training, TASK, None, options, validation, fidelity) == [4] * 4
    # a stack of our own space, whose rows belong to networks in another way, and networks that vmap cannot stack
    layers = [{"kind": "moe", "experts": [4, 6, 5], "top_k": 1, "residual": True}]
    mixtures = [{"width": 8, "activation": "relu", "layers": layers * depth} for depth in (1, 2)]
    assert check(SparseMoE(), mixtures, training, TASK, None, options, validation) == [2, 2]
    assert check(Perceptrons(), [genotype(extra="norm")] * 2, training, TASK, None, options, validation) == [1, 1]


@pytest.mark.parametrize(
    ("given", "augmentation"),
    [
        (Image(2, 6, 5), Augmentation(crop=2, flip=True, noise=0.2)),
        (Series(10, 6), Augmentation(jitter=0.2, scale=0.2)),
    ],
)
def test_a_stack_shares_one_augmented_minibatch(given, augmentation):
    class Flat(SearchSpace):
        genes = Struct(learning_rate=Real(1e-3, 1e-1))

        def build(self, genotype, task):
            return nn.Sequential(nn.Flatten(), nn.Linear(60, 4), nn.Tanh(), nn.Linear(4, task.outputs))

        def training_options(self, genotype):
            return {"learning_rate": genotype["learning_rate"]}

    task = Task(given, Classes(3))
    both = draw_inputs(task, 80, dtype=torch.float64), draw_targets(task, 80)
    options = TrainingOptions(3, 20, augmentation=augmentation)
    assert check(Flat(), [{"learning_rate": rate} for rate in (0.01, 0.03)], both, task, options=options) == [2, 2]


def test_invalid_genotypes_cost_nobody_else(data):
    genotypes = [genotype(), genotype(hidden=8, extra="norm"), genotype()]
    results: list[Any] = train_population(Perceptrons(), genotypes, [1, 2, 3], TASK, data[0], data[1], OPTIONS, 5)
    assert isinstance(results[1], Invalid)
    assert [results[index].stacked for index in (0, 2)] == [2, 2]


def test_stacks_of_different_widths_keep_their_order(data):
    space = SparseMoE()
    layers = [{"kind": "dense", "hidden": 8, "residual": True}]
    genotypes = [{"width": width, "activation": "tanh", "layers": layers} for width in (8, 64, 8, 64, 8)]
    assert check(space, genotypes, data) == [3, 2, 3, 2, 3]


def test_memory_limits_a_stack(data):
    network = Perceptrons().build(genotype(), TASK).double()
    each = training_bytes(network, data[0], OPTIONS.batch_size)
    assert check(Perceptrons(), [genotype()] * 5, data, size=StackSize(bytes=2 * each)) == [2, 2, 2, 2, 1]
    assert check(Perceptrons(), [genotype()] * 5, data, size=StackSize(most=3, bytes=0)) == [3, 3, 3, 2, 2]


def test_running_out_of_memory_halves_the_stack(data, monkeypatch):
    train_stack = population_module.train_stack

    def small_memory(stack, inputs, targets, options, *rest):
        if len(options) > 2:
            raise torch.OutOfMemoryError("planted")
        return train_stack(stack, inputs, targets, options, *rest)

    monkeypatch.setattr(population_module, "train_stack", small_memory)
    assert check(Perceptrons(), [genotype()] * 4, data) == [2, 2, 2, 2]


class Sized(SearchSpace):
    """Networks that look alike, of which the large ones run out of memory in their second training step."""

    genes = Struct(large=Choice(False, True), rate=Real(0.001, 0.1))

    def build(self, genotype, task):
        network = nn.Sequential(nn.Linear(6, 4), Branch(), nn.Linear(4, task.outputs))
        steps: list[int] = []

        def run_out(module, inputs):
            steps.append(len(inputs[0]))
            if genotype["large"] and module.training and len(steps) > 1:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 80 GiB")

        network.register_forward_pre_hook(run_out)
        return network

    def training_options(self, genotype):
        return {"learning_rate": genotype["rate"]}


def test_a_network_too_large_for_memory_costs_nobody_else_anything(data):
    inputs, targets = data
    genotypes = [{"large": large, "rate": 0.01} for large in (False, False, True, False)]
    results: list[Any] = train_population(
        Sized(), genotypes, [1, 2, 3, 4], TASK, inputs, targets, OPTIONS, 5, size=StackSize(most=4)
    )
    assert isinstance(results[2], torch.OutOfMemoryError)
    assert results[2].__traceback__ is None  # its frames would hold the tensors
    for index in (0, 1, 3):  # those that had been trained when it came up begin again
        alone = build_seeded(lambda: Sized().build(genotypes[0], TASK), index + 1).double()
        train_alone(alone, inputs, targets, OPTIONS, TASK.loss, 5, 1.0, index + 1)
        assert_close(results[index].network.state_dict(), alone.state_dict(), 1e-9)


@pytest.mark.parametrize("change", [{}, EVERY])
def test_bfloat16_trains(data, change):
    options = TrainingOptions(20, 20, learning_rate=0.01, precision="bfloat16", **change)
    inputs = data[0].float()
    targets = (inputs[:, 0] > 0).long()
    same = [genotype(epochs=3)] * 2
    results: list[Any] = train_population(
        Perceptrons(), same, [1, 2], TASK, inputs, targets, options, 0, validation=(inputs, targets)
    )
    for result in results:
        assert {tensor.dtype for tensor in result.network.parameters()} == {torch.float32}
        outputs = result.network.eval()(inputs)
        assert torch.isfinite(outputs).all()
