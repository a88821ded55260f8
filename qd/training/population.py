"""Trains many networks at once: plans stacks, trains them, and hands each network back as if it had been alone.

The plain loop (`alone.train_alone`) defines what a trained network is; a stack computes the same, network by network.
Small networks leave a processor idle: the interpreter is the limit, not arithmetic, and a stack shares its cost.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from search_spaces.base import Genotype, Invalid, SearchSpace, Stack
from search_spaces.genes import copy_tree
from search_spaces.task import Loss, Task

from ..candidates import Curve, Start
from .alone import build_seeded, train_alone
from .device_steps import DeviceSteps, can_be_recorded, cuda_graph
from .inputs import Inputs
from .memory import StackSize
from .options import TrainingOptions
from .planner import Planner
from .starts import begin_from
from .step import TrainingStep, step_of_stack
from .vmapped import Unstackable, VmapStack, structure
from .watch import Examples, Scorer, watch_of

Untrained = Invalid | MemoryError | torch.OutOfMemoryError
"""Why there is no network."""


@dataclass(frozen=True)
class Trained:
    """A network in training mode, and the seconds that its training took: its share of the stack's."""

    network: nn.Module
    seconds: float
    stacked: int
    """How many networks were trained together with it, itself included."""
    curve: Curve | None = None
    """Its scores after every epoch; None where there are no `scores`."""
    seen: Any = None
    """What `look` made of it; None where it was trained alone."""


Look = Callable[[Any, Sequence[nn.Module]], Sequence[Any]]
"""Looks at a trained stack, in evaluation mode, and at its K networks, which have their weights: something of each."""


def train_population(
    space: SearchSpace,
    genotypes: Sequence[Genotype],
    seeds: Sequence[int],
    task: Task,
    inputs: Inputs,
    targets: Tensor,
    options: TrainingOptions,
    shared_seed: int,
    fidelity: float = 1.0,
    size: StackSize | None = None,
    validation: Examples | None = None,
    planner: Planner | None = None,
    starts: Sequence[Start | None] | None = None,
    scores: Scorer | None = None,
    look: Look | None = None,
) -> list[Trained | Untrained]:
    """Build and train a network for each genotype.

    Args:
        space: builds networks, and stacks of them where it can.
        genotypes: N; what they say of their own training (`training_options`) goes before `options`.
        seeds: N, each in [0, 2**53): the initialisation, and whatever a network draws while it is trained.
        task: what the networks are for.
        inputs: (examples, *input_shape) floats on the device to train on; networks get their type.
        targets: (examples,) int64 classes, or (examples, outputs) floats.
        options: how to train.
        shared_seed: orders the minibatches, and of augmentation.
        fidelity: share of the epochs, in (0, 1].
        size: how many networks a stack may hold.
        validation: inputs and targets that epochs are judged by; None: there is neither `early_stopping` nor a curve.
        planner: decides whether a stack pays; None: whatever can be stacked is.
        starts: N, what a network begins with instead of fresh weights, or None; see `starts.begin_from`. One that goes
            on takes the steps from where it stood to those of `fidelity`, at least one, by an optimiser that starts
            anew; learning rate and minibatches are those of a training in one go.
        scores: of the learning curves; None: none are kept.
        look: what is done with each stack before it is taken apart, outside of the seconds of its networks.

    Returns:
        N networks in the order of the genotypes. In place of one there is the `Invalid` that `build` refused it with,
        or the error of one that takes more memory than there is, also without others beside it.
    """
    size = size or StackSize()
    jobs = [
        _Job(genotype, int(seed), options.with_overrides(space.training_options(genotype)), start)
        for genotype, seed, start in zip(genotypes, seeds, starts or [None] * len(genotypes), strict=True)
    ]
    training = _Training(space, task, inputs, targets, validation, shared_seed, fidelity, size, planner, scores, look)
    groups: dict[Hashable, list[int]] = {}
    trained: dict[int, Trained | Untrained] = {}
    for index, job in enumerate(jobs):
        try:
            job.build(space, task, inputs)
        except Invalid as error:
            trained[index] = error
            continue
        spent = job.start.spent if job.start else 0.0
        groups.setdefault((_signature(space, job), job.options.shape(), spent), []).append(index)
    for members in groups.values():
        for index, result in zip(members, training.group([jobs[index] for index in members]), strict=True):
            trained[index] = result
    return [trained[index] for index in range(len(jobs))]


@dataclass
class _Job:
    genotype: Genotype
    seed: int
    options: TrainingOptions
    start: Start | None
    network: nn.Module = field(default_factory=nn.Identity)

    def build(self, space: SearchSpace, task: Task, inputs: Inputs) -> None:
        self.network = build_seeded(lambda: space.build(copy_tree(self.genotype), task), self.seed)
        _as_precise_as(inputs, self.network)
        if self.start is not None:
            begin_from(self.network, self.start)

    def done(self, examples: int, fidelity: float) -> int:
        """Steps that were taken before; one is left at least."""
        if self.start is None or not self.start.spent:
            return 0
        return min(self.options.steps(examples, self.start.spent), self.options.steps(examples, fidelity) - 1)


