import numpy as np
import pytest
import torch
from torch import nn

from qd.training import Augmentation, TrainingOptions, build_seeded, minibatches, train_alone
from search_spaces import Task
from search_spaces.shelf import MixtureOfExperts
from search_spaces.sparse_moe import SparseMoE
from search_spaces.task import Classes, Vector

GENOTYPE = {
    "width": 8,
    "activation": "relu",
    "layers": [
        {"kind": "moe", "experts": [8, 12, 9], "top_k": 1, "residual": False},
        {"kind": "moe", "experts": [10, 8], "top_k": 2, "residual": True},
    ],
}


def network(balance: float = 0.1, seed: int = 0) -> nn.Module:
    return build_seeded(lambda: SparseMoE(balance).build(GENOTYPE, Task(Vector(6), Classes(3))), seed).double()


def data() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(9)
    inputs = torch.randn(64, 6, generator=generator, dtype=torch.float64)
    return inputs, inputs[:, :3].argmax(1)


def difference(a: nn.Module, b: nn.Module) -> float:
    pairs = zip(a.parameters(), b.parameters(), strict=True)
    return max(float((x - y).detach().norm() / y.detach().norm()) for x, y in pairs)


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("adam", lambda p: torch.optim.Adam(p, 0.01, weight_decay=0.02)),
        ("adamw", lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.02)),
        ("sgd", lambda p: torch.optim.SGD(p, 0.01, momentum=0.9, weight_decay=0.02)),
    ],
)
def test_equals_a_loop_written_by_hand_with_torchs_optimisers(name, reference):
    inputs, targets = data()
    trained, expected = network(), network()
    options = TrainingOptions(3, 16, name, 0.01, 0.02, "cosine")
    train_alone(trained, inputs, targets, options, "cross_entropy", shared_seed=4)

    optimiser = reference(expected.parameters())
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=12)
    for rows in minibatches(64, 16, 12, seed=4):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(expected(inputs[rows]), targets[rows])
        for place in ("layers.0", "layers.1.layer"):
            mixture = expected.get_submodule(place)
            assert isinstance(mixture, MixtureOfExperts) and mixture.auxiliary_loss is not None
            loss = loss + mixture.auxiliary_loss
        loss.backward()
        optimiser.step()
        scheduler.step()
    assert difference(trained, expected) < 1e-12
    assert difference(trained, network()) > 1e-3


@pytest.mark.parametrize(
    "change",
    [
        {"label_smoothing": 0.2},
        {"clip": 0.5},
        {"class_weights": "balanced"},
        {"label_smoothing": 0.2, "class_weights": "balanced", "clip": 0.5},
    ],
)
def test_options_equal_what_a_person_would_write(change):
    inputs, targets = data()
    targets[targets == 2] = 0  # no example of the last class
    trained, expected, without = network(0.0), network(0.0), network(0.0)
    options = TrainingOptions(3, 16, "adam", 0.01, schedule="constant", **change)
    train_alone(trained, inputs, targets, options, "cross_entropy", shared_seed=4)
    train_alone(without, inputs, targets, TrainingOptions(3, 16, "adam", 0.01, schedule="constant"), "cross_entropy", 4)

    zero, one = (targets == 0).sum().item(), (targets == 1).sum().item()
    weight = torch.tensor([32 / zero, 32 / one, 0], dtype=torch.float64) if "class_weights" in change else None
    smoothing = change.get("label_smoothing", 0.0)
    optimiser = torch.optim.Adam(expected.parameters(), 0.01)
    for rows in minibatches(64, 16, 12, seed=4):
        optimiser.zero_grad()
        nn.functional.cross_entropy(expected(inputs[rows]), targets[rows], weight, label_smoothing=smoothing).backward()
        if "clip" in change:
            nn.utils.clip_grad_norm_(expected.parameters(), 0.5)
        optimiser.step()
    assert difference(trained, expected) < 1e-12 < 1e-3 < difference(trained, without)


def test_class_weights_of_texts():
    inputs, targets = torch.randint(10, (60, 5), generator=torch.Generator().manual_seed(0)), torch.arange(60) // 40
    layers = lambda: nn.Sequential(nn.Embedding(10, 4), nn.Flatten(), nn.Linear(20, 2))  # noqa: E731
    trained, expected = build_seeded(layers, 0), build_seeded(layers, 0)
    options = TrainingOptions(2, 60, "sgd", 0.1, schedule="constant", class_weights="balanced")
    train_alone(trained, inputs, targets, options, "cross_entropy", shared_seed=4)
    optimiser = torch.optim.SGD(expected.parameters(), 0.1, momentum=0.9)
    for _ in range(2):
        optimiser.zero_grad()
        nn.functional.cross_entropy(expected(inputs), targets, torch.tensor([0.75, 1.5])).backward()
        optimiser.step()
    assert difference(trained, expected) < 1e-6


def test_augmented_minibatches_are_what_is_trained_on():
    inputs, targets = torch.randn(64, 4, 3, dtype=torch.float64), torch.arange(64) % 3
    trained, expected = (build_seeded(lambda: nn.Sequential(nn.Flatten(), nn.Linear(12, 3)), 0).double() for _ in "ab")
    augmentation = Augmentation(jitter=0.1, scale=0.2)
    options = TrainingOptions(3, 16, "sgd", 0.1, schedule="constant", augmentation=augmentation)
    train_alone(trained, inputs, targets, options, "cross_entropy", shared_seed=4)
    optimiser = torch.optim.SGD(expected.parameters(), 0.1, momentum=0.9)
    for step, rows in enumerate(minibatches(64, 16, 12, seed=4)):
        optimiser.zero_grad()
        nn.functional.cross_entropy(expected(augmentation.apply(inputs[rows], 4, step)), targets[rows]).backward()
        optimiser.step()
    assert difference(trained, expected) < 1e-12


def test_auxiliary_losses_take_part():
    inputs, targets = data()
    trained = []
    for balance in (0.0, 1.0):
        trained.append(network(balance))
        train_alone(trained[-1], inputs, targets, TrainingOptions(2, 16), "cross_entropy", shared_seed=1)
    assert difference(*trained) > 1e-6


def test_fidelity_trains_for_fewer_steps():
    inputs, targets = data()
    half, short = network(), network()
    train_alone(half, inputs, targets, TrainingOptions(4, 16), "cross_entropy", 1, fidelity=0.5)
    train_alone(short, inputs, targets, TrainingOptions(2, 16), "cross_entropy", 1)
    assert difference(half, short) == 0


def test_mean_squared_error_fits_a_line():
    rng = np.random.default_rng(0)
    inputs = torch.from_numpy(rng.normal(size=(200, 2)))
    targets = inputs @ torch.tensor([[2.0], [-3.0]], dtype=torch.float64) + 1
    line = nn.Linear(2, 1).double()
    options = TrainingOptions(60, 20, "sgd", 0.05, schedule="cosine")
    train_alone(line, inputs, targets, options, "mean_squared_error", shared_seed=0)
    assert line.weight.tolist() == [pytest.approx([2, -3])] and line.bias.item() == pytest.approx(1)


def test_initialisation_comes_from_the_seed_and_leaves_the_global_generator_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    a, b, other = network(seed=2**53 - 1), network(seed=2**53 - 1), network(seed=7)
    assert torch.equal(torch.rand(3), expected)
    assert difference(a, b) == 0 < difference(a, other)
