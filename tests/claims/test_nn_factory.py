"""NN-Factory's parts, untrained or trained for a few steps."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from qd.training import build_seeded
from scripts.experiments.claims.nn_factory.making import (
    FEWEST,
    MOST,
    PRICE,
    Data,
    assembled,
    drawn_tasks,
    joint_loss,
    searched,
)
from scripts.experiments.claims.nn_factory.supernet import CLASSES, GATES, MODULES, Factory, costs, filled

NONE = torch.zeros(1, CLASSES, dtype=torch.bool)


@pytest.fixture
def made() -> Factory:
    found = build_seeded(Factory, 0)
    assert isinstance(found, Factory)
    return found


@pytest.fixture
def data() -> Data:
    rng = torch.Generator().manual_seed(0)
    return torch.randn(20, 1, 14, 14, generator=rng), torch.randint(CLASSES, (20,), generator=rng)


def chosen(*classes: int) -> torch.Tensor:
    found = torch.zeros(CLASSES, dtype=torch.bool)
    found[list(classes)] = True
    return found


def test_a_cut_network_answers_as_the_supernet_behind_its_gates(made: Factory, data: Data) -> None:
    gates = torch.rand(GATES, generator=torch.Generator().manual_seed(1)) < 0.4
    gates[:MODULES] = False  # a block without any module
    task = chosen(1, 4, 7)
    small = made.supernet.only(gates, task)
    expected = made.supernet(data[0], gates.float().expand(20, -1))[:, task]
    torch.testing.assert_close(small(data[0]), expected)
    weights = sum(one.numel() for one in small.parameters())
    assert weights < sum(one.numel() for one in made.supernet.parameters())


def test_costs_are_multiply_adds(made: Factory, data: Data) -> None:
    counted: list[int] = []

    def count(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        assert isinstance(layer, nn.Conv2d)
        counted.append(layer.weight.numel() * output.shape[2] * output.shape[3])

    for block in made.supernet.blocks:
        for layer in block.modules():
            if isinstance(layer, nn.Conv2d):
                layer.register_forward_hook(count)
    made.supernet(data[0])
    blocks = torch.tensor(counted).view(-1, 2).sum(1).double()
    torch.testing.assert_close(costs().view(-1, MODULES).sum(1), blocks / blocks.sum())


@pytest.mark.parametrize("limit", [0.1, 0.25, 1.0])
def test_gates_are_opened_in_order_within_a_limit(limit: float) -> None:
    order = torch.rand(GATES, generator=torch.Generator().manual_seed(2))
    found = filled(order, limit)
    used = float(costs()[found].sum())
    assert used <= limit + 1e-6
    assert not any(used + float(cost) <= limit for cost in costs()[~found])
    assert found[order.argmax()]


def test_a_drawn_task_holds_its_examples_class_and_is_of_any_size() -> None:
    targets = torch.arange(CLASSES).repeat(50)
    task = drawn_tasks(targets)
    assert task[torch.arange(len(targets)), targets].all()
    assert set(task.sum(1).tolist()) == set(range(FEWEST, MOST + 1))
    assert (task.float().mean(0) > 0.2).all()


def test_modules_learn_at_random_and_the_assembler_with_them(made: Factory, data: Data) -> None:
    joint_loss(made, NONE, at_random=True)(*data).backward()
    assert all(one.grad is not None for one in made.supernet.parameters())
    assert all(one.grad is None for one in made.assembler.parameters())
    joint_loss(made, NONE, at_random=False)(*data).backward()
    assert all(one.grad is not None and one.grad.any() for one in made.assembler.parameters())


def test_nothing_is_learnt_from_tasks_that_are_tried_later(
    made: Factory, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = torch.ones(20, CLASSES, dtype=torch.bool)
    tasks[0] = chosen(*range(5), int(data[1][0]))
    monkeypatch.setattr("scripts.experiments.claims.nn_factory.making.drawn_tasks", lambda targets: tasks)
    inputs = data[0].requires_grad_()
    joint_loss(made, tasks[:1], at_random=True)(inputs, data[1]).backward()
    assert inputs.grad is not None
    assert inputs.grad.flatten(1).any(1).tolist() == [False, *[True] * 19]


def test_the_price_is_on_the_distance_from_the_budget(
    made: Factory, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loss(odds: float) -> float:
        nn.init.zeros_(made.assembler[2].weight)  # type: ignore[arg-type]
        nn.init.constant_(made.assembler[2].bias, odds)  # type: ignore[arg-type]
        torch.manual_seed(0)
        return float(joint_loss(made, NONE, at_random=False)(*data).detach())

    with torch.random.fork_rng():
        priced = [loss(odds) for odds in (30.0, -30.0)]
        monkeypatch.setattr("scripts.experiments.claims.nn_factory.making.PRICE", 0.0)
        free = [loss(odds) for odds in (30.0, -30.0)]
        torch.manual_seed(0)
        drawn_tasks(data[1])
        budgets = 0.1 + 0.9 * torch.rand(20)
    assert priced[0] - free[0] == pytest.approx(PRICE * float((1 - budgets).mean()), rel=1e-4)  # all are open
    assert priced[1] - free[1] == pytest.approx(PRICE * float(budgets.mean()), rel=1e-4)  # none is


def test_a_search_keeps_to_the_limit_and_finds_no_worse_than_the_assembler(made: Factory, data: Data) -> None:
    task = chosen(0, 3, 9)
    there = task[data[1]]
    some = (data[0][there], (task.cumsum(0) - 1)[data[1][there]])

    def loss(gates: torch.Tensor) -> float:
        return float(nn.functional.cross_entropy(made.supernet.only(gates, task)(some[0]), some[1]).detach())

    found = searched(made, task, 0.25, some, seed=0)
    assert float(costs()[found].sum()) <= 0.25 + 1e-6
    assert loss(found) < loss(assembled(made, task, 0.25))
    assert torch.equal(found, searched(made, task, 0.25, some, seed=0))
