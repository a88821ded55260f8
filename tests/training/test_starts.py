"""Networks begin with weights that were trained before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from qd.candidates import Start
from qd.testing.stacks import assert_close
from qd.training import EarlyStopping, Trained, TrainingOptions, Untrained, build_seeded, minibatches, train_population
from qd.training.inputs import draw_inputs, draw_targets
from qd.training.starts import begin_from
from search_spaces import Choice, SearchSpace, Struct, Task
from search_spaces.sparse_moe import SparseMoE
from search_spaces.task import Classes, Vector

TASK = Task(Vector(6), Classes(3))
OPTIONS = TrainingOptions(4, 20, "adam", 0.01, schedule="cosine")


class Perceptrons(SearchSpace):
    """One hidden layer."""

    genes = Struct(hidden=Choice(4, 8))

    def build(self, genotype, task):
        return nn.Sequential(nn.Linear(6, genotype["hidden"]), nn.Tanh(), nn.Linear(genotype["hidden"], task.outputs))


def data() -> tuple[Tensor, Tensor]:
    return draw_inputs(TASK, 100, 1, torch.float64), draw_targets(TASK, 100, 2)


def trained(space, genotypes, fidelity=1.0, starts=None, options=OPTIONS, validation=None):
    """The networks, and how many were trained together."""
    found = train_population(
        space, genotypes, range(len(genotypes)), TASK, *data(), options, 7, fidelity, None, validation, None, starts
    )
    return [network_of(one) for one in found], [one.stacked for one in found if isinstance(one, Trained)]


def network_of(one: Trained | Untrained) -> Any:
    assert isinstance(one, Trained)
    return one.network


def seeded(hidden: int, seed: int) -> nn.Module:
    return build_seeded(lambda: Perceptrons().build({"hidden": hidden}, TASK), seed)


def arrays(network: nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.numpy(force=True) for name, tensor in network.state_dict().items()}


def test_a_network_goes_on_as_a_loop_written_by_hand_does():
    [half], _ = trained(Perceptrons(), [{"hidden": 4}], 0.5)
    start = Start(arrays(half), 0.5)
    [whole], _ = trained(Perceptrons(), [{"hidden": 4}], 1.0, [start])
    expected = seeded(4, 0).double()
    expected.load_state_dict(half.state_dict())
    optimiser = torch.optim.Adam(expected.parameters())
    inputs, targets = data()
    for step, rows in enumerate(minibatches(100, 20, 20, 7)):
        if step < 10:
            continue
        optimiser.param_groups[0]["lr"] = OPTIONS.learning_rate_at(step, 20)
        optimiser.zero_grad()
        nn.functional.cross_entropy(expected(inputs[rows]), targets[rows]).backward()
        optimiser.step()
    assert_close(whole.state_dict(), expected.state_dict(), 1e-9)


@pytest.mark.parametrize("space", [Perceptrons(), SparseMoE()])
def test_stacks_go_on_as_networks_alone_do(space):
    rng = np.random.default_rng(3)
    genotypes = [space.genes.sample(rng) for _ in range(6)]
    first, _ = trained(space, genotypes, 0.5)
    starts = [Start(arrays(network), 0.5) for network in first]
    together, stacked = trained(space, genotypes, 1.0, starts)
    assert max(stacked) > 1
    for index, network in enumerate(together):
        found = train_population(space, [genotypes[index]], [index], TASK, *data(), OPTIONS, 7, starts=[starts[index]])
        assert_close(network.state_dict(), network_of(found[0]).state_dict(), 1e-9)


def test_who_starts_anew_is_not_mixed_with_who_goes_on():
    genotypes = [{"hidden": 4}] * 4
    first, _ = trained(Perceptrons(), genotypes, 0.5)
    starts = [Start(arrays(first[0]), 0.5), None, Start(arrays(first[2]), 0.5), None]
    mixed, stacked = trained(Perceptrons(), genotypes, 1.0, starts)
    assert stacked == [2, 2, 2, 2]
    anew, _ = trained(Perceptrons(), genotypes)
    assert_close(mixed[1].state_dict(), anew[1].state_dict(), 1e-9)
    assert not torch.allclose(mixed[0][0].weight, anew[0][0].weight)


def test_one_step_is_left_at_least_also_under_early_stopping():
    options = TrainingOptions(1, 100, early_stopping=EarlyStopping(1))  # an epoch is a step
    [first], _ = trained(Perceptrons(), [{"hidden": 4}], 0.5, options=options, validation=data())
    [second], _ = trained(Perceptrons(), [{"hidden": 4}], 1.0, [Start(arrays(first), 0.5)], options, validation=data())
    assert not torch.equal(first[0].weight, second[0].weight)


def test_of_another_network_the_common_prefix_is_taken_over():
    small, large, again = (seeded(size, seed) for size, seed in ((4, 4), (8, 8), (8, 8)))
    fresh = arrays(again)
    begin_from(large, Start(arrays(small)))
    grown, given = arrays(large), arrays(small)
    np.testing.assert_array_equal(grown["0.weight"], np.concatenate([given["0.weight"], fresh["0.weight"][4:]]))
    np.testing.assert_array_equal(grown["2.weight"][:, :4], given["2.weight"])
    np.testing.assert_array_equal(grown["2.weight"][:, 4:], fresh["2.weight"][:, 4:])
    shrunk = seeded(4, 1)
    begin_from(shrunk, Start(grown))
    assert all(np.array_equal(array, given[name]) for name, array in arrays(shrunk).items())


def test_buffers_frozen_parameters_and_other_shapes_stay():
    network = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2))
    network.get_parameter("1.weight").requires_grad = False
    before = arrays(network)
    begin_from(
        network,
        Start(
            {
                "0.running_mean": np.ones(3, np.float32),
                "0.weight": np.full((3, 1), 5, np.float32),
                "1.weight": np.full((2, 3), 5, np.float32),
                "1.bias": np.full(2, 5, np.float32),
                "elsewhere": np.ones(1, np.float32),
            }
        ),
    )
    for name, array in arrays(network).items():
        np.testing.assert_array_equal(array, [5, 5] if name == "1.bias" else before[name])


def test_weights_of_another_network_are_no_place_to_go_on_from():
    small, large = seeded(4, 0), seeded(8, 0)
    with pytest.raises(ValueError, match=r"weights to go on from do not fit(.|\n)*size mismatch for 0\.weight"):
        begin_from(large, Start(arrays(small), 0.5))
