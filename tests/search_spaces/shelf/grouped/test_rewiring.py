import itertools

import pytest
import torch

from search_spaces.shelf.grouped.rewiring import Rewiring, is_rewiring_step, rewire


def test_the_weakest_are_pruned_and_those_with_the_greatest_gradient_regrow():
    weight = torch.tensor([[5.0, -1, 0, 0], [2, -3, 0, 0]])
    mask = torch.tensor([[1.0, 1, 0, 0], [1, 1, 0, 0]])
    gradient = torch.tensor([[9.0, 9, 1, -4], [9, 9, 2, 3]])
    rewire(weight, mask, weight.abs(), gradient.abs(), 2)
    assert mask.tolist() == [[1, 0, 0, 1], [0, 1, 0, 1]]
    assert weight.tolist() == [[5, 0, 0, 0], [0, -3, 0, 0]]


def test_among_equals_the_lowest_index_goes_first():
    weight = torch.tensor([[1.0, -1, 1, 0, 0, 0]]).repeat(50, 1)
    mask = (weight != 0).float()
    rewire(weight, mask, weight.abs(), torch.zeros(50, 6), 40)
    first = torch.zeros(300)
    first[[6 * row + column for row in range(50) for column in (0, 1, 2)][40:]] = 1
    first[[6 * row + column for row in range(50) for column in (3, 4, 5)][:40]] = 1
    assert mask.flatten().equal(first)


@pytest.mark.parametrize("steps", [8, 100, 141])
def test_rewiring_is_over_after_three_quarters_of_the_training(steps):
    at = [step + 1 for step in range(steps) if is_rewiring_step(step, steps)]
    assert len(at) == 6
    assert at[-1] <= 0.75 * steps
    assert {b - a for a, b in itertools.pairwise(at)} == {at[0]}


def test_a_short_training_rewires_at_its_first_steps():
    assert [is_rewiring_step(step, 3) for step in range(3)] == [True] * 3


def test_a_fraction_never_replaces_more_than_are_absent():
    assert Rewiring(0.9, 0.5).replaced(100) == 10
    assert Rewiring(0.5, 0.1).replaced(100) == 5
    assert Rewiring(0.01, 0.5).present(20) == 1
