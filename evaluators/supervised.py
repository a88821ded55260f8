"""Trains candidates on any data set, and measures them."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from torch import nn

from qd.candidates import Candidates, Results
from qd.metrics.active_parameters import ActiveParameters
from qd.metrics.expert_entropy import ExpertEntropy
from qd.metrics.joined import JoinedMetrics
from qd.metrics.macs import MACs
from qd.metrics.parameters import Parameters
from qd.metrics.specialisation import Specialisation
from qd.training import Planner, StackSize, Trained, TrainingOptions, Untrained, build_seeded, train_population
from qd.training.device import pin_threads
from qd.training.memory import training_bytes
from search_spaces import Invalid, SearchSpace
from search_spaces.task import Classes

from .data import DataSet, Examples, Part
from .data.digits import Digits
from .preprocessing import Preprocessing
from .scores import Scores, every_metric
from .trainer import TIME, About, Trainer

DIGITS = Digits()
TRAINING = TrainingOptions()
SAMPLED = 16
"""Random networks of a space, of which the largest says how many fit into memory."""
MEASURED = (Parameters(), ActiveParameters(), MACs(), ExpertEntropy(), Specialisation())
"""Of every network, beside what the run file adds; the last where there are classes."""


class Supervised(Trainer):
    """Trains each candidate on a data set and measures it on the validation split; verification scores the test split.

    What is scored follows from the task: of classes `val_accuracy`, of values `val_r2`, `val_rmse` and `val_mae`, of
    next tokens `val_bits_per_token` and `val_accuracy`, and always `val_loss`, which training descends.

    Args:
        data: the examples and their split; `evaluators/data` has some.
        training: how candidates are trained; see `TrainingOptions`.
        metrics: which scores are reported, the most important first, without "val_": of classes accuracy,
            balanced_accuracy, macro_f1, auc (of two classes), calibration_error; of values r2, rmse, mae; of next
            tokens bits_per_token, accuracy. Empty: the usual ones.
        device: "cpu", "cuda", "cuda:1", ...; "auto" takes a GPU where there is one.
        stack: at most this many networks are trained together, 1 or more; None: 32 on the CPU, 1,000 on a card.
        stack_megabytes: memory for them; None: a quarter of what is free, or of a worker's share of a card. Left out of
            account under `order: id`.
    """

    metrics = {**every_metric(), **JoinedMetrics(MEASURED).metrics, **TIME}
    has_fidelity = True
    continues = True

    def __init__(
        self,
        data: DataSet = DIGITS,
        training: TrainingOptions = TRAINING,
        metrics: tuple[str, ...] = (),
        device: str = "auto",
        stack: int | None = None,
        stack_megabytes: int | None = None,
    ) -> None:
        if stack is not None and stack < 1:
            raise ValueError(f"stack: expected at least 1, got {stack}")
        if stack_megabytes is not None and stack_megabytes < 1:
            raise ValueError(f"stack_megabytes: expected at least 1, got {stack_megabytes}")
        self.stack_size = StackSize(stack, stack_megabytes * 2**20 if stack_megabytes else None)
        self._planner = Planner()
        data.check()
        self.data = data
        task = data.task
        measured = [one for one in MEASURED if isinstance(task.output, Classes) or not isinstance(one, Specialisation)]
        about = About(data.name, data.licence, data.class_names, data.split_in_words())
        super().__init__(about, task, Scores(task, metrics, data.preprocessing().outputs), measured, training, device)

    def contents(self) -> dict[str, Any]:
        return self.data.contents()

    def examples(self, part: Part, everything: bool = False) -> Examples:
        data = self.data
        if everything and part is Part.TRAIN and data.split.train is not None:
            data = replace(data, split=replace(data.split, train=None))  # pyright: ignore[reportArgumentType]
        found = data.splits().part(part)
        return Examples(found.inputs, self.data.targets(found))

    @cached_property
    def preprocessing(self) -> Preprocessing:
        return self.data.preprocessing()

    def bind(self, space: SearchSpace) -> None:
        super().bind(space)
        if self.reproducible:
            self.stack_size = StackSize(self.stack_size.most, bytes=0)

    @property
    def best_chunk(self) -> int:
        """As many as a stack of the largest of some random networks may hold."""
        inputs, networks = self.training_examples[0], self._sampled()
        if len(networks) < 2:
            return self.stack_size.most_on(self.device)
        return self.stack_size.of(networks, inputs, self.options.batch_size)

    @property
    def network_bytes(self) -> int | None:
        """Of the largest of some random networks."""
        inputs = self.training_examples[0]
        return max((training_bytes(one, inputs, self.options.batch_size) for one in self._sampled()), default=None)

    def _sampled(self) -> list[nn.Module]:
        """Some random networks of the space, on the device."""
        assert self.task is not None
        task, networks = self.task, []
        for genotype in self.space.genes.trees(self.space.genes.sample_many(SAMPLED, np.random.default_rng(0))):
            try:
                network = build_seeded(lambda genotype=genotype: self.space.build(genotype, task), 0)
            except Invalid:
                continue
            networks.append(network.to(self.device))
        return networks

    def evaluate(self, candidates: Candidates) -> Results:
        pin_threads()
        trained = self.train(self.space, candidates)
        return Results.join(self._row(candidates.take([row]), result) for row, result in enumerate(trained))

    def train(self, space: SearchSpace, candidates: Candidates) -> list[Trained | Untrained]:
        """Train a network of a space for each candidate, in their order; see `train_population`."""
        assert self.task is not None
        validation, scores = self.watched(candidates.purpose)
        return train_population(
            space,
            list(candidates.genotypes),
            candidates.seeds.tolist(),
            self.task,
            *self.training_examples,
            self.options,
            candidates.shared_seed,
            candidates.fidelity,
            self.stack_size,
            validation,
            None if self.reproducible else self._planner,
            [candidates.starts.get(id) for id in candidates.evaluation_ids.tolist()],
            scores,
            self.scorer(candidates.purpose),
        )

    def _row(self, candidate: Candidates, result: Trained | Untrained) -> Results:
        if not isinstance(result, Trained):
            return Results.raised(candidate, result)
        return self.row(candidate, result.network, result.seconds, result.curve, result.seen)
