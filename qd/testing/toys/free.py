"""What costs nothing but the search around it: for benchmarks of the engine."""

import os
import time
from typing import Any

import numpy as np

from evaluators import Evaluator, Metric, SingleEvaluator
from qd.candidates import Candidates, Results
from search_spaces import Choice, Integer, Repeat, SearchSpace, Struct, Variant, Vector


class Trees(SearchSpace):
    """Genotypes as those of mixtures of experts, which nothing is built of and which have no diagram."""

    genes = Struct(
        width=Choice(8, 12, 16, 24, 32, 64),
        activation=Choice("relu", "silu", "tanh"),
        layers=Repeat(
            Variant(
                dense=Struct(hidden=Integer(8, 128, log=True), residual=Choice(True, False)),
                moe=Struct(
                    experts=Repeat(Integer(8, 64, log=True), 2, 8),
                    top_k=Integer(1, 2),
                    residual=Choice(True, False),
                ),
            ),
            1,
            6,
        ),
    )


class Vectors(SearchSpace):
    """121 numbers in a row."""

    genes = Vector(-2, 2, 121, "int8")


class Free(Evaluator):
    """Digits of the candidate's seed, at once or after so much computing for each."""

    metrics = {"score": Metric("", 0, 1), "a": Metric("", 0, 1), "b": Metric("", 0, 1)}

    def __init__(self, milliseconds: float = 0.0) -> None:
        self.seconds = milliseconds / 1000

    def evaluate(self, candidates: Candidates) -> Results:
        if self.seconds:
            end = time.thread_time() + self.seconds * len(candidates)
            while time.thread_time() < end:
                pass
        share = candidates.seeds / 2**53
        return Results.ok(candidates, {"score": share, "a": share * 1e4 % 1, "b": share * 1e8 % 1})


class Sleeps(SingleEvaluator):
    """Takes a lognormal time, and says from when to when."""

    metrics = {
        **Free.metrics,
        "began": Metric("s", 0, 1e12, time=True),
        "ended": Metric("s", 0, 1e12, time=True),
        "process": Metric("", 0, 1e12),
    }

    def evaluate_one(self, genotype: Any, seed: int) -> dict[str, float]:
        began, rng = time.time(), np.random.default_rng(seed)
        time.sleep(rng.lognormal(np.log(0.1), 1.0))
        values = {name: rng.random() for name in ("score", "a", "b")}
        return {**values, "began": began, "ended": time.time(), "process": os.getpid()}
