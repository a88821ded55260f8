"""Judges candidates with weights that all of them share, and trains them on from there, or not at all."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from qd.candidates import Candidates, Purpose, Results
from qd.metrics.routing import predict
from qd.plain_data.tensors import tensors_of
from qd.training import Trained, TrainingOptions, build_seeded
from qd.training.bank import Bank
from qd.training.device import pin_threads
from qd.training.supernet import BankOptions, measure_statistics, train_bank
from search_spaces import Genotypes, Invalid, Metric, SearchSpace, Task
from search_spaces.base import Stack
from search_spaces.genes import Genotype, copy_tree

from .data import DataSet
from .scores import Judged, every_metric
from .supervised import DIGITS, TRAINING, Supervised

BANK = BankOptions()
TRIED = 16
"""Networks of a space that a bank from a file is compared with at the door."""
ENOUGH = 0.5
"""Share of their parameters that it has at least, on average."""
INHERITED = "inherited_"
SHARE = {"inherited_share": Metric("", 0, 1, "maximise")}


class Supernet(Supervised):
    """Gives candidates slices of one bank of weights, scores them as they are, and trains them on for a while.

    The bank is trained before the first evaluation, on the training examples, or comes from a file. Beside what
    `supervised` reports there is `inherited_` and the first score's name, such as `inherited_accuracy`: that score with
    inherited weights, before any training of the candidate's own; and `inherited_share`, the share of its parameters
    that come from the bank (less than 1 where the bank has seen no network as large, or none with such a module).

    Each worker trains the bank by itself, from the seed of the options, on one thread: equal machines have equal banks.
    Where that takes long, or machines differ, train it into a file first (`scripts/supernet.py`).

    Args:
        data: as `supervised` has it.
        training: how candidates are trained on, and how the bank is but for `epochs`.
        metrics: as `supervised` has them.
        device: as `supervised` has it.
        stack: as `supervised` has it.
        stack_megabytes: as `supervised` has it.
        fine_tune: this share of the epochs of `training`, times the fidelity, follows on the inherited weights, in
            [0, 1]; 0: they are scored as they are.
        bank: how the bank is trained; without a file.
        file: a bank that was trained before, as safetensors.

    Raises:
        ValueError: an option is out of range, or the file is missing, damaged or no bank.
    """

    metrics = {
        **Supervised.metrics,
        **{name.replace("val_", INHERITED, 1): metric for name, metric in every_metric().items()},
        **SHARE,
    }

    def __init__(
        self,
        data: DataSet = DIGITS,
        training: TrainingOptions = TRAINING,
        metrics: tuple[str, ...] = (),
        device: str = "auto",
        stack: int | None = None,
        stack_megabytes: int | None = None,
        fine_tune: float = 0.0,
        bank: BankOptions = BANK,
        file: Path | None = None,
    ) -> None:
        if not 0 <= fine_tune <= 1:
            raise ValueError(f"fine_tune: expected a share in [0, 1], got {fine_tune}")
        super().__init__(data, training, metrics, device, stack, stack_megabytes)
        self.fine_tune, self.bank_options = fine_tune, bank
        self.has_fidelity = self.continues = fine_tune > 0
        self._score = next(iter(self.scores.metrics))
        self._name = self._score.replace("val_", INHERITED, 1)
        self.metrics = {**self.metrics, self._name: self.scores.metrics[self._score], **SHARE}
        self._file, self._content = file, b""
        if file is not None:
            try:
                self._content = file.read_bytes()
                tensors_of(self._content)
            except (OSError, ValueError) as error:
                raise ValueError(
                    f"file: {file}: expected a bank of weights, but it is missing or damaged ({error}); train one:"
                    " python scripts/supernet.py RUN_FILE FILE"
                ) from error

    def contents(self) -> dict[str, Any]:
        found = super().contents()
        return {**found, "bank": blake2b(self._content, digest_size=16).hexdigest()} if self._content else found

    def bind(self, space: SearchSpace) -> None:
        super().bind(space)
        if self._content:
            self._check_bank(space)

    @cached_property
    def bank(self) -> Bank:
        """The bank of the bound space; it is trained when it is first asked for, where it comes from no file."""
        if self._content:
            return Bank({key: tensor.to(self.device) for key, tensor in tensors_of(self._content).items()})
        pin_threads()
        assert self.task is not None
        found = Bank()
        train_bank(found, self.space, self.task, *self.training_examples, self.options, self.bank_options)
        return found

    def evaluate(self, candidates: Candidates) -> Results:
        pin_threads()
        found = [self._inherited(candidates.take([row])) for row in range(len(candidates))]
        if self.fine_tune:
            trained = self.train(InheritingSpace(self.space, self.bank), self._shortened(candidates))
        else:
            trained = [one if isinstance(one, Invalid) else Trained(one.network, one.seconds, 1) for one in found]
        return Results.join(
            self._with_inherited(self._row(candidates.take([row]), result), found[row])
            for row, result in enumerate(trained)
        )

    def known(self, genotypes: Genotypes, names: Collection[str]) -> dict[str, np.ndarray]:
        """Beside what training does not change: scores of networks that the bank has whole, whatever their seeds."""
        found = super().known(genotypes, names)
        if self._name in names:
            found[self._name] = np.array([self._score_of(one) for one in self.space.genes.trees(genotypes)])
        return found

    def _score_of(self, genotype: Genotype) -> float:
        pin_threads()
        id = np.ones(1, dtype=np.int64)
        one = self._inherited(Candidates(id, id, id, 0, self.space.genes.column([genotype])))
        if isinstance(one, Invalid) or one.share < 1 or [*one.network.buffers()]:
            return math.nan  # what the bank lacks follows from the candidate's seed, statistics from its minibatches
        return self._scored(one.network, Purpose.SEARCH) if one.score is None else one.score

    def _scored(self, network: nn.Module, purpose: Purpose) -> float:
        inputs, targets = self._test if purpose is Purpose.VERIFICATION else self._validation
        judged: list[Judged] = []
        predict(
            network,
            inputs,
            keep=lambda outputs, rows: _kept(judged, self.scores.judge(outputs[None], targets[rows])),
        )
        return self.scores.of(judged)[0][self._score]

    def _shortened(self, candidates: Candidates) -> Candidates:
        """The same with all shares of the budget as shares of the epochs of `training`."""
        starts = {id: one._replace(spent=one.spent * self.fine_tune) for id, one in candidates.starts.items()}
        return replace(candidates, fidelity=candidates.fidelity * self.fine_tune, starts=starts)

    def _inherited(self, candidate: Candidates) -> _Inherited | Invalid:
        """A candidate's network as the bank has it; scored, where training will change it."""
        started = time.perf_counter()
        assert self.task is not None
        task, genotype = self.task, copy_tree(candidate.genotypes[0])
        try:
            network = build_seeded(lambda: self.space.build(genotype, task), int(candidate.seeds[0])).to(self.device)
        except Invalid as error:
            return error
        share, score = self.bank.inherit(network), None
        measure_statistics(network, self.training_examples[0], self.options.batch_size, candidate.shared_seed)
        if self.fine_tune:
            score = self._scored(network, candidate.purpose)
        return _Inherited(network, share, score, time.perf_counter() - started)

    def _with_inherited(self, row: Results, found: _Inherited | Invalid) -> Results:
        if isinstance(found, Invalid):
            return row
        score = row.metrics[self._score] if found.score is None else np.array([found.score])
        return replace(row, metrics={**row.metrics, self._name: score, "inherited_share": np.array([found.share])})

    def _check_bank(self, space: SearchSpace) -> None:
        """Compare a bank from a file with some networks of a space."""
        assert self.task is not None
        task, rng, shares = self.task, np.random.default_rng(0), []
        bank = Bank(tensors_of(self._content))
        for genotype in space.genes.trees(space.genes.sample_many(TRIED, rng)):
            try:
                network = build_seeded(lambda genotype=genotype: space.build(genotype, task), 0)
            except Invalid:
                continue
            try:
                shares.append(bank.inherit(network))
            except ValueError as error:
                raise ValueError(f"file: {self._file}: {error}") from error
        if shares and np.mean(shares) < ENOUGH:
            raise ValueError(
                f"file: {self._file}: expected a bank of this space, but it has {np.mean(shares):.0%} of its networks'"
                " parameters; train one: python scripts/supernet.py RUN_FILE FILE"
            )


class InheritingSpace(SearchSpace):
    """A space whose networks begin with what a bank has of them.

    Args:
        space: builds them.
        bank: whatever it lacks stays as it was built.
    """

    def __init__(self, space: SearchSpace, bank: Bank) -> None:
        self._space, self._bank = space, bank
        self.genes = space.genes

    def build(self, genotype: Genotype, task: Task) -> nn.Module:
        network = self._space.build(genotype, task).float()
        self._bank.inherit(network)
        return network

    def stack_signature(self, genotype: Genotype) -> Hashable:
        return self._space.stack_signature(genotype)

    def build_stack(self, genotypes: Sequence[Genotype], task: Task) -> Stack:
        return self._space.build_stack(genotypes, task)

    def training_options(self, genotype: Genotype) -> Mapping[str, float]:
        return self._space.training_options(genotype)


class _Inherited(NamedTuple):
    """A network as the bank has it, in evaluation mode; the share of its parameters, its score, and seconds."""

    network: nn.Module
    share: float
    score: float | None
    seconds: float


def _kept(judged: list[Judged], one: Judged) -> torch.Tensor:
    judged.append(one)
    return torch.zeros(1)
