"""NN-Factory: an assembler that opens a supernet's modules for a task and a budget, against tuning for each task.

We know the paper's abstract alone: a supernet whose pretrained modules are opened by conditions, an assembler that is
told task and sparsity, and a search for the best way to assemble. All details are ours: what a module is, binary gates
with the gradient of their odds, the price on the distance from a budget, and the search.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from evaluators.data.fashion_mnist import FashionMNIST
from evaluators.data.split import Part, Split
from qd.training import EarlyStopping, TrainingOptions, build_seeded, train_alone
from qd.training.optimiser import make_optimiser
from qd.training.step import TrainingStep

from .. import Claim, Found, Numbers, difference, mean, tensors
from .making import CANDIDATES, FEWEST, MOST, PRICE, SWAPS, Data, assembled, joint_loss, searched
from .supernet import CLASSES, MODULES, WIDTHS, Factory, Network

DATA = FashionMNIST(split=Split(train=4000, validation=2000))
LIMITS, TASKS = (0.125, 0.25), 4
"""Shares of all modules' multiply-adds that may be used, and tasks that are tried, which training has not seen."""
MODULES_FIRST = TrainingOptions(10, 50, learning_rate=0.005)
JOINT = TrainingOptions(20, 50, learning_rate=0.005)
GENERAL = TrainingOptions(30, 50, learning_rate=0.005)
TUNING = TrainingOptions(20, 50, learning_rate=0.001, early_stopping=EarlyStopping(4))
FASTER = 10
"""Times less CPU time that count as seconds in place of minutes."""
SCORED = 400
"""Validation images by which a search compares gates."""


@cache
def images(part: Part) -> Data:
    """Of 14 x 14 pixels."""
    inputs, targets = tensors(DATA, part)
    return nn.functional.avg_pool2d(inputs, 2), targets


@cache
def tasks(seed: int) -> Tensor:
    """Sets of classes to be told apart: (TASKS, K) bool."""
    rng = np.random.default_rng(seed)
    found = torch.zeros(TASKS, CLASSES, dtype=torch.bool)
    for row in found:
        row[rng.permutation(CLASSES)[: rng.integers(FEWEST, MOST + 1)].tolist()] = True
    return found


def of_task(part: Part, task: Tensor) -> Data:
    """The images of a task's classes, which are numbered anew."""
    inputs, targets = images(part)
    there = task[targets]
    return inputs[there], (task.cumsum(0) - 1)[targets[there]]


@cache
def factory(seed: int) -> tuple[Factory, float]:
    """Supernet and assembler, trained together, and the CPU seconds that it took."""
    inputs, targets = images(Part.TRAIN)
    start = time.process_time()
    found = build_seeded(Factory, seed)
    assert isinstance(found, Factory)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        for at_random, options in ((True, MODULES_FIRST), (False, JOINT)):
            optimiser = make_optimiser([(one, [0] * len(one)) for one in found.parameters()], [options])
            loss = joint_loss(found, tasks(seed), at_random)
            TrainingStep(loss, inputs, targets, optimiser, None, options, [], options.steps(len(inputs)), seed).all()
    return found, time.process_time() - start


@cache
def general(seed: int, limit: float) -> tuple[Network, float]:
    """A network of equally many modules in each block, as many as the limit allows, trained on all classes."""
    inputs, targets = images(Part.TRAIN)
    start = time.process_time()
    found = build_seeded(lambda: Network(round(limit * MODULES)), seed)
    assert isinstance(found, Network)
    train_alone(found, inputs, targets, GENERAL, "cross_entropy", seed)
    return found, time.process_time() - start


def tuned(network: nn.Module, task: Tensor, seed: int) -> nn.Module:
    """Train on the images of a task's classes until validation images of theirs are told no better."""
    validation = of_task(Part.VALIDATION, task)
    train_alone(network, *of_task(Part.TRAIN, task), TUNING, "cross_entropy", seed, validation=validation)
    return network


@torch.no_grad()
def accuracy(network: nn.Module, task: Tensor, part: Part) -> float:
    """On the images of a task's classes, in percent."""
    inputs, targets = of_task(part, task)
    return 100 * float((network.eval()(inputs).argmax(1) == targets).double().mean())


def found(seed: int, limit: float, task: Tensor) -> nn.Module:
    """NN-Factory: assembled, and searched."""
    made, (inputs, targets) = factory(seed)[0], of_task(Part.VALIDATION, task)
    gates = searched(made, task, limit, (inputs[:SCORED], targets[:SCORED]), seed)
    return made.supernet.only(gates, task)


def for_classes(classes: Tensor, seed: int, limit: float, task: Tensor) -> nn.Module:
    """What the assembler opens for some classes, asked for those of a task."""
    made = factory(seed)[0]
    return made.supernet.only(assembled(made, classes, limit), task)


def others(task: Tensor) -> Tensor:
    """As many classes as a task has, and none of its own."""
    return ~task & ((~task).cumsum(0) <= task.sum())


def cut(seed: int, limit: float, task: Tensor) -> nn.Module:
    """The network for all classes, asked for those of a task."""
    network = general(seed, limit)[0]
    every = torch.ones(len(WIDTHS) * round(limit * MODULES), dtype=torch.bool)
    return network.only(every, task)


def ahead_of_factory(seed: int) -> float:
    """CPU seconds."""
    return factory(seed)[1]


