from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from qd.testing import SpaceConformance, StackConformance
from qd.training import build_seeded
from qd.training.inputs import draw_inputs
from search_spaces import Genotype, Task
from search_spaces.chain import Chain
from search_spaces.flops import FlopCounter
from search_spaces.shelf.attention import Attention
from search_spaces.shelf.base import ShelfModule
from search_spaces.shelf.dense import Dense
from search_spaces.shelf.identity import Identity
from search_spaces.shelf.merging import merged_parameters
from search_spaces.shelf.separable import Separable
from search_spaces.task import Classes, Image, NextToken, Series, Tokens, Values, Vector

FEW = (Attention(), Dense(), Identity())
TASKS = {
    "vector": Task(Vector(5), Classes(3)),
    "series": Task(Series(7, 3), Values(2)),
    "image": Task(Image(2, 9, 6), Classes(3)),
    "tokens": Task(Tokens(6, 9), Classes(3)),
    "next": Task(Tokens(6, 9), NextToken(9)),
}


class TestTokens(SpaceConformance):
    samples = 8

    @pytest.fixture
    def space(self) -> Chain:
        return Chain("tokens", FEW, width=(8, 16), depth=(1, 3))


class TestSharedGenes(SpaceConformance):
    samples = 8

    @pytest.fixture
    def space(self) -> Chain:
        return Chain("image", (Separable(), Identity()), width=(8,), depth=(1, 3), share_genes=True, patch=2)


class TestStackOfTokens(StackConformance):
    samples = 4
    steps = 20

    @pytest.fixture
    def space(self) -> Chain:
        return Chain("tokens", FEW, width=(8, 16), depth=(1, 3), exits=True)

    @pytest.fixture
    def task(self) -> Task:
        return Task(Series(6, 2), Classes(3))


class TestStackOfImages(StackConformance):
    samples = 4
    steps = 20

    @pytest.fixture
    def space(self) -> Chain:
        return Chain("image", (Separable(), Identity()), width=(8, 16), depth=(1, 3), patch=2)


@pytest.mark.parametrize("port", ["vector", "tokens"])
@pytest.mark.parametrize("name", TASKS)
def test_every_kind_of_data_has_a_stem_and_a_head(port, name: str) -> None:
    task, space = TASKS[name], Chain(port, (Dense(),), width=(8,), depth=(1, 2))
    space.check_task(task)
    network = space.build(space.genes.sample(np.random.default_rng(0)), task)
    inputs = draw_inputs(task, 4)
    outputs = network(inputs)
    assert outputs.shape == (4, *task.output_shape)
    outputs.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("name", ["image", "series"])
def test_images_and_series_have_a_stem_at_the_image_port(name: str) -> None:
    task, space = TASKS[name], Chain("image", (Separable(),), width=(8,), patch=2)
    space.check_task(task)
    genotype = space.genes.sample(np.random.default_rng(0))
    assert space.build(genotype, task)(draw_inputs(task, 4)).shape == (4, *task.output_shape)


@pytest.mark.parametrize("name", ["vector", "tokens", "next"])
def test_the_image_port_refuses_what_is_no_image(name: str) -> None:
    with pytest.raises(ValueError, match=r"port: image takes images and series, and the data gives (vector|tokens)"):
        Chain("image", (Separable(),)).check_task(TASKS[name])


