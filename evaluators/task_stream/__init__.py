"""A sequence of image tasks that share structure; trains and measures candidates on one of them."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from qd.candidates import Candidates, Curve, Results, Status
from qd.metrics.macs import MACs
from qd.metrics.parameters import Parameters
from qd.training import TrainingOptions, build_seeded, train_alone
from qd.training.device import pin_threads
from qd.training.inputs import Inputs
from search_spaces import Genotype, Invalid
from search_spaces.library.composition import Composition
from search_spaces.module_library import ModuleLibrary

from ..data import Examples, Part
from ..data.digits import Digits
from ..preprocessing import Preprocessing, Standardise
from ..scores import Scores
from ..trainer import About, Trainer
from .tasks import ImageTask, Sizes, load, task_of

if TYPE_CHECKING:
    from qd.surrogates.base import Surrogate

KEPT = 32
"""Outputs of frozen stages for all examples of a part are kept for this many different rows of stages."""
ROWS = 500
"""Examples that go through frozen stages at once."""

PLAIN_DIGITS = ImageTask(Digits())
TRAINING = TrainingOptions()


MEASURED = (Parameters(), MACs())
"""Of every network, beside what the run file adds."""


class TaskStream(Trainer):
    """Trains each candidate on one task of a sequence and measures it on its validation examples.

    `qd stream` goes through the sequence, a run for each task, and lets the library grow in between. Verification alone
    scores the test examples. What frozen stages give for the training examples is computed once, as it does not change
    (under `augmentation` it does, and is computed each time).

    Args:
        tasks: the sequence; see `evaluators/task_stream/tasks.py` for what a task may be.
        index: of the task at hand, from 0.
        train_examples: for training.
        validation_examples: for validation.
        test_examples: for tests, at most.
        shrink: images are averaged over squares of this many pixels a side.
        split_seed: of the random split, at least 0.
        training: how candidates are trained; see `TrainingOptions`.
        device: "cpu", "cuda", "cuda:1", ...; "auto" takes a GPU where there is one.
    """

    has_fidelity = True

    def __init__(
        self,
        tasks: tuple[ImageTask, ...] = (PLAIN_DIGITS,),
        index: int = 0,
        train_examples: int = 1000,
        validation_examples: int = 350,
        test_examples: int = 10_000,
        shrink: int = 1,
        split_seed: int = 0,
        training: TrainingOptions = TRAINING,
        device: str = "auto",
    ) -> None:
        if not 0 <= index < len(tasks):
            raise ValueError(f"index: expected a number below {len(tasks)}, the number of tasks, got {index}")
        given = {"train_examples": train_examples, "validation_examples": validation_examples, "shrink": shrink}
        for name, value in {**given, "test_examples": test_examples}.items():
            if value < 1:
                raise ValueError(f"{name}: expected at least 1, got {value}")
        if split_seed < 0:
            raise ValueError(f"split_seed: expected at least 0, got {split_seed}")
        self.tasks, self.image_task = tasks, tasks[index]
        self.image_task.data.check()
        task = task_of(self.image_task, shrink)
        self._sizes = Sizes(train_examples, validation_examples, test_examples, shrink, split_seed)
        self._kept: OrderedDict[str, Tensor] = OrderedDict()
        about = About(self.image_task.name, self.image_task.data.licence, self.image_task.class_names)
        super().__init__(about, task, Scores(task), MEASURED, training, device)

    def contents(self) -> dict[str, Any]:
        return self.image_task.data.contents()

    def examples(self, part: Part, everything: bool = False) -> Examples:
        return load(self.image_task, self._sizes).part(part)

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """One mean and one scale for all pixels, whatever the image's size."""
        images = self.examples(Part.TRAIN).inputs[:]
        return Standardise(np.array(images.mean(), np.float32), np.array(images.std(), np.float32))

    def evaluate(self, candidates: Candidates) -> Results:
        pin_threads()
        return Results.join(self._row(candidates.take([row])) for row in range(len(candidates)))

    def surrogate(self) -> Surrogate | None:
        if not isinstance(self.space, ModuleLibrary) or self.space.library is None:
            return None
        from .surrogate import CompositionSurrogate

        assert self.task is not None
        inputs, labels = self.training_examples
        return CompositionSurrogate(self.space, self.task, inputs[:], labels)

    def _row(self, candidate: Candidates) -> Results:
        try:
            network, seconds, curve = self._train(candidate)
        except Invalid as error:
            return Results.without_metrics(candidate, Status.INVALID, str(error))
        return self.row(candidate, network, seconds, curve)

    def _train(self, candidate: Candidates) -> tuple[nn.Module, float, Curve | None]:
        """The trained network, the seconds that training took, what frozen stages compute included, and its curve."""
        assert self.task is not None
        task, genotype, seed = self.task, candidate.genotypes[0], int(candidate.seeds[0])
        network = build_seeded(lambda: self.space.build(genotype, task), seed).to(self.device)
        started = time.perf_counter()
        inputs, labels = self.training_examples
        validation, scores = self.watched(candidate.purpose)
        rest, curve = network, None
        if isinstance(network, Composition) and network.fixed_stages and self.options.augmentation is None:
            fixed = network.fixed_stages
            inputs = self._after(network, genotype, fixed, inputs, Part.TRAIN)
            if validation is not None:
                validation = (self._after(network, genotype, fixed, validation[0], Part.VALIDATION), validation[1])
            rest = nn.Sequential(*network.stages[fixed:])
        if any(parameter.requires_grad for parameter in rest.parameters()):
            options = self.options.with_overrides(self.space.training_options(genotype))
            curve = train_alone(
                rest,
                inputs,
                labels,
                options,
                task.loss,
                candidate.shared_seed,
                candidate.fidelity,
                seed,
                validation,
                scores=scores,
            )
        return network, time.perf_counter() - started, curve

    def _after(self, network: Composition, genotype: Genotype, fixed: int, inputs: Inputs, part: Part) -> Tensor:
        """What the first `fixed` stages, which training does not change, give for the inputs of a part."""
        space = cast(ModuleLibrary, self.space)
        genes = [(placed.position.name, placed.genes) for placed in space.placed(genotype)][:fixed]
        key = json.dumps([part.name, genes], sort_keys=True)
        if key not in self._kept:
            stages = nn.Sequential(*network.stages[:fixed]).eval()
            with torch.no_grad(), self.options.autocast(self.device):
                self._kept[key] = torch.cat(
                    [stages(inputs[start : start + ROWS]) for start in range(0, len(inputs), ROWS)]
                )
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]
