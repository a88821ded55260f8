"""The ordinary training loop of one network, with checkpoints: it goes on where it was interrupted."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from evaluators.task_data import Examples, Prepared
from search_spaces.task import Loss

from ..errors import QdError, UsageError
from ..store.folder import write_atomically
from ..training import TrainingOptions, minibatches
from ..training.inputs import RowsOnDevice
from ..training.step import step_of_network
from ..training.watch import Watch

OPTIMISER = "optimiser/"
NETWORK = "network/"
BEST = "best/"
GENERATOR = "generator"


@dataclass(frozen=True)
class Schedule:
    """What is trained on what; two trainings of equal ones come out alike.

    Args:
        options: how, and for how many epochs.
        loss: the task's.
        shared_seed: orders the minibatches.
        seed: of what the network itself draws while it is trained.
    """

    options: TrainingOptions
    loss: Loss
    shared_seed: int
    seed: int


class LongTraining:
    """Trains one network as `train_alone` does, epoch by epoch, keeps a checkpoint after each, and the best of them.

    Args:
        network: freshly initialised, on its device.
        examples: to train on.
        schedule: how.
        checkpoint: the file; what is in it goes on.
        identity: plain data that must equal that of the checkpoint.
        validation: what `early_stopping` judges epochs by, as in the search; None: it is not among the options.

    Raises:
        UsageError: the checkpoint is of another training.
        QdError: it is damaged.
    """

    def __init__(
        self,
        network: nn.Module,
        examples: Examples,
        schedule: Schedule,
        checkpoint: Path,
        identity: Mapping[str, Any],
        validation: Examples | None = None,
    ) -> None:
        self.network, self._schedule, self._checkpoint = network, schedule, checkpoint
        self._identity = json.dumps(identity, sort_keys=True)
        device = next(network.parameters()).device
        options = schedule.options
        self._inputs, targets = _on_device(examples, device)
        self.steps = options.steps(len(self._inputs))
        self._take = step_of_network(
            network, self._inputs, targets, options, schedule.loss, self.steps, schedule.shared_seed
        )
        self._per_epoch = options.steps_of_epoch(len(self._inputs))
        self._watch = None
        if options.early_stopping is not None:
            judges = None if validation is None else _on_device(validation, device)
            self._watch = Watch(network, options, schedule.loss, judges)
        self.epoch = 0
        """How many are done."""
        self.best_epoch = 0
        """The one with the best score so far, the last of equals; its weights are `best`.

        Under `early_stopping` the one with the least validation loss, the first of equals.
        """
        self.best_score = -math.inf
        self.best: dict[str, Tensor] = {}
        self._generator = torch.Generator().manual_seed(schedule.seed).get_state()
        if checkpoint.exists():
            self._restore()

    @property
    def stopped(self) -> bool:
        """Whether the patience of `early_stopping` is spent."""
        stopping = self._schedule.options.early_stopping
        return stopping is not None and self.epoch - self.best_epoch >= stopping.patience

    def run(
        self, score: Callable[[], float], on_epoch: Callable[[LongTraining], None], should_stop: Callable[[], bool]
    ) -> bool:
        """Train to the end, or to where `early_stopping` has it.

        False where `should_stop` ended it, and then the last whole epoch is kept.

        Args:
            score: of the network as it is, after every epoch; more is better. Under `early_stopping` the validation
                loss judges instead.
            on_epoch: called when an epoch is kept.
            should_stop: asked before every step.
        """
        options = self._schedule.options
        done = self.epoch * self._per_epoch
        size = len(self._inputs)
        batches = minibatches(size, options.batch_size, self.steps, self._schedule.shared_seed, self._inputs.device)
        self.network.train()
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.set_state(self._generator)
            for step, rows in enumerate(islice(batches, done, None), start=done):
                if self.stopped:
                    return True
                if should_stop():
                    return False
                self._take(step, rows)
                if (step + 1) % self._per_epoch == 0 or step + 1 == self.steps:
                    self.epoch += 1
                    self._judge(score())
                    self._generator = torch.default_generator.get_state()
                    self._save()
                    on_epoch(self)
                    self.network.train()
        return True

    def _judge(self, score: float) -> None:
        if self._watch is not None:
            (loss,) = self._watch.losses()
            score = -loss
        better = score >= self.best_score if self._watch is None else score > self.best_score
        if better or not self.best:  # no number is above none
            self.best_epoch, self.best_score = self.epoch, -math.inf if math.isnan(score) else score
            self.best = {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}

    def _save(self) -> None:
        tensors = {f"{NETWORK}{name}": tensor for name, tensor in self.network.state_dict().items()}
        tensors.update({f"{BEST}{name}": tensor for name, tensor in self.best.items()})
        for index, values in self._take.optimiser.state_dict()["state"].items():
            tensors.update({f"{OPTIMISER}{index}/{name}": value for name, value in values.items() if value is not None})
        tensors[GENERATOR] = self._generator
        contents = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
        best = json.dumps([self.best_epoch, self.best_score])
        metadata = {"identity": self._identity, "epoch": str(self.epoch), "best": best}
        write_atomically(self._checkpoint, save(contents, metadata))

    def _restore(self) -> None:
        try:
            with safe_open(self._checkpoint, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        except (SafetensorError, OSError) as error:
            raise QdError(
                f"{self._checkpoint}: the checkpoint is damaged ({error}); delete it to start again"
            ) from None
        if metadata.get("identity") != self._identity:
            raise UsageError(
                f"{self._checkpoint}: a training of something else, or with other settings, was interrupted here;"
                " delete it to start again, or choose another `to`"
            )
        self.network.load_state_dict(
            {name.removeprefix(NETWORK): value for name, value in tensors.items() if name.startswith(NETWORK)}
        )
        state: dict[int, dict[str, Tensor]] = {}
        for path, value in tensors.items():
            if path.startswith(OPTIMISER):
                index, name = path.removeprefix(OPTIMISER).split("/")
                state.setdefault(int(index), {})[name] = value
        self._take.optimiser.load_state_dict({**self._take.optimiser.state_dict(), "state": state})
        self._generator = tensors[GENERATOR]
        self.epoch = int(metadata["epoch"])
        self.best_epoch, self.best_score = json.loads(metadata["best"])
        self.best = {name.removeprefix(BEST): value for name, value in tensors.items() if name.startswith(BEST)}


def _on_device(examples: Examples, device: torch.device) -> tuple[RowsOnDevice | Tensor, Tensor]:
    inputs = examples.inputs
    on_device = RowsOnDevice(inputs, device) if isinstance(inputs, Prepared) else torch.from_numpy(inputs).to(device)
    return on_device, torch.from_numpy(examples.targets).to(device)
