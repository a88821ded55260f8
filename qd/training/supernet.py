"""Trains a bank of weights, so that networks of a space can be judged without a training of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from search_spaces.base import Genotype, Invalid, SearchSpace, Task
from search_spaces.genes import copy_tree
from search_spaces.genes.extremes import extreme

from .alone import build_seeded
from .bank import Bank
from .batches import minibatches
from .held import Held, hold
from .inputs import Inputs
from .losses import Objective
from .optimiser import make_optimiser, set_learning_rates
from .options import TrainingOptions

Draw = Callable[[np.random.Generator], Sequence[Genotype]]
"""Genotypes of the networks of one step."""
TRIES = 100
"""How often a network is drawn until one is possible."""
STATISTICS = 50
"""Minibatches from which the statistics of a network's norms are measured."""


@dataclass(frozen=True)
class BankOptions:
    """How a bank is trained; everything else is as in the training of a network alone.

    Args:
        epochs: passes over the training examples, at least 1.
        networks: in each step, at least 1: one of the largest and one of the smallest, where there are 3 or more (the
            sandwich rule of BigNAS, Yu et al., arXiv 2003.11142, without its distillation), and random ones.
        keep: steps after which they are drawn anew, at least 1: to draw and build them takes as long as a few steps.
        seed: of everything that is drawn, in [0, 2**53).
    """

    epochs: int = 50
    networks: int = 4
    keep: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "networks", "keep"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")
        if not 0 <= self.seed < 2**53:
            raise ValueError(f"seed: expected a whole number in [0, 2**53), got {self.seed}")


def sandwich(space: SearchSpace, networks: int) -> Draw:
    """Draw one of the largest networks of a space, one of the smallest, and random ones; see `BankOptions`.

    The random ones are such that they can be trained in one stack, if others than the first are found.
    """

    def draw(rng: np.random.Generator) -> list[Genotype]:
        found = [extreme(space.genes, rng, largest) for largest in (True, False)][: max(0, networks - 1)]
        first = space.genes.sample(rng)
        found.append(first)
        signature = space.stack_signature(first)
        while len(found) < networks:
            drawn = (space.genes.sample(rng) for _ in range(TRIES))
            found.append(next((one for one in drawn if space.stack_signature(one) == signature), first))
        return found

    return draw


def train_bank(
    bank: Bank,
    space: SearchSpace,
    task: Task,
    inputs: Inputs,
    targets: Tensor,
    options: TrainingOptions,
    given: BankOptions,
    draw: Draw | None = None,
) -> None:
    """Train a bank in place, and let it grow to the largest networks that are drawn.

    In each step some networks have their slices, and the mean of their losses on one minibatch is descended; the
    optimiser sees the bank alone. Experts of routed modules are put into random slots of the bank: where they had the
    first ones, late ones would be trained seldom, as AutoMoE's are. What modules change by themselves while they are
    trained (`after_step`) does not happen.

    Args:
        bank: may be empty.
        space: builds networks, and stacks of them where it can.
        task: what the networks are for.
        inputs: (examples, *input_shape) on the device to train on.
        targets: (examples, ...).
        options: how to train, but for `epochs`; `early_stopping` has no effect.
        given: how many epochs and networks, and the seed.
        draw: gives the genotypes of a step; default: `sandwich`.

    Raises:
        ValueError: no network that was drawn is possible, or the space has tensors of one name with other numbers of
            axes.
    """
    options = replace(options, epochs=given.epochs, early_stopping=None)
    steps = options.steps(len(inputs))
    rng = np.random.default_rng(given.seed)
    objective = Objective.of(task.loss, options, targets)
    optimiser: _BankOptimiser | None = None
    draw = draw or sandwich(space, given.networks)
    held: list[Held] = []
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(given.seed)
        for step, rows in enumerate(minibatches(len(inputs), options.batch_size, steps, given.seed, inputs.device)):
            x, wanted = inputs[rows], targets[rows]
            if options.augmentation is not None:
                x = options.augmentation.apply(x, given.seed, step)
            if step % given.keep == 0:
                old = dict(bank.tensors)
                held = hold(bank, space, task, _possible(space, task, draw, rng), inputs, rng)
                if optimiser is not None:
                    optimiser.replace([(old.get(key), new) for key, new in bank.tensors.items()])
            optimiser = optimiser or _BankOptimiser(bank, options)
            optimiser.begin(step, steps)
            networks = sum(len(one.places) for one in held)
            for one in held:
                one.load(bank)
                with options.autocast(inputs.device):
                    loss = one.loss(objective, x, wanted)
                (loss / networks).backward()
                one.give_gradients(bank)
            optimiser.end()


@torch.no_grad()
def measure_statistics(network: nn.Module, inputs: Inputs, batch_size: int, seed: int = 0) -> None:
    """Measure the running statistics of a network's batch norms on training examples; others have none.

    Inherited weights come without them, and another network's would not fit.

    Args:
        network: in any mode; it is left in evaluation mode.
        inputs: (N, *input_shape), for training.
        batch_size: of the minibatches, at most 50 of them.
        seed: of their order.
    """
    norms = [module for module in network.modules() if isinstance(module, _NormBase) and module.track_running_stats]
    network.eval()
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # averages all minibatches alike
        norm.train()
    of_epoch = max(1, len(inputs) // batch_size)
    for rows in minibatches(len(inputs), batch_size, min(STATISTICS, of_epoch), seed, inputs.device):
        network(inputs[rows])
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()


class _BankOptimiser:
    """The optimiser of a bank whose tensors may be replaced by larger ones."""

    def __init__(self, bank: Bank, options: TrainingOptions) -> None:
        self._bank, self._options = bank, options
        self._torch = make_optimiser([(tensor, ()) for tensor in bank.tensors.values()], [options])

    def replace(self, tensors: Sequence[tuple[Tensor | None, Tensor]]) -> None:
        """Take tensors in place of older, smaller ones, or of none; what is new has moments of 0."""
        held = self._torch.param_groups[0]["params"]
        for old, new in tensors:
            if old is None:
                held.append(new)
            if old is None or old is new:
                continue
            held[next(index for index, tensor in enumerate(held) if tensor is old)] = new
            state = self._torch.state.pop(old, {})
            for name, value in state.items():
                if isinstance(value, Tensor) and value.shape == old.shape:
                    state[name] = torch.zeros_like(new)
                    state[name][tuple(slice(0, size) for size in old.shape)] = value
            if state:
                self._torch.state[new] = state

    def begin(self, step: int, steps: int) -> None:
        """Before the losses of a step."""
        set_learning_rates(self._torch, step, steps)
        self._torch.zero_grad()

    def end(self) -> None:
        """After them."""
        if self._options.clip is not None:
            nn.utils.clip_grad_norm_(self._bank.tensors.values(), self._options.clip)
        self._torch.step()


def _possible(space: SearchSpace, task: Task, draw: Draw, rng: np.random.Generator) -> list[tuple[Genotype, nn.Module]]:
    """Genotypes of a draw and their networks, others in place of those that cannot be."""
    found = []
    for genotype in draw(rng):
        error: Invalid | None = None
        for _ in range(TRIES):
            try:
                network = build_seeded(lambda one=genotype: space.build(copy_tree(one), task), int(rng.integers(2**53)))
                found.append((genotype, network))
                break
            except Invalid as reason:
                error, drawn = reason, draw(rng)
                genotype = drawn[int(rng.integers(len(drawn)))]
        else:
            raise ValueError(f"the bank: none of {TRIES} networks that were drawn is possible ({error})") from error
    return found
