"""Each space takes the inputs that it can take, and refuses others at the door."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from qd.metrics.macs import macs
from qd.metrics.routing import predict
from qd.metrics.uses import uses_of
from qd.training.inputs import draw_inputs
from search_spaces import SearchSpace, Task
from search_spaces.conv_blocks import ConvBlocks
from search_spaces.grouped_mlp import GroupedMLP
from search_spaces.module_library import ModuleLibrary
from search_spaces.retina import Retina
from search_spaces.shelf.tokens import WINDOW
from search_spaces.sparse_moe import SparseMoE
from search_spaces.task import Classes, Image, NextToken, Series, Tokens, Values, Vector

TASKS = {
    "image": Task(Image(1, 8, 8), Classes(3)),
    "vector": Task(Vector(8), Values(1)),
    "series": Task(Series(20, 2), Values(2)),
    "texts": Task(Tokens(12, 30), Classes(3)),
    "values of texts": Task(Tokens(12, 30), Values(2)),
    "next token": Task(Tokens(12, 30), NextToken(30)),
}
TAKEN = {
    ConvBlocks: ["image"],
    ModuleLibrary: ["image"],
    GroupedMLP: ["image", "vector", "series"],
    Retina: ["vector"],
    SparseMoE: list(TASKS),
}


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("make", TAKEN, ids=lambda make: make.__name__)
def test_what_is_not_refused_is_built(make: type[SearchSpace], kind: str) -> None:
    space, task = make(), TASKS[kind]
    if kind not in TAKEN[make]:
        with pytest.raises(ValueError, match=r"take (inputs of kind|a vector of 8).*, and the data gives"):
            space.check_task(task)
        return
    space.check_task(task)
    genotype, inputs = space.genes.sample(np.random.default_rng(1)), draw_inputs(task, 5)
    network = space.build(genotype, task)
    assert network(inputs).shape == (5, *task.output_shape)
    outputs, routing = predict(network.eval(), inputs)
    assert macs(network, inputs[:1], uses_of(routing)) > 0
    torch.testing.assert_close(outputs, network(inputs))


def test_scores_of_a_position_depend_on_the_last_tokens_alone() -> None:
    task = TASKS["next token"]
    space = SparseMoE()
    network = space.build(space.genes.sample(np.random.default_rng(0)), task).eval()
    tokens = draw_inputs(task, 4).clamp(min=1)
    before = network(tokens)
    tokens[:, 2] = 1 + tokens[:, 2] % 29
    changed = (network(tokens) != before).flatten(2).any(2)
    expected = torch.zeros(12, dtype=torch.bool)
    expected[2 : 2 + WINDOW] = True
    assert changed.any(0).tolist() == expected.tolist()


def test_what_fills_up_a_text_counts_for_nothing() -> None:
    task = TASKS["texts"]
    space = SparseMoE()
    network = space.build(space.genes.sample(np.random.default_rng(0)), task).eval()
    text = torch.tensor([[5, 7, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0], [5, 5, 7] * 4])
    first, second = network(torch.cat([text, text.flip(1)])).chunk(2)
    torch.testing.assert_close(first, second)
    torch.testing.assert_close(first[0], first[1])
