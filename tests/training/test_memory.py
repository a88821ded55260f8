"""How many networks fit: on the CPU by rule and memory, on a card by this process's share of it."""

from __future__ import annotations

import torch
from torch import nn

from qd.training import StackSize
from qd.training.memory import MOST, MOST_ON_A_CARD, free_bytes, free_of_card, training_bytes

GIB = 2**30


def test_a_card_holds_more_than_a_processors_caches() -> None:
    assert StackSize().most_on(torch.device("cpu")) == MOST
    assert StackSize().most_on(torch.device("cuda")) == MOST_ON_A_CARD
    assert StackSize(most=5).most_on(torch.device("cuda")) == 5


def test_a_share_of_a_card_counts_what_this_process_holds_already() -> None:
    # alone on a card of 80 GiB, 70 free, 8 held of which 3 are in use: 5 may be used again
    assert free_of_card(70 * GIB, 80 * GIB, 1.0, 3 * GIB, 8 * GIB) == 75 * GIB
    # a quarter of it: 20 GiB, of which 3 are in use
    assert free_of_card(70 * GIB, 80 * GIB, 0.25, 3 * GIB, 8 * GIB) == 17 * GIB
    # neighbours have taken more than their shares
    assert free_of_card(2 * GIB, 80 * GIB, 0.25, 3 * GIB, 8 * GIB) == 7 * GIB
    assert free_of_card(0, 80 * GIB, 0.1, 9 * GIB, 9 * GIB) == 0


def test_without_a_limit_the_size_is_the_rules_alone() -> None:
    networks, inputs = [nn.Linear(2000, 2000)] * 3, torch.zeros(4, 2000)
    assert StackSize(bytes=0).of(networks, inputs, 100) == MOST
    assert StackSize(bytes=100 * 2**20).of(networks, inputs, 100) == 1
    assert StackSize().budget(inputs.device) <= free_bytes(inputs.device)


def test_a_training_takes_what_it_updates_and_what_backward_needs() -> None:
    network = nn.Sequential(nn.Linear(784, 12), nn.ReLU(), nn.Linear(12, 10))
    parameters, hidden = 784 * 12 + 12 + 12 * 10 + 10, 12
    for device in ("cpu", "meta"):
        inputs = torch.zeros(50, 784, device=device)
        found = training_bytes(network.to(device), inputs, 100)
        # Adam keeps four copies; of an example, the output of ReLU alone is kept, and as much again is at work on it
        assert found == 4 * (4 * parameters + 2 * 100 * hidden)