@dataclass(frozen=True)
class _Training:
    space: SearchSpace
    task: Task
    inputs: Inputs
    targets: Tensor
    validation: Examples | None
    shared_seed: int
    fidelity: float
    size: StackSize
    planner: Planner | None
    scores: Scorer | None
    look: Look | None

    def group(self, jobs: Sequence[_Job]) -> list[Trained | Untrained]:
        """Train networks that may be stacked, in stacks as large as memory allows."""
        most = self.size.of([job.network for job in jobs], self.inputs, jobs[0].options.batch_size)
        results: list[Trained | Untrained] = []
        while len(results) < len(jobs):
            part = jobs[len(results) : len(results) + most]
            try:
                results.extend(self._together(part) if len(part) > 1 else [self._alone(part[0])])
                continue
            except (MemoryError, torch.OutOfMemoryError) as error:
                reason = type(error)(*error.args)  # without the tensors of the frames that it came through
            for job in part:  # some may have been trained
                job.build(self.space, self.task, self.inputs)
            if self.inputs.device.type == "cuda":
                torch.cuda.empty_cache()
            if len(part) == 1:
                results.append(reason)
            most = max(1, len(part) // 2)
        return results

    def _together(self, jobs: Sequence[_Job]) -> list[Trained]:
        started = time.perf_counter()
        if self.planner is not None and self.planner.is_slower(*self._kind(jobs)):
            return [self._alone(job) for job in jobs]
        try:
            stack: Any = self._stack(jobs)
        except Unstackable:
            return [self._alone(job) for job in jobs]
        if self.planner is not None and not self._pays(self.planner, stack, jobs):
            return [self._alone(job) for job in jobs]
        curves = train_stack(
            stack,
            self.inputs,
            self.targets,
            [job.options for job in jobs],
            self.task.loss,
            self.shared_seed,
            self.fidelity,
            self.validation,
            jobs[0].done(len(self.inputs), self.fidelity),
            self.scores,
        )
        for index, job in enumerate(jobs):
            job.network.load_state_dict(stack.unstack(index))
        seconds = (time.perf_counter() - started) / len(jobs)
        seen: Sequence[Any] = [None] * len(jobs)
        if self.look is not None:
            stack.eval()
            seen = self.look(stack, [job.network for job in jobs])
            stack.train()  # a network may be a part of it
        return [
            Trained(job.network, seconds, len(jobs), curve, own)
            for job, curve, own in zip(jobs, curves, seen, strict=True)
        ]

    def _kind(self, jobs: Sequence[_Job]) -> tuple[Hashable, list[TrainingOptions], int]:
        """What the planner knows a stack by, and how many steps there are."""
        options = [job.options for job in jobs]
        kind = (type(self.space), _signature(self.space, jobs[0]))
        steps = options[0].steps(len(self.inputs), self.fidelity) - jobs[0].done(len(self.inputs), self.fidelity)
        return kind, options, steps

    def _pays(self, planner: Planner, stack: Stack, jobs: Sequence[_Job]) -> bool:
        kind, options, steps = self._kind(jobs)
        networks = [job.network for job in jobs]
        return planner.pays(kind, stack, networks, self.inputs, self.targets, options, self.task.loss, steps)

    def _stack(self, jobs: Sequence[_Job]) -> Stack:
        if self.space.stack_signature(jobs[0].genotype) is None:
            return VmapStack([job.network for job in jobs], self.inputs[: jobs[0].options.batch_size])
        stack: Any = self.space.build_stack([job.genotype for job in jobs], self.task)
        _as_precise_as(self.inputs, stack)
        for index, job in enumerate(jobs):
            stack.load(index, job.network.state_dict())
        return stack

    def _alone(self, job: _Job) -> Trained:
        started = time.perf_counter()
        curve = train_alone(
            job.network,
            self.inputs,
            self.targets,
            job.options,
            self.task.loss,
            self.shared_seed,
            self.fidelity,
            job.seed,
            self.validation,
            job.done(len(self.inputs), self.fidelity),
            self.scores,
        )
        return Trained(job.network, time.perf_counter() - started, 1, curve)


def train_stack(
    stack: Any,
    inputs: Inputs,
    targets: Tensor,
    options: Sequence[TrainingOptions],
    loss: Loss,
    shared_seed: int,
    fidelity: float = 1.0,
    validation: Examples | None = None,
    done: int = 0,
    scores: Scorer | None = None,
) -> list[Curve | None]:
    """Train a stack in place: each network as `train_alone` would train it.

    Args:
        stack: K networks with their parameters loaded.
        inputs: (examples, *input_shape).
        targets: (examples,) int64 classes, or (examples, outputs) floats.
        options: K; learning rate and decay may differ, what `TrainingOptions.shape` gives may not.
        loss: the task's loss.
        shared_seed: orders the minibatches, and of augmentation.
        fidelity: share of the epochs, in (0, 1].
        validation: inputs and targets that epochs are judged by; None: there is neither `early_stopping` nor a curve.
        done: steps that were taken before, by all.
        scores: of the learning curves; None: none are kept.

    Returns:
        K: the scores of each network after every epoch, as `train_alone` gives them.
    """
    stack.train()
    steps = options[0].steps(len(inputs), fidelity)
    training: TrainingStep | DeviceSteps
    if inputs.device.type == "cuda" and can_be_recorded(stack, inputs):
        training = DeviceSteps(stack, inputs, targets, options, loss, steps, shared_seed, done, cuda_graph)
    else:
        training = replace(step_of_stack(stack, inputs, targets, options, loss, steps, shared_seed), done=done)
    watch = watch_of(stack, options[0], loss, validation, len(options), scores)
    training.all(watch and watch.epoch_ended)
    if watch is None:
        return [None] * len(options)
    watch.restore()
    return watch.curves()


def _as_precise_as(inputs: Inputs, module: nn.Module) -> None:
    """Move a module to the device of its inputs, and make it double where they are; what is complex stays so."""
    module.to(inputs.device)
    if inputs.dtype == torch.float64:
        module.double()
    else:
        module.float()


def _signature(space: SearchSpace, job: _Job) -> Hashable:
    own = space.stack_signature(job.genotype)
    return structure(job.network) if own is None else own
