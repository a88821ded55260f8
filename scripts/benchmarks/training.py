"""Training a population: candidates per CPU-second, one thread, stacked against the ways people train them today.

For each mix of random genotypes, interleaved in rounds: (a) one `nn.Module`, one default Adam, one loop a candidate,
(a') the same with the fused Adam, (b) `torch.func.vmap` where architectures are equal, (c) this trainer, which measures
by itself whether stacks pay, as in a search. CPU-seconds are those of the process, building included and measuring left
out. Then the mean validation accuracy of 100 candidates trained either way, and the share of the best rate of matrix
products that the trainer's useful work reaches.
"""

from __future__ import annotations

import copy
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from evaluators.data import Split
from evaluators.data.fashion_mnist import FashionMNIST
from evaluators.data.shakespeare import Shakespeare
from evaluators.supervised import Supervised
from qd.metrics.macs import macs
from qd.metrics.routing import predict
from qd.metrics.uses import uses_of
from qd.training import Planner, StackSize, TrainingOptions, build_seeded, minibatches, train_population
from qd.training.alone import train_alone
from qd.training.device import pin_threads
from qd.training.step import step_of_network
from qd.training.vmapped import Unstackable, VmapStack
from search_spaces import SearchSpace
from search_spaces.chain import Chain
from search_spaces.conv_blocks import ConvBlocks
from search_spaces.flops import FlopCounter
from search_spaces.grouped_mlp import GroupedMLP
from search_spaces.shelf.base import ShelfModule
from search_spaces.shelf.kinds import modules_of
from search_spaces.sparse_moe import SparseMoE

from .examples import BreastCancer, Sines
from .figures import Figure

ROUNDS = 4
K = 64
"""Candidates: the trainer trains all of them in each round, the slow plain loops another part in each."""
ACCURACY_CANDIDATES = 100


@dataclass(frozen=True)
class Mix:
    """A space on a data set, and what is to be reached: (c) / (a), and the share of the peak.

    "table" is `sparse_moe` on vectors, "series" `grouped_mlp` on series; "tokens" and "image shelf" are `chain` with
    all modules of a port, K = 32, tokens with 64 steps. The others are named by their space.
    """

    name: str
    space: SearchSpace
    evaluator: Supervised
    ratio: float
    share: float | None
    candidates: int = K
    accuracies: int = ACCURACY_CANDIDATES
    rounds: int = ROUNDS
    planner: Planner = field(default_factory=Planner)


def figures(names: Sequence[str] = ()) -> list[Figure]:
    """Figures of the mixes of these names; of all where there are none."""
    pin_threads()
    mixes = [
        Mix("grouped_mlp", GroupedMLP(), Supervised(training=TrainingOptions(epochs=10, batch_size=50)), 8, 0.25),
        Mix("sparse_moe", SparseMoE(), _fashion(epochs=2, batch_size=128, learning_rate=0.006), 4, 0.25),
        Mix("conv_blocks", ConvBlocks(), _fashion(epochs=1, batch_size=128, learning_rate=0.003), 2, None),
        Mix("table", SparseMoE(), Supervised(BreastCancer(), TrainingOptions(epochs=20, batch_size=32)), 4, None),
        Mix("tokens", Chain("tokens", _causal(), (16, 32), (1, 4)), _characters(), 2, None, 32, 16, 2),
        Mix(
            "image shelf",
            Chain("image", None, (16, 32), (1, 4)),
            _fashion(1280, epochs=1, batch_size=32),
            2,
            None,
            32,
            16,
            2,
        ),
        Mix("series", GroupedMLP(), Supervised(Sines(), TrainingOptions(epochs=8, batch_size=64)), 8, None),
    ]
    unknown = set(names) - {mix.name for mix in mixes}
    if unknown:
        raise SystemExit(f"there is no mix {', '.join(sorted(unknown))}; known: {', '.join(mix.name for mix in mixes)}")
    found: list[Figure] = []
    for mix in [mix for mix in mixes if not names or mix.name in names]:
        found += (measured := _measure(mix))
        print(*measured, sep="\n", file=sys.stderr, flush=True)  # it takes a quarter of an hour: say what there is
    return found