def ahead_of_general(seed: int) -> float:
    """CPU seconds, of a network for each limit."""
    return sum(general(seed, limit)[1] for limit in LIMITS)


def arm(make: Callable[[int, float, Tensor], nn.Module], ahead: Callable[[int], float]) -> Callable[[int], Numbers]:
    """Accuracies on the test split, means over the tasks, and what is computed for a network and ahead of all."""

    def measure(seed: int) -> Numbers:
        before, seconds = ahead(seed), 0.0
        for part in Part:
            images(part)
        scores: Numbers = {}
        for limit in LIMITS:
            start = time.process_time()
            networks = [make(seed, limit, task) for task in tasks(seed)]
            seconds += time.process_time() - start
            values = [accuracy(one, task, Part.TEST) for one, task in zip(networks, tasks(seed), strict=True)]
            scores[f"accuracy at {limit:.1%}"] = statistics.mean(values)
        scores["mean accuracy"] = statistics.mean(scores.values())
        each = seconds / len(LIMITS) / TASKS
        return {**scores, "CPU seconds for a network": each, "CPU seconds ahead of all": before}

    return measure


def verdict(found: Found) -> tuple[str, str]:
    """Holds: no less accurate than tuning by two standard errors, in a tenth of the time."""
    gap, error = difference(found, "NN-Factory", "tuned", "mean accuracy")
    alone, slack = difference(found, "assembler alone", "tuned", "mean accuracy")
    plain, doubt = difference(found, "NN-Factory", "not tuned", "mean accuracy")
    own, blur = difference(found, "assembler alone", "assembled for other classes", "mean accuracy")
    more, noise = difference(found, "NN-Factory, then tuned", "tuned", "mean accuracy")
    seconds, before = "CPU seconds for a network", "CPU seconds ahead of all"
    tuning, finding = mean(found, "tuned", seconds), mean(found, "NN-Factory", seconds)
    why = (
        f"NN-Factory is {gap:+.2f} ± {error:.2f} points of test accuracy from tuning, in {tuning / finding:.1f} times"
        f" less CPU time for a network ({finding:.2f} s against {tuning:.2f} s); the assembler without a search is"
        f" {alone:+.2f} ± {slack:.2f} points from it, in {tuning / mean(found, 'assembler alone', seconds):.0f} times"
        f" less. Against a network of this size that nobody tuned NN-Factory is {plain:+.2f} ± {doubt:.2f} points. What"
        f" the assembler opens for a task is {own:+.2f} ± {blur:.2f} points from what it opens for as many other"
        f" classes, so {'it tells tasks apart' if own > 2 * blur else 'it hardly tells tasks apart'}. Tuned in turn,"
        f" NN-Factory's networks are {more:+.2f} ± {noise:.2f} points from the others that were tuned. Ahead of all"
        f" tasks supernet and assembler take {mean(found, 'NN-Factory', before):.0f} CPU seconds, and a network for"
        f" each limit {mean(found, 'tuned', before):.0f}. Holds: no less accurate than tuning by two standard errors,"
        " in a tenth of the time."
    )
    if gap < -2 * error:
        return "does not hold", why
    return ("holds" if tuning >= FASTER * finding else "undecided"), why


CLAIM = Claim(
    system="NN-Factory (Xu et al., arXiv 2308.15003)",
    claim=(
        "A supernet of modules, and an assembler that opens some of them for a task and a budget, give networks as good"
        " as those that are tuned for each task, in seconds and not minutes."
    ),
    test=(
        "Fashion-MNIST at 14 x 14 pixels, 4,000 training images, 2,000 for search and early stopping. A task is a set"
        f" of {FEWEST} to {MOST} classes, {TASKS} in each seed, which training does not see; limits are 12.5% and 25%"
        f" of the multiply-adds of all modules. Supernet: four residual blocks of {MODULES} modules, each a 3 x 3 and a"
        " pointwise convolution; assembler: a perceptron from classes and budget to odds of gates. Modules are trained"
        f" with random gates for {MODULES_FIRST.epochs} epochs, then all together for {JOINT.epochs}, a task and a"
        f" budget for each image, by binary gates with the gradient of their odds, and {PRICE:.0f} times the distance"
        f" from the budget. Search: {CANDIDATES} draws of the assembler and {SWAPS} swaps of modules, on {SCORED}"
        f" validation images. Control: a network of the limit's size, trained for {GENERAL.epochs} epochs on all"
        " classes, tuned for each task until validation images stop it. Deviations: we know the abstract alone, so all"
        " details are ours; multiply-adds in place of a measured latency; image classes in place of the paper's tasks."
    ),
    arms={
        "NN-Factory": arm(found, ahead_of_factory),
        "assembler alone": arm(lambda seed, limit, task: for_classes(task, seed, limit, task), ahead_of_factory),
        "assembled for other classes": arm(
            lambda seed, limit, task: for_classes(others(task), seed, limit, task), ahead_of_factory
        ),
        "NN-Factory, then tuned": arm(
            lambda seed, limit, task: tuned(found(seed, limit, task), task, seed), ahead_of_factory
        ),
        "not tuned": arm(cut, ahead_of_general),
        "tuned": arm(lambda seed, limit, task: tuned(cut(seed, limit, task), task, seed), ahead_of_general),
    },
    verdict=verdict,
    seeds=3,
    digits=2,
)