def test_next_tokens_refuse_modules_that_look_ahead() -> None:
    class Looking(Dense):
        causal = False

    space = Chain("tokens", (Looking(), Dense()))
    space.check_task(TASKS["tokens"])
    with pytest.raises(ValueError, match=r"and looking look at later ones; write `modules: \[dense\]`"):
        space.check_task(TASKS["next"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"modules": ()}, "expected at least one, got none"),
        ({"modules": (Dense(), Dense())}, "two of the name dense"),
        ({"modules": (Separable(),)}, "separable is for image, and this space's port is tokens"),
        ({"width": (12,)}, "width: expected multiples of 8, got 12"),
        ({"width": ()}, "width: expected multiples of 8, got none"),
        ({"depth": (0, 3)}, "depth: expected 1 <= fewest <= most layers, got 0 and 3"),
        ({"depth": (3, 2)}, "got 3 and 2"),
        ({"patch": 0}, "patch: expected a side of at least 1, got 0"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Chain(**{"modules": FEW, **arguments})


def test_what_fills_up_a_text_is_left_out_of_the_mean() -> None:
    task = TASKS["tokens"]
    space = Chain("tokens", (Identity(),), width=(8,), depth=(1, 1))
    network = space.build({"width": 8, "positions": "none", "layers": [{"kind": "identity"}]}, task).eval()
    short, long = torch.tensor([[3, 4, 0, 0, 0, 0]]), torch.tensor([[3, 4, 3, 4, 3, 4]])
    torch.testing.assert_close(network(short), network(long))
    assert network(torch.zeros(1, 6, dtype=torch.int64)).isfinite().all()


def test_positions_tell_steps_apart() -> None:
    task, space = TASKS["series"], Chain("tokens", (Identity(),), width=(8,), depth=(1, 1))
    x = draw_inputs(task, 3)
    for positions, equal in (("none", True), ("learnt", False), ("sine", False)):
        genotype = {"width": 8, "positions": positions, "layers": [{"kind": "identity"}]}
        network = build_seeded(lambda genotype=genotype: space.build(genotype, task), 0)
        assert network.stem(x).allclose(network.stem(x.flip(1)).flip(1)) is equal  # type: ignore[attr-defined]


def test_halving_stops_at_a_single_pixel() -> None:
    space = Chain("image", (Identity(),), width=(8,), patch=1)
    task = Task(Image(1, 4, 4), Classes(2))
    genotype = {"width": 8, "layers": [{"kind": "identity", "halve": True}] * 4}
    assert [layer.port.size for layer in space.layers(genotype, task)] == [(4, 4), (2, 2), (1, 1), (1, 1)]
    assert space.build(genotype, task)(draw_inputs(task, 2)).shape == (2, 2)


def test_genes_of_modules_that_no_layer_has_make_no_other_architecture() -> None:
    space = Chain("tokens", FEW, share_genes=True)
    genotype = space.genes.sample(np.random.default_rng(0))
    genotype["layers"] = [{"kind": "dense"}]
    other = {**genotype, "modules": {**genotype["modules"], "attention": {"heads": 2, "rotary": True}}}
    third = {**genotype, "modules": {**genotype["modules"], "dense": {"hidden": 9, "activation": "relu"}}}
    assert space.key(genotype) == space.key(other) != space.key(third)


def test_a_metric_is_the_mean_over_layers() -> None:
    class Half(Dense):
        metrics = {**Attention.metrics}
        elsewhere = {"attention_share": 0.25}

        def measure(self, genes: Genotype, network: nn.Module) -> dict[str, float]:
            return {"attention_share": 0.5}

    space = Chain("vector", (Half(), Identity()), width=(8,))
    layers = [{"kind": "half", "hidden": 8, "activation": "relu"}, {"kind": "identity"}]
    genotype = {"width": 8, "layers": layers}
    network = space.build(genotype, TASKS["vector"])
    assert space.measure(genotype, network, torch.zeros(1)) == {"attention_share": 0.375}


def test_modules_that_draw_at_random_are_not_stacked() -> None:
    class Noisy(Dense):
        random = True

    modules: tuple[ShelfModule, ...] = (Noisy(), Identity())
    space = Chain("vector", modules, width=(8,))
    noisy = {"width": 8, "layers": [{"kind": "noisy", "hidden": 8, "activation": "relu"}]}
    assert space.stack_signature(noisy) is None
    assert space.stack_signature({"width": 8, "layers": [{"kind": "identity"}]}) is not None


def test_costs_of_networks_for_images_are_known() -> None:
    space, task, rng = (
        Chain("image", width=(8, 16), depth=(1, 3), exits=True),
        Task(Image(1, 12, 9), Classes(3)),
        np.random.default_rng(2),
    )
    for _ in range(12):
        genotype = space.genes.sample(rng)
        network = space.build(genotype, task).eval()
        known = space.known(genotype, task)
        assert known["parameters"] == sum(one.numel() for one in network.parameters())
        assert known["deployed_parameters"] == merged_parameters(network)
        with torch.no_grad(), FlopCounter() as counter:
            network(torch.zeros(1, 1, 12, 9))
        assert 2 * known["macs"] == counter.flops
