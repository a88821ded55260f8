"""Workers share GPUs by fractions, and see only what they were given. The GPUs are logical: no card is needed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import sys
import time
from collections.abc import Iterator

import cloudpickle
import pytest
import torch

from evaluators import Metric, SingleEvaluator
from qd.candidates import Status
from qd.executors.ray.executor import RayExecutor
from qd.executors.ray.options import RayConfig
from qd.executors.ray.worker import session_folder
from qd.testing import ExecutorConformance
from qd.testing.batches import make_candidates
from qd.testing.executors import TinySpace, numbers

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import this file
HOST = socket.gethostname()


class Looks(SingleEvaluator):
    """Reports which GPUs its process sees: -1 for none, and none is more than one."""

    metrics = {"gpu": Metric("", -1, 9), "process": Metric("", 0, 1e9)}

    def evaluate_one(self, genotype, seed):
        time.sleep(0.1)  # so that every worker gets some
        return {"gpu": float(os.environ["CUDA_VISIBLE_DEVICES"] or -1), "process": os.getpid()}


class Wide(SingleEvaluator):
    """Odd numbers run out of a card's memory unless their worker has all of it."""

    metrics = {"number": Metric("", 0, 99)}

    @property
    def best_chunk(self):
        return 7 if os.environ["CUDA_VISIBLE_DEVICES"] else None  # as a worker sees it

    def evaluate_one(self, genotype, seed):
        if genotype["number"] % 2 and not self.is_alone():
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 80.00 GiB")
        time.sleep(0.05)
        return {"number": genotype["number"]}

    def is_alone(self) -> bool:
        [card] = os.environ["CUDA_VISIBLE_DEVICES"].split(",")
        file = os.open(session_folder() / "qd-cards" / f"{card}.use", os.O_RDWR)
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a cluster with two GPUs."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 4, "num_gpus": 2, "include_dashboard": False})
    assert cluster.address is not None
    yield cluster.address
    cluster.shutdown()


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.parametrize(
    ("gpus", "workers", "seen"), [(0.5, 4, {f"{HOST} gpu0": 0, f"{HOST} gpu1": 1}), (1, 2, None), (0, 2, {HOST: -1})]
)
def test_each_worker_sees_its_own_gpu(address, gpus, workers, seen):
    evaluator = Looks()
    evaluator.bind(TinySpace())
    config = RayConfig(address=address, gpus=gpus, workers=workers)
    with contextlib.closing(RayExecutor(evaluator, config)) as executor:
        until = time.monotonic() + 60
        while executor.slots < 2 * workers and time.monotonic() < until:
            executor.submit(make_candidates(numbers(1)))  # workers start one after the other
            executor.collect()
        for first in range(10, 10 + 4 * workers):
            executor.submit(make_candidates(numbers(1), first_id=first))
        results = ExecutorConformance().gather(executor, 4 * workers)
    found = {
        (results.workers[id], gpu)
        for id, gpu in zip(results.evaluation_ids.tolist(), results.metrics["gpu"].tolist(), strict=True)
    }
    assert found == set((seen or {f"{HOST} gpu0": 0, f"{HOST} gpu1": 1}).items())
    assert len(set(results.metrics["process"].tolist())) == workers


@pytest.mark.slow
@pytest.mark.cluster
def test_what_is_too_large_for_a_share_has_a_card_to_itself(address):
    evaluator = Wide()
    evaluator.bind(TinySpace())
    with contextlib.closing(RayExecutor(evaluator, RayConfig(address=address, gpus=0.5, workers=3))) as executor:
        assert (executor.workers, executor.best_chunk) == (3, 7)
        for first in range(0, 40, 4):
            executor.submit(make_candidates(numbers(4), first_id=first + 1))
        results = ExecutorConformance().gather(executor, 40)
    assert set(results.status.tolist()) == {Status.OK}
    assert sorted(results.metrics["number"].tolist()) == sorted([10, 11, 12, 13] * 10)
