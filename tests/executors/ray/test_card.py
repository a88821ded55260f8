"""Workers of one card wait for one another by locked files; the locks are real, the card is not needed."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest
import torch

from evaluators import Metric, SingleEvaluator
from qd.candidates import Status
from qd.executors.ray.card import TOO_LARGE, Card
from qd.testing.batches import make_candidates
from qd.testing.executors import TinySpace, numbers


def is_alone(use: Path) -> bool:
    """Whether somebody has all of the card now."""
    file = os.open(use, os.O_RDWR)
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


class Picky(SingleEvaluator):
    """Odd numbers need a whole card, 19 more than that."""

    metrics = {"number": Metric("", 0, 99)}

    def __init__(self, folder: Path) -> None:
        self.use, self.seen = folder / "0.use", []

    def evaluate_one(self, genotype, seed):
        number = genotype["number"]
        self.seen.append((number, is_alone(self.use)))
        if number == 19 or (number % 2 and not is_alone(self.use)):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 80.00 GiB")
        if number == 18:
            raise RuntimeError("broken")
        return {"number": number}


def test_what_is_too_large_for_a_share_gets_the_whole_card(tmp_path: Path) -> None:
    card, evaluator = Card(tmp_path, "0", 0.25), Picky(tmp_path)
    evaluator.bind(TinySpace())
    batch = make_candidates(numbers(10))
    results = card.evaluate(evaluator, batch)
    status = dict(zip(results.evaluation_ids.tolist(), results.status.tolist(), strict=True))
    assert [status[id] for id in batch.evaluation_ids.tolist()] == [Status.OK] * 8 + [Status.FAILED] * 2
    found = dict(zip(results.evaluation_ids.tolist(), results.metrics["number"].tolist(), strict=True))
    assert [found[id] for id in batch.evaluation_ids.tolist()[:8]] == list(range(10, 18))
    again = [number for number, alone in evaluator.seen if alone]
    assert again == [11, 13, 15, 17, 19]  # and neither what went well, nor what failed for another reason
    assert len(evaluator.seen) == 10 + len(again)
    assert "OutOfMemoryError: CUDA out of memory" in results.errors[int(batch.evaluation_ids[9])]
    assert not is_alone(tmp_path / "0.use")
    card.close()


def test_who_wants_the_whole_card_waits_for_the_others_and_they_for_it(tmp_path: Path) -> None:
    here, there, late = (Card(tmp_path, "0", 0.3) for _ in range(3))
    alone, leave, joined = threading.Event(), threading.Event(), threading.Event()

    def take_all() -> None:
        with there.alone():
            alone.set()
            leave.wait(60)

    def join() -> None:
        with late.shared():
            joined.set()

    threads = [threading.Thread(target=take_all), threading.Thread(target=join)]
    with here.shared():
        with late.shared():
            pass  # shares go together
        threads[0].start()
        assert not alone.wait(0.2)
    assert alone.wait(60)
    threads[1].start()
    assert not joined.wait(0.2)
    leave.set()
    assert joined.wait(60)
    for thread in threads:
        thread.join(60)
    for card in (here, there, late):
        card.close()


def test_other_cards_do_not_wait(tmp_path: Path) -> None:
    with Card(tmp_path, "0", 0.5).alone(), Card(tmp_path, "1", 0.5).alone():
        assert is_alone(tmp_path / "0.use") and is_alone(tmp_path / "1.use")


@pytest.mark.parametrize(
    ("text", "large"),
    [
        ("Traceback …\ntorch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", True),
        ("torch.cuda.OutOfMemoryError: CUDA out of memory", True),
        ("RuntimeError: CUDA error: out of memory\nCUDA kernel errors might be", True),
        ("RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", True),
        ("MemoryError", False),  # the machine's, which a card does not help
        ("RuntimeError: expected no OutOfMemoryError", False),
    ],
)
def test_failures_for_want_of_the_cards_memory_are_told_from_others(text: str, large: bool) -> None:
    assert bool(TOO_LARGE.search(text)) == large
