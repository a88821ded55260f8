"""A card that several workers share: each keeps to its part of the memory, and one may have all of it for a while.

Ray counts fractions of a card and limits nothing. The limit is set in torch's allocator, process by process. What is
too large for a part is evaluated while the other workers of the card wait: they keep their code and data, and give back
all other memory. Workers of one card find each other by two locked files on their machine, which the system unlocks
when a process dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from evaluators import Evaluator

from ...candidates import Candidates, Results, Status
from ..base import evaluate

TOO_LARGE = re.compile(
    r"^(torch\.(cuda\.)?)?OutOfMemoryError\b|^[\w.]+Error: .*(CUDA error: out of memory|CUBLAS_STATUS_ALLOC_FAILED)",
    re.MULTILINE,
)
"""In the text of a failure: a card had no room."""


class Card:
    """One worker's part of a card.

    Args:
        folder: where the locks are, the same for all workers of this machine; it is made.
        name: of the card on this machine.
        share: of its memory that this worker may take, in (0, 1).
    """

    def __init__(self, folder: Path, name: str, share: float) -> None:
        self.share = share
        folder.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._use = os.open(folder / f"{name}.use", flags, 0o600)
        self._turn = os.open(folder / f"{name}.turn", flags, 0o600)
        limit_memory_of_card(share)

    def evaluate(self, evaluator: Evaluator, candidates: Candidates) -> Results:
        """Evaluate a batch; rows that are too large for this worker's share are evaluated once more, with all of it."""
        with self.shared():
            results = evaluate(evaluator, candidates)
        large = [
            id
            for id in results.evaluation_ids[results.status == Status.FAILED].tolist()
            if TOO_LARGE.search(results.errors.get(id, ""))
        ]
        if not large:
            return results
        rest = results.take(np.flatnonzero(~np.isin(results.evaluation_ids, large)))
        rows = {id: row for row, id in enumerate(candidates.evaluation_ids.tolist())}
        with self.alone():
            return Results.join([rest, *(evaluate(evaluator, candidates.take([rows[id]])) for id in large)])

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Use this worker's part, beside others who use theirs; waits behind one who waits for all of it."""
        with _locked(self._turn, fcntl.LOCK_EX):
            fcntl.flock(self._use, fcntl.LOCK_SH)
        limit_memory_of_card(self.share)  # torch may have been imported since
        try:
            yield
        finally:
            give_back_memory_of_card()
            fcntl.flock(self._use, fcntl.LOCK_UN)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Use all of the card; waits until the others have done what they are at."""
        with _locked(self._turn, fcntl.LOCK_EX), _locked(self._use, fcntl.LOCK_EX):
            limit_memory_of_card(1.0)
            try:
                yield
            finally:
                give_back_memory_of_card()
                limit_memory_of_card(self.share)

    def close(self) -> None:
        """Close the files."""
        os.close(self._use)
        os.close(self._turn)


def limit_memory_of_card(share: float) -> None:
    """Let torch take this share of the card's memory in this process; nothing where it has not been imported yet."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(share)


def give_back_memory_of_card() -> None:
    """Give back what torch keeps of a card for later tensors: others may need it."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


@contextlib.contextmanager
def _locked(file: int, kind: int) -> Iterator[None]:
    fcntl.flock(file, kind)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