def _fashion(train: int = 10_000, **keys: Any) -> Supervised:
    split = Split(train=train, validation=5_000)
    return Supervised(FashionMNIST(split=split), TrainingOptions(**keys))


def _characters() -> Supervised:
    data = Shakespeare(steps=64, split=Split(train=320))
    return Supervised(data, TrainingOptions(epochs=1, batch_size=8, learning_rate=0.003))


def _causal() -> tuple[ShelfModule, ...]:
    return tuple(module for module in modules_of("tokens") if module.causal)


def _measure(mix: Mix) -> list[Figure]:
    mix.evaluator.bind(mix.space)
    rng = np.random.default_rng(0)
    genotypes = [mix.space.genes.sample(rng) for _ in range(mix.candidates)]
    rounds = mix.rounds
    parts = [genotypes[start::rounds] for start in range(rounds)]
    same = [[genotypes[0]] * mix.candidates] * rounds
    ways: dict[str, tuple[Callable[[Sequence[Any]], Any], list[list[Any]]]] = {
        "a": (lambda group: _plain(mix, group, fused=False), parts),
        "a'": (lambda group: _plain(mix, group, fused=True), parts),
        "b": (lambda group: _vmap(mix, group), same),
        "c": (lambda group: _population(mix, group), [genotypes] * rounds),
        "c of equal architectures": (lambda group: _population(mix, group), same),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    _population(mix, parts[0])  # compiles kernels
    for number in range(rounds):
        for name, (train, groups) in ways.items():
            started = time.process_time()
            if train(groups[number]) is None:
                continue
            rates[name].append(len(groups[number]) / (time.process_time() - started))
    # Parts of the candidates differ in cost: over all rounds, every way has trained the same ones.
    overall = {name: statistics.harmonic_mean(rates[name]) for name in ("a", "a'", "c")}
    plain = {name: [overall["c"] / overall[name]] for name in ("a", "a'")}
    found = [
        Figure(f"{mix.name}: (c) / (a), the plain loop with default Adam", plain["a"], "×", mix.ratio, "higher"),
        Figure(f"{mix.name}: (c) / (a'), the plain loop with fused Adam", plain["a'"], "×"),
    ]
    if rates["b"]:
        ratios = [c / b for c, b in zip(rates["c of equal architectures"], rates["b"], strict=True)]
        found.append(Figure(f"{mix.name}: (c) / (b), vmap, both on one architecture", ratios, "×"))
    found += [
        Figure(f"{mix.name}: ({name})", samples, "candidates/CPU-s") for name, samples in rates.items() if samples
    ]
    return found + _accuracies(mix) + _share_of_peak(mix, genotypes, rates["c"])


def _plain(mix: Mix, genotypes: Sequence[Any], fused: bool) -> list[torch.nn.Module]:
    """What a person would write: no stacks, and torch's own optimiser."""
    inputs, labels = mix.evaluator.training_examples
    options = mix.evaluator.options
    steps = options.steps(len(inputs))
    networks = []
    for seed, genotype in enumerate(genotypes):
        network = build_seeded(lambda genotype=genotype: mix.space.build(genotype, mix.evaluator.data.task), seed)
        optimiser = torch.optim.Adam(network.parameters(), options.learning_rate, fused=fused or None)
        optimiser.param_groups[0]["options"] = options
        take = step_of_network(network, inputs, labels, options, "cross_entropy", steps, 0, optimiser)
        for step, rows in enumerate(minibatches(len(inputs), options.batch_size, steps, 0)):
            take(step, rows)
        networks.append(network)
    return networks


def _population(mix: Mix, genotypes: Sequence[Any]) -> list[Any]:
    evaluator = mix.evaluator
    return train_population(
        mix.space,
        genotypes,
        range(len(genotypes)),
        evaluator.data.task,
        *evaluator.training_examples,
        evaluator.options,
        0,
        planner=mix.planner,
    )


def _vmap(mix: Mix, genotypes: Sequence[Any]) -> list[Any] | None:
    """The trainer's own vmap path, which a space without stacks takes; None where torch cannot vmap the network."""
    inputs, _ = mix.evaluator.training_examples
    networks = [mix.space.build(genotypes[0], mix.evaluator.data.task) for _ in range(2)]
    try:
        VmapStack(networks, inputs[:2])
    except Unstackable:
        return None

    class WithoutStacks(type(mix.space)):
        def stack_signature(self, genotype: Any) -> None:
            return None

    plain = copy.copy(mix.space)  # with the arguments that it has
    plain.__class__ = WithoutStacks
    evaluator = mix.evaluator
    seeds = range(len(genotypes))
    size = StackSize(most=len(genotypes))
    training = evaluator.training_examples
    return train_population(plain, genotypes, seeds, evaluator.data.task, *training, evaluator.options, 0, size=size)


def _accuracies(mix: Mix) -> list[Figure]:
    rng = np.random.default_rng(1)
    genotypes = [mix.space.genes.sample(rng) for _ in range(mix.accuracies)]
    inputs, labels = mix.evaluator.training_examples
    stacked = [result.network for result in _population(mix, genotypes)]
    alone = []
    for seed, genotype in enumerate(genotypes):
        network = build_seeded(lambda genotype=genotype: mix.space.build(genotype, mix.evaluator.data.task), seed)
        train_alone(network, inputs, labels, mix.evaluator.options, "cross_entropy", 0, seed=seed)
        alone.append(network)
    means = [100 * float(np.mean([_accuracy(mix, network) for network in networks])) for networks in (stacked, alone)]
    return [
        Figure(f"{mix.name}: mean validation accuracy of {mix.accuracies}, stacked", means[:1], "%"),
        Figure(f"{mix.name}: the same trained alone", means[1:], "%"),
        Figure(f"{mix.name}: their difference", [abs(means[0] - means[1])], "points", 0.5),
    ]


@torch.no_grad()
def _accuracy(mix: Mix, network: torch.nn.Module) -> float:
    inputs, labels = mix.evaluator._validation
    return float((network.eval()(inputs).argmax(-1) == labels).double().mean())


def _share_of_peak(mix: Mix, genotypes: Sequence[Any], rates: Sequence[float]) -> list[Figure]:
    """Useful arithmetic (no padding, nothing gated away) of forward and backward, per second, over the peak."""
    inputs, _ = mix.evaluator.training_examples
    options = mix.evaluator.options
    examples = options.steps(len(inputs)) * options.batch_size
    useful = []
    for seed, genotype in enumerate(genotypes):
        network = build_seeded(lambda genotype=genotype: mix.space.build(genotype, mix.evaluator.data.task), seed)
        _, routing = predict(network.eval(), inputs[:500])
        forward = 2 * macs(network, inputs[:1], uses_of(routing))
        with FlopCounter() as both:
            network(inputs[:1]).sum().backward()
        with FlopCounter() as once, torch.no_grad():
            network(inputs[:1])
        useful.append(forward * both.flops / once.flops)
    flops = float(np.mean(useful)) * examples
    peak = _peak()
    return [
        Figure("largest float32 matrix product", [peak / 1e9], "GFLOP/s"),
        Figure(f"{mix.name}: useful arithmetic of (c), share of that", [flops * rate / peak for rate in rates], "",
               mix.share, "higher"),
    ]  # fmt: skip


def _peak() -> float:
    matrix = torch.randn(2048, 2048)
    best = 0.0
    for _ in range(5):
        started = time.process_time()
        torch.mm(matrix, matrix)
        best = max(best, 2 * 2048**3 / (time.process_time() - started))
    return best
