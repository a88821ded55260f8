"""Early stopping: what is the best epoch, and when a training ends."""

import math

import pytest
import torch
from torch import nn

from qd.testing.stacks import assert_close
from qd.training import EarlyStopping, TrainingOptions, build_seeded, train_alone, train_stack
from qd.training.stopping import BestEpochs
from qd.training.vmapped import VmapStack

NAN = math.nan


@pytest.mark.parametrize(
    ("patience", "losses", "kept", "epochs"),
    [
        (1, [3, 2, 2, 1], 2, 3),  # an equal loss is no better
        (2, [3, 2, 4, 1, 5, 5, 0], 4, 6),
        (3, [5, 4, 3, 2], 4, 4),
        (2, [NAN, NAN, NAN, 1], 1, 3),
        (2, [NAN, 3, NAN, NAN, 1], 2, 4),
        (2, [math.inf, 3], 2, 2),
    ],
)
def test_the_best_epoch_is_kept_until_patience_is_spent(patience, losses, kept, epochs):
    best = BestEpochs(patience)
    seen = 0
    for seen, loss in enumerate(losses, 1):
        if best.judge([loss], lambda _, seen=seen: {"epoch": torch.tensor(seen)}):
            break
    assert (best.states[0]["epoch"], seen) == (kept, epochs)


def test_of_a_stack_each_keeps_its_own_and_the_last_one_ends_it():
    best = BestEpochs(2, 3)
    rows = [[3, 9, 1], [2, 8, 2], [3, 7, 2], [4, 6, 0], [0, 7, 0], [0, 7, 0]]  # the first and third are stopped by then
    ended = [
        best.judge(row, lambda _, number=number: {"epoch": torch.tensor(number)}) for number, row in enumerate(rows)
    ]
    assert ended == [False] * 5 + [True]
    assert [int(state["epoch"]) for state in best.states] == [1, 3, 0]


class Counting(nn.Module):
    """Counts the steps that it was trained for; has a buffer, which belongs to an epoch as weights do."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(4, 3)
        self.steps = nn.Buffer(torch.zeros(()))
        self.modes: list[bool] = []

    def forward(self, x):
        self.modes.append(self.training)
        return self.line(x)

    def after_step(self, step, steps):
        self.steps += 1


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(3)
    inputs = torch.randn(90, 4, generator=generator, dtype=torch.float64)
    targets = torch.randint(0, 3, (90,), generator=generator)
    return inputs[:60], targets[:60], (inputs[60:], targets[60:])


def options(**changes) -> TrainingOptions:
    return TrainingOptions(**{"epochs": 12, "batch_size": 20, "learning_rate": 0.3, "schedule": "constant", **changes})


@torch.no_grad()
def loss(network: nn.Module, examples: tuple[torch.Tensor, torch.Tensor]) -> float:
    return float(nn.functional.cross_entropy(network(examples[0]), examples[1]))


def test_a_network_ends_with_what_the_plain_loop_has_after_its_best_epoch(data):
    inputs, targets, validation = data
    losses, networks = [], []
    for epochs in range(1, 13):
        networks.append(build_seeded(Counting, 0).double())
        train_alone(networks[-1], inputs, targets, options(epochs=epochs), "cross_entropy", 5)
        losses.append(loss(networks[-1], validation))
    best = losses.index(min(losses))
    assert 1 <= best < 8, "this training was to be at its best somewhere in the middle"
    stopped = Counting()
    stopped.load_state_dict(build_seeded(Counting, 0).state_dict())
    stopped.double()
    train_alone(
        stopped, inputs, targets, options(early_stopping=EarlyStopping(4)), "cross_entropy", 5, validation=validation
    )
    assert_close(stopped.state_dict(), networks[best].state_dict(), 0.0)
    assert stopped.modes.count(True) == 3 * (best + 1 + 4), "it was to end as its patience is spent"
    assert stopped.training


@pytest.mark.parametrize("fidelity", [0.5, 0.3, 0.01])
def test_a_part_of_the_epochs_is_judged_as_well(data, fidelity):
    inputs, targets, validation = data
    stopping = options(early_stopping=EarlyStopping(12))
    network, losses = build_seeded(Counting, 0).double(), []
    train_alone(network, inputs, targets, stopping, "cross_entropy", 5, fidelity, validation=validation)
    ends = sorted({*range(3, stopping.steps(60, fidelity), 3), stopping.steps(60, fidelity)})
    for steps in ends:
        plain = build_seeded(Counting, 0).double()
        train_alone(plain, inputs, targets, options(), "cross_entropy", 5, fidelity=steps / 36)
        assert plain.steps == steps
        losses.append((loss(plain, validation), steps))
    assert network.steps == min(losses)[1]


def test_a_stack_ends_when_the_last_of_it_is_stopped(data):
    inputs, targets, validation = data
    rates = [0.3, 3.0, 0.01]
    several = [options(learning_rate=rate, early_stopping=EarlyStopping(2)) for rate in rates]

    class Lines(VmapStack):
        taken = 0

        def after_step(self, step, steps):
            self.taken += 1

    stack = Lines([build_seeded(lambda: nn.Linear(4, 3), seed).double() for seed in range(3)], inputs[:4])
    train_stack(stack, inputs, targets, several, "cross_entropy", 5, validation=validation)
    taken = []
    for index, one in enumerate(several):
        line = build_seeded(lambda: nn.Linear(4, 3), index).double()
        vars(line)["after_step"] = lambda step, steps: taken.append(index)  # noqa: B023 - called within this turn
        train_alone(line, inputs, targets, one, "cross_entropy", 5, validation=validation)
        assert_close(stack.unstack(index), line.state_dict(), 1e-9)
    assert stack.taken == max(taken.count(index) for index in range(3))
    assert len({taken.count(index) for index in range(3)}) > 1, "they were to stop at different times"


def test_it_needs_validation_examples(data):
    with pytest.raises(ValueError, match="early_stopping: expected validation examples to judge epochs by, got none"):
        train_alone(nn.Linear(4, 3), data[0], data[1], options(early_stopping=EarlyStopping(1)), "cross_entropy", 5)
