"""Training and budget that fit the number of examples and the time there is."""

from __future__ import annotations

from dataclasses import dataclass

from ..inspecting.epoch import Epoch
from ..training import TrainingOptions

STEPS, FEWEST_STEPS = 1500, 250
"""Minibatches that a candidate is trained for: where time allows, and at least, however few candidates that leaves."""
MOST_EPOCHS, FEWEST_EPOCHS = 40, 2
CANDIDATES = 500
"""That a search should try."""
BATCHES = ((500, 16), (2000, 32), (10_000, 64))
"""(examples below, batch size)."""
LARGEST_BATCH = 128
LEAST_CHUNK = 12
"""Candidates that are trained together: fewer gain little."""


@dataclass(frozen=True)
class Plan:
    """How candidates are trained, and what the map holds.

    Args:
        epochs: of training.
        batch_size: of training.
        train: so many training examples are used; None: all.
        candidates: that there is time for, about.
        bins: of each measure.
        initial: random candidates that come first.
        chunk: candidates that are trained together.
    """

    epochs: int
    batch_size: int
    train: int | None
    candidates: int
    bins: int
    initial: int
    chunk: int


def batch_size(examples: int) -> int:
    """For so many training examples."""
    return next((size for below, size in BATCHES if examples < below), LARGEST_BATCH)


def plan(examples: int, epoch: Epoch | None, options: TrainingOptions, seconds: float) -> Plan:
    """Fit training to the time there is.

    Args:
        examples: for training.
        epoch: the time of one.
        options: with which it was measured.
        seconds: of the search.
    """
    size = batch_size(examples)
    steps = max(1, examples // size)
    step_seconds = 0.001 if epoch is None else epoch.together / max(1, examples // options.batch_size)
    affordable = seconds / CANDIDATES / step_seconds  # minibatches of a candidate
    affordable = max(affordable, FEWEST_STEPS)
    wanted = min(STEPS, affordable)
    epochs = round(min(MOST_EPOCHS, max(FEWEST_EPOCHS, wanted / steps)))
    train = None
    if epochs * steps > 2 * affordable and affordable < STEPS:
        train = max(1000, round(affordable / FEWEST_EPOCHS) * size)
        train = None if train >= examples else train
        steps = steps if train is None else max(1, train // size)
    candidates = max(1, int(seconds / (epochs * steps * step_seconds)))
    bins = min(20, max(6, round((candidates / 4) ** 0.5)))
    initial, chunk = min(60, max(12, candidates // 6)), min(48, max(LEAST_CHUNK, candidates // 12))
    return Plan(epochs, size, train, candidates, bins, initial, chunk)
